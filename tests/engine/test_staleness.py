"""A saved plan is applied as it was shown, or not at all (design §5).

Between the plan and its apply somebody else writes. What the plan touches, what it changes for
people and the verdict of the guards must still be the same; anything else does not count.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.diagnostics import Diagnostic
from provisioner.documents.plan import to_document
from provisioner.engine.changes import Action, AssignmentChange, RoleChange
from provisioner.engine.settings import Safety
from provisioner.engine.writes import CreateRole, DeleteRole, SetAssignment, UpdateRole
from provisioner.errors import BackendError, Blocked, InvalidInput, LockHeld, StalePlan
from provisioner.model import Assignment, DatedRole, State
from provisioner.testing import MemoryBackend
from provisioner.testing.contract import carry_out as written
from provisioner.testing.strategies import worlds
from provisioner.testing.world import TODAY
from provisioner.testing.write_strategies import as_desired, rollbacks, somebody_elses_writes
from tests.engine import oracle
from tests.engine.build import (
    RUN,
    carry_out,
    desired,
    names,
    plan_against,
    renamed,
    role,
    stored,
    world,
)

if TYPE_CHECKING:
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.writes import Write
    from provisioner.testing.world import World


def role_changes(plan: Plan, *which: Action) -> list[RoleChange]:
    found = (change for change in plan.changes if isinstance(change, RoleChange))
    return [change for change in found if change.action in which]


def user_changes(plan: Plan) -> dict[str, AssignmentChange]:
    found = (change for change in plan.changes if isinstance(change, AssignmentChange))
    return {change.name.casefold(): change for change in found}


def old_names(plan: Plan, *which: Action) -> list[str]:
    """What the roles of these changes are called in the store."""
    former = {new: old for old, new in plan.renames.items()}
    return [former.get(change.name, change.name) for change in role_changes(plan, *which)]


def applied_by_hand(plan: Plan, state: State) -> State:
    """What the plan's changes make of a state, object by object, each told by its old name."""
    deleted = set(old_names(plan, Action.DELETE))
    fate = {name: None if name in deleted else plan.renames.get(name, name) for name in state.roles}

    def named(references: frozenset[str]) -> frozenset[str]:
        return frozenset(fate.get(n, n) or oracle.GONE + n for n in references)

    roles = {
        new: replace(state.roles[old], name=new, includes=named(state.roles[old].includes))
        for old, new in fate.items()
        if new is not None
    }
    for change in role_changes(plan, Action.CREATE, Action.UPDATE):
        if change.after is not None:
            roles[change.name] = change.after
    users = {login: named(held) for login, held in oracle.holdings(state).items()}
    users |= {login: change.after.roles for login, change in user_changes(plan).items()}
    return State(roles, {u: Assignment(u, held) for u, held in users.items() if held})


def touched_are_the_same(plan: Plan, made_on: State, now: State) -> bool:
    """Whether every object that the plan touches is what it was."""
    roles = old_names(plan, Action.RENAME, Action.UPDATE, Action.DELETE)
    then, today = oracle.holdings(made_on), oracle.holdings(now)
    return all(now.roles.get(old) == made_on.roles[old] for old in roles) and all(
        then.get(login) == today.get(login) for login in user_changes(plan)
    )


def names_are_free(plan: Plan, now: State) -> bool:
    """Whether the names that the plan gives belong to nobody who keeps them."""
    leaving = {*plan.renames, *old_names(plan, Action.DELETE)}
    taken = role_changes(plan, Action.CREATE, Action.RENAME)
    staying = {name.casefold() for name in now.roles.keys() - leaving}
    return staying.isdisjoint(change.name.casefold() for change in taken)


def still_fits(plan: Plan, made_on: State, now: State) -> bool:
    """Whether the plan means on this state what it meant on the one it was made from."""
    if not (touched_are_the_same(plan, made_on, now) and names_are_free(plan, now)):
        return False
    if not now.roles.keys() >= set(plan.settings.external):
        return False
    then, after = applied_by_hand(plan, made_on), applied_by_hand(plan, now)
    references = [r.includes for r in after.roles.values()] + [*oracle.holdings(after).values()]
    return oracle.impact(now, after) == oracle.impact(made_on, then) and all(
        name in after.roles for found in references for name in found
    )


@given(worlds() | rollbacks(), st.booleans(), st.data())
def test_applied_as_planned_or_refused(it: World, atomic: bool, data: st.DataObject) -> None:
    """Random writes in between: the plan is stale exactly if it would not be what it was."""
    backend = MemoryBackend(it.current, atomic=atomic)
    made_on = backend.read().state
    plan = plan_against(backend, it)
    if not plan.applyable:
        return
    writes = data.draw(somebody_elses_writes(made_on))
    now = written(backend.handle(), *writes).state
    fits = still_fits(plan, made_on, now)
    try:
        carry_out(plan, backend)
    except StalePlan:
        assert not fits
        assert backend.read().state == now
        return
    assert fits
    after = replace(applied_by_hand(plan, now), recorded=now.recorded)
    assert oracle.content(oracle.without_new_ids(backend.read().state, now)) == oracle.content(
        oracle.without_new_ids(after, now)
    )


@given(worlds() | rollbacks(), st.booleans())
def test_a_plan_that_nothing_came_between_is_applied(it: World, atomic: bool) -> None:
    """And leads to what the sources ask for, whatever the store's grain."""
    backend = MemoryBackend(it.current, atomic=atomic)
    plan, wanted = plan_against(backend, it), oracle.target(it)
    if not plan.applyable or wanted is None:
        return
    assert carry_out(plan, backend).is_complete
    roles, users = oracle.content(oracle.without_new_ids(backend.read().state, it.current))
    known = {role.id for role in it.current.roles.values()}
    assert users == wanted.users
    assert roles == {
        name: role if role.id in known else replace(role, id=None)
        for name, role in wanted.roles.items()
    }
    assert plan_against(backend, it).is_empty


@given(worlds(), st.booleans())
def test_a_plan_is_applied_once(it: World, atomic: bool) -> None:
    """What was applied can't be applied again."""
    backend = MemoryBackend(it.current, atomic=atomic)
    plan = plan_against(backend, it)
    if not plan.applyable:
        return
    carry_out(plan, backend)
    after = backend.read()
    with pytest.raises(StalePlan):
        carry_out(plan, backend)
    assert backend.read() == after


# One example of each: what makes a plan stale, and what does not

CLERK, DESK, LEAD = role("Clerk", "A"), role("Desk", "B"), role("Lead", includes=("Desk",))
CURRENT = stored(CLERK, DESK, LEAD, ada="Clerk", bob="Desk", cy="Lead")
UPDATE = desired(role("Clerk", "A C"), DESK, LEAD)
DELETE = desired(CLERK, DESK)
CREATE = desired(CLERK, DESK, LEAD, role("New", "C"))
RENAME = desired(renamed("Clerk", role("Accountant", "A")), DESK, LEAD)
ASSIGN = desired(CLERK, DESK, LEAD, users={"ada": "Clerk, Desk", "bob": "Desk", "cy": "Lead"})
INCLUDE = desired(role("Clerk", "A", includes=("Desk",)), DESK, LEAD)


def assign(user: str, before: str, after: str) -> SetAssignment:
    return SetAssignment(user, names(before), names(after))


def edit(name: str, **fields: Any) -> UpdateRole:
    now = CURRENT.roles[name]
    return UpdateRole(now, replace(now, **fields))


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize(
    ("wanted", "between", "stale"),
    [
        (UPDATE, [edit("Clerk", description="by hand")], True),
        (UPDATE, [edit("Clerk", protected=True)], True),
        (UPDATE, [edit("Desk", privileges=names("A"))], False),
        (UPDATE, [assign("dee", "", "Clerk")], True),
        (UPDATE, [assign("dee", "", "Desk")], False),
        (UPDATE, [assign("ada", "Clerk", "Clerk, Desk")], False),
        (
            UPDATE,
            [edit("Desk", privileges=names("C")), assign("ada", "Clerk", "Clerk, Desk")],
            True,
        ),
        (UPDATE, [CreateRole(role("Other"))], False),
        (CREATE, [CreateRole(role("New"))], True),
        (CREATE, [CreateRole(role("NEW"))], True),
        (CREATE, [CreateRole(role("Newer"))], False),
        (RENAME, [edit("Clerk", privileges=names("B"))], True),
        (RENAME, [CreateRole(role("accountant"))], True),
        (RENAME, [assign("dee", "", "Clerk")], False),
        (ASSIGN, [assign("ada", "Clerk", "Lead")], True),
        (ASSIGN, [assign("dee", "", "Lead")], False),
        (ASSIGN, [edit("Desk", privileges=names("C"))], True),
        (ASSIGN, [edit("Desk", description="by hand")], False),
        (INCLUDE, [edit("Desk", privileges=names("C"))], True),
        (INCLUDE, [edit("Desk", description="by hand")], False),
    ],
)
def test_what_makes_a_plan_stale(
    wanted: Any, between: list[Write], stale: bool, atomic: bool
) -> None:
    """A touched object, the impact on people; not what somebody else did elsewhere."""
    backend = MemoryBackend(CURRENT, atomic=atomic)
    plan = plan_against(backend, world(CURRENT, wanted, safety=Safety()))
    assert plan.applyable
    now = written(backend.handle(), *between).state
    if not stale:
        assert carry_out(plan, backend).is_complete
        return
    with pytest.raises(StalePlan) as refused:
        carry_out(plan, backend)
    assert backend.read().state == now
    for found in refused.value.diagnostics:
        assert found.id == "stale-plan"
        assert found.remedy


def stale(backend: MemoryBackend, plan: Plan, **more: Any) -> str:
    """Why a plan is refused; nothing is touched."""
    before = backend.read()
    with pytest.raises(StalePlan) as refused:
        carry_out(plan, backend, **more)
    assert backend.read() == before
    return str(refused.value)


def test_a_deleted_role_that_came_into_use() -> None:
    """Somebody holds it now, or another role includes it."""
    for write in (assign("dee", "", "Lead"), edit("Clerk", includes=names("Lead"))):
        backend = MemoryBackend(CURRENT)
        it = world(CURRENT, replace(DELETE, users=None))
        vacant = written(backend.handle(), assign("cy", "Lead", "")).state
        plan = plan_against(backend, replace(it, current=vacant))
        written(backend.handle(), write)
        assert "Lead" in stale(backend, plan)


def test_a_role_that_the_plan_relies_on_is_gone() -> None:
    """It was to be included or assigned, and was deleted meanwhile."""
    current = stored(CLERK, DESK)
    for wanted in (
        desired(role("Clerk", "A", includes=("Desk",)), DESK),
        desired(CLERK, DESK, users={"ada": "Desk"}),
    ):
        backend = MemoryBackend(current)
        plan = plan_against(backend, world(current, wanted))
        written(backend.handle(), DeleteRole(backend.read().state.roles["Desk"]))
        assert "Desk" in stale(backend, plan)


def test_an_external_role_that_is_gone() -> None:
    """It must exist; a fresh plan would be blocked, so the old one does not pass either."""
    current = stored(CLERK, role("Regional"))
    backend = MemoryBackend(current)
    it = world(current, desired(role("Clerk", "A B")), external=("Regional",), manage="declared")
    plan = plan_against(backend, it)
    written(backend.handle(), DeleteRole(current.roles["Regional"]))
    assert plan_against(backend, it).blockers
    assert "Regional" in stale(backend, plan)


def test_a_look_alike_that_appeared() -> None:
    """A name that could be mistaken for a declared one was stored meanwhile."""
    backend = MemoryBackend(CURRENT)
    it = world(CURRENT, CREATE, manage="declared")
    plan = plan_against(backend, it)
    written(backend.handle(), CreateRole(role("N\u0435w")))  # with a Cyrillic e
    assert plan_against(backend, it).blockers
    assert stale(backend, plan)


def test_a_limit_that_is_exceeded_by_now() -> None:
    """Three of ten may go; of nine others and one deleted by hand, three are too many."""
    rows = [role(f"Role {i}") for i in range(11)]
    current = stored(*rows)
    backend = MemoryBackend(current)
    plan = plan_against(
        backend, world(current, desired(*rows[3:]), safety=Safety(max_change_percent=29))
    )
    assert plan.applyable
    written(backend.handle(), DeleteRole(current.roles["Role 10"]))
    assert "3 of 10 roles deleted" in stale(backend, plan)


def test_the_last_administrator() -> None:
    """There were two; the plan takes one away, and meanwhile somebody took the other."""
    security = role("Security", "CONFIG_SECURITY")
    current = stored(security, ada="Security", bob="Security")
    backend = MemoryBackend(current)
    it = world(current, desired(security, users={"bob": "Security"}))
    plan = plan_against(backend, it)
    written(backend.handle(), assign("bob", "Security", ""))
    assert "administrative access" in stale(backend, plan)


def test_another_store_in_the_same_place() -> None:
    """The state was replaced: the objects are the same, the lineage is not."""
    backend = MemoryBackend(CURRENT)
    plan = plan_against(backend, world(CURRENT, UPDATE))
    written(backend, CreateRole(role("Other")))
    other = replace(plan, base=replace(plan.base, lineage="another", serial=1))
    assert "lineage" in stale(backend, other)


def test_a_plan_on_an_absent_state_survives_the_first_write_elsewhere() -> None:
    """No lineage yet when it was made: unrelated changes count no more than later."""
    backend = MemoryBackend(CURRENT)
    plan = plan_against(backend, world(CURRENT, UPDATE))
    assert plan.base.lineage is None
    written(backend.handle(), CreateRole(role("Other")))
    assert carry_out(plan, backend).is_complete


@pytest.mark.parametrize("days", [-400, 0, 1, 2])
def test_a_plan_is_valid_to_the_end_of_its_last_day(days: int) -> None:
    """The day an assignment ends is the last on which the plan holds."""
    dated = (DatedRole("Desk", TODAY), DatedRole("Clerk", TODAY + timedelta(days=30)))
    wanted = desired(CLERK, DESK, LEAD, users={"ada": dated, "bob": "Desk", "cy": "Lead"})
    backend = MemoryBackend(CURRENT)
    plan = plan_against(backend, world(CURRENT, wanted))
    assert plan.valid_until == TODAY
    today = TODAY + timedelta(days=days)
    if today <= TODAY:
        assert carry_out(plan, backend, today=today).is_complete
    else:
        assert str(TODAY) in stale(backend, plan, today=today)


def test_a_blocked_plan_is_not_applied() -> None:
    """With the objections of the plan, and nothing touched."""
    backend = MemoryBackend(CURRENT)
    plan = plan_against(backend, world(CURRENT, DELETE))
    assert plan.blockers
    with pytest.raises(Blocked) as refused:
        carry_out(plan, backend)
    assert set(refused.value.diagnostics) == set(plan.blockers)
    assert backend.states == ()


def test_a_plan_for_another_target_is_not_applied() -> None:
    """The refusal says which one it is for, and how to come there."""
    plan = plan_against(MemoryBackend(CURRENT), world(CURRENT, UPDATE))
    elsewhere = MemoryBackend(CURRENT, identity="memory:other")
    with pytest.raises(InvalidInput, match="memory:test") as refused:
        carry_out(plan, elsewhere)
    assert "in the project that it was made in" in str(refused.value.diagnostics[0].remedy)
    assert elsewhere.states == ()


def test_nothing_is_applied_while_somebody_holds_the_lock() -> None:
    """The lock comes before reading and writing."""
    backend = MemoryBackend(CURRENT)
    plan = plan_against(backend, world(CURRENT, UPDATE))
    with backend.handle().lock("apply", 0.0), pytest.raises(LockHeld):
        carry_out(plan, backend)
    assert backend.states == ()


def test_a_store_that_lost_its_way_to_commit() -> None:
    """Planned as all at once, it would now pass through a moment without administrators."""
    full = role("Full Access", "A CONFIG_SECURITY")
    security = role("Security", "CONFIG_SECURITY")
    current = stored(full, security, ada="Full Access")
    it = world(current, desired(full, security, users={"ada": "Security"}))
    plan = plan_against(MemoryBackend(current, atomic=True), it)
    assert plan.applyable
    now = MemoryBackend(current, atomic=False)
    assert plan_against(now, it).blockers
    with pytest.raises((StalePlan, Blocked, InvalidInput)):
        carry_out(plan, now)
    assert now.states == ()


@pytest.mark.parametrize("atomic", [True, False])
def test_a_plan_that_was_begun_or_applied_is_used_up(atomic: bool) -> None:
    """The history has its digest, also of a run that broke off and of one that was taken back."""

    def lost(number: int, _: Write) -> None:
        if number == 1 and not atomic:
            raise BackendError(Diagnostic("lost", "the connection was lost"))

    backend = MemoryBackend(CURRENT, atomic=atomic, fail_on=lost)
    wanted = desired(role("Clerk", "B"), DESK, LEAD, users={"ada": "Desk", "bob": "Lead"})
    plan = plan_against(backend, world(CURRENT, wanted))
    run = replace(RUN, plan=to_document(plan)["digest"])
    assert carry_out(plan, backend, run=run).is_complete is atomic
    now = backend.handle()
    back = plan_against(now, world(now.read().state, as_desired(CURRENT)))
    assert carry_out(back, now).is_complete
    assert "it was applied already: run 1" in stale(now, plan, run=run)
