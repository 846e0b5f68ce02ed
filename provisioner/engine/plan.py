"""The plan: the ordered changes from current to desired, bound to what it was made from.

A pure function of (desired state, snapshot, settings, as-of date): same inputs, same plan. What a
plan says about the store is checked again before it is applied: see ``recheck``.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from provisioner.diagnostics import Diagnostic
from provisioner.engine import guards
from provisioner.engine.access import EffectiveAccess, UserImpact, impact
from provisioner.engine.changes import Action, AssignmentChange, Change, RoleChange
from provisioner.engine.diff import field_changes
from provisioner.engine.kept import Kept, find_kept
from provisioner.engine.order import Step, Transition, steps
from provisioner.engine.policy import Violation, check_policies, told_apart
from provisioner.engine.target import conflicts, find_target, with_new_names
from provisioner.model import KINDS, Assignment, Base, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioner.engine.settings import Settings
    from provisioner.model import (
        Catalogue,
        DatedRole,
        DesiredState,
        Grant,
        Kind,
        Place,
        Provenance,
        Role,
        Snapshot,
    )


SOON: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class TargetIdentity:
    """Which target a plan is for. ``atomic`` says whether it commits all changes at once."""

    name: str
    kind: str
    identity: str
    atomic: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was looked at: so that "no changes" can't mean "did not look"."""

    files: tuple[str, ...] = ()
    roles: int = 0
    users: int = 0
    ignored: Mapping[str, int] = field(default_factory=dict)
    unmanaged: tuple[Kind, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """A dated assignment that is active and ends within ``SOON`` of the plan's day."""

    user: str
    role: str
    until: date


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a reviewer and ``apply`` need to know. Changes stand in the order of design §6.

    ``blockers`` are the guards and policies that forbid applying it; ``violations`` are all breaks
    of policies, blocking or not; ``kept`` tells where a revocation is not complete; ``sensitive``
    are the sensitive privileges of the catalogue; ``valid_until`` is the earliest end of a dated
    assignment that is still active.
    """

    target: TargetIdentity
    base: Base
    as_of: date
    settings: Settings
    changes: tuple[Change, ...] = ()
    impact: tuple[UserImpact, ...] = ()
    kept: tuple[Kept, ...] = ()
    violations: tuple[Violation, ...] = ()
    blockers: tuple[Diagnostic, ...] = ()
    coverage: Coverage = Coverage()
    valid_until: date | None = None
    ending: tuple[Ending, ...] = ()
    desired_digest: str | None = None
    manages: frozenset[Kind] = frozenset()
    default_roles: frozenset[str] = frozenset()
    sensitive: frozenset[str] = frozenset()
    rules: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change."""
        return not self.changes

    @property
    def applyable(self) -> bool:
        """Whether there is something to apply, and nothing that forbids it."""
        return bool(self.changes) and not self.blockers

    @property
    def renames(self) -> dict[str, str]:
        """Old names to new ones."""
        return {
            change.before.name: change.name
            for change in self.changes
            if isinstance(change, RoleChange)
            and change.action is Action.RENAME
            and change.before is not None
        }


def make_plan(
    desired: DesiredState,
    snapshot: Snapshot,
    settings: Settings,
    as_of: date,
    target: TargetIdentity,
    catalogue: Catalogue,
) -> Plan:
    """Compare the desired with the current state and plan the way from one to the other."""
    ignore = tuple(dict.fromkeys((*settings.ignore, *desired.ignore)))
    settings = replace(settings, ignore=ignore)
    found = find_target(desired, snapshot.state, settings, catalogue, as_of)
    before, after = with_new_names(snapshot.state, found.renames), found.after
    manages = frozenset(kind for kind in KINDS if getattr(desired, kind) is not None)
    dated = _endings(desired, as_of)
    plan = Plan(
        target=target,
        base=snapshot.base,
        as_of=as_of,
        settings=settings,
        changes=_changes(snapshot.state, before, after, found.renames, desired),
        coverage=Coverage(
            desired.files,
            len(before.roles.keys() | after.roles.keys()) - sum(found.ignored.values()),
            len(before.assignments.keys() | after.assignments.keys()),
            found.ignored,
            tuple(kind for kind in KINDS if kind not in manages),
        ),
        valid_until=min((ending.until for ending in dated), default=None),
        ending=tuple(ending for ending in dated if ending.until - as_of <= SOON),
        desired_digest=desired.digest,
        manages=manages,
        default_roles=catalogue.default_names,
        sensitive=frozenset(p.name for p in catalogue.privileges.values() if p.sensitive),
        rules=desired.rules,
    )
    return _judged(plan, before, after, tuple(found.problems), desired)


def _judged(
    plan: Plan,
    before: State,
    after: State,
    problems: tuple[Diagnostic, ...] = (),
    desired: DesiredState | None = None,
) -> Plan:
    """The plan with its impact on people, and the verdict of the policies and the guards."""
    effects = () if plan.is_empty else impact(before, after)
    violations = _violations(plan, before, after, desired)
    case = guards.Case(plan.changes, before, after, effects, plan.settings, plan.manages)
    case = replace(case, atomic=plan.target.atomic, default_roles=plan.default_roles)
    blocking = (
        violation.diagnostic()
        for violation in violations
        if violation.severity == "error" and (violation.is_new or not plan.settings.new_only)
    )
    return replace(
        plan,
        impact=effects,
        kept=find_kept(plan.changes, before, after),
        violations=violations,
        blockers=(*problems, *guards.check(case), *blocking, *_loosened(plan, before, after)),
    )


def _loosened(plan: Plan, before: State, after: State) -> Iterator[Diagnostic]:
    """What breaks a policy as it was in force until now: a change that loosens it and uses that.

    Looked at only where it is known who asks for the change.
    """
    if plan.settings.actor is None:
        return
    kept = {json.dumps(policy, sort_keys=True) for policy in in_force(plan)}
    gone = [p for p in before.policies if json.dumps(p, sort_keys=True, default=str) not in kept]
    shipped = _shipped(plan, before, after)
    found = check_policies(gone, after, plan.as_of, shipped=shipped)
    had = check_policies(gone, before, plan.as_of, shipped=shipped)
    for violation in told_apart(found, had):
        if violation.is_new and violation.severity == "error":
            message = f"this change loosens the policy `{violation.policy}` and uses that at once: "
            remedy = "change the policy first, in a change of its own"
            yield Diagnostic("policy-loosened", message + violation.message, None, remedy)


def _violations(
    plan: Plan, before: State, after: State, desired: DesiredState | None
) -> tuple[Violation, ...]:
    """What breaks the policies after the plan, told apart from what did so before."""
    policies = plan.rules.get("policies", ())
    if not policies:
        return ()
    declared = (desired.roles if desired else None) or {}
    shipped = _shipped(plan, before, after) - declared.keys()
    found = check_policies(
        policies,
        after,
        plan.as_of,
        provenance=desired.provenance if desired else None,
        users=desired.users if desired else None,
        shipped=shipped,
    )
    if not found:
        return ()
    return told_apart(found, check_policies(policies, before, plan.as_of, shipped=shipped))


def _shipped(plan: Plan, before: State, after: State) -> frozenset[str]:
    names = before.roles.keys() | after.roles.keys()
    return frozenset(name for name in names if name.casefold() in plan.default_roles)


def _endings(desired: DesiredState, as_of: date) -> list[Ending]:
    """The dated assignments that are active, by their end, then by user and role."""
    found = [
        Ending(user.user, dated.role, dated.until)
        for user in (desired.users or {}).values()
        for dated in user.roles
        if dated.until is not None and dated.is_active(as_of)
    ]
    return sorted(found, key=lambda ending: (ending.until, ending.user, ending.role))


def _changes(
    stored: State, before: State, after: State, renames: Mapping[str, str], desired: DesiredState
) -> tuple[Change, ...]:
    """The changes, in the order in which people read them: roles by name, then users."""
    provenance = desired.provenance
    differing = sorted(
        name
        for name in before.roles.keys() | after.roles.keys()
        if before.roles.get(name) is not after.roles.get(name)
    )
    former = {new: old for old, new in renames.items()}
    touched = sorted({*differing, *former})
    counts = _holders(before, after) if touched else {}
    changes: list[Change] = []
    none: frozenset[str] = frozenset()
    for name in touched:
        place = provenance.role(name)
        old, new = before.roles.get(name), after.roles.get(name)
        count = counts.get(name, 0)
        if name in former and old is not None:
            origin = stored.roles[former[name]]
            changes.append(
                RoleChange(Action.RENAME, name, origin, old, source=place, holders=count)
            )
        if old != new:
            change = _role_change(name, old, new, place, count)
            changes.append(replace(change, grants=_grants(change, provenance)))
    for login in sorted(before.assignments.keys() | after.assignments.keys()):
        had, has = before.assignments.get(login), after.assignments.get(login)
        if had is has or (had.roles if had else none) == (has.roles if has else none):
            continue
        shown = (had or has or Assignment(login)).user
        place = provenance.user(login)
        held, holds = had or Assignment(shown), has or Assignment(shown)
        dated = _dated(desired, login, holds.roles ^ held.roles)
        changes.append(AssignmentChange(shown, held, holds, place, dated))
    return tuple(changes)


def _grants(change: RoleChange, provenance: Provenance) -> tuple[Grant, ...]:
    added = frozenset(change.added)
    if not added:
        return ()
    return tuple(grant for grant in provenance.grants(change.name) if grant.privilege in added)


def _dated(desired: DesiredState, login: str, moved: frozenset[str]) -> tuple[DatedRole, ...]:
    user = (desired.users or {}).get(login)
    dated = (item for item in (user.roles if user else ()) if item.until or item.reason)
    return tuple(sorted((d for d in dated if d.role in moved), key=lambda d: d.role))


def _role_change(
    name: str, old: Role | None, new: Role | None, place: Place | None, count: int
) -> RoleChange:
    if old is None:
        return RoleChange(Action.CREATE, name, None, new, source=place, holders=count)
    if new is None:
        return RoleChange(Action.DELETE, name, old, None, source=place, holders=count)
    fields = field_changes(old, new)
    return RoleChange(Action.UPDATE, name, old, new, fields, place, count)


def _holders(before: State, after: State) -> dict[str, int]:
    """Count, for each role, the users who carry it before or after, includes counted."""
    old, new = EffectiveAccess(before), EffectiveAccess(after)
    counts: Counter[str] = Counter()
    for login in before.assignments.keys() | after.assignments.keys():
        had, has = before.assignments.get(login), after.assignments.get(login)
        carried = old.closure(had.roles) if had else frozenset()
        counts.update(carried | new.closure(has.roles) if has else carried)
    return counts


def transition(plan: Plan, state: State) -> Transition:
    """What applying the plan's changes does to a state that fits them (see ``recheck``)."""
    before = with_new_names(state, plan.renames)
    roles, assignments = dict(before.roles), dict(before.assignments)
    for change in plan.changes:
        if isinstance(change, AssignmentChange):
            login = change.name.casefold()
            if change.after.roles:
                assignments[login] = change.after
            else:
                assignments.pop(login, None)
        elif change.action is Action.DELETE:
            roles.pop(change.name, None)
        elif change.after is not None:
            roles[change.name] = change.after
    recorded = state.recorded | plan.manages
    return Transition(
        before=state,
        after=State(roles, assignments, recorded, in_force(plan)),
        renames=plan.renames,
        roles=tuple(dict.fromkeys(c.name for c in plan.changes if isinstance(c, RoleChange))),
        users=tuple(c.name.casefold() for c in plan.changes if isinstance(c, AssignmentChange)),
    )


def in_force(plan: Plan) -> tuple[dict[str, Any], ...]:
    """The policies that a plan was made under, as a store keeps them: without their places."""
    return tuple(
        {key: value for key, value in policy.items() if key != "place"}
        for policy in plan.rules.get("policies", ())
    )


def plan_steps(plan: Plan, state: State) -> tuple[Step, ...]:
    """The writes of an applyable plan on a state that fits it."""
    return steps(transition(plan, state))


def recheck(plan: Plan, snapshot: Snapshot) -> tuple[str, ...]:
    """Say in what a plan no longer fits what is stored now; nothing where it still does.

    Compared are the objects that the plan touches, what it changes for people, and the verdict of
    the guards. What changed elsewhere does not count.
    """
    state = snapshot.state
    reasons = list(_moved(plan, state))
    if plan.base.lineage is not None and plan.base.lineage != snapshot.base.lineage:
        reasons.append("the target's state was replaced by another one (its lineage differs)")
    names = [change.name for change in plan.changes if isinstance(change, RoleChange)]
    reasons += [p.message for p in conflicts(names, state, plan.renames, plan.settings)]
    if reasons:
        return tuple(reasons)
    moved = transition(plan, state)
    before = with_new_names(state, plan.renames)
    judged = _judged(plan, before, moved.after)
    if judged.impact != plan.impact:
        now = {u.user for u in judged.impact} ^ {u.user for u in plan.impact}
        whom = ", ".join(sorted(now)) or "the same users, in other privileges"
        reasons.append(f"it would change access otherwise than planned: {whom}")
    # A plan that is applied had no blockers, so every one of them is a new verdict.
    reasons += [blocker.message for blocker in judged.blockers]
    return tuple(reasons)


def _moved(plan: Plan, state: State) -> Iterator[str]:
    before = with_new_names(state, plan.renames)
    folded = {name.casefold(): name for name in state.roles}
    for change in plan.changes:
        if isinstance(change, AssignmentChange):
            held = before.assignments.get(change.name.casefold())
            if (held.roles if held else frozenset()) != change.before.roles:
                yield f"user {change.name} no longer holds what the plan was made from"
        elif change.before is None:
            other = folded.get(change.name.casefold())
            if other is not None and other not in plan.renames:
                yield f"a role named {other} exists by now"
        else:
            stored = state.roles if change.action is Action.RENAME else before.roles
            current = stored.get(change.before.name)
            if current is None:
                yield f"role {change.before.name} no longer exists"
            elif current != change.before:
                yield f"role {change.before.name} is no longer what the plan was made from"
