"""What a plan must not do (design §6.5, §6.6): who is stopped, by what, and the way round it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.engine.settings import Safety, Settings
from provisioner.engine.writes import replay
from provisioner.testing.strategies import as_desired, worlds
from tests.engine import oracle
from tests.engine.build import (
    SHIPPED,
    actions,
    blockers,
    desired,
    names,
    plan_writes,
    renamed,
    role,
    stored,
    world,
)

if TYPE_CHECKING:
    from provisioner.diagnostics import Diagnostic
    from provisioner.engine.plan import Plan
    from provisioner.model import State
    from provisioner.testing.strategies import World

FULL = role("Full Access", "A B C CONFIG_SECURITY", protected=True)
DESK = role("Service Desk Only", "A", protected=True)


def apply(it: World) -> State:
    """The state after the world's plan, with what the run records."""
    plan = it.plan()
    assert blockers(plan) == []
    after = replay(it.current, plan_writes(plan, it.current))
    return replace(after, recorded=it.current.recorded | plan.manages)


def remedies(plan: Plan) -> list[str]:
    return [blocker.remedy or "" for blocker in plan.blockers]


# Every refusal says what to do


@st.composite
def guarded_worlds(draw: st.DrawFn) -> World:
    """Worlds under every guard, with tight limits."""
    limit = st.none() | st.integers(0, 2)
    safety = Safety(*[draw(limit) for _ in Safety.__slots__])
    return draw(worlds(settings=Settings(safety=safety)))


@given(guarded_worlds())
def test_every_refusal_has_a_remedy(it: World) -> None:
    """Whatever stands in the way: a rule with a name, a message, and what to do about it."""
    for blocker in it.plan().blockers:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", blocker.id)
        assert blocker.message
        assert blocker.remedy
        assert blocker.severity == "error"


@given(guarded_worlds())
def test_the_way_round_that_a_refusal_names_is_one(it: World) -> None:
    """Taking every option and setting that the remedies name leaves only what has none."""
    settings = it.settings
    for blocker in it.plan().blockers:
        settings = overridden(settings, blocker)
    allowed = it.plan(settings=settings)
    assert [b for b in allowed.blockers if overridden(settings, b) != settings] == []
    assert actions(allowed) == actions(it.plan())


def overridden(settings: Settings, blocker: Diagnostic) -> Settings:
    """The settings after doing what a remedy says."""
    remedy = blocker.remedy or ""
    safety: dict[str, Any] = {}
    for option in ("max_deletes", "max_change_percent"):
        if found := re.search(rf"--{option.replace('_', '-')} (\d+)", remedy):
            safety[option] = int(found[1])
    if not safety and (found := re.search(r"raise `safety: (\w+)`", remedy)):
        safety[found[1]] = int(blocker.message.split()[0])
    for name, value in safety.items():
        safety[name] = max(value, getattr(settings.safety, name) or 0)
    return replace(
        settings,
        safety=replace(settings.safety, **safety),
        adopt=settings.adopt or "--adopt" in remedy,
        allow_lockout=settings.allow_lockout or "--allow-lockout" in remedy,
    )


# Limits


def deleting(count: int, of: int) -> tuple[State, tuple[str, ...]]:
    """A state of so many roles, and the names of those that stay."""
    rows = [f"Role {i:02}" for i in range(of)]
    return stored(*map(role, rows)), tuple(rows[count:])


@pytest.mark.parametrize(
    ("count", "of", "percent", "blocked"),
    [
        (3, 10, 30, False),
        (4, 10, 30, True),
        (9, 9, 30, False),
        (10, 10, 30, True),
        (3, 11, 30, False),
        (4, 11, 30, True),
        (6, 20, 30, False),
        (7, 20, 30, True),
        (0, 10, 0, False),
        (1, 10, 0, True),
        (1, 9, 0, False),
        (10, 10, 100, False),
        (10, 10, None, False),
        (33, 100, 33, False),
        (34, 100, 33, True),
        (1, 101, 0, True),
    ],
)
def test_at_most_so_many_percent_of_roles_are_deleted(
    count: int, of: int, percent: int | None, blocked: bool
) -> None:
    """Exactly the limit is allowed; fewer than ten roles are never counted in percent."""
    current, staying = deleting(count, of)
    wanted = desired(*map(role, staying))
    plan = world(current, wanted, safety=Safety(max_change_percent=percent)).plan()
    assert blockers(plan) == (["max-change-percent"] if blocked else [])


def test_a_refusal_in_percent_says_the_numbers_and_the_option() -> None:
    """How many, of how many, what is allowed, and what to type if it is meant."""
    current, staying = deleting(4, 11)
    (blocker,) = world(current, desired(*map(role, staying))).plan().blockers
    assert blocker.message == "4 of 11 roles deleted (37%), at most 30% allowed"
    assert "--max-change-percent 37" in str(blocker.remedy)
    assert "safety: max_change_percent" in str(blocker.remedy)


@pytest.mark.parametrize(
    ("count", "limit", "blocked"), [(0, 0, False), (1, 0, True), (5, 5, False), (6, 5, True)]
)
def test_at_most_so_many_roles_are_deleted(count: int, limit: int, blocked: bool) -> None:
    """`max_deletes` counts roles, however few there are."""
    current, staying = deleting(count, 6)
    wanted = desired(*map(role, staying))
    plan = world(current, wanted, safety=Safety(max_deletes=limit)).plan()
    assert blockers(plan) == (["max-deletes"] if blocked else [])
    assert not blocked or f"--max-deletes {count}" in remedies(plan)[0]


@pytest.mark.parametrize(
    ("losing", "of", "blocked"), [(3, 10, False), (4, 10, True), (9, 9, False), (4, 13, True)]
)
def test_at_most_so_many_percent_of_users_lose_access(losing: int, of: int, blocked: bool) -> None:
    """People count by what they can do in the end, and below ten of them not at all."""
    users = {f"user{i:02}": "Clerk" for i in range(of)}
    current = stored(role("Clerk", "A"), role("Desk"), users=users)
    given = {u: ("Desk" if i < losing else "Clerk") for i, u in enumerate(users)}
    plan = world(current, desired(role("Clerk", "A"), role("Desk"), users=given)).plan()
    assert blockers(plan) == (["max-change-percent"] if blocked else [])


def test_who_gains_and_loses_counts_as_losing_too() -> None:
    """Another privilege in exchange makes no loss undone."""
    users = {f"user{i:02}": "Clerk" for i in range(10)}
    current = stored(role("Clerk", "A"), users=users)
    assert blockers(world(current, desired(role("Clerk", "B"))).plan()) == ["max-change-percent"]


def test_a_role_split_loses_nobody_anything() -> None:
    """Ten reassigned people whose access stays the same are no loss at all."""
    users = {f"user{i:02}": "Clerk" for i in range(10)}
    current = stored(role("Clerk", "A B"), users=users)
    halves = desired(
        role("Clerk", "A"), role("Desk", "B"), users=dict.fromkeys(users, "Clerk, Desk")
    )
    safety = Safety(max_users_losing=0, max_users_gaining=0)
    assert blockers(world(current, halves, safety=safety).plan()) == []


LIMITED = [
    ("max_changes", 2),
    ("max_users_losing", 1),
    ("max_users_gaining", 1),
    ("max_privileges_granted", 2),
]


@pytest.mark.parametrize(("setting", "count"), LIMITED)
@pytest.mark.parametrize("above", [False, True])
def test_each_limit_is_exact(setting: str, count: int, above: bool) -> None:
    """So many are allowed, one more is not; each is a setting of the project file."""
    current = stored(role("Clerk", "A"), role("Desk"), ada="Clerk", grace="Desk")
    wanted = desired(role("Clerk"), role("Desk", "B C"))
    safety = Safety(**{setting: count - above})
    plan = world(current, wanted, safety=safety).plan()
    assert blockers(plan) == ([setting.replace("_", "-")] if above else [])
    assert not above or f"safety: {setting}" in remedies(plan)[0]


STRICT = Safety(0, 0, 0, 0, 0, 0)


def test_the_first_use_of_an_empty_target_never_counts() -> None:
    """Creates and first assignments in a panel that holds default roles only pass any limit."""
    current = stored(FULL, DESK, recorded=())
    wanted = desired(role("Clerk", "A B"), users={"ada": "Clerk", "bob": "Full Access"})
    it = world(current, wanted, catalogue=SHIPPED, safety=STRICT)
    assert blockers(it.plan()) == []
    assert actions(it.plan()) == [("create", "Clerk"), ("assign", "ada"), ("assign", "bob")]


@pytest.mark.parametrize("current", [stored(FULL, role("Other")), stored(FULL, zoe="Full Access")])
def test_the_second_use_counts(current: State) -> None:
    """One custom role, or one assignment, and the target is not empty any more."""
    wanted = desired(role("Clerk", "A"), role("Other"))
    plan = world(current, wanted, catalogue=SHIPPED, safety=STRICT).plan()
    assert set(blockers(plan)) == {"max-changes", "max-privileges-granted"}


def test_editing_a_default_role_counts_from_the_first_use() -> None:
    """Only creates and first assignments are exempt; a default role was there before."""
    current = stored(FULL, DESK, recorded=())
    wider = replace(DESK, privileges=names("A,B,C"))
    plan = world(current, desired(wider), catalogue=SHIPPED, safety=STRICT).plan()
    assert set(blockers(plan)) == {"max-changes", "max-privileges-granted"}


# Protection


def test_deleting_block_and_protection_together_is_refused() -> None:
    """Protection is stored with the role, so leaving out its block does not lift it."""
    it = world(stored(role("Clerk", protected=True)), desired())
    assert blockers(it.plan()) == ["protected"]
    assert "protected: false" in remedies(it.plan())[0]


def test_unprotected_first_then_deleted() -> None:
    """Two applies take a protected role away."""
    it = world(stored(role("Clerk", "A", protected=True)), desired(role("Clerk", "A")))
    assert actions(it.plan()) == [("update", "Clerk")]
    unprotected = apply(it)
    assert actions(world(unprotected, desired()).plan()) == [("delete", "Clerk")]
    assert apply(world(unprotected, desired())).roles == {}


def test_a_protected_role_may_be_edited_and_renamed() -> None:
    """Protection forbids deletion only."""
    current = stored(role("Clerk", "A", protected=True), ada="Clerk")
    wanted = desired(renamed("Clerk", role("Desk", "B", protected=True)))
    assert apply(world(current, wanted)).roles["Desk"].privileges == {"B"}


@given(worlds())
def test_no_allowed_plan_deletes_what_is_not_ours_to_delete(it: World) -> None:
    """No default, protected, ignored or external role ever goes, whatever the settings."""
    plan = it.plan()
    deleted = {name for action, name in actions(plan) if action == "delete"}
    for name in deleted:
        assert not it.catalogue.is_default(name)
        assert name not in it.settings.external
        assert not oracle.is_ignored(it, name)
        assert plan.blockers or not it.current.roles[name].protected
    if it.settings.manage == "declared":
        assert deleted == set()


# Default, external and ignored roles


def test_undeclared_default_roles_stay() -> None:
    """In any case of their names, protected or not."""
    current = stored(role("full access"), DESK, role("Clerk"))
    assert actions(world(current, desired(), catalogue=SHIPPED).plan()) == [("delete", "Clerk")]


def test_a_declared_default_role_is_edited() -> None:
    """Default roles may be declared."""
    edited = desired(replace(DESK, privileges=names("A,B")))
    plan = world(stored(FULL, DESK), edited, catalogue=SHIPPED).plan()
    assert actions(plan) == [("update", "Service Desk Only")]
    assert blockers(plan) == []


def test_an_external_role_is_not_ours() -> None:
    """It stays, though nobody declares it; its assignments are managed."""
    current = stored(role("Regional Auditor", "A"), ada="Regional Auditor")
    it = world(current, desired(users={"bob": "Regional Auditor"}), external=("Regional Auditor",))
    assert actions(it.plan()) == [("assign", "ada"), ("assign", "bob")]
    assert oracle.holdings(apply(it)) == {"bob": {"Regional Auditor"}}


@pytest.mark.parametrize(
    "declared",
    [role("Regional Auditor", "B"), renamed("Regional Auditor", role("Auditor"))],
    ids=["edit", "rename"],
)
def test_an_external_role_is_neither_edited_nor_renamed(declared: Any) -> None:
    """A source that tries is refused, or it has no effect."""
    current = stored(role("Regional Auditor", "A"))
    it = world(current, desired(declared), external=("Regional Auditor",), manage="declared")
    touched = [
        change for change in it.plan().changes if change.before == current.roles["Regional Auditor"]
    ]
    assert it.plan().blockers or touched == []


def test_an_ignored_role_keeps_its_name_on_the_way_back() -> None:
    """Renamed by hand into a name that is left alone: a rollback leaves it alone too."""
    former = stored(role("Desk", "A", id="r1"))
    current = stored(role("Legacy Desk", "A", id="r1"), ada="Legacy Desk")
    it = world(current, replace(as_desired(former), users=None), ignore=("Legacy *",))
    assert it.plan().blockers or "Legacy Desk" in apply(it).roles


@pytest.mark.parametrize("name", ["Regional Auditor", "regional auditors"])
def test_an_external_role_must_exist(name: str) -> None:
    """By its exact name; a near one is suggested."""
    it = world(stored(role("Regional Auditors")), desired(), external=(name,), manage="declared")
    (blocker,) = it.plan().blockers
    assert blocker.id == "external-missing"
    assert f"`{name}`" in blocker.message
    assert "Regional Auditors" in str(blocker.remedy)


def test_a_reference_to_a_role_that_went_missing_is_refused() -> None:
    """Whether a role includes it or a user shall hold it; the refusal names both ends."""
    wanted = desired(role("Clerk", includes=("Gone",)), users={"ada": "Gone"})
    plan = world(stored(), wanted, external=("Gone",)).plan()
    found = [b.message for b in plan.blockers if b.id == "role-missing"]
    assert [("`Clerk`" in m, "`ada`" in m, "`Gone`" in m) for m in found] == [
        (True, False, True),
        (False, True, True),
    ]


def test_a_rename_is_not_blamed_for_an_include_that_the_plan_removes() -> None:
    """A stored reference to nothing that the sources drop stands in no plan's way."""
    current = stored(role("Helpdesk", includes=("Gone",)))
    assert apply(world(current, desired(renamed("Helpdesk", role("Support"))))).roles.keys() == {
        "Support"
    }


def test_a_circle_of_includes_that_only_the_panel_shows_is_refused() -> None:
    """A declared role includes a default role that, in the panel, includes the declared one."""
    current = stored(replace(FULL, includes=names("Clerk")), role("Clerk"))
    plan = world(
        current, desired(role("Clerk", includes=("Full Access",))), catalogue=SHIPPED
    ).plan()
    assert plan.blockers
    assert "Clerk" in plan.blockers[0].message


def test_a_name_that_looks_like_a_stored_one_is_refused() -> None:
    """A Cyrillic letter in a Latin name, either way round."""
    cyrillic = "\u0421lerk"
    for there, declared in ((cyrillic, "Clerk"), ("Clerk", cyrillic)):
        it = world(stored(role(there)), desired(role(declared)), manage="declared")
        assert blockers(it.plan()) == ["look-alike-name"]


def test_a_look_alike_may_be_renamed_away() -> None:
    """That is how it is put right."""
    it = world(stored(role("\u0421lerk")), desired(renamed("\u0421lerk", role("Clerk"))))
    assert set(apply(it).roles) == {"Clerk"}


def test_different_words_are_no_look_alikes() -> None:
    """Names of one script are the reader's business."""
    it = world(stored(role("C1erk")), desired(role("Clerk")), manage="declared")
    assert blockers(it.plan()) == []


# A role in use


def test_a_role_that_somebody_would_still_hold_is_not_deleted() -> None:
    """Where assignments are not managed, a held role stays."""
    it = world(stored(role("Clerk"), ada="Clerk"), desired())
    (blocker,) = it.plan().blockers
    assert blocker.id == "role-in-use"
    assert "ada" in blocker.message
    assert "users" in str(blocker.remedy)


def test_a_role_that_a_remaining_role_includes_is_not_deleted() -> None:
    """The refusal says which role includes it, and to declare that one otherwise."""
    current = stored(role("Full Access", includes=("Clerk",)), role("Clerk"))
    (blocker,) = world(current, desired(), catalogue=SHIPPED).plan().blockers
    assert blocker.id == "role-in-use"
    assert "Full Access" in blocker.message
    assert "declare `Full Access`" in str(blocker.remedy)


@pytest.mark.parametrize("by", ["ignore of the project", "ignore of the sources", "external"])
def test_nobody_is_told_to_declare_what_is_not_ours(by: str) -> None:
    """Declaring an ignored or external role is an error, so it can't be the remedy."""
    it = world(stored(role("Regional", includes=("Clerk",)), role("Clerk")), desired())
    if by == "ignore of the sources":
        it = replace(it, desired=replace(it.desired, ignore=("Regional",)))
    elif by == "external":
        it = replace(it, settings=replace(it.settings, external=("Regional",)))
    else:
        it = replace(it, settings=replace(it.settings, ignore=("Regional",)))
    (blocker,) = it.plan().blockers
    assert blocker.id == "role-in-use"
    assert "declare `Regional`" not in str(blocker.remedy)


def test_a_role_is_deleted_together_with_all_that_held_it() -> None:
    """Holders and includers that go in the same plan are in nobody's way."""
    current = stored(role("Lead", includes=("Clerk",)), role("Clerk"), ada="Lead, Clerk")
    assert apply(world(current, desired(users={}))).roles == {}


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
    current = replace(HELD, recorded=frozenset(recorded))  # type: ignore[arg-type]
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
        self_user=self_user,
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
        self_user=self_user,
    )
    return replace(it, target=replace(it.target, atomic=atomic))


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
