"""The guard of too much at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.diagnostics import Diagnostic
from provisioner.engine.changes import Action, Change, RoleChange
from provisioner.engine.planning.guards.deletion import is_others
from provisioner.globs import first_caseless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.planning.trial import Trial

PERCENT_FROM: Final = 10
SMALL_TEAM_ALLOWANCE: Final = 2


def too_much(trial: Trial) -> Iterator[Diagnostic]:
    """The thresholds: a table of (what, how many, limit, of how many, setting)."""
    plan, passage = trial.plan, trial.passage
    safety = plan.settings.safety
    deleted = len(trial.deletions)
    losing = sum(1 for user in plan.impact if user.lost)
    gaining = sum(1 for user in plan.impact if user.gained)
    custom = any(name.casefold() not in plan.default_roles for name in passage.before.roles)
    first_use = not custom and not passage.before.assignments
    counted = [c for c in plan.changes if not (first_use and _is_first(c))]
    granted = sum(len(c.added) for c in counted if isinstance(c, RoleChange))
    absolute = [
        ("roles deleted", deleted, safety.max_deletes, "max_deletes"),
        ("users losing access", losing, safety.max_users_losing, "max_users_losing"),
        ("changes", len(counted), safety.max_changes, "max_changes"),
        ("privileges granted", granted, safety.max_privileges_granted, "max_privileges_granted"),
    ]
    if not first_use:
        setting = "max_users_gaining"
        absolute.append(("users gaining access", gaining, safety.max_users_gaining, setting))
    for what, count, limit, setting in absolute:
        if limit is not None and count > limit:
            yield _over(f"{_counted(count, what)}, at most {limit} allowed", setting, count)
    percent = safety.max_change_percent
    roles = sum(not is_others(name, plan.settings) for name in passage.before.roles)
    shares = [
        ("roles deleted", deleted, roles),
        ("users losing access", losing, len(passage.before.assignments)),
    ]
    ignored = plan.settings.ignore_users
    if ignored:
        ours = {n for n in passage.before.assignments if first_caseless(ignored, n) is None}
        count = sum(1 for user in plan.impact if user.lost and user.user.casefold() in ours)
        shares.append(("users losing access, ignored ones aside", count, len(ours)))
    for what, count, total in shares:
        if percent is None or count * 100 <= percent * total:
            continue
        small = total < PERCENT_FROM
        if small and count <= SMALL_TEAM_ALLOWANCE:
            continue
        needed = -(-count * 100 // total)
        allowed = f"{percent}%"
        if small:
            allowed = f"{max(SMALL_TEAM_ALLOWANCE, percent * total // 100)}"
        message = f"{count} of {total} {what} ({needed}%), at most {allowed} allowed"
        yield _over(message, "max_change_percent", needed)


def _counted(count: int, what: str) -> str:
    noun, *rest = what.split()
    return " ".join([str(count), noun.removesuffix("s") if count == 1 else noun, *rest])


def _is_first(change: Change) -> bool:
    """Whether a change only adds to an empty target: a create, a first assignment."""
    return change.action in (Action.CREATE, Action.ASSIGN)


def _over(message: str, setting: str, needed: int) -> Diagnostic:
    option = {"max_deletes": "--max-deletes", "max_change_percent": "--max-change-percent"}
    ways = f"raise `safety: {setting}` in the project file"
    if setting in option:
        ways = f"if that is meant, repeat with {option[setting]} {needed}, or {ways}"
    return Diagnostic(setting.replace("_", "-"), message, None, ways)
