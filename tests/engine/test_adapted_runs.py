"""What a plan does about a store that lacks something: users, recording, versions, who runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from provisioner.engine.writes import CreateRole, SetAssignment, UpdateRole
from provisioner.errors import StalePlan
from provisioner.model import Capabilities
from provisioner.testing import MemoryBackend
from tests.engine.build import (
    FULL,
    at,
    blockers,
    carry_out,
    desired,
    lacking,
    notes,
    objections,
    plan_against,
    plan_writes,
    remedies,
    role,
    stored,
)

if TYPE_CHECKING:
    from provisioner.testing.world import World
    from tests.engine.conftest import Sources

# Users


def test_without_assignments_nobody_can_be_given_roles(sources: Sources) -> None:
    """Ended assignments ask for nothing; active ones are refused, all in one objection."""
    can = lacking("assignments")
    assert not at(stored(FULL), sources("users: {}"), can).plan().blockers
    plan = at(
        stored(FULL),
        sources("""
            users:
              Eve: {roles: [{role: Full Access, until: 2020-01-01}]}
              Ada: {roles: [Full Access]}
              bob: {roles: [Full Access]}
        """),
        can,
    ).plan()
    assert objections(plan) == [
        (
            "assignments-unsupported",
            "roles.yaml:4:3",
            "this target holds no assignments, so `Ada` and `bob` can't be given roles",
            "leave out `users:`",
        )
    ]
    assert plan.is_empty


CLOSED = Capabilities(atomic=True, closed_users=True)
KNOWN = frozenset({"ada@example.com", "grace@example.com"})


def test_a_store_that_knows_its_users_gives_roles_to_nobody_else(sources: Sources) -> None:
    """The nearest login that it knows is named; who shall hold nothing need not be known."""
    wanted = sources("""
        users:
          Ada@Example.com: {roles: [Full Access]}
          gracie@example.com: {roles: [Full Access]}
          nobody: {roles: [Full Access]}
          former: {roles: [{role: Full Access, until: 2020-01-01}]}
    """)
    plan = at(stored(FULL), wanted, CLOSED).plan(users=KNOWN)
    assert objections(plan) == [
        (
            "unknown-user",
            "roles.yaml:4:3",
            "this target has no user `gracie@example.com`",
            "did you mean grace@example.com, ada@example.com?",
        ),
        (
            "unknown-user",
            "roles.yaml:5:3",
            "this target has no user `nobody`",
            "have the account created in the panel first",
        ),
    ]


def test_a_plan_is_stale_when_a_user_has_left() -> None:
    """Checked under the lock; taking roles from somebody unknown is no reason to stop."""
    it = at(stored(FULL, bob="Full Access"), desired(users={"ada": "Full Access"}), CLOSED)
    both, neither = (
        MemoryBackend(it.current, capabilities=CLOSED, users=users) for users in (("ada",), ())
    )
    plan = plan_against(both, it)
    assert blockers(plan) == []
    with pytest.raises(StalePlan, match="this target no longer has a user ada"):
        carry_out(plan, neither)
    assert carry_out(plan, both).is_complete


# Recording


def test_adoption_is_recorded_in_the_project_file_where_the_store_can_not() -> None:
    """The guard and, once adopted, the note give the line to write."""
    current, wanted = stored(role("Clerk"), recorded=(), ada="Clerk"), desired(users={})
    can = lacking("recording")
    plan = at(current, wanted, can, adopt=False).plan()
    remedy = (
        "check the plan, then repeat with --adopt to take them under management; this target "
        "can't remember that, so then write `adopted: [roles, users]` in the project file"
    )
    assert remedies(plan) == [remedy, remedy]
    adopting = at(current, wanted, can).plan()
    assert [(note.id, note.message, note.remedy) for note in adopting.notes] == [
        (
            "not-recorded",
            "this target can't remember that roles and users are under management now",
            "once this is applied, write `adopted: [roles, users]` in the project file",
        )
    ]


def test_what_the_project_file_records_needs_no_note() -> None:
    """Only what is new is told; the line to write has all of it."""
    current, wanted = stored(role("Clerk"), recorded=(), ada="Clerk"), desired(users={})
    recorded = frozenset({"roles"})
    plan = at(current, wanted, lacking("recording"), adopted=recorded).plan()
    assert notes(plan) == {
        "not-recorded": "this target can't remember that users are under management now"
    }
    assert plan.notes[0].remedy is not None
    assert "`adopted: [roles, users]`" in plan.notes[0].remedy
    done = at(current, wanted, lacking("recording"), adopted=frozenset({"roles", "users"})).plan()
    assert done.applyable
    assert done.notes == ()


# Versions, and roles that are created empty


def test_without_versions_a_plan_says_what_can_get_lost() -> None:
    """Where there is something to write."""
    it = at(stored(), desired(role("Clerk")), lacking("versions"))
    assert notes(it.plan()) == {
        "no-versions": (
            "somebody else's change between reading and writing can be overwritten: this target "
            "has no versions to compare"
        )
    }
    assert it.plan(desired=desired()).notes == ()


def test_a_role_that_is_created_empty_is_filled_before_anybody_holds_it() -> None:
    """Description and protection come at once, privileges before includes, holders last."""
    clerk = replace(role("Clerk", "A", protected=True), description="Writes")
    it = at(stored(), desired(clerk, users={"ada": "Clerk"}), lacking("whole_roles", atomic=False))
    empty = replace(clerk, privileges=frozenset())
    assert plan_writes(it.plan(), it.current) == [
        CreateRole(empty),
        UpdateRole(empty, clerk),
        SetAssignment("ada", frozenset(), frozenset({"Clerk"})),
    ]


# Who runs it


def lockout(**known: Any) -> World:
    """Ada loses administrative access; Bob keeps his."""
    it = at(
        stored(FULL, ada="Full Access", bob="Full Access"),
        desired(users={"bob": "Full Access"}, manages_roles=False),
        lacking(),
        self_users=known.pop("self_users", ()),
    )
    return replace(it, **known)


def test_the_store_may_know_who_runs_it() -> None:
    """Where the project file does not say it; what it says comes first."""
    assert blockers(lockout().plan()) == []
    assert blockers(lockout(subject="Ada").plan()) == ["lockout"]
    assert blockers(lockout(subject="ada", self_users=("bob",)).plan()) == []


def test_who_applies_a_saved_plan_is_not_locked_out_either() -> None:
    """The subject is the one of the apply's own snapshot, not of the plan's."""
    it = lockout()
    plan = plan_against(MemoryBackend(it.current), it)
    assert blockers(plan) == []
    with pytest.raises(StalePlan, match="ada, who runs this, would lose administrative access"):
        carry_out(plan, MemoryBackend(it.current, subject="ada"))
    assert carry_out(plan, MemoryBackend(it.current, subject="bob")).is_complete
