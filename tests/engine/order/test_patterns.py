"""Everyday changes where a store can't commit at once: what comes first, and who lacks what."""

from __future__ import annotations

from itertools import accumulate, permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.engine.order.grain import ONE_BY_ONE, WHOLE
from provisioner.engine.order.steps import ordered
from provisioner.engine.writes import CreateRole, RenameRole, SetAssignment, Unfit, replay
from provisioner.model import Capabilities
from provisioner.testing.strategies import worlds
from provisioner.testing.write_strategies import rollbacks
from tests.engine import oracle
from tests.engine.build import desired, plan_writes, renamed, role, stored, world

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject

    from provisioner.engine.order.grain import Grain
    from provisioner.engine.order.steps import Order
    from provisioner.engine.writes import Write
    from provisioner.model import DesiredState, State
    from provisioner.testing.world import World


def order_of(current: State, wanted: DesiredState, grain: Grain = WHOLE) -> Order:
    it = world(current, wanted, allow_lockout=True)
    return ordered(it.plan().passage(current), Capabilities(), grain)


def gaps(current: State, wanted: DesiredState, grain: Grain = WHOLE) -> dict[str, tuple[str, ...]]:
    """Who lacks what in between, as it is told; checked against every prefix of the writes."""
    order = order_of(current, wanted, grain)
    states = list(accumulate(order.writes, lambda s, w: replay(s, (w,)), initial=current))
    assert oracle.excesses(states) == []
    told = {gap.user: gap.privileges for gap in order.gaps}
    assert oracle.missing(states) == {(u, p) for u, names in told.items() for p in names}
    return told


@pytest.mark.parametrize("grain", [WHOLE, ONE_BY_ONE])
class TestNobodyLacksAnything:
    """Patterns of which no write leaves anybody without what he keeps, on any store."""

    def test_a_role_is_replaced_by_its_successor(self, grain: Grain) -> None:
        users = {f"u{n}": "Clerk" for n in range(12)}
        wanted = desired(role("Agent", "A B"), users=dict.fromkeys(users, "Agent"))
        assert gaps(stored(role("Clerk", "A B"), users=users), wanted, grain) == {}

    def test_a_successor_with_more_and_less(self, grain: Grain) -> None:
        current = stored(role("Clerk", "A B"), ada="Clerk")
        wanted = desired(role("Agent", "B C"), users={"ada": "Agent"})
        assert gaps(current, wanted, grain) == {}

    def test_roles_are_swapped_between_two_users(self, grain: Grain) -> None:
        roles = (role("One", "A"), role("Two", "B"))
        wanted = desired(*roles, users={"ada": "Two", "bob": "One"})
        assert gaps(stored(*roles, ada="One", bob="Two"), wanted, grain) == {}

    def test_a_privilege_moves_between_two_roles_of_one_holder(self, grain: Grain) -> None:
        current = stored(role("One", "A B"), role("Two", "C"), ada="One, Two")
        wanted = desired(role("One", "B"), role("Two", "A C"), users={"ada": "One, Two"})
        assert gaps(current, wanted, grain) == {}

    def test_also_where_another_holder_loses_it(self, grain: Grain) -> None:
        current = stored(role("One", "A B"), role("Two", "C"), ada="One, Two", bob="One")
        wanted = desired(
            role("One", "B"), role("Two", "A C"), users={"ada": "One, Two", "bob": "One"}
        )
        assert gaps(current, wanted, grain) == {}

    def test_a_role_is_split(self, grain: Grain) -> None:
        current = stored(role("All", "A B"), ada="All", bob="All")
        wanted = desired(
            role("Left", "A"),
            role("Right", "B"),
            users={"ada": "Left, Right", "bob": "Left, Right"},
        )
        assert gaps(current, wanted, grain) == {}

    def test_two_roles_are_merged(self, grain: Grain) -> None:
        current = stored(role("Left", "A"), role("Right", "B"), ada="Left, Right", bob="Left")
        wanted = desired(role("All", "A B"), users={"ada": "All", "bob": "All"})
        assert gaps(current, wanted, grain) == {}

    def test_an_include_is_replaced_by_its_contents_and_back(self, grain: Grain) -> None:
        base = role("Base", "A B")
        with_include = (base, role("Lead", "C", includes=("Base",)))
        spelled_out = (base, role("Lead", "A B C"))
        users = {"ada": "Lead"}
        assert (
            gaps(stored(*with_include, users=users), desired(*spelled_out, users=users), grain)
            == {}
        )
        assert (
            gaps(stored(*spelled_out, users=users), desired(*with_include, users=users), grain)
            == {}
        )

    def test_an_include_is_inverted(self, grain: Grain) -> None:
        current = stored(role("One", "A", includes=("Two",)), role("Two", "A B"), ada="One")
        wanted = desired(role("One", "A B"), role("Two", includes=("One",)), users={"ada": "One"})
        assert gaps(current, wanted, grain) == {}

    def test_a_base_role_is_reduced_while_a_special_one_grows(self, grain: Grain) -> None:
        users = {"ada": "Lead", "bob": "Base"}
        current = stored(role("Base", "A B"), role("Lead", includes=("Base",)), users=users)
        wanted = desired(role("Base", "A"), role("Lead", "B", includes=("Base",)), users=users)
        assert gaps(current, wanted, grain) == {}

    def test_a_rename_with_a_swap(self, grain: Grain) -> None:
        current = stored(role("One", "A"), role("Two", "B"), ada="One", bob="Two")
        wanted = desired(
            renamed("One", role("Three", "A")),
            role("Two", "B"),
            users={"ada": "Two", "bob": "Three"},
        )
        assert gaps(current, wanted, grain) == {}


def test_what_no_order_avoids_is_told() -> None:
    """Each of two roles loses what the other gains, and each has a holder of its own."""
    users = {"ada": "One, Two", "bob": "One", "cyd": "Two"}
    current = stored(role("One", "A"), role("Two", "B"), users=users)
    wanted = desired(role("One", "B"), role("Two", "A"), users=users)
    assert gaps(current, wanted) == {"ada": ("A",)} or gaps(current, wanted) == {"ada": ("B",)}


def test_a_store_that_commits_at_once_has_no_gaps() -> None:
    users = {"ada": "One, Two", "bob": "One", "cyd": "Two"}
    current = stored(role("One", "A"), role("Two", "B"), users=users)
    wanted = desired(role("One", "B"), role("Two", "A"), users=users)
    assert gaps(current, wanted) != {}
    passage = world(current, wanted, allow_lockout=True).plan().passage(current)
    assert ordered(passage, Capabilities(atomic=True)).gaps == ()


def test_one_write_for_each_object_that_changes() -> None:
    """Also where much changes about it."""
    current = stored(role("One", "A B"), role("Two", "C"), ada="One", bob="Two")
    wanted = desired(
        replace(role("One", "B D"), description="more"),
        role("Two", "C E", includes=("One",)),
        users={"ada": "Two", "bob": "Two"},
    )
    assert len(order_of(current, wanted).writes) == 3


def test_a_new_role_comes_whole_and_before_its_holders() -> None:
    """Also what it includes comes before it."""
    wanted = desired(
        role("Base", "B"), role("Lead", "A", includes=("Base",)), users={"ada": "Lead"}
    )
    base, lead, ada = order_of(stored(), wanted).writes
    assert isinstance(base, CreateRole)
    assert isinstance(lead, CreateRole)
    assert lead.role.includes == {"Base"}
    assert ada == SetAssignment("ada", frozenset(), frozenset({"Lead"}))


def test_writes_that_are_independent_share_a_step() -> None:
    """A store that takes many writes at a time is given many."""
    users = {f"u{n}": f"R{n}" for n in range(20)}
    roles = [role(f"R{n}", "A") for n in range(20)]
    changed = [role(f"R{n}", "B") for n in range(20)]
    (step,) = order_of(stored(*roles, users=users), desired(*changed, users=users)).steps
    assert len(step.writes) == 20


@given(worlds() | rollbacks(), st.data())
def test_any_order_of_renames_that_the_store_takes(it: World, data: DataObject) -> None:
    """A rename that comes too early is refused by the store; one that is taken does no harm."""
    plan = it.plan()
    if plan.blockers:
        return
    on_the_way = [it.current]
    renames = [w for w in plan_writes(plan, it.current) if isinstance(w, RenameRole)]
    for write in data.draw(st.permutations(renames)):
        now = on_the_way[-1].roles.get(write.before.name, write.before)
        try:
            on_the_way.append(replay(on_the_way[-1], (RenameRole(now, write.name),)))
        except Unfit:
            continue
    assert all(oracle.access(state) == oracle.access(it.current) for state in on_the_way)


def states(current: State, writes: list[Write]) -> list[State]:
    return list(accumulate(writes, lambda state, write: replay(state, (write,)), initial=current))


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
    on_the_way = states(current, plan_writes(it.plan(), current))
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
