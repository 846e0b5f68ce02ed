"""Stores that write object by object, several objects at a time."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from hypothesis import given
from msgspec.structs import replace

from provisioner.diagnostics import Diagnostic
from provisioner.engine.writes import CreateRole, UpdateRole, replay
from provisioner.errors import BackendError, Conflict, StateMoved
from provisioner.testing import MemoryBackend
from provisioner.testing.strategies import worlds
from tests.engine import oracle
from tests.engine.build import (
    blockers,
    carry_out,
    desired,
    plan_against,
    plan_writes,
    role,
    stored,
    world,
)
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.backends.base import Description
    from provisioner.engine.writes import Write
    from provisioner.model import Snapshot, State
    from provisioner.testing.world import World

MANY = world(stored(role("Old")), desired(*(role(f"R{number:02d}", "A") for number in range(20))))


class Parallel(MemoryBackend):
    """A store that takes four writes at a time, and remembers how many it was at."""

    def __init__(self, initial: State, before: Callable[[Write], None] | None = None) -> None:
        super().__init__(initial, atomic=False)
        self.before = before or (lambda _: None)
        self.now, self.most = 0, 0
        self.count = threading.Lock()

    def describe(self) -> Description:
        return replace(super().describe(), concurrency=4)

    def write(self, write: Write) -> None:
        with self.count:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            self.before(write)
            super().write(write)
        finally:
            with self.count:
                self.now -= 1


def test_as_many_at_a_time_as_the_store_takes() -> None:
    together = threading.Barrier(4, timeout=PATIENCE)

    def meet(write: Write) -> None:
        if isinstance(write, CreateRole) and write.role.name in {"R00", "R01", "R02", "R03"}:
            together.wait()

    backend = Parallel(MANY.current, meet)
    outcome = carry_out(plan_against(backend, MANY), backend)
    assert outcome.is_complete
    assert backend.most == 4
    assert list(outcome.applied) == plan_writes(MANY.plan(), MANY.current)


@given(worlds())
def test_each_moment_is_allowed_and_the_end_is_the_same(it: World) -> None:
    backend = Parallel(it.current)
    plan = plan_against(backend, it)
    if blockers(plan) or plan.is_empty:
        return
    assert carry_out(plan, backend).is_complete
    end = replay(it.current, plan_writes(plan, it.current))
    assert oracle.known(backend.read().state, it.current) == oracle.known(
        replace(end, recorded=backend.read().state.recorded), it.current
    )
    after = oracle.access(end)
    for state in backend.states:
        for login, held in oracle.access(state).items():
            before = oracle.access(it.current).get(login, frozenset())
            assert held <= before or held <= after.get(login, frozenset())


def is_idle(thread: int) -> bool:
    """Whether a thread of a pool has no more to do."""
    return sys._current_frames()[thread].f_code.co_name == "_worker"


def test_after_a_failure_nothing_more_begins_and_nothing_is_left_out_of_the_report() -> None:
    together = threading.Barrier(4, timeout=PATIENCE)
    refused: list[int] = []

    def refuse(write: Write) -> None:
        if not isinstance(write, CreateRole) or write.role.name not in {"R05", "R06", "R07", "R08"}:
            return
        if write.role.name in {"R05", "R06"}:
            refused.append(threading.get_ident())
        together.wait()
        if write.role.name in {"R05", "R06"}:
            raise BackendError(Diagnostic("down", f"no room for {write.role.name}"))
        until(lambda: all(is_idle(thread) for thread in refused))

    backend = Parallel(MANY.current, refuse)
    plan = plan_against(backend, MANY)
    outcome = carry_out(plan, backend)
    writes = plan_writes(plan, MANY.current)
    assert outcome.failed
    assert len(outcome.not_tried) >= 11
    assert sorted(
        map(repr, (*outcome.applied, *outcome.failed, *outcome.unknown, *outcome.not_tried))
    ) == sorted(map(repr, writes))
    made = {w.role.name for w in outcome.applied if isinstance(w, CreateRole)}
    assert made == backend.read().state.roles.keys() - MANY.current.roles.keys()
    assert outcome.error is not None
    assert outcome.error.exit_code == 1


def test_what_nobody_knows_of_is_told_from_what_failed() -> None:
    """One is refused for certain, one may have been made, and then nothing can be read."""

    class Gone(Parallel):
        gone = False

        def read(self) -> Snapshot:
            if self.gone:
                raise lost
            return super().read()

    lost = BackendError(Diagnostic("no-answer", "nobody answers"))
    together = threading.Barrier(2, timeout=PATIENCE)

    def fail(write: Write) -> None:
        if isinstance(write, CreateRole) and write.role.name in {"R00", "R01"}:
            together.wait()
            backend.gone = True
            raise StateMoved(Diagnostic("moved", "R00")) if write.role.name == "R00" else lost

    backend = Gone(MANY.current, fail)
    outcome = carry_out(plan_against(backend, MANY), backend)
    names = {
        group: [w.role.name for w in writes if isinstance(w, CreateRole)]
        for group, writes in (("failed", outcome.failed), ("unknown", outcome.unknown))
    }
    assert names == {"failed": ["R00"], "unknown": ["R01"]}
    assert outcome.error is not None
    assert [d.id for d in outcome.error.diagnostics] == ["moved", "no-answer", "unknown-outcome"]


def test_a_step_does_not_begin_when_something_failed_before_it() -> None:
    it = world(
        stored(role("One", "A B"), role("Two", "A B")),
        desired(role("One", "A"), role("Two", "A"), role("Three", "C")),
    )

    def refuse(_: Write) -> None:
        raise StateMoved(Diagnostic("state-moved", "somebody was faster"))

    backend = Parallel(it.current, refuse)
    outcome = carry_out(plan_against(backend, it), backend)
    assert any(isinstance(write, CreateRole) for write in outcome.failed)
    assert {type(write) for write in outcome.not_tried} == {UpdateRole}
    assert isinstance(outcome.error, Conflict)
    assert backend.states == ()


def test_lost_answers_are_looked_up_and_the_rest_goes_on() -> None:
    backend = Parallel(MANY.current)
    lost = iter([True] * 3)

    def lose(_: int, __: Write) -> None:
        if next(lost, False):
            raise BackendError(Diagnostic("connection-lost", "the answer was lost"))

    backend.fail_after = lose
    outcome = carry_out(plan_against(backend, MANY), backend)
    assert outcome.is_complete
    assert outcome.error is None


def test_an_adapter_s_defect_does_not_lose_the_report() -> None:
    """What it raised is told, and what it did all the same is found by reading."""

    def stumble(write: Write) -> None:
        if isinstance(write, CreateRole) and write.role.name == "R05":
            raise ZeroDivisionError("oops")

    backend = Parallel(MANY.current, stumble)
    outcome = carry_out(plan_against(backend, MANY), backend)
    assert [w.role.name for w in outcome.failed if isinstance(w, CreateRole)] == ["R05"]
    assert outcome.error is not None
    assert outcome.error.diagnostics[0].message == "internal error: ZeroDivisionError: oops"
