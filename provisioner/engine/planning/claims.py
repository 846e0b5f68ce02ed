"""What in a plan follows from something else in it, worked out again.

A saved plan is believed in what it states first: what its objects are and shall be, its dates, its
rules, what it was made from. Everything that follows from that has to be the same when it is worked
out again, or what people read in the plan is not what applying it does.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.engine.changes import Action, AssignmentChange, Change, RoleChange
from provisioner.engine.diff import field_changes
from provisioner.engine.planning.dates import last_day
from provisioner.model import KINDS, Ending

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from provisioner.engine.access.effective import UserImpact
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.rules.in_force import RuleChange
    from provisioner.model import DatedRole


def worked_out(plan: Plan) -> Plan:
    """The plan with everything that follows from the rest of it made anew.

    Of what depends on the stored state only the form is made anew: ``recheck`` looks at that.

    Raises:
        ValueError: It holds changes that can't stand beside each other, or forbids itself.
    """
    _require_possible(plan)
    renames = plan.renames
    changes = sorted(
        (_change(change, renames, plan.as_of) for change in plan.changes), key=_reading_order
    )
    dated = _endings(plan.dated, changes, plan.as_of)
    unmanaged = tuple(kind for kind in KINDS if kind not in plan.manages)
    covered, made = plan.coverage, plan.settings
    ignored = {glob: n for glob, n in covered.ignored.items() if glob in made.ignore and n}
    ignored_users = {
        glob: n for glob, n in covered.ignored_users.items() if glob in made.ignore_users and n
    }
    return replace(
        plan,
        changes=tuple(changes),
        rule_changes=_rule_changes(plan),
        impact=tuple(sorted(map(_impact, plan.impact), key=lambda user: user.user.casefold())),
        coverage=replace(
            plan.coverage, ignored=ignored, ignored_users=ignored_users, unmanaged=unmanaged
        ),
        dated=dated,
        valid_until=last_day((end.until for end in dated), plan.rules, plan.as_of),
    )


def _rule_changes(plan: Plan) -> tuple[RuleChange, ...]:
    """The changes of policies, each leading to what is in force after the plan, by name."""
    after = {policy["name"]: policy for policy in plan.in_force}
    found = []
    for change in plan.rule_changes:
        name = (change.after or change.before or {}).get("name")
        found.append(replace(change, name=str(name), after=after.get(str(name))))
    return tuple(sorted(found, key=lambda change: change.name))


def _change(change: Change, renames: Mapping[str, str], as_of: date) -> Change:
    if isinstance(change, AssignmentChange):
        moved = {item.role: item for item in change.dated if _is_told(item, change, as_of)}
        return replace(change, dated=tuple(moved[role] for role in sorted(moved)))
    added = frozenset(change.added)
    grants = tuple(grant for grant in change.grants if grant.privilege in added)
    match change.action, change.before, change.after:
        case Action.RENAME, before, _ if before is not None:
            includes = frozenset(renames.get(name, name) for name in before.includes)
            after = replace(before, name=change.name, includes=includes)
            return replace(change, after=after, fields=(), grants=())
        case Action.UPDATE, before, after if before is not None and after is not None:
            # In the new names: the rename that may come before is a change of its own.
            before = replace(before, name=change.name)
            after = replace(after, name=change.name, id=before.id)
            fields = field_changes(before, after)
            return replace(change, before=before, after=after, fields=fields, grants=grants)
        case Action.DELETE, before, _ if before is not None:
            return replace(change, before=replace(before, name=change.name), fields=(), grants=())
        case _:
            return replace(change, fields=(), grants=grants)


def _is_told(item: DatedRole, change: AssignmentChange, as_of: date) -> bool:
    """Whether a change tells of this role's dates: it is given now, or has come to its end."""
    if item.is_active(as_of):
        return item.role in change.added and bool(item.until or item.reason)
    return item.role in change.removed


def _reading_order(change: Change) -> tuple[bool, str, bool]:
    """Roles by name, a rename before what else happens to the role; then users by login."""
    is_user = isinstance(change, AssignmentChange)
    name = change.name.casefold() if is_user else change.name
    return is_user, name, change.action is not Action.RENAME


def _impact(user: UserImpact) -> UserImpact:
    return replace(user, gained=tuple(sorted(set(user.gained))), lost=tuple(sorted(set(user.lost))))


def _endings(
    told: tuple[Ending, ...], changes: Iterable[Change], as_of: date
) -> tuple[Ending, ...]:
    """The endings that are to come, those among them that the changes tell of."""
    found = {(end.user.casefold(), end.role, end.until): end for end in told if as_of <= end.until}
    for change in changes:
        for item in change.dated if isinstance(change, AssignmentChange) else ():
            if item.until is not None and item.is_active(as_of):
                key = (change.name.casefold(), item.role, item.until)
                found.setdefault(key, Ending(change.name, item.role, item.until))
    return tuple(sorted(found.values(), key=lambda end: (end.until, end.user, end.role)))


def _require_possible(plan: Plan) -> None:
    for problem in _impossible(plan):
        raise ValueError(problem)


def _impossible(plan: Plan) -> Iterator[str]:
    times = Counter(map(_reading_order, plan.changes))
    yield from (f"{name} is changed twice" for (_, name, _), count in times.items() if count > 1)
    renamed = {c.name: c for c in plan.changes if c.action is Action.RENAME}
    for change in plan.changes:
        kind = "roles" if isinstance(change, RoleChange) else "users"
        if kind not in plan.manages:
            yield f"{change.name} is changed, though {kind} are not managed"
        if change.before == change.after:
            yield f"the {change.action.value} of {change.name} changes nothing"
        former = renamed.get(change.name)
        is_second = isinstance(change, RoleChange) and former not in (None, change)
        if is_second and former is not None and change.before != former.after:
            yield f"role {change.name} is renamed as one thing and changed as another"
    users = Counter(user.user.casefold() for user in plan.impact)
    yield from (f"user {name} is told of twice" for name, count in users.items() if count > 1)
    for user in plan.impact:
        if set(user.gained) & set(user.lost) or not user.gained + user.lost:
            yield f"user {user.user} would gain and lose the same"
    for violation in plan.violations:
        forbids = violation.severity == "error" and (violation.is_new or not plan.settings.new_only)
        if forbids and not plan.blockers:
            yield f"policy {violation.policy} forbids it, and `blockers` does not say so"
