"""Plans in a line or two: the sum, what was done, what was looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from provisioner.engine.changes import AssignmentChange, Change
from provisioner.engine.planning.summary import summarise
from provisioner.reports.text.style import safe

if TYPE_CHECKING:
    from provisioner.engine.planning.plan import Plan


# How many privileges and includes of a role a line names.
_MOST_NAMED: Final = 3
_MOST_CHANGED_BACK: Final = 20
_NO_CHANGES: Final = "No changes. The target matches the sources."
# What has read no sources is a way back.
_NOTHING_BACK: Final = "No changes. There is nothing to bring back."


def summary_line(plan: Plan) -> str:
    """The plan in numbers: the changes in the manner of Terraform's last line, then the people."""
    if plan.is_empty:
        return _NO_CHANGES if plan.coverage.files else _NOTHING_BACK
    s = summarise(plan)
    line = (
        f"Plan: {s.create:,} to add, {s.update:,} to change, {s.rename:,} to rename, "
        f"{s.delete:,} to delete"
    )
    line += f"; {_count(s.assign, 'user')} to reassign"
    line += f".\nRules: {_count(s.rules, 'policy', 'policies')} to change." if s.rules else "."
    if not plan.impact:
        return line + "\nAccess: nobody gains or loses any."
    return (
        line + f"\nAccess: {_count(s.gaining, 'user')} gaining, {_count(s.losing, 'user')} losing."
    )


def would_change_back(plan: Plan) -> tuple[str, ...]:
    """What a plan from the sources would do after a rollback, in lines; none for nothing."""
    if plan.is_empty:
        return ()
    lines = ["The sources say otherwise: the next plan from them would change this back."]
    objects = [_object(change) for change in plan.changes]
    objects += [f'policy "{safe(change.name)}"' for change in plan.rule_changes]
    lines += [f"  {line}" for line in objects[:_MOST_CHANGED_BACK]]
    if len(objects) > _MOST_CHANGED_BACK:
        lines.append(
            f"  and {len(objects) - _MOST_CHANGED_BACK:,} more; `provisioner plan` has all"
        )
    return tuple(lines)


def _object(change: Change) -> str:
    signed = [f"+{safe(name)}" for name in change.added[:_MOST_NAMED]]
    signed += [f"-{safe(name)}" for name in change.removed[:_MOST_NAMED]]
    kind = "user " if isinstance(change, AssignmentChange) else f"{change.action.value} role "
    names = safe(change.name) if isinstance(change, AssignmentChange) else f'"{safe(change.name)}"'
    more = len(change.added) + len(change.removed) - len(signed)
    what = ", ".join(signed) + (f" and {more} more" if more else "")
    return f"{kind}{names}" + (f": {what}" if what else "")


def done_line(plan: Plan) -> str:
    """What an apply that went through did."""
    s = summarise(plan)
    rules = f"; {_count(s.rules, 'policy', 'policies')} changed" if s.rules else ""
    return (
        f"{s.create:,} added, {s.update:,} changed, {s.rename:,} renamed, "
        f"{s.delete:,} deleted; {_count(s.assign, 'user')} reassigned{rules}."
    )


def history_line(plan: Plan) -> str:
    """What a run changes, without what it does not, for the history."""
    s = summarise(plan)
    parts = {
        "added": s.create,
        "changed": s.update,
        "renamed": s.rename,
        "deleted": s.delete,
        "reassigned": s.assign,
        "policy changed" if s.rules == 1 else "policies changed": s.rules,
    }
    return ", ".join(f"{number:,} {word}" for word, number in parts.items() if number) or "nothing"


def coverage_line(plan: Plan) -> str:
    """What was looked at, what was left alone and why."""
    covered = plan.coverage
    read = f"Read {_count(len(covered.files), 'file')}; " if covered.files else ""
    line = f"{read}compared {_count(covered.roles, 'role')} and {_count(covered.users, 'user')}."
    line = line[0].upper() + line[1:]
    if covered.ignored:
        total = sum(covered.ignored.values())
        rules = ", ".join(f'"{safe(glob)}": {n}' for glob, n in sorted(covered.ignored.items()))
        line += f" Left alone: {_count(total, 'role')} (ignore {rules})."
    if covered.ignored_users:
        total = sum(covered.ignored_users.values())
        rules = ", ".join(f'"{safe(g)}": {n}' for g, n in sorted(covered.ignored_users.items()))
        line += f" Left alone: {_count(total, 'user')} (ignore_users {rules})."
    names = {"roles": "roles", "users": "assignments"}
    for kind in covered.unmanaged:
        line += f" Not managed: {names[kind]} (no `{kind}:` in the sources)."
    return line


def left_out_line(plan: Plan, changes: list[Change]) -> str:
    """What of a plan is not shown, in numbers."""
    s = summarise(replace(plan, changes=tuple(changes)))
    numbers = {
        "to add": s.create,
        "to change": s.update,
        "to rename": s.rename,
        "to delete": s.delete,
    }
    parts = [f"{_count(number, 'role')} {what}" for what, number in numbers.items() if number]
    parts += [f"{_count(s.assign, 'user')} to reassign"] * bool(s.assign)
    return f"{len(changes):,} of {_count(len(plan.changes), 'change')}: {', '.join(parts)}"


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
