"""What a plan must not do (design §6.5, §6.6): who is stopped, by what, and the way round it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.engine.settings import Safety, Settings
from provisioner.testing.strategies import worlds
from provisioner.testing.write_strategies import as_desired
from tests.engine import oracle
from tests.engine.build import (
    DESK,
    FULL,
    SHIPPED,
    actions,
    apply,
    blockers,
    desired,
    names,
    remedies,
    renamed,
    role,
    stored,
    world,
)

if TYPE_CHECKING:
    from provisioner.diagnostics import Diagnostic
    from provisioner.testing.world import World

# Every refusal says what to do


@st.composite
def guarded_worlds(draw: st.DrawFn) -> World:
    """Worlds under every guard, with tight limits."""
    limit = st.none() | st.integers(0, 2)
    safety = Safety(*[draw(limit) for _ in Safety.__struct_fields__])
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
