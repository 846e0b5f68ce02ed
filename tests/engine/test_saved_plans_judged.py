"""The project that made a plan has nothing against it, and one that would not have made it has."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.documents.plan import decode, encode
from provisioner.engine.changes import Action, AssignmentChange
from provisioner.engine.planning.claims import worked_out
from provisioner.engine.planning.saved import Judge
from provisioner.engine.settings import Safety
from provisioner.errors import Blocked, StalePlan
from provisioner.model import Catalogue, DatedRole, Privilege
from provisioner.testing import MemoryBackend
from provisioner.testing.strategies import worlds
from provisioner.testing.world import TODAY
from tests.engine.build import (
    BARE,
    carry_out,
    desired,
    objections,
    plan_against,
    renamed,
    role,
    stored,
    world,
)
from tests.engine.test_any_store import opened, stores

if TYPE_CHECKING:
    from provisioner.engine.planning.plan import Plan
    from provisioner.testing.world import World

POLICIES: tuple[dict[str, Any], ...] = (
    {"name": "deny", "deny": ["CONFIG_SECURITY"]},
    {
        "name": "few",
        "severity": "warning",
        "restrict": {"privileges": ["HOLDS_PUT"], "max_users": 1},
    },
    {
        "name": "duties",
        "separation_of_duty": ["ACCOUNTS_VIEW", "ARDOCS_CREATE"],
        "except": ["Clerk", {"role": "Desk", "until": "2026-03-02"}],
    },
    {
        "name": "dated",
        "dated": {"privileges": ["MEMOS_WRITE"], "max_days": 3, "require_reason": True},
    },
)


def judge(it: World, **changed: Any) -> Judge:
    """What the project of a world says; arguments replace fields of the judge."""
    found = Judge(it.settings, lambda _: it.catalogue, it.desired, TODAY)
    return replace(found, **changed)


def ruled(it: World, policies: list[dict[str, Any]]) -> World:
    """A world whose sources have these policies, and which lets pass what breaks them already."""
    rules = {"policies": tuple(policies)}
    settings = replace(it.settings, new_only=True)
    return replace(it, desired=replace(it.desired, rules=rules), settings=settings)


def reread(plan: Plan) -> Plan:
    """The plan as its file has it."""
    return decode(encode(plan), "plan.json")


@given(worlds(), st.lists(st.sampled_from(POLICIES), unique_by=id), st.booleans())
def test_an_honest_plan_is_applied_by_its_own_project(
    it: World, policies: list[dict[str, Any]], with_sources: bool
) -> None:
    """Whatever it changes, under any policies, and also where its sources are not at hand."""
    it = ruled(it, policies)
    backend = MemoryBackend(it.current)
    plan = reread(plan_against(backend, it))
    if plan.applyable:
        by = judge(it) if with_sources else judge(it, desired=None)
        assert carry_out(plan, backend, judge=by).is_complete


@given(stores())
def test_a_plan_adapted_to_a_store_is_applied_by_its_own_project(store: Any) -> None:
    """Roles spelled out, descriptions left out: what the sources say is still told apart."""
    it, _ = store
    backend = opened(it)
    plan = reread(plan_against(backend, it))
    given_ids = any(
        c.action is Action.CREATE and getattr(c.after, "id", None) for c in plan.changes
    )
    if plan.applyable and not given_ids:
        assert carry_out(plan, backend, judge=judge(it)).is_complete


@given(worlds(), st.lists(st.sampled_from(POLICIES), unique_by=id))
def test_a_plan_past_a_policy_is_refused_as_a_plan_from_sources_is(
    it: World, policies: list[dict[str, Any]]
) -> None:
    """The plan comes from a project without policies; the one that applies has some."""
    strict = ruled(it, policies)
    backend = MemoryBackend(it.current)
    plan = reread(plan_against(backend, it))
    fresh = plan_against(backend, strict)
    if not plan.applyable:
        return
    if not policies:
        assert carry_out(plan, backend, judge=judge(strict)).is_complete
        return
    with pytest.raises((Blocked, StalePlan)) as refused:
        carry_out(plan, backend, judge=judge(strict))
    if fresh.blockers:
        told = {found.message for found in refused.value.diagnostics}
        assert {message for _, _, message, _ in objections(fresh)} <= told


@pytest.mark.parametrize(
    ("settings", "id"),
    [
        ({"safety": Safety(max_users_gaining=0)}, "max-users-gaining"),
        ({"safety": Safety(max_privileges_granted=0)}, "max-privileges-granted"),
        ({"ceilings": ("Security",)}, "above-ceiling"),
        ({"ignore": ("Cle*",)}, "left-alone"),
        ({"external": ("Clerk",)}, "left-alone"),
        ({"external": ("Bookkeeper",)}, "left-alone"),
        ({"self_users": ("ada",)}, "lockout"),
    ],
    ids=str,
)
def test_each_setting_of_the_project_that_applies_counts(settings: Any, id: str) -> None:
    """None of them was there when the plan was made."""
    security = role("Security", "CONFIG_SECURITY")
    current = stored(
        role("Clerk", "A"), security, ada="Clerk, Security", bob="Security", cy="Clerk"
    )
    wanted = desired(
        renamed("Clerk", role("Bookkeeper", "A B")),
        security,
        users={"ada": "Bookkeeper", "bob": "Security", "cy": "Bookkeeper"},
    )
    it = world(current, wanted)
    backend = MemoryBackend(current)
    plan = reread(plan_against(backend, it))
    assert plan.applyable
    with pytest.raises(Blocked) as refused:
        carry_out(plan, backend, judge=judge(it, settings=replace(it.settings, **settings)))
    assert id in {found.id for found in refused.value.diagnostics}
    assert carry_out(plan, backend, judge=judge(it)).is_complete


def test_a_policy_on_dates_sees_the_dates_of_the_plan() -> None:
    """The sources may be gone, or say something else by now: what is given counts."""
    dated = {"name": "d", "dated": {"roles": ["Clerk"], "max_days": 30}}
    current = stored(role("Clerk", "A"), bob="Clerk")
    for until, passes in ((TODAY + timedelta(days=9), True), (None, False)):
        given_role = (DatedRole("Clerk", until),)
        wanted = desired(role("Clerk", "A"), users={"ada": given_role, "bob": "Clerk"})
        it = world(current, wanted)
        backend = MemoryBackend(current)
        plan = reread(plan_against(backend, it))
        strict = replace(desired(role("Clerk", "A")), rules={"policies": (dated,)})
        by = judge(it, desired=strict)
        with pytest.raises((Blocked, StalePlan)) as refused:
            carry_out(plan, backend, judge=by)
        # Without that break there is only what the plan says of the policies.
        assert (refused.type is StalePlan) is passes


def test_a_day_counts_on_which_the_plan_is_applied() -> None:
    """Made for a day to come, when little of an assignment is left, it is judged by today's."""
    later = TODAY + timedelta(days=40)
    given_role = (DatedRole("Clerk", later + timedelta(days=5)),)
    dated = {"name": "d", "dated": {"roles": ["Clerk"], "max_days": 30}}
    wanted = replace(
        desired(role("Clerk", "A"), users={"ada": given_role}), rules={"policies": (dated,)}
    )
    it = world(stored(role("Clerk", "A")), wanted, as_of=later)
    backend = MemoryBackend(it.current)
    plan = reread(plan_against(backend, it))
    assert plan.applyable
    with pytest.raises(Blocked, match="lasts 45 more days"):
        carry_out(plan, backend, judge=judge(it))


@pytest.mark.parametrize("internal", [False, True])
def test_a_catalogue_without_a_privilege_refuses_it(internal: bool) -> None:
    """Unknown or internal there, whatever the plan's own project knew."""
    it = world(stored(), desired(role("Clerk", "A B")))
    backend = MemoryBackend(it.current)
    plan = reread(plan_against(backend, it))
    known = {"A": Privilege("A")} | ({"B": Privilege("B", internal=True)} if internal else {})
    other = Catalogue("other", known)
    with pytest.raises(Blocked, match="`B` is internal" if internal else "`B` does not exist"):
        carry_out(plan, backend, judge=judge(it, catalogue=lambda _: other))
    assert carry_out(plan, backend, judge=judge(it, catalogue=lambda _: BARE)).is_complete


def test_an_end_date_that_the_sources_do_not_give_is_refused() -> None:
    """The plan says that it is made from these very sources."""
    wanted = replace(
        desired(role("Clerk", "A"), users={"ada": "Clerk"}), digest="sha256:" + 64 * "a"
    )
    it = world(stored(role("Clerk", "A")), wanted)
    backend = MemoryBackend(it.current)
    plan = plan_against(backend, it)
    (change,) = plan.changes
    assert isinstance(change, AssignmentChange)
    soon = date(2026, 12, 1)
    dated = replace(change, dated=(DatedRole("Clerk", soon, "cover"),))
    with pytest.raises(StalePlan, match="other end dates"):
        carry_out(worked_out(replace(plan, changes=(dated,))), backend, judge=judge(it))
