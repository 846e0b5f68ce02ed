"""The rules of renames (design §2), one example each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from msgspec.structs import replace

from provisioner.engine.writes import RenameRole, replay
from provisioner.testing.strategies import worlds
from provisioner.testing.write_strategies import as_desired
from tests.engine import oracle
from tests.engine.build import (
    SHIPPED,
    actions,
    apply,
    desired,
    plan_writes,
    renamed,
    role,
    stored,
    world,
)

if TYPE_CHECKING:
    from provisioner.engine.settings import Manage
    from provisioner.model import DesiredRole, Role, State
    from provisioner.testing.world import World

    Actions = list[tuple[str, str]]


EXAMPLES: dict[str, tuple[State, list[Role | DesiredRole], Actions]] = {
    "only the old name exists: a rename": (
        stored(role("Helpdesk")),
        [renamed("Helpdesk", role("Support"))],
        [("rename", "Support")],
    ),
    "neither exists: a new role": (
        stored(),
        [renamed("Helpdesk", role("Support"))],
        [("create", "Support")],
    ),
    "the new name exists: done already": (
        stored(role("Support")),
        [renamed("Helpdesk", role("Support"))],
        [],
    ),
    "both exist: done already, the old one is just a role that is not declared": (
        stored(role("Support"), role("Helpdesk")),
        [renamed("Helpdesk", role("Support"))],
        [("delete", "Helpdesk")],
    ),
    "the new name exists in other letters: done already, but for the case": (
        stored(role("SUPPORT"), role("Helpdesk")),
        [renamed("Helpdesk", role("Support"))],
        [("delete", "Helpdesk"), ("rename", "Support")],
    ),
    "the content may change at once": (
        stored(role("Helpdesk", "A")),
        [renamed("Helpdesk", role("Support", "A B"))],
        [("rename", "Support"), ("update", "Support")],
    ),
    "a difference in case only is a rename": (
        stored(role("helpdesk")),
        [role("Helpdesk")],
        [("rename", "Helpdesk")],
    ),
    "also where one letter becomes two": (
        stored(role("STRASSE")),
        [role("Straße")],
        [("rename", "Straße")],
    ),
    "also where renamed_from says so": (
        stored(role("helpdesk")),
        [renamed("helpdesk", role("Helpdesk"))],
        [("rename", "Helpdesk")],
    ),
    "a chain: each takes the name that the next gives away": (
        stored(role("One"), role("Two"), role("Three")),
        [
            renamed("One", role("Two")),
            renamed("Two", role("Three")),
            renamed("Three", role("Four")),
        ],
        [("rename", "Four"), ("rename", "Three"), ("rename", "Two")],
    ),
    "a chain whose end is there already moves nothing": (
        stored(role("One"), role("Two"), role("Three")),
        [renamed("One", role("Two")), renamed("Two", role("Three"))],
        [("delete", "One")],
    ),
    "a chain that broke off goes on": (
        stored(role("One"), role("Three")),
        [renamed("One", role("Two")), renamed("Two", role("Three"))],
        [("rename", "Two")],
    ),
    "a chain whose names differ in case from what is stored": (
        stored(role("Clerk"), role("Auditor")),
        [renamed("Clerk", role("AUDITOR")), renamed("Auditor", role("Billing"))],
        [("rename", "AUDITOR"), ("rename", "Billing")],
    ),
    "a chain whose first link is missing": (
        stored(role("Two")),
        [renamed("One", role("Two")), renamed("Two", role("Three"))],
        [("rename", "Three"), ("create", "Two")],
    ),
    "a new role takes the name that another one gives away, in other letters": (
        stored(role("helpdesk", "A")),
        [renamed("helpdesk", role("Support", "A")), role("Helpdesk", "B")],
        [("create", "Helpdesk"), ("rename", "Support")],
    ),
    "a protected role may be renamed": (
        stored(role("Helpdesk", protected=True)),
        [renamed("Helpdesk", role("Support", protected=True))],
        [("rename", "Support")],
    ),
}


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("backwards", [False, True])
def test_the_rule(example: str, backwards: bool) -> None:
    """What is planned, in whatever order it is declared, and that it comes about."""
    current, declared, expected = EXAMPLES[example]
    it = world(current, desired(*(reversed(declared) if backwards else declared)))
    assert sorted(actions(it.plan())) == sorted(expected)
    wanted = oracle.target(it)
    assert wanted is not None
    assert oracle.content(apply(it))[0] == wanted.roles
    assert replace(it, current=apply(it)).plan().is_empty


@pytest.mark.parametrize("manage", ["all", "declared"])
def test_a_rename_keeps_id_and_holders_and_includers(manage: Manage) -> None:
    """It is the same role under another name: whoever held or included it does so still."""
    helpdesk = role("Helpdesk", "A")
    current = stored(helpdesk, role("Lead", includes=("Helpdesk",)), ada="Helpdesk", bob="Lead")
    wanted = desired(renamed("Helpdesk", role("Support", "A")), role("Lead", includes=("Support",)))
    it = world(current, wanted, manage=manage)
    after = apply(it)
    assert after.roles["Support"].id == "id of Helpdesk"
    assert after.roles["Lead"].includes == {"Support"}
    assert oracle.holdings(after) == {"ada": {"Support"}, "bob": {"Lead"}}
    assert it.plan().impact == ()
    assert [type(write) for write in plan_writes(it.plan(), current)] == [RenameRole]


def test_holders_need_no_new_assignment() -> None:
    """Sources that name the holders under the new name give no change of assignments."""
    current = stored(role("Helpdesk"), ada="Helpdesk")
    it = world(current, desired(renamed("Helpdesk", role("Support")), users={"ada": "Support"}))
    assert actions(it.plan()) == [("rename", "Support")]


@given(worlds())
def test_every_rename_keeps_id_and_holders(it: World) -> None:
    """In any world, whatever else the plan does; without managed users nobody's roles change."""
    it = replace(it, desired=replace(it.desired, users=None))
    plan = it.plan()
    if plan.blockers:
        return
    after = replay(it.current, plan_writes(plan, it.current))
    for old, new in plan.renames.items():
        assert after.roles[new].id == it.current.roles[old].id
        holders = {u for u, roles in oracle.holdings(it.current).items() if old in roles}
        assert holders == {u for u, roles in oracle.holdings(after).items() if new in roles}


def test_a_chain_runs_last_first() -> None:
    """A name is free before it is taken; every rename fits the store as it then is."""
    current = stored(role("One"), role("Two"), role("Three"))
    chain = desired(
        renamed("One", role("Two")), renamed("Two", role("Three")), renamed("Three", role("Four"))
    )
    it = world(current, chain)
    writes = [w for w in plan_writes(it.plan(), current) if isinstance(w, RenameRole)]
    assert [(w.before.name, w.name) for w in writes] == [
        ("Three", "Four"),
        ("Two", "Three"),
        ("One", "Two"),
    ]


def test_the_new_name_of_a_rename_may_have_been_deleted() -> None:
    """Case counts for nothing: a name in other letters is taken, so it is the role itself."""
    current = stored(role("SUPPORT", "A"), role("Helpdesk", "B"), ada="Helpdesk")
    wanted = desired(renamed("Helpdesk", role("Support", "A")))
    it = world(current, wanted, manage="declared")
    after = apply(it)
    assert set(after.roles) == {"Support", "Helpdesk"}
    assert after.roles["Support"].id == "id of SUPPORT"


def test_an_old_name_in_other_letters_is_the_same_role() -> None:
    """Names are unique without case, so `renamed_from: HELPDESK` finds Helpdesk and its holders."""
    current = stored(role("Helpdesk"), ada="Helpdesk")
    it = world(current, desired(renamed("HELPDESK", role("Support"))))
    assert actions(it.plan()) == [("rename", "Support")]


def test_a_default_role_declared_is_edited_in_place() -> None:
    """Default roles are found by their own name and keep it."""
    full = role("Full Access", "A", protected=True)
    current = stored(full)
    edited = replace(full, privileges=frozenset("AB"))
    assert actions(world(current, desired(edited), catalogue=SHIPPED).plan()) == [
        ("update", "Full Access")
    ]


def test_a_rename_changes_nothing_for_an_ignored_includer() -> None:
    """Roles left alone follow a rename by identity: that is no change of theirs."""
    current = stored(role("Helpdesk"), role("Legacy", includes=("Helpdesk",)), ada="Legacy")
    it = world(current, desired(renamed("Helpdesk", role("Support"))), ignore=("Legacy",))
    assert actions(it.plan()) == [("rename", "Support")]
    assert it.plan().impact == ()


# Rollback: roles are told by their ids


def back(former: State, current: State) -> World:
    """The way from the current state back to a former one."""
    return world(current, as_desired(former))


ONE, TWO, THREE = (role(name, id=f"r{i}") for i, name in enumerate(("One", "Two", "Three")))


@pytest.mark.parametrize(
    ("former", "current", "expected"),
    [
        (stored(ONE), stored(replace(ONE, name="Uno")), [("rename", "One")]),
        (stored(ONE), stored(replace(ONE, name="ONE")), [("rename", "One")]),
        (
            stored(ONE, TWO),
            stored(replace(ONE, name="Two"), replace(TWO, name="One")),
            [("rename", "One"), ("rename", "Two")],
        ),
        (
            stored(ONE, TWO, THREE),
            stored(
                replace(ONE, name="Two"), replace(TWO, name="Three"), replace(THREE, name="One")
            ),
            [("rename", "One"), ("rename", "Three"), ("rename", "Two")],
        ),
        (
            stored(ONE, TWO),
            stored(replace(ONE, name="ONE"), replace(TWO, name="two")),
            [("rename", "One"), ("rename", "Two")],
        ),
        (stored(ONE), stored(replace(ONE, id="r9")), []),
        (
            stored(ONE, TWO),
            stored(replace(TWO, name="One")),
            [("create", "One"), ("rename", "Two")],
        ),
    ],
    ids=[
        "renamed since",
        "in other letters since",
        "swapped",
        "three in a circle",
        "both in other letters",
        "deleted and made again: the same name is the same role",
        "deleted, and its name given to another role",
    ],
)
def test_the_way_back(former: State, current: State, expected: Actions) -> None:
    """Names go back to the roles that had them."""
    it = back(former, current)
    assert sorted(actions(it.plan())) == sorted(expected)
    after = apply(it)
    assert {r.name for r in after.roles.values()} == set(former.roles)
    for old in former.roles.values():
        known = {r.id for r in current.roles.values()}
        assert old.id not in known or after.roles[old.name].id == old.id


def test_the_way_back_over_a_name_that_was_given_to_a_new_role() -> None:
    """Renamed, then a new role under the old name: that one goes, with all its assignments."""
    former = stored(replace(ONE, privileges=frozenset("A")), ada="One")
    current = stored(role("Uno", "A", id="r0"), role("One", "B", id="r7"), ada="Uno", grace="One")
    it = back(former, current)
    after = apply(it)
    assert {r.id: r.name for r in after.roles.values()} == {"r0": "One"}
    assert oracle.holdings(after) == {"ada": {"One"}}
    assert {u.user: (u.gained, u.lost) for u in it.plan().impact} == {"grace": ((), ("B",))}


def test_the_way_back_to_a_role_made_again_in_other_letters() -> None:
    """Deleted, and made again as ONE: to go back, its name takes its old form."""
    it = back(stored(ONE), stored(role("ONE", id="r7")))
    assert set(apply(it).roles) == {"One"}
    assert replace(it, current=apply(it)).plan().is_empty


def test_a_name_that_somebody_keeps_can_not_be_taken() -> None:
    """Where undeclared roles stay, going back to a name that is theirs is blocked, not tried."""
    former, current = stored(ONE), stored(role("Uno", id="r0"), role("One", id="r7"))
    plan = replace(
        back(former, current), settings=world(current, desired(), manage="declared").settings
    ).plan()
    assert plan.blockers
    assert all(blocker.remedy for blocker in plan.blockers)
