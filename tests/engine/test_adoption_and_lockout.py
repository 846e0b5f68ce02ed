"""Taking a target under management, and not losing the last administrator (design §6.5, §6.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from provisioner.engine.planning.making import make_plan
from provisioner.engine.planning.staleness import recheck
from provisioner.engine.planning.trial import tried
from provisioner.model import Capabilities, Catalogue, Privilege, Snapshot
from tests.engine.build import (
    FULL,
    SHIPPED,
    actions,
    apply,
    blockers,
    desired,
    notes,
    remedies,
    renamed,
    role,
    stored,
    world,
)

if TYPE_CHECKING:
    from provisioner.testing.world import World

# Adoption

HELD = stored(role("Clerk"), role("Desk"), recorded=(), ada="Clerk")


@pytest.mark.parametrize(
    ("recorded", "settings", "blocked"),
    [
        ((), {}, 2),
        (("roles",), {}, 1),
        (("users",), {}, 1),
        (("roles", "users"), {}, 0),
        ((), {"adopt": True}, 0),
        ((), {"adopted": frozenset({"roles"})}, 1),
        (("users",), {"adopted": frozenset({"roles"})}, 0),
    ],
)
def test_removing_needs_adoption(
    recorded: tuple[str, ...], settings: dict[str, Any], blocked: int
) -> None:
    """Roles and users separately; recorded in the state, in the project file, or by --adopt."""
    current = replace(HELD, recorded=frozenset(recorded))
    plan = world(current, desired(role("Desk"), users={}), **settings).plan()
    assert blockers(plan) == ["adoption"] * blocked
    assert all("--adopt" in remedy for remedy in remedies(plan))
    assert actions(plan) == [("delete", "Clerk"), ("assign", "ada")]


@pytest.mark.parametrize(
    "wanted",
    [
        desired(role("Clerk"), role("Desk"), role("New", "A")),
        desired(role("Clerk", "A"), role("Desk")),
        desired(role("Clerk"), renamed("Desk", role("Help"))),
        desired(role("Clerk"), role("Desk"), users={"ada": "Clerk, Desk", "bob": "Desk"}),
    ],
    ids=["create", "update", "rename", "assign"],
)
def test_adding_needs_no_adoption(wanted: Any) -> None:
    """Until adopted, a plan may add, edit and rename."""
    plan = world(HELD, wanted).plan()
    assert plan.applyable


@pytest.mark.parametrize(
    "wanted",
    [
        desired(role("Clerk", "B", includes=("Desk",)), role("Desk")),
        desired(role("Clerk", "A B"), role("Desk")),
    ],
    ids=["privilege", "include"],
)
def test_taking_from_a_role_needs_adoption(wanted: Any) -> None:
    """Its holders lose as much by that as by an assignment that is taken away."""
    held = stored(role("Clerk", "A B", includes=("Desk",)), role("Desk"), recorded=(), ada="Clerk")
    plan = world(held, wanted).plan()
    assert blockers(plan) == ["adoption"]
    assert plan.blockers[0].message == (
        "roles are not under management yet, and this plan would take privileges from Clerk"
    )
    assert world(held, wanted, adopt=True).plan().applyable
    assert world(replace(held, recorded=frozenset({"roles"})), wanted).plan().applyable


def test_recording_alone_is_no_change() -> None:
    """A target that is as declared gives an empty plan, adopted or not."""
    wanted = desired(role("Clerk"), role("Desk"), users={"ada": "Clerk"})
    for adopt in (False, True):
        plan = world(HELD, wanted, adopt=adopt).plan()
        assert plan.is_empty
        assert not plan.blockers


def test_an_apply_records_only_the_kinds_that_the_sources_manage() -> None:
    """Sources without users leave assignments to be adopted later."""
    after = apply(world(HELD, desired(role("Clerk"), role("Desk", "A"))))
    assert after.recorded == {"roles"}


# Lockout

ADMIN = role("Security", "CONFIG_SECURITY")
ROLES = (FULL, ADMIN, role("Clerk", "A"), role("Lead", includes=("Security",)))


@pytest.mark.parametrize(
    ("held", "given", "self_user", "blocked"),
    [
        ({"ada": "Full Access"}, {"ada": "Clerk"}, None, True),
        ({"ada": "Full Access"}, {}, None, True),
        ({"ada": "Security"}, {"ada": "Clerk"}, None, True),
        ({"ada": "Lead"}, {"ada": "Clerk"}, None, True),
        ({"ada": "Full Access"}, {"ada": "Lead"}, None, False),
        ({"ada": "Full Access", "bob": "Lead"}, {"bob": "Lead"}, None, False),
        ({"ada": "Full Access", "bob": "Lead"}, {"bob": "Lead"}, "ada", True),
        ({"ada": "Full Access", "bob": "Lead"}, {"bob": "Lead"}, "ADA", True),
        ({"ada": "Full Access", "bob": "Lead"}, {"ada": "Security"}, "ada", False),
        ({"ada": "Clerk", "bob": "Full Access"}, {"bob": "Full Access"}, "ada", False),
        ({"ada": "Clerk"}, {}, None, False),
        ({"ada": "Clerk"}, {}, "ada", False),
        ({"ada": "Full Access"}, {"bob": "Full Access"}, None, False),
    ],
)
def test_who_runs_it_or_the_last_one_keeps_administrative_access(
    held: dict[str, str], given: dict[str, str], self_user: str | None, blocked: bool
) -> None:
    """Full Access or CONFIG_SECURITY, directly or through an include, under any spelling."""
    it = world(
        stored(*ROLES, users=held),
        desired(*ROLES, users=given),
        catalogue=SHIPPED,
        self_users=tuple(filter(None, (self_user,))),
    )
    assert blockers(it.plan()) == (["lockout"] if blocked else [])
    if blocked:
        assert "--allow-lockout" in remedies(it.plan())[0]
        assert blockers(it.plan(settings=replace(it.settings, allow_lockout=True))) == []


def test_editing_the_role_locks_out_as_well() -> None:
    """Taking the privilege from the role is the same as taking the role."""
    current = stored(ADMIN, ada="Security")
    assert blockers(world(current, desired(role("Security", "A"))).plan()) == ["lockout"]


def exchange(self_user: str | None, *, atomic: bool) -> World:
    """Ada changes from one role with administrative access to another."""
    it = world(
        stored(*ROLES, ada="Full Access"),
        desired(*ROLES, users={"ada": "Security"}),
        catalogue=SHIPPED,
        self_users=tuple(filter(None, (self_user,))),
    )
    return replace(it, target=replace(it.target, capabilities=Capabilities(atomic=atomic)))


@pytest.mark.parametrize("self_user", [None, "ada"])
def test_administrative_access_is_kept_at_every_moment(self_user: str | None) -> None:
    """Where a store can't commit at once, the moment between the phases counts too."""
    assert blockers(exchange(self_user, atomic=True).plan()) == []
    plan = exchange(self_user, atomic=False).plan()
    assert blockers(plan) == ["lockout"]
    assert "while it is applied" in plan.blockers[0].message


def test_administrative_access_changes_hands_in_two_applies() -> None:
    """First the new one, then without the old one: no moment without."""
    it = exchange("ada", atomic=False)
    both = replace(it, desired=desired(*ROLES, users={"ada": "Full Access, Security"}))
    assert blockers(both.plan()) == []
    assert blockers(it.plan(current=apply(both))) == []


@pytest.mark.parametrize(
    ("held", "given", "subject", "blocked"),
    [
        ({"ada": "Admin"}, {"ada": "Clerk"}, None, True),
        ({"ada": "Boss"}, {"ada": "Clerk"}, None, True),
        ({"ada": "Admin", "bob": "Admin"}, {"bob": "Admin"}, "Ada", True),
        ({"ada": "Admin", "bob": "Admin"}, {"bob": "Admin"}, None, False),
        ({"ada": "Admin"}, {"ada": "Admin, Boss"}, "ada", False),
    ],
)
def test_a_store_may_have_administrators_of_its_own(
    held: dict[str, str], given: dict[str, str], subject: str | None, blocked: bool
) -> None:
    """Roles that the store says mean administrative access, held or carried."""
    roles = (role("Admin", "A"), role("Boss", includes=("Admin",)), role("Clerk"))
    it = world(stored(*roles, users=held), desired(*roles, users=given))
    snapshot = Snapshot(it.current, subject=subject, administrators=frozenset({"Admin"}))
    plan = make_plan(it.desired, snapshot, it.settings, it.as_of, it.target, it.catalogue).plan
    assert blockers(plan) == (["lockout"] if blocked else [])
    assert all("`Admin`" in remedy for remedy in remedies(plan))


def test_a_plan_that_became_a_lockout_is_stale() -> None:
    """Bob lost Admin after the plan was made, so that Ada is the last one."""
    roles = (role("Admin", "A"), role("Clerk"))
    it = world(
        stored(*roles, ada="Admin", bob="Admin"),
        desired(*roles, users={"ada": "Clerk", "bob": "Admin"}),
    )
    admins = frozenset({"Admin"})
    plan = make_plan(
        it.desired,
        Snapshot(it.current, administrators=admins),
        it.settings,
        it.as_of,
        it.target,
        it.catalogue,
    ).plan
    assert blockers(plan) == []
    now = Snapshot(stored(*roles, ada="Admin"), administrators=admins)
    assert any(
        "nobody would have administrative access" in why for why in recheck(tried(plan, now))
    )


def test_a_role_of_administrators_that_is_emptied_leaves_none() -> None:
    """Judged by what the role carried before, not by its name."""
    roles = (role("Admin", "A B"), role("Clerk"))
    it = world(stored(*roles, ada="Admin"), desired(role("Admin", "A"), role("Clerk")))
    snapshot = Snapshot(it.current, administrators=frozenset({"Admin"}))
    plan = make_plan(it.desired, snapshot, it.settings, it.as_of, it.target, it.catalogue).plan
    assert blockers(plan) == ["lockout"]
    other = desired(role("Admin", "A"), role("Boss", "A B"), users={"ada": "Boss"})
    plan = make_plan(other, snapshot, it.settings, it.as_of, it.target, it.catalogue).plan
    assert blockers(plan) == []


def test_where_nobody_can_be_told_for_an_administrator_the_plan_says_so() -> None:
    """No guard, and no silence about it."""
    few = Catalogue("few", {"A": Privilege("A")})
    clerk = role("Clerk", "A")
    it = world(stored(clerk, ada="Clerk"), desired(clerk, users={}), catalogue=few)
    assert blockers(it.plan()) == []
    assert "no-administrator-known" in notes(it.plan())
    assert "no-administrator-known" not in notes(replace(it, desired=desired(clerk)).plan())
