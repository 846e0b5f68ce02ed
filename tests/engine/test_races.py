"""Two applies at once: one after the other, or one of them is told; never a mix (design §6.4)."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.engine.writes import replay
from provisioner.errors import Conflict, LockHeld, StalePlan, StateMoved
from provisioner.testing import MemoryBackend
from provisioner.testing.strategies import desired_roles, desired_users, worlds
from tests.engine import oracle
from tests.engine.build import (
    carry_out,
    desired,
    plan_against,
    role,
    stored,
    world,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.apply.outcome import Outcome
    from provisioner.engine.writes import Write
    from provisioner.model import Snapshot
    from provisioner.testing.world import World

    Hook = Callable[[int, Write], None]


@st.composite
def rivals(draw: st.DrawFn) -> tuple[World, World]:
    """Two different sources for one stored state."""
    one = draw(worlds())
    roles = draw(desired_roles(one.current, one.settings))
    others = {"Full Access", "Service Desk Only", *one.settings.external}
    references = {*roles, *(others & one.current.roles.keys())}
    users = draw(st.none() | desired_users(one.current, references))
    return one, replace(one, desired=replace(one.desired, roles=roles, users=users))


class Unlocked(MemoryBackend):
    """A store whose lock keeps nobody out, and which is told of after each read."""

    meanwhile: Callable[[], object] | None = None

    @contextmanager
    def lock(self, operation: str, timeout: float) -> Iterator[None]:
        yield

    def read(self) -> Snapshot:
        found = super().read()
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return found


@given(rivals())
def test_a_rival_between_reading_and_committing(both: tuple[World, World]) -> None:
    """Without any lock: one of the two commits, the other one is told, and nothing is mixed."""
    ours, theirs = both
    backend = Unlocked(ours.current)
    mine, other = plan_against(backend, ours), plan_against(backend, theirs)
    if not (mine.applyable and other.applyable):
        return
    rival = backend.handle()
    backend.meanwhile = lambda: carry_out(other, rival)
    with pytest.raises(StateMoved):
        carry_out(mine, backend)
    alone = MemoryBackend(ours.current)
    carry_out(other, alone)
    start = ours.current
    assert oracle.known(backend.read().state, start) == oracle.known(alone.read().state, start)


@given(rivals(), st.integers(0, 8))
def test_a_rival_between_two_writes(both: tuple[World, World], number: int) -> None:
    """Without any lock or commit: what each reports as done is done, and nothing else is."""
    ours, theirs = both
    backend = Unlocked(ours.current, atomic=False)
    mine, other = plan_against(backend, ours), plan_against(backend, theirs)
    if not (mine.applyable and other.applyable):
        return
    reports: list[Outcome] = []

    def interfere(count: int, _: Write) -> None:
        if count == number:
            reports.append(carry_out(other, rival))

    rival = backend.handle()
    backend.fail_on = interfere
    try:
        outcome = carry_out(mine, backend)
    except StalePlan:
        return
    their = reports[0].applied if reports else ()
    history = [*outcome.applied[:number], *their, *outcome.applied[number:]]
    start, now = ours.current, backend.read().state
    assert oracle.known(now, start) == oracle.known(replay(start, history), start)
    assert outcome.is_complete or isinstance(outcome.error, Conflict)


@pytest.mark.parametrize("atomic", [True, False])
def test_many_at_once_each_do_all_or_nothing(atomic: bool) -> None:
    """Eight plans made from one state, eight threads: each of them is applied whole or refused."""
    names = [f"Role {i}" for i in range(8)]
    current = stored(*map(role, names), ada="Role 0")
    backend = MemoryBackend(current, atomic=atomic)
    plans = {}
    for name in names:
        edited = [role(n, "A" if n == name else "") for n in names]
        wanted = desired(*edited, role(f"New {name}"), users={"ada": f"New {name}"})
        plans[name] = plan_against(backend, world(current, wanted))
    done: list[str] = []
    refused: list[type[Conflict]] = []

    def compete(name: str) -> None:
        try:
            if carry_out(plans[name], backend.handle()).is_complete:
                done.append(name)
        except Conflict as error:
            refused.append(type(error))

    threads = [threading.Thread(target=compete, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = done
    assert len(refused) == 7
    assert set(refused) <= {LockHeld, StalePlan, StateMoved}
    state = backend.read().state
    assert [n for n in names if state.roles[n].privileges] == [winner]
    assert state.roles.keys() == {*names, f"New {winner}"}
    assert state.assignments["ada"].roles == {f"New {winner}"}
