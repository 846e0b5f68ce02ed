"""Carrying out a plan reaches what the sources ask for, and then there is nothing left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from msgspec.structs import replace

from provisioner.engine.writes import replay
from provisioner.model import Assignment, Role, State
from provisioner.testing.strategies import worlds
from provisioner.testing.write_strategies import rollbacks
from tests.engine import oracle
from tests.engine.build import (
    actions,
    blockers,
    desired,
    plan_writes,
    renamed,
    role,
    stored,
    world,
)

if TYPE_CHECKING:
    from provisioner.engine.settings import Manage
    from provisioner.model import DesiredState
    from provisioner.testing.world import World


def reached(it: World) -> State:
    """The state after the plan's writes, as the store would have it."""
    after = replay(it.current, plan_writes(it.plan(), it.current))
    return replace(after, recorded=it.current.recorded | it.plan().manages)


def check_reaches(it: World) -> None:
    """A plan that nothing true stands against reaches the target; any other is blocked."""
    plan, wanted = it.plan(), oracle.target(it)
    assert set(blockers(plan)) == oracle.objections(it, wanted)
    if plan.blockers or wanted is None:
        return
    roles, users = oracle.content(reached(it))
    assert roles == wanted.roles
    assert users == wanted.users
    renames = {old: new for old, new in plan.renames.items() if old not in wanted.deleted}
    assert renames == wanted.renames
    again = replace(it, current=reached(it)).plan()
    assert again.is_empty
    assert not again.blockers
    assert again.impact == ()


@pytest.mark.parametrize("manage", ["all", "declared"])
def test_any_state_reaches_any_sources(manage: Manage) -> None:
    """Whatever is stored and whatever is declared; afterwards the plan is empty."""

    @given(worlds(manage=manage))
    def check(it: World) -> None:
        check_reaches(it)

    check()


@given(rollbacks())
def test_any_state_reaches_any_former_state(it: World) -> None:
    """The sources know the ids, so names may have moved from role to role in between."""
    check_reaches(it)


@given(worlds(tidy=False))
def test_a_state_that_the_panel_left_untidy_is_reached_too(it: World) -> None:
    """Stored cycles, references to nothing, and users without roles stop no plan."""
    check_reaches(it)


@given(worlds())
def test_the_announced_state_is_the_one_that_the_writes_lead_to(it: World) -> None:
    """What guards and impact were worked out from is what comes about, to the last field."""
    plan = it.plan()
    if plan.blockers:
        return
    assert oracle.content(plan.passage(it.current).after) == oracle.content(reached(it))


@given(worlds())
def test_there_are_changes_exactly_where_the_states_differ(it: World) -> None:
    """No change stands in a plan for nothing, and nothing differs without a change."""
    plan, wanted = it.plan(), oracle.target(it)
    if plan.blockers or wanted is None:
        return
    same = (wanted.roles, wanted.users) == oracle.content(it.current)
    assert plan.is_empty == same
    assert plan.applyable == (not same)
    for change in plan.changes:
        assert change.before != change.after


def test_a_role_that_is_ignored_stays_with_those_who_hold_more() -> None:
    """An undeclared user loses the other roles and keeps the ignored one."""
    current = stored(role("Legacy One"), role("Clerk"), ada="Legacy One, Clerk")
    it = world(current, desired(users={}), ignore=("Legacy *",))
    assert oracle.holdings(reached(it)) == {"ada": {"Legacy One"}}


def test_a_user_who_is_listed_without_roles_is_no_change() -> None:
    """A panel lists everybody; who holds nothing already holds what the sources say."""
    idle = State({}, {"ada": Assignment("ada")})
    assert world(idle, desired(users={})).plan().is_empty
    assert world(idle, desired(users={"ada": ""})).plan().is_empty


def test_absent_is_not_empty() -> None:
    """Without `users:` nobody's roles change; with an empty one everybody loses all."""
    current = stored(role("Clerk"), ada="Clerk")
    assert world(current, desired(role("Clerk"))).plan().is_empty
    emptied = world(current, desired(role("Clerk"), users={})).plan()
    assert actions(emptied) == [("assign", "ada")]


def test_absent_roles_are_not_managed() -> None:
    """Without `roles:` no role changes; with an empty one all custom roles are deleted."""
    current = stored(role("Clerk"))
    assert world(current, desired(users={}, manages_roles=False)).plan().is_empty
    assert actions(world(current, desired()).plan()) == [("delete", "Clerk")]


def test_declared_only_leaves_the_rest_alone() -> None:
    """Unlisted roles and users stay; a listed user's roles become exactly those listed."""
    current = stored(role("Clerk"), role("Desk"), ada="Clerk", grace="Clerk")
    wanted = desired(role("Desk"), users={"ada": "Desk"})
    it = world(current, wanted, manage="declared")
    assert oracle.holdings(reached(it)) == {"ada": {"Desk"}, "grace": {"Clerk"}}
    assert set(reached(it).roles) == {"Clerk", "Desk"}


def test_logins_are_compared_without_case() -> None:
    """The same person in other letters is no change, and the stored spelling stays."""
    current = State(
        {"Clerk": role("Clerk", id="1"), "Desk": role("Desk", id="2")},
        {"straße@example.com": Assignment("Straße@Example.com", frozenset({"Clerk"}))},
    )
    current = replace(
        current,
        assignments={a.user.casefold(): a for a in current.assignments.values()},
    )
    wanted: DesiredState = desired(
        role("Clerk"), role("Desk"), users={"STRASSE@example.com": "Clerk"}
    )
    assert world(current, wanted).plan().is_empty
    edited = desired(role("Clerk"), role("Desk"), users={"STRASSE@example.com": "Desk"})
    assert actions(world(current, edited).plan()) == [("assign", "Straße@Example.com")]


def test_deleting_roles_that_refer_to_each_other() -> None:
    """A stored circle of includes comes apart before its roles are deleted."""
    current = stored(
        role("Auditor", includes=("Clerk",)), role("Clerk", includes=("Auditor", "Clerk"))
    )
    assert reached(world(current, desired())).roles == {}


def test_deleting_a_role_that_refers_to_nothing() -> None:
    """What a deleted role once included need not exist any more."""
    current = stored(role("Auditor", includes=("Clerk", "Gone")), role("Clerk"))
    assert reached(world(current, desired())).roles == {}


def test_includes_follow_a_rename() -> None:
    """A role that was included under its old name stays included under the new one."""
    current = stored(role("Helpdesk", "A"), role("Auditor", includes=("Helpdesk",)))
    wanted = desired(
        renamed("Helpdesk", role("Support", "A")), role("Auditor", includes=("Support",))
    )
    assert actions(world(current, wanted).plan()) == [("rename", "Support")]
    assert reached(world(current, wanted)).roles["Auditor"].includes == {"Support"}


def test_a_role_that_nobody_declared_is_left_with_its_new_includes() -> None:
    """Roles outside of our management follow a rename too."""
    current = stored(role("Helpdesk"), role("Legacy One", includes=("Helpdesk",)))
    wanted = desired(renamed("Helpdesk", Role("Support")))
    after = reached(world(current, wanted, ignore=("Legacy *",)))
    assert after.roles["Legacy One"].includes == {"Support"}
