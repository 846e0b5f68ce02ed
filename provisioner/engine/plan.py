"""The plan: the ordered changes from current to desired, bound to what it was made from.

A pure function of (desired state, snapshot, settings, as-of date): same inputs, same plan. What a
plan says about the store is checked again before it is applied: see ``recheck``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from provisioner.engine import guards
from provisioner.engine.access import EffectiveAccess, UserImpact, impact
from provisioner.engine.adapt import Asked, adapted_target, notes_on_changes
from provisioner.engine.changes import Action, AssignmentChange, Change, RoleChange
from provisioner.engine.compare import find_changes
from provisioner.engine.kept import Kept, find_kept
from provisioner.engine.order import Step, Transition, steps
from provisioner.engine.staleness import changed_includes, misfits
from provisioner.engine.target import conflicts, with_new_names
from provisioner.engine.verdict import loosened, violations
from provisioner.model import KINDS, Base, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.diagnostics import Diagnostic
    from provisioner.engine.policy import Violation
    from provisioner.engine.settings import Settings
    from provisioner.model import (
        Capabilities,
        Catalogue,
        DesiredState,
        Kind,
        Role,
        Snapshot,
    )


SOON: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class TargetIdentity:
    """Which target a plan is for, and what it can do: the plan is adapted to that."""

    name: str
    kind: str
    identity: str
    capabilities: Capabilities


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

    ``blockers`` are the guards and policies that forbid applying it; ``notes`` say how it was
    adapted to what the target lacks; ``flattened`` are the roles whose includes the target can't
    hold, as the sources write them (name, own privileges, includes); ``violations`` are all breaks
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
    notes: tuple[Diagnostic, ...] = ()
    flattened: tuple[Role, ...] = ()
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
    """Compare the desired with the current state and plan the way from one to the other.

    What the target can't hold or do is adapted to it (see ``engine.adapt``).
    """
    ignore = tuple(dict.fromkeys((*settings.ignore, *desired.ignore)))
    settings = replace(settings, ignore=ignore)
    asked = Asked(desired, snapshot, settings, catalogue, as_of, target.capabilities)
    adapted = adapted_target(asked)
    found = adapted.target
    changes = find_changes(snapshot.state, found, desired, adapted.origins)
    before, after = with_new_names(snapshot.state, found.renames), found.after
    manages = frozenset(kind for kind in KINDS if getattr(desired, kind) is not None)
    dated = _endings(desired, as_of)
    plan = Plan(
        target=target,
        base=snapshot.base,
        as_of=as_of,
        settings=settings,
        changes=changes,
        notes=(*adapted.notes, *notes_on_changes(asked, changes)),
        flattened=tuple(adapted.flattened),
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
    problems = (*found.problems, *adapted.problems)
    return _judged(plan, before, after, snapshot, problems, desired)


def _judged(
    plan: Plan,
    before: State,
    after: State,
    snapshot: Snapshot,
    problems: tuple[Diagnostic, ...] = (),
    desired: DesiredState | None = None,
) -> Plan:
    """The plan with its impact on people, and the verdict of the policies and the guards.

    The snapshot says whom the store takes the reader for, and which roles administer it.
    """
    access = (EffectiveAccess(before), EffectiveAccess(after))
    effects = () if plan.is_empty else impact(before, after, access)
    broken = violations(plan, before, after, desired)
    case = guards.Case(
        plan.changes,
        before,
        after,
        effects,
        plan.settings,
        plan.manages,
        capabilities=plan.target.capabilities,
        default_roles=plan.default_roles,
        self_user=plan.settings.self_user or snapshot.subject,
        administrators=frozenset(plan.renames.get(name, name) for name in snapshot.administrators),
    )
    blocking = (
        violation.diagnostic()
        for violation in broken
        if violation.severity == "error" and (violation.is_new or not plan.settings.new_only)
    )
    by_loosening = loosened(plan, in_force(plan), before, after)
    return replace(
        plan,
        impact=effects,
        kept=find_kept(plan.changes, before, after, access),
        violations=broken,
        blockers=(*problems, *guards.check(case), *blocking, *by_loosening),
    )


def _endings(desired: DesiredState, as_of: date) -> list[Ending]:
    """The dated assignments that are active, by their end, then by user and role."""
    found = [
        Ending(user.user, dated.role, dated.until)
        for user in (desired.users or {}).values()
        for dated in user.roles
        if dated.until is not None and dated.is_active(as_of)
    ]
    return sorted(found, key=lambda ending: (ending.until, ending.user, ending.role))


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
        whole_roles=plan.target.capabilities.whole_roles,
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
    reasons = list(misfits(plan, snapshot))
    if plan.base.lineage is not None and plan.base.lineage != snapshot.base.lineage:
        reasons.append("the target's state was replaced by another one (its lineage differs)")
    names = [change.name for change in plan.changes if isinstance(change, RoleChange)]
    reasons += [p.message for p in conflicts(names, state, plan.renames, plan.settings)]
    if reasons:
        return tuple(reasons)
    moved = transition(plan, state)
    before = with_new_names(state, plan.renames)
    reasons += changed_includes(plan, moved.after)
    judged = _judged(plan, before, moved.after, snapshot)
    if judged.impact != plan.impact:
        now = {u.user for u in judged.impact} ^ {u.user for u in plan.impact}
        whom = ", ".join(sorted(now)) or "the same users, in other privileges"
        reasons.append(f"it would change access otherwise than planned: {whom}")
    # A plan that is applied had no blockers, so every one of them is a new verdict.
    reasons += [blocker.message for blocker in judged.blockers]
    return tuple(reasons)
