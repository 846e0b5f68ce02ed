"""While a plan is carried out nobody ever holds more than before, or than afterwards (design §6.1).

The check looks at every state on the way and asks a slow oracle who holds what. That it is a check
at all is shown by orders that are wrong on purpose: it must object to each.
"""

from __future__ import annotations

from itertools import accumulate, permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.engine.writes import RenameRole, Unfit, UpdateRole, replay
from provisioner.testing.strategies import worlds
from provisioner.testing.write_strategies import rollbacks
from tests.engine import oracle
from tests.engine.build import (
    desired,
    plan_steps,
    plan_writes,
    renamed,
    role,
    stored,
    world,
    writes_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hypothesis.strategies import DataObject

    from provisioner.engine.planning.order import Step
    from provisioner.engine.writes import Write
    from provisioner.model import State
    from provisioner.testing.world import World

    Order = Callable[[tuple[Step, ...]], list[Write]]


def states_on_the_way(start: State, writes: Iterable[Write]) -> list[State]:
    """The state before the writes and after each of them."""
    return list(accumulate(writes, lambda state, write: replay(state, (write,)), initial=start))


def check_every_prefix(it: World) -> None:
    plan = it.plan()
    if plan.blockers:
        return
    assert oracle.excesses(states_on_the_way(it.current, plan_writes(plan, it.current))) == []


@given(worlds())
def test_every_prefix_of_the_writes(it: World) -> None:
    """Stop after any write: what each user holds was theirs before, or will be afterwards."""
    check_every_prefix(it)


@given(rollbacks())
def test_every_prefix_of_the_way_back(it: World) -> None:
    """Also where names move from role to role, in circles too."""
    check_every_prefix(it)


@given(worlds(tidy=False))
def test_every_prefix_in_an_untidy_state(it: World) -> None:
    """Also where stored includes go in circles, or lead nowhere."""
    check_every_prefix(it)


@given(worlds() | rollbacks(), st.data())
def test_any_order_within_a_step(it: World, data: DataObject) -> None:
    """The writes of a step may run in any order; renames in a chain alone wait for each other."""
    plan = it.plan()
    if plan.blockers:
        return
    steps = plan_steps(plan, it.current)
    shuffled = []
    for step in steps:
        order = list(step.writes)
        if not step.ordered:
            order = data.draw(st.permutations(order), label=step.name)
        shuffled += order
    on_the_way = states_on_the_way(it.current, shuffled)
    assert oracle.excesses(on_the_way) == []
    in_order = replay(it.current, writes_of(steps))
    assert oracle.content(on_the_way[-1]) == oracle.content(in_order)


@given(worlds() | rollbacks(), st.data())
def test_any_order_of_renames_that_the_store_takes(it: World, data: DataObject) -> None:
    """A rename that comes too early is refused by the store; one that is taken does no harm."""
    plan = it.plan()
    if plan.blockers:
        return
    steps = {step.name: step for step in plan_steps(plan, it.current)}
    renames = list(steps["rename"].writes) if "rename" in steps else []
    at = [name for name in steps if steps[name].phase == "shrink"]
    state = replay(it.current, (write for name in at for write in steps[name].writes))
    on_the_way = [it.current, state]
    for write in data.draw(st.permutations(renames)):
        assert isinstance(write, RenameRole)
        now = on_the_way[-1].roles.get(write.before.name, write.before)
        try:
            fresh = RenameRole(now, write.name)
            on_the_way.append(replay(on_the_way[-1], (fresh,)))
        except Unfit:
            continue
    assert oracle.excesses([*on_the_way, replay(it.current, plan_writes(plan, it.current))]) == []
    assert {*oracle.access(on_the_way[-1]).items()} == {*oracle.access(state).items()}


@given(worlds())
def test_all_shrinking_comes_before_any_growing(it: World) -> None:
    """The point between the phases is where everybody holds least: both states' common part."""
    plan = it.plan()
    if plan.blockers:
        return
    steps = plan_steps(plan, it.current)
    assert [s.phase for s in steps] == sorted((s.phase for s in steps), reverse=True)
    after = replay(it.current, writes_of(steps))
    middle = writes_of(tuple(step for step in steps if step.phase == "shrink"))
    narrow = replay(it.current, middle)
    least = plan.passage(it.current).to(after).halfway().state
    holding = {login: held for login, held in oracle.access(narrow).items() if held}
    assert holding == {login: held for login, held in oracle.access(least).items() if held}
    for on_the_way in states_on_the_way(it.current, writes_of(steps)):
        now = oracle.access(on_the_way)
        assert all(holds <= now.get(login, frozenset()) for login, holds in holding.items())


# Orders that are wrong on purpose


def grow_first(steps: tuple[Step, ...]) -> list[Write]:
    return writes_of(tuple(sorted(steps, key=lambda step: step.phase)))


def delete_first(steps: tuple[Step, ...]) -> list[Write]:
    return writes_of(tuple(sorted(steps, key=lambda step: step.name != "delete")))


def backwards(steps: tuple[Step, ...]) -> list[Write]:
    return writes_of(tuple(reversed(steps)))


def assign_before_extend(steps: tuple[Step, ...]) -> list[Write]:
    return writes_of(tuple(sorted(steps, key=lambda step: step.name != "assign")))


def extend_before_unassign(steps: tuple[Step, ...]) -> list[Write]:
    return writes_of(tuple(sorted(steps, key=lambda step: step.name != "extend")))


def include_before_reduce(steps: tuple[Step, ...]) -> list[Write]:
    return writes_of(tuple(sorted(steps, key=lambda step: step.name != "include")))


def object_by_object(steps: tuple[Step, ...]) -> list[Write]:
    """Each role at once to what it shall be, and then the users: what a naive tool does."""
    last = {w.before.name: w for w in writes_of(steps) if isinstance(w, UpdateRole)}
    first = {w.before.name: w for w in reversed(writes_of(steps)) if isinstance(w, UpdateRole)}
    merged: list[Write] = [UpdateRole(first[n].before, last[n].after) for n in sorted(first)]
    return merged + [w for w in writes_of(steps) if not isinstance(w, UpdateRole)]


def caught(it: World, order: Order) -> bool:
    """Whether the check, or the store itself, objects to an order of the plan's writes."""
    plan = it.plan()
    if plan.blockers:
        return False
    try:
        on_the_way = states_on_the_way(it.current, order(plan_steps(plan, it.current)))
    except Unfit:
        return True
    return bool(oracle.excesses(on_the_way))


MOVES_A_PRIVILEGE = world(
    stored(role("Auditor", "A"), role("Clerk", "B"), ada="Auditor", grace="Auditor, Clerk"),
    desired(role("Auditor", "C"), role("Clerk", "A"), users={"ada": "Clerk", "grace": "Auditor"}),
    allow_lockout=True,
)
DELETES_A_HELD_ROLE = world(
    stored(role("Auditor", "A"), role("Clerk", "B", includes=("Auditor",)), ada="Auditor"),
    desired(role("Clerk", "B"), users={"ada": "Clerk"}),
)
SWAPS_AN_INCLUDE = world(
    stored(
        role("Auditor", "A"), role("Base", "B"), role("Lead", includes=("Auditor",)), ada="Lead"
    ),
    desired(
        role("Auditor", "A"),
        role("Base", "C"),
        role("Lead", includes=("Base",)),
        users={"ada": "Lead"},
    ),
)


@pytest.mark.parametrize(
    ("order", "it"),
    [
        (grow_first, MOVES_A_PRIVILEGE),
        (grow_first, SWAPS_AN_INCLUDE),
        (delete_first, DELETES_A_HELD_ROLE),
        (backwards, DELETES_A_HELD_ROLE),
        (assign_before_extend, MOVES_A_PRIVILEGE),
        (extend_before_unassign, MOVES_A_PRIVILEGE),
        (include_before_reduce, SWAPS_AN_INCLUDE),
        (object_by_object, MOVES_A_PRIVILEGE),
    ],
)
def test_a_wrong_order_is_caught(order: Order, it: World) -> None:
    """Steps swapped, or phases, or none at all: the check that the right order passes sees it."""
    assert not caught(it, writes_of)
    assert caught(it, order)


@pytest.mark.parametrize("order", [grow_first, delete_first, object_by_object])
def test_random_worlds_find_a_wrong_order(order: Order) -> None:
    """The strategies reach what tells right from wrong; else the properties would mean nothing."""
    enough = settings(max_examples=1500, phases=[Phase.generate])
    found = find(worlds(), lambda it: caught(it, order), settings=enough)
    assert caught(found, order)


def test_a_created_role_is_assigned_only_when_it_is_whole() -> None:
    """A new role that includes others carries them before anybody holds it."""
    wanted = desired(
        role("Base", "B"), role("Lead", "A", includes=("Base",)), users={"ada": "Lead"}
    )
    it = world(stored(), wanted)
    held = [
        set(oracle.access(s).get("ada", ()))
        for s in states_on_the_way(it.current, plan_writes(it.plan(), it.current))
    ]
    assert held == [set(), set(), set(), set(), {"A", "B"}]


def test_renames_change_nobodys_access() -> None:
    """A chain of renames: after each of them everybody holds exactly what they held."""
    current = stored(
        role("One", "A"), role("Two", "B"), role("Three", "C"), ada="One", grace="Two, Three"
    )
    chain = desired(
        renamed("One", role("Two", "A")),
        renamed("Two", role("Three", "B")),
        renamed("Three", role("Four", "C")),
    )
    it = world(current, chain)
    on_the_way = states_on_the_way(current, plan_writes(it.plan(), current))
    assert len(on_the_way) == 4
    assert all(oracle.access(state) == oracle.access(current) for state in on_the_way)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_circle_of_renames_takes_a_detour(order: tuple[int, ...]) -> None:
    """Three roles that swap names come through, whichever the store lists first."""
    names = ("One", "Two", "Three")
    roles = [role(name, "A B C"[i * 2], id=f"r{i}") for i, name in enumerate(names)]
    current = stored(*(roles[i] for i in order), ada="One")
    moved = [replace(roles[i], name=names[(i + 1) % 3]) for i in range(3)]
    it = world(current, desired(*moved))
    writes = plan_writes(it.plan(), current)
    after = replay(current, writes)
    assert len(writes) == 4
    assert {r.id: r.name for r in after.roles.values()} == {"r0": "Two", "r1": "Three", "r2": "One"}
    assert after.assignments["ada"].roles == {"Two"}
