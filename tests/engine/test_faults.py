"""Whatever goes wrong while a plan is applied: the report is exact, and running again goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.diagnostics import Diagnostic
from provisioner.engine.order.steps import ordered
from provisioner.engine.writes import replay
from provisioner.errors import BackendError, StalePlan
from provisioner.model import Assignment, State
from provisioner.testing import MemoryBackend
from provisioner.testing.strategies import worlds
from provisioner.testing.write_strategies import rollbacks
from tests.engine import oracle
from tests.engine.build import (
    Confirmed,
    carry_out,
    desired,
    plan_against,
    plan_writes,
    renamed,
    role,
    stored,
    world,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from provisioner.apply.outcome import Outcome
    from provisioner.backends.base import Run
    from provisioner.engine.writes import Write
    from provisioner.model import Kind, Snapshot
    from provisioner.testing.world import World

    Hook = Callable[[int, Write], None]


def lost() -> BackendError:
    return BackendError(Diagnostic("connection-lost", "the connection was lost", None, "try again"))


def at(number: int) -> Hook:
    """A hook that lets exactly one write fail."""

    def hook(count: int, _: Write) -> None:
        if count == number:
            raise lost()

    return hook


def check_exact(
    outcome: Outcome, writes: Sequence[Write], start: State, backend: MemoryBackend
) -> None:
    """The report names every write of the plan once, and the applied ones are the store's state."""
    told = [*outcome.applied, *outcome.failed, *outcome.unknown, *outcome.not_tried]
    assert told == list(writes)
    assert oracle.known(backend.read().state, start) == oracle.known(
        replay(start, outcome.applied), start
    )


def check_goes_on(it: World, backend: MemoryBackend) -> None:
    """Planning and applying again, with nothing broken any more, reaches the target."""
    healed = backend.handle()
    plan, wanted = plan_against(healed, it), oracle.target(it)
    assert wanted is not None
    assert not plan.blockers
    assert plan.is_empty or carry_out(plan, healed).is_complete
    target = State(wanted.roles, {u: Assignment(u, held) for u, held in wanted.users.items()})
    assert oracle.known(healed.read().state, it.current) == oracle.known(target, it.current)
    assert plan_against(healed, it).is_empty


def check_remembered(outcome: Outcome, backend: MemoryBackend) -> None:
    """The history has a run that broke off, as far as it came, if it changed anything.

    What the store manages is not what that run would have made of it.
    """
    entries = [entry for entry in backend.history() if entry.run]
    if outcome.is_complete:
        assert len(entries) == 1
        return
    made = len(outcome.applied)
    total = made + len(outcome.failed) + len(outcome.not_tried)
    told = [f"broken off after {made} of {total} writes: a test"] if made else []
    assert [entry.run.summary for entry in entries if entry.run] == told
    state, start = backend.read().state, backend.state_after(0)
    assert (state.recorded, state.policies) == (start.recorded, start.policies)
    if made:
        assert backend.state_after(entries[-1].number) == state


def check_stale_afterwards(it: World, outcome: Outcome, backend: MemoryBackend) -> None:
    """A plan whose apply broke off is not applied a second time."""
    plan = it.plan(base=MemoryBackend(it.current).read().base)
    before = backend.read()
    if outcome.applied:
        with pytest.raises(StalePlan):
            carry_out(plan, backend.handle())
        assert backend.read() == before


@given(worlds() | rollbacks())
def test_a_write_that_fails(it: World) -> None:
    """Object by object, at every write: those before are done, that one failed, the rest waits."""
    writes = applicable_writes(it)
    for number in range(len(writes)):
        backend = MemoryBackend(it.current, atomic=False, fail_on=at(number))
        confirmed = Confirmed()
        outcome = carry_out(plan_against(backend, it), backend, confirmed=confirmed)
        assert outcome.applied == writes[:number] == tuple(confirmed.writes)
        assert outcome.failed == (writes[number],)
        assert isinstance(outcome.error, BackendError)
        assert not outcome.is_complete
        assert not outcome.interrupted
        check_exact(outcome, writes, it.current, backend)
        check_remembered(outcome, backend)
        check_stale_afterwards(it, outcome, backend)
        check_goes_on(it, backend)


@given(worlds() | rollbacks())
def test_an_answer_that_is_lost(it: World) -> None:
    """The write took place, and nobody said so: reading finds out, and it counts as done."""
    writes = applicable_writes(it)
    for number in range(len(writes)):
        backend = MemoryBackend(it.current, atomic=False, fail_after=at(number))
        outcome = carry_out(plan_against(backend, it), backend)
        assert len(outcome.applied) > number
        assert not outcome.failed
        assert outcome.is_complete or isinstance(outcome.error, BackendError)
        check_exact(outcome, writes, it.current, backend)
        check_goes_on(it, backend)


@given(worlds() | rollbacks(), st.integers(0, 12))
def test_a_stop_between_two_writes(it: World, count: int) -> None:
    """The write that has begun is finished, no other one begins, and the report says so."""
    writes = applicable_writes(it)
    if not writes:
        return
    count = min(count, len(writes))
    backend = MemoryBackend(it.current, atomic=False)
    confirmed = Confirmed()
    outcome = carry_out(
        plan_against(backend, it),
        backend,
        stopped=lambda: len(confirmed.writes) >= count,
        confirmed=confirmed,
    )
    assert outcome.applied == writes[:count]
    assert outcome.not_tried == writes[count:]
    assert not outcome.failed
    assert outcome.error is None
    assert outcome.interrupted == (count < len(writes))
    check_exact(outcome, writes, it.current, backend)
    check_remembered(outcome, backend)
    check_goes_on(it, backend)


@given(worlds() | rollbacks())
def test_a_commit_that_fails(it: World) -> None:
    """Where a store commits, whichever write it fails at: nothing has happened."""
    writes = applicable_writes(it, atomic=True)
    for number in range(len(writes)):
        backend = MemoryBackend(it.current, fail_on=at(number))
        before = backend.read()
        with pytest.raises(BackendError, match="connection was lost"):
            carry_out(plan_against(backend, it), backend)
        assert backend.read() == before
        check_goes_on(it, backend)


def applicable_writes(it: World, *, atomic: bool = False) -> tuple[Write, ...]:
    """The writes of the world's plan, in the order of such a store; none where it is blocked."""
    plan = it.plan()
    can = replace(plan.target.capabilities, atomic=atomic)
    return () if plan.blockers else ordered(plan.passage(it.current), can).writes


CREATES = world(
    stored(role("Base", "A")),
    desired(role("Base", "A"), role("Lead", "B", includes=("Base",)), users={"ada": "Lead"}),
)


def test_a_commit_with_a_defect_of_its_adapter_is_looked_up() -> None:
    """What no adapter should raise must not lose the report of what the store did."""

    def fail(*_: object) -> None:
        raise ValueError("a defect")

    backend = MemoryBackend(CREATES.current, fail_after=fail)
    assert carry_out(plan_against(backend, CREATES), backend).is_complete
    backend = MemoryBackend(CREATES.current, fail_on=fail)
    with pytest.raises(BackendError, match="internal error: ValueError: a defect"):
        carry_out(plan_against(backend, CREATES), backend)
    assert backend.read().state == CREATES.current


@given(worlds() | rollbacks())
def test_a_commit_whose_answer_is_lost(it: World) -> None:
    """All of it took place: an unknown outcome is found out by reading, and reported as done."""
    writes = applicable_writes(it, atomic=True)
    if not writes:
        return
    backend = MemoryBackend(it.current, fail_after=at(0))
    outcome = carry_out(plan_against(backend, it), backend)
    assert outcome.applied == writes
    assert outcome.is_complete
    check_exact(outcome, writes, it.current, backend)
    assert plan_against(backend, it).is_empty


def test_a_commit_of_a_chain_of_renames_whose_answer_is_lost() -> None:
    """An old name that is there again, on another role, is no sign that nothing happened."""
    chain = desired(renamed("One", role("Two")), renamed("Two", role("Three")))
    it = world(stored(role("One"), role("Two")), chain)
    backend = MemoryBackend(it.current, fail_after=at(0))
    outcome = carry_out(plan_against(backend, it), backend)
    assert outcome.is_complete
    check_exact(outcome, plan_writes(it.plan(), it.current), it.current, backend)


def test_a_new_role_is_known_by_its_name_until_it_has_an_id() -> None:
    """A store gives ids as it creates; the next write to the same role fits all the same."""
    backend = MemoryBackend(CREATES.current, atomic=False)
    assert carry_out(plan_against(backend, CREATES), backend).is_complete
    lead = backend.read().state.roles["Lead"]
    assert lead.id is not None
    assert lead.includes == {"Base"}


class Forgetful(MemoryBackend):
    """A store that fails to remember runs."""

    def record(
        self, run: Run, recorded: frozenset[Kind], policies: tuple[Mapping[str, Any], ...]
    ) -> None:
        raise BackendError(Diagnostic("not-recorded", "the run could not be recorded"))


def test_a_run_that_can_not_be_recorded() -> None:
    """Every write was made, so the report says that they were, and what went wrong after them."""
    backend = Forgetful(CREATES.current, atomic=False)
    outcome = carry_out(plan_against(backend, CREATES), backend)
    assert list(outcome.applied) == plan_writes(CREATES.plan(), CREATES.current)
    assert isinstance(outcome.error, BackendError)


def test_a_run_that_broke_off_and_can_not_be_recorded_either() -> None:
    """Both errors are told, the one that broke it off first."""
    backend = Forgetful(CREATES.current, atomic=False, fail_on=at(1))
    outcome = carry_out(plan_against(backend, CREATES), backend)
    assert len(outcome.applied) == len(outcome.failed) == 1
    assert outcome.error is not None
    assert [d.id for d in outcome.error.diagnostics] == ["connection-lost", "not-recorded"]
    backend = Forgetful(CREATES.current, atomic=False)
    outcome = carry_out(
        plan_against(backend, CREATES), backend, stopped=lambda: bool(backend.states)
    )
    assert outcome.interrupted
    assert isinstance(outcome.error, BackendError)


def test_where_nobody_knows_what_took_place_nothing_is_recorded() -> None:
    """The history would tell less than was done, and a store that is gone would be asked again."""
    backend = Dead(CREATES.current, atomic=False)
    carry_out(plan_against(backend, CREATES), backend)
    assert [entry.number for entry in backend.history()] == [0]


def test_a_run_whose_last_answer_is_lost_is_recorded() -> None:
    """It was found to be complete, so what it manages is remembered as after any other."""
    last = len(plan_writes(CREATES.plan(), CREATES.current)) - 1
    start = replace(CREATES.current, recorded=frozenset())
    backend = MemoryBackend(start, atomic=False, fail_after=at(last))
    assert carry_out(plan_against(backend, CREATES), backend).is_complete
    assert backend.read().state.recorded == {"roles", "users"}


class Dead(MemoryBackend):
    """A store that carries out one write, loses the answer, and is gone."""

    dead = False

    def read(self) -> Snapshot:
        if self.dead:
            raise lost()
        return super().read()

    def write(self, write: Write) -> None:
        super().write(write)
        self.dead = True
        raise lost()


def test_an_outcome_that_can_not_be_found_out() -> None:
    """Nobody knows whether the write took place: it is not reported as one that did not."""
    backend = Dead(CREATES.current, atomic=False)
    outcome = carry_out(plan_against(backend, CREATES), backend)
    assert outcome.error is not None
    assert "Lead" in backend.handle()._store.state.roles
    assert outcome.error.diagnostics[-1].id == "unknown-outcome"
    writes = plan_writes(CREATES.plan(), CREATES.current)
    assert (outcome.applied, outcome.failed) == ((), ())
    assert [*outcome.unknown, *outcome.not_tried] == writes
    assert outcome.unknown == (writes[0],)
    assert not outcome.is_complete


@pytest.mark.parametrize("atomic", [True, False])
def test_a_complete_run_is_recorded(atomic: bool) -> None:
    """The kinds that the sources manage, and the run, for the history."""
    backend = MemoryBackend(CREATES.current, atomic=atomic)
    outcome = carry_out(plan_against(backend, CREATES), backend)
    assert outcome.is_complete
    assert not outcome.interrupted
    assert backend.read().state.recorded == {"roles", "users"}
    assert [entry.run.operation for entry in backend.history() if entry.run] == ["apply"]


def test_a_stop_before_the_first_write_touches_nothing() -> None:
    """All writes are reported as not tried, whether or not the store commits."""
    for atomic in (True, False):
        backend = MemoryBackend(CREATES.current, atomic=atomic)
        outcome = carry_out(plan_against(backend, CREATES), backend, stopped=lambda: True)
        assert outcome.interrupted
        assert list(outcome.not_tried) == plan_writes(CREATES.plan(), CREATES.current)
        assert backend.states == ()


def test_the_lock_is_free_again_after_a_failure() -> None:
    """Who comes next need not unlock anything."""
    backend = MemoryBackend(CREATES.current, atomic=False, fail_on=at(0))
    carry_out(plan_against(backend, CREATES), backend)
    assert backend.owner() is None
