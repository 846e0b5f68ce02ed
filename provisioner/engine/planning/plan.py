"""The plan: the ordered changes from current to desired, bound to what it was made from.

A pure function of (desired state, snapshot, settings, as-of date): same inputs, same plan. What a
plan says about the store is checked again before it is applied: see ``recheck``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner.diagnostics import Diagnostic
from provisioner.engine.access.effective import EffectiveAccess, UserImpact, impact
from provisioner.engine.changes import Action, AssignmentChange, Change, RoleChange
from provisioner.engine.planning import guards
from provisioner.engine.planning.compare import find_changes, recounted
from provisioner.engine.planning.kept import Kept, find_kept
from provisioner.engine.planning.logins import login_notes
from provisioner.engine.planning.order import Step, Transition, steps
from provisioner.engine.planning.staleness import (
    changed_includes,
    last_day,
    misfits,
    moved_rules,
    otherwise_than_told,
)
from provisioner.engine.planning.verdict import loosened, violations
from provisioner.engine.rules.in_force import RuleChange, in_force, rule_changes
from provisioner.engine.rules.policies import Violation
from provisioner.engine.settings import Settings
from provisioner.engine.transition.adapt import Asked, adapted_target, notes_on_changes
from provisioner.engine.transition.matching import (
    conflicts,
    ignored_roles,
    ignored_users,
    with_new_names,
)
from provisioner.model import (
    KINDS,
    Base,
    Capabilities,
    Ending,
    Kind,
    Role,
    State,
)

if TYPE_CHECKING:
    from provisioner.model import (
        Catalogue,
        DesiredState,
        Snapshot,
    )


SOON: Final = timedelta(days=30)
_OLD_BREAKS: Final = "to let pass what was there already, repeat with --new-only"
_NO_ADMINISTRATOR_KNOWN: Final = Diagnostic(
    "no-administrator-known",
    f"nothing tells who administers this target: its catalogue has no {guards.ADMIN_PRIVILEGE}, so "
    "no guard keeps the last administrator",
    None,
    None,
    "warning",
)


class TargetIdentity(Struct, frozen=True):
    """Which target a plan is for, and what it can do: the plan is adapted to that.

    ``project`` is the digest of the project file that the target stands in, ``config`` its path.
    """

    name: str
    kind: str
    identity: str
    capabilities: Capabilities
    project: str | None = None
    config: str | None = None


class Coverage(Struct, frozen=True):
    """What was looked at: so that "no changes" can't mean "did not look"."""

    files: tuple[str, ...] = ()
    roles: int = 0
    users: int = 0
    ignored: Mapping[str, int] = field(default_factory=dict)
    ignored_users: Mapping[str, int] = field(default_factory=dict)
    unmanaged: tuple[Kind, ...] = ()


class Plan(Struct, frozen=True):
    """Everything a reviewer and ``apply`` need to know. Changes stand in the order of design §6.

    ``blockers`` are the guards and policies that forbid applying it; ``notes`` say how it was
    adapted to what the target lacks; ``flattened`` are the roles whose includes the target can't
    hold, as the sources write them (name, own privileges, includes); ``violations`` are all breaks
    of policies, blocking or not; ``kept`` tells where a revocation is not complete; ``sensitive``
    are the sensitive privileges of the catalogue; ``declared_defaults`` the default roles that the
    sources declare; ``dated`` are the assignments with an end that are active after it, where
    assignments are managed; ``valid_until`` is the first end date that the plan relies on: one of
    these, or of an exemption from a policy. ``rules`` are what it was judged by: ``policies`` are
    in force after it, ``rule_changes`` what it changes about those that were before.
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
    dated: tuple[Ending, ...] = ()
    desired_digest: str | None = None
    manages: frozenset[Kind] = frozenset()
    default_roles: frozenset[str] = frozenset()
    declared_defaults: frozenset[str] = frozenset()
    sensitive: frozenset[str] = frozenset()
    admin_privileges: frozenset[str] = frozenset()
    rules: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    rule_changes: tuple[RuleChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change."""
        return not (self.changes or self.rule_changes)

    @property
    def applyable(self) -> bool:
        """Whether there is something to apply, and nothing that forbids it."""
        return not self.is_empty and not self.blockers

    @property
    def ending(self) -> tuple[Ending, ...]:
        """The dated assignments that end within ``SOON`` of the plan's day, the first one first."""
        return tuple(ending for ending in self.dated if ending.until - self.as_of <= SOON)

    @property
    def in_force(self) -> tuple[dict[str, Any], ...]:
        """The policies in force once the plan is applied, as a store keeps them."""
        return in_force(self.rules.get("policies", ()))

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
    users = tuple(dict.fromkeys((*settings.ignore_users, *desired.ignore_users)))
    settings = replace(settings, ignore=ignore, ignore_users=users)
    asked = Asked(desired, snapshot, settings, catalogue, as_of, target.capabilities)
    adapted = adapted_target(asked)
    found = adapted.target
    changes = find_changes(snapshot.state, found, desired, adapted.origins)
    before, after = with_new_names(snapshot.state, found.renames), found.after
    manages = frozenset(kind for kind in KINDS if getattr(desired, kind) is not None)
    dated = endings(desired, as_of)
    plan = Plan(
        target=target,
        base=snapshot.base,
        as_of=as_of,
        settings=settings,
        changes=changes,
        notes=(
            *adapted.notes,
            *notes_on_changes(asked, changes),
            *login_notes(desired, snapshot.state),
        ),
        flattened=tuple(adapted.flattened),
        coverage=coverage(
            before, after, found.ignored, found.ignored_users, manages, desired.files
        ),
        valid_until=last_day((ending.until for ending in dated), desired.rules, as_of),
        dated=dated,
        desired_digest=desired.digest,
        manages=manages,
        default_roles=catalogue.default_names,
        declared_defaults=frozenset(filter(catalogue.is_default, desired.roles or ())),
        sensitive=catalogue.sensitive,
        admin_privileges=admin_privileges(catalogue, before),
        rules=desired.rules,
    )
    plan = _with_rule_changes(plan, snapshot.state)
    if changes and not guards.admin_access(
        before, plan.admin_privileges, _in_new_names(plan, snapshot.administrators)
    ):
        plan = replace(plan, notes=(*plan.notes, _NO_ADMINISTRATOR_KNOWN))
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
        self_users=plan.settings.self_users or tuple(filter(None, (snapshot.subject,))),
        admin_privileges=plan.admin_privileges,
        administrators=_in_new_names(plan, snapshot.administrators),
    )
    forbidding = [
        violation
        for violation in broken
        if violation.severity == "error" and (violation.is_new or not plan.settings.new_only)
    ]
    blocking = [violation.diagnostic() for violation in forbidding]
    first_old = next((n for n, violation in enumerate(forbidding) if not violation.is_new), None)
    if first_old is not None:
        blocking[first_old] = replace(blocking[first_old], remedy=_OLD_BREAKS)
    by_loosening = loosened(plan, before, after, desired)
    return replace(
        plan,
        impact=effects,
        kept=find_kept(plan.changes, before, after, access),
        violations=broken,
        blockers=(*problems, *guards.check(case), *blocking, *by_loosening),
    )


def coverage(
    before: State,
    after: State,
    ignored: Mapping[str, int],
    ignored_users: Mapping[str, int],
    manages: frozenset[Kind],
    files: tuple[str, ...],
) -> Coverage:
    """What a plan from one state to the other looked at. Both states carry the new names."""
    return Coverage(
        files,
        len(before.roles.keys() | after.roles.keys()) - sum(ignored.values()),
        len(before.assignments.keys() | after.assignments.keys()) - sum(ignored_users.values()),
        dict(ignored),
        dict(ignored_users),
        tuple(kind for kind in KINDS if kind not in manages),
    )


def admin_privileges(catalogue: Catalogue, before: State) -> frozenset[str]:
    """The privileges that make an administrator, as far as the panel has them.

    What stored roles carry is there, whatever a catalogue says.
    """
    one = guards.ADMIN_PRIVILEGE
    is_there = catalogue.known and one in catalogue.privileges
    is_there = is_there or any(one in role.privileges for role in before.roles.values())
    return frozenset((one,)) if is_there else frozenset()


def _with_rule_changes(plan: Plan, state: State) -> Plan:
    """The plan with what it changes about the rules; a store that can't hold any changes none."""
    policies = plan.rules.get("policies", ())
    if plan.target.capabilities.recording:
        return replace(plan, rule_changes=rule_changes(state.policies, policies))
    if not policies:
        return plan
    text = "this target can't remember policies: they judge this plan, and no later one knows them"
    return replace(plan, notes=(*plan.notes, Diagnostic("rules-not-recorded", text)))


def _in_new_names(plan: Plan, names: frozenset[str]) -> frozenset[str]:
    return frozenset(plan.renames.get(name, name) for name in names)


def endings(desired: DesiredState, as_of: date) -> tuple[Ending, ...]:
    """The dated assignments that are active, by their end, then by user and role."""
    found = [
        Ending(user.user, dated.role, dated.until)
        for user in (desired.users or {}).values()
        for dated in user.roles
        if dated.until is not None and dated.is_active(as_of)
    ]
    return tuple(sorted(found, key=lambda ending: (ending.until, ending.user, ending.role)))


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
        after=State(roles, assignments, recorded, plan.in_force),
        renames=plan.renames,
        roles=tuple(dict.fromkeys(c.name for c in plan.changes if isinstance(c, RoleChange))),
        users=tuple(c.name.casefold() for c in plan.changes if isinstance(c, AssignmentChange)),
        whole_roles=plan.target.capabilities.whole_roles,
    )


def plan_steps(plan: Plan, state: State) -> tuple[Step, ...]:
    """The writes of an applyable plan on a state that fits it."""
    return steps(transition(plan, state))


def rejudged(plan: Plan, snapshot: Snapshot, desired: DesiredState | None = None) -> Plan:
    """A plan that fits what is stored, as its own settings and rules judge it there.

    ``desired`` are the sources, for what only they know: dates, and places.
    """
    before = with_new_names(snapshot.state, plan.renames)
    return _judged(plan, before, transition(plan, snapshot.state).after, snapshot, (), desired)


def recheck(plan: Plan, snapshot: Snapshot) -> tuple[str, ...]:
    """Say in what a plan no longer fits what is stored now; nothing where it still does.

    Compared are the objects that the plan touches, what it changes for people, and the verdict of
    the guards. What changed elsewhere does not count. On the very version that the plan was made
    from, everything that it says of the target has to be so.
    """
    state = snapshot.state
    reasons = [*moved_rules(plan, state), *misfits(plan, snapshot)]
    if plan.base.lineage is not None and plan.base.lineage != snapshot.base.lineage:
        reasons.append("the target's state was replaced by another one (its lineage differs)")
    names = [change.name for change in plan.changes if isinstance(change, RoleChange)]
    reasons += [p.message for p in conflicts(names, state, plan.renames, plan.settings)]
    if reasons:
        return tuple(reasons)
    before, after = with_new_names(state, plan.renames), transition(plan, state).after
    reasons += changed_includes(plan, after)
    judged = rejudged(plan, snapshot)
    if judged.impact != plan.impact:
        now = {u.user for u in judged.impact} ^ {u.user for u in plan.impact}
        whom = ", ".join(sorted(now)) or "the same users, in other privileges"
        reasons.append(f"it would change access otherwise than planned: {whom}")
    # A plan that is applied had no blockers, so every one of them is a new verdict.
    reasons += [blocker.message for blocker in judged.blockers]
    # A store that tells neither versions nor runs looks the same after every write.
    has_versions = plan.base.digest is not None or plan.target.capabilities.history
    if has_versions and plan.base == snapshot.base and not reasons:
        ignored = Counter(ignored_roles(state, plan.settings.ignore).values())
        users = Counter(ignored_users(before, plan.settings.ignore_users).values())
        users = users if "users" in plan.manages else Counter()
        looked_at = coverage(before, after, ignored, users, plan.manages, plan.coverage.files)
        changes = recounted(plan.changes, before, after)
        follows = replace(judged, coverage=looked_at, changes=changes)
        reasons += otherwise_than_told(plan, follows, after)
    return tuple(reasons)
