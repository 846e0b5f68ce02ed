"""Whatever a store lacks: a plan comes through or is refused, and access is what was asked for.

The worlds are those of the other properties; the stores can do a random part of what a store can.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.documents.plan import decode, encode
from provisioner.engine.changes import Action
from provisioner.engine.writes import replay
from provisioner.errors import StalePlan
from provisioner.model import Assignment, Capabilities, State
from provisioner.testing import MemoryBackend
from provisioner.testing.strategies import LOGINS, capabilities, worlds
from provisioner.testing.world import World
from provisioner.testing.write_strategies import rollbacks, somebody_elses_writes
from tests.engine import oracle
from tests.engine.build import blockers, carry_out, plan_against, plan_steps

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject, DrawFn

Store = tuple[World, Capabilities]

FULL = Capabilities(atomic=True)


def fitting(state: State, can: Capabilities) -> State:
    """As much of a state as a store that can do no more would hold."""
    roles = {
        name: replace(
            role,
            description=role.description if can.descriptions else "",
            includes=role.includes if can.includes else frozenset(),
            protected=role.protected and can.protection,
        )
        for name, role in state.roles.items()
    }
    return State(
        roles,
        state.assignments if can.assignments else {},
        state.recorded if can.recording else frozenset(),
    )


@st.composite
def stores(draw: DrawFn) -> Store:
    """A world, and what its store can do; nothing is stored that the store can't hold."""
    it, can = draw(worlds() | rollbacks()), draw(capabilities())
    current = fitting(it.current, can)
    known = {*draw(st.sets(st.sampled_from(LOGINS))), *current.assignments}
    users = frozenset(login.casefold() for login in known)
    target = replace(it.target, capabilities=can)
    return replace(
        it, current=current, target=target, users=users if can.closed_users else None
    ), can


def opened(it: World) -> MemoryBackend:
    can = it.target.capabilities
    return MemoryBackend(it.current, atomic=can.atomic, capabilities=can, users=it.users or ())


def carried(state: State) -> oracle.Access:
    """What each role carries: the access of somebody who holds that role alone."""
    alone = {name: Assignment(name, frozenset({name})) for name in state.roles}
    return oracle.access(replace(state, assignments=alone))


def asked_for(it: World) -> State | None:
    """The state that the sources ask for, whatever the store can hold."""
    if not it.target.capabilities.assignments:
        it = replace(it, desired=replace(it.desired, users=None))
    wanted = oracle.target(it)
    if wanted is None:
        return None
    return State(wanted.roles, {n: Assignment(n, held) for n, held in wanted.users.items()})


@given(stores())
def test_a_plan_that_is_not_blocked_comes_through(store: Store) -> None:
    """Every write is one that the store takes, and afterwards there is nothing left to do."""
    it, _ = store
    backend = opened(it)
    plan = plan_against(backend, it)
    if plan.blockers:
        return
    outcome = carry_out(plan, backend)
    assert outcome.is_complete
    assert outcome.error is None
    again = plan_against(backend, it)
    assert again.changes == ()
    assert blockers(again) == []


@given(stores())
def test_access_in_the_end_is_what_the_sources_ask_for(store: Store) -> None:
    """Roles without includes carry what they would include; a new role carries what the old did."""
    it, _ = store
    backend, wanted = opened(it), asked_for(it)
    plan = plan_against(backend, it)
    if plan.blockers or wanted is None:
        return
    carry_out(plan, backend)
    reached = backend.read().state
    assert carried(reached) == carried(wanted)
    had = {login: held for login, held in oracle.access(reached).items() if held}
    assert had == {login: held for login, held in oracle.access(wanted).items() if held}


@given(stores())
def test_nobody_holds_more_on_the_way(store: Store) -> None:
    """Stop after any write: what each user holds was theirs before, or will be afterwards."""
    it, _ = store
    backend = opened(it)
    plan = plan_against(backend, it)
    if plan.blockers:
        return
    carry_out(plan, backend)
    assert oracle.excesses([it.current, *backend.states]) == []


@given(stores(), st.data())
def test_writes_of_a_step_may_run_in_any_order(store: Store, data: DataObject) -> None:
    """Steps that are not ordered lead to the same state in any order, and every prefix is safe."""
    it, _ = store
    plan = it.plan()
    if plan.blockers:
        return
    steps = plan_steps(plan, it.current)
    shuffled = [
        write
        for step in steps
        for write in (step.writes if step.ordered else data.draw(st.permutations(step.writes)))
    ]
    on_the_way = [*accumulate(shuffled, lambda s, w: replay(s, (w,)), initial=it.current)]
    assert oracle.excesses(on_the_way) == []
    in_order = replay(it.current, (write for step in steps for write in step.writes))
    assert oracle.content(on_the_way[-1]) == oracle.content(in_order)


@given(stores())
def test_only_what_is_true_stands_against_it(store: Store) -> None:
    """The objections are those of a store that can do everything, and those to what it can't."""
    it, can = store
    plan, wanted = it.plan(), asked_for(it)
    if wanted is None or any(d.role.id for d in (it.desired.roles or {}).values()):
        return
    users = it.desired.users or {}
    active = {
        login for login, user in users.items() if any(d.is_active(it.as_of) for d in user.roles)
    }
    expected = set()
    if not can.assignments:
        it = replace(it, desired=replace(it.desired, users=None))
        expected |= {"assignments-unsupported"} if active else set()
    if it.users is not None and active - it.users:
        expected.add("unknown-user")
    if not can.renames:
        expected |= {"rename-unsupported"} if renamed_in_use(it, wanted) else set()
        if any(it.current.roles[old].protected for old in oracle_renames(it)):
            return  # What is replaced is deleted, and a protected role can't be: told by example.
    assert set(blockers(plan)) == expected | oracle.objections(it, oracle.target(it))


def renamed_in_use(it: World, after: State) -> set[str]:
    """The renamed roles, by new name, that somebody has, or a role includes, before or after."""
    after = fitting(after, it.target.capabilities)
    found = set()
    for old, new in oracle_renames(it).items():
        for state, name in ((it.current, old), (after, new)):
            others = (role for role in state.roles.values() if role.name != name)
            if name in oracle.carriers(state) or any(name in role.includes for role in others):
                found.add(new)
    return found


@given(stores(), st.data())
def test_a_plan_that_still_fits_gives_what_the_sources_ask_for(
    store: Store, data: DataObject
) -> None:
    """Somebody else writes first: the plan is stale, or the roles that it writes are right."""
    it, can = store
    plan = it.plan()
    if not plan.applyable:
        return
    others = data.draw(somebody_elses_writes(it.current))
    now = replace(fitting(replay(it.current, others), can), recorded=it.current.recorded)
    backend = opened(replace(it, current=now))
    try:
        carry_out(plan, backend)
    except StalePlan:
        assert backend.states == ()
        return
    reached, wanted = backend.read().state, asked_for(replace(it, current=now))
    assert oracle.excesses([now, *backend.states]) == []
    touched = {change.name for change in plan.changes if change.action is not Action.DELETE}
    assert wanted is not None
    for name in touched & wanted.roles.keys():
        assert carried(reached)[name] == carried(wanted)[name]


def oracle_renames(it: World) -> dict[str, str]:
    wanted = oracle.target(it)
    assert wanted is not None
    return wanted.renames


@given(stores())
def test_an_adapted_plan_comes_back_from_its_file(store: Store) -> None:
    """With its notes, and with what the store can do."""
    plan = store[0].plan()
    assert decode(encode(plan), "plan.json") == plan


@given(worlds() | rollbacks())
def test_a_store_that_lacks_nothing_gets_the_plan_as_it_is(it: World) -> None:
    """No note, nothing flattened: whether it can say who its users are makes no difference."""
    plan = it.plan(target=replace(it.target, capabilities=FULL))
    assert (plan.notes, plan.flattened) == ((), ())
    users = frozenset(login.casefold() for login in LOGINS)
    closed = replace(it.target, capabilities=replace(FULL, closed_users=True))
    assert replace(it.plan(target=closed, users=users), target=plan.target) == plan


@pytest.mark.parametrize(
    "note",
    [
        "rename-replaced",
        "includes-flattened",
        "description-not-stored",
        "protection-not-stored",
        "not-recorded",
        "no-versions",
    ],
)
def test_random_stores_are_adapted_to(note: str) -> None:
    """The strategies reach every adaptation in a plan that is applied; else nothing is proved."""

    def told(store: Store) -> bool:
        plan = store[0].plan()
        return plan.applyable and note in {found.id for found in plan.notes}

    enough = settings(max_examples=1500, phases=[Phase.generate])
    assert find(stores(), told, settings=enough)
