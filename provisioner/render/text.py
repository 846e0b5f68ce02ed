"""Plans, findings and runs as text for people."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from provisioner.engine.changes import Action, AssignmentChange, Change, FieldChange, RoleChange
from provisioner.engine.summary import summarise
from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
    Write,
)
from provisioner.render.diagnostics import diagnostic_lines
from provisioner.render.style import Style, safe, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.engine.access import UserImpact
    from provisioner.engine.plan import Plan
    from provisioner.model import DatedRole

_NO_CHANGES = "No changes. The target matches the sources."


def plan_text(plan: Plan, style: Style, *, brief: bool = False, places: bool = False) -> str:
    """The whole plan: changes, who is affected, what was adapted and compared, what forbids it.

    ``brief`` leaves everything out but the objections and the sum; ``places`` adds which line of
    the sources grants each added privilege.
    """
    lines: list[str] = []
    if not brief:
        lines += _header(plan, style)
        for change in plan.changes:
            lines += ["", *_change(change, style)]
            if places and isinstance(change, RoleChange):
                lines += _grants(change)
        lines += _impact(plan, style)
        lines += _kept(plan, style)
        lines += _violations(plan, style)
        lines += _notes(plan, style)
        lines += ["", *_wrapped(coverage_line(plan), style)]
        lines += _endings(plan, style)
    lines += _blockers(plan, style)
    for line in summary_line(plan).splitlines():
        lines += [style.paint(part, "bold") for part in _wrapped(line, style)]
    return "\n".join(lines) + "\n"


def summary_line(plan: Plan) -> str:
    """The plan in numbers: the changes in the manner of Terraform's last line, then the people."""
    if plan.is_empty:
        return _NO_CHANGES
    s = summarise(plan)
    line = (
        f"Plan: {s.create} to add, {s.update} to change, {s.rename} to rename, {s.delete} to delete"
    )
    line += f"; {_count(s.assign, 'user')} to reassign"
    if not plan.impact:
        return line + ".\nAccess: nobody gains or loses any."
    return (
        line + f".\nAccess: {_count(s.gaining, 'user')} gaining, {_count(s.losing, 'user')} losing."
    )


def done_line(plan: Plan) -> str:
    """What an apply that went through did."""
    s = summarise(plan)
    return (
        f"{s.create} added, {s.update} changed, {s.rename} renamed, "
        f"{s.delete} deleted; {_count(s.assign, 'user')} reassigned."
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
    names = {"roles": "roles", "users": "assignments"}
    for kind in covered.unmanaged:
        line += f" Not managed: {names[kind]} (no `{kind}:` in the sources)."
    return line


def _header(plan: Plan, style: Style) -> list[str]:
    where = plan.target.identity
    text = f"Target {safe(plan.target.name)} ({safe(where)}), as of {plan.as_of}"
    return _wrapped(text, style)


def _change(change: Change, style: Style) -> Iterator[str]:
    yield from _headline(change, style)
    if isinstance(change, AssignmentChange):
        yield from _roles_of_user(change, style)
        return
    match change.action:
        case Action.RENAME:
            yield f"      keeps its identity and {_holders(change)}"
        case Action.CREATE if change.after is not None:
            after = change.after
            if after.description:
                yield from _field(FieldChange("description", None, after.description), style)
            if after.protected:
                yield from _field(FieldChange("protected", None, after.protected), style)
            yield from _names("includes", tuple(sorted(after.includes)), (), style)
            yield from _names("", change.added, (), style)
        case Action.DELETE if change.before is not None:
            yield from _names("", (), change.removed, style)
            yield from _names("includes", (), tuple(sorted(change.before.includes)), style)
        case _:
            for field in change.fields:
                yield from _field(field, style)


def _roles_of_user(change: AssignmentChange, style: Style) -> Iterator[str]:
    dated = {item.role: item for item in change.dated}
    for symbol, names in (("+", change.added), ("-", change.removed)):
        plain = tuple(name for name in names if name not in dated)
        yield from _signed(symbol, ", ".join(map(safe, plain)), style)
        for name in (name for name in names if name in dated):
            yield from _signed(symbol, _dated(dated[name], ended=symbol == "-"), style)


def _dated(item: DatedRole, *, ended: bool) -> str:
    text = safe(item.role)
    if item.until is not None:
        text += f", {'ended' if ended else 'until'} {item.until}"
    return f"{text}: {safe(item.reason)}" if item.reason else text


def _signed(symbol: str, text: str, style: Style) -> Iterator[str]:
    """Text behind its sign, wrapped; nothing for no text."""
    if text:
        first, *rest = _wrap_names(text, style.width - 8)
        yield f"      {style.symbol(symbol)} {first}"
        yield from _indented(rest, 8)


def _grants(change: RoleChange) -> Iterator[str]:
    for grant in change.grants:
        place = f"{safe(grant.place.file)}:{grant.place.line}" if grant.place else ""
        how = "" if grant.pattern == grant.privilege else f" as {safe(grant.pattern)}"
        through = f" in the set {safe(grant.set_name)}" if grant.set_name else ""
        yield f"        {safe(grant.privilege)}: {place}{how}{through}"


def _headline(change: Change, style: Style) -> Iterator[str]:
    """What it is, and at the right its place; on a line of its own where there is no room."""
    symbol, name = style.symbol(change.action.symbol), safe(change.name)
    if isinstance(change, AssignmentChange):
        what = f"user {name}"
    elif change.action is Action.RENAME and change.before is not None:
        what = f'role "{safe(change.before.name)}" → "{name}"'
    else:
        what = f'role "{name}"'
    place = ""
    if change.source is not None:
        place = f"{safe(change.source.file)}:{change.source.line}"
    note = _note(change)
    plain = f"  {change.action.symbol} {what}{note}"
    gap = style.width - len(plain) - len(place)
    head, shown = f"  {symbol} {style.paint(what, 'bold')}{note}", style.paint(place, "dim")
    if not place:
        yield head
    elif gap >= 2:
        yield f"{head}{' ' * gap}{shown}"
    else:
        yield head
        yield f"      {shown}"


def _note(change: Change) -> str:
    match change:
        case RoleChange(action=Action.CREATE | Action.UPDATE | Action.DELETE):
            if change.action is Action.UPDATE and change.effect == "cosmetic":
                return "  (access unchanged)"
            return f"  ({_holders(change)})" if change.holders else "  (nobody holds it)"
        case _:
            return ""


def _holders(change: RoleChange) -> str:
    return _count(change.holders, "holder")


def _field(field: FieldChange, style: Style) -> Iterator[str]:
    if field.field in ("privileges", "includes"):
        label = "" if field.field == "privileges" else field.field
        yield from _names(label, field.added, field.removed, style)
        return
    before, after = (_value(value) for value in (field.before, field.after))
    text = after if field.before is None else f"{before} → {after}"
    lines = textwrap.wrap(f"{field.field}: {text}", max(style.width - 8, 20))
    yield from _indented(lines, 6)


def _value(value: object) -> str:
    if isinstance(value, str):
        return f'"{safe(value)}"'
    return str(value).lower()


def _names(
    label: str, added: tuple[str, ...], removed: tuple[str, ...], style: Style
) -> Iterator[str]:
    """Names with their sign, as many on a line as fit."""
    start = f"{label} " if label else ""
    for symbol, names in (("+", added), ("-", removed)):
        if names:
            yield from _signed(symbol, start + ", ".join(map(safe, names)), style)


def _wrap_names(text: str, width: int) -> list[str]:
    """Wrap after commas only, so that names with blanks in them stay whole; else at blanks."""
    lines: list[str] = []
    for part in text.split(", "):
        if lines and len(lines[-1]) + len(part) + 3 <= width:
            lines[-1] += f", {part}"
        else:
            if lines:
                lines[-1] += ","
            lines += [part] if len(part) <= width else _at_blanks(part, width)
    return lines


def _at_blanks(text: str, width: int) -> list[str]:
    return wrapped(text, max(width, 20)) or [text]


def _indented(lines: Iterable[str], by: int) -> Iterator[str]:
    return (" " * by + line for line in lines)


def _impact(plan: Plan, style: Style) -> Iterator[str]:
    if plan.is_empty:
        return
    yield ""
    if not plan.impact:
        yield "Nobody's effective access changes."
        return
    yield "Effective access, over all roles:"
    for users, example in _alike(plan):
        who = ", ".join(map(safe, users[:4]))
        if len(users) > 4:
            who += f" and {len(users) - 4} more"
        for part in _wrap_names(who, style.width - 4):
            yield f"    {style.paint(part, 'bold')}"
        risky = tuple(name for name in example.gained if name in plan.sensitive)
        harmless = tuple(name for name in example.gained if name not in plan.sensitive)
        yield from _names("gains, sensitive:", risky, (), style)
        yield from _names("gains", harmless, (), style)
        yield from _names("loses", (), example.lost, style)


def _alike(plan: Plan) -> list[tuple[list[str], UserImpact]]:
    """Users whose access changes in the same way, together; who gains the most risk, first."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[UserImpact]] = {}
    for user in plan.impact:
        groups.setdefault((user.gained, user.lost), []).append(user)

    def risk(users: list[UserImpact]) -> tuple[int, int, str]:
        gained = users[0].gained
        return (-len(plan.sensitive.intersection(gained)), -len(gained), users[0].user)

    return [([u.user for u in users], users[0]) for users in sorted(groups.values(), key=risk)]


def _kept(plan: Plan, style: Style) -> Iterator[str]:
    if plan.kept:
        yield ""
        yield "Taken away, but still held another way:"
    for kept in plan.kept:
        names = ", ".join(map(safe, kept.privileges))
        own = kept.subject if kept.subject_kind == "role" else None
        ways = ["its own grant" if name == own else safe(name) for name in kept.through]
        was = "its own grant" if kept.role == own else safe(kept.role)
        who = f"role {safe(kept.subject)}" if own else safe(kept.subject)
        text = f"{who} keeps {names} through {', '.join(ways)} (was also {was})"
        first, *rest = _wrap_names(text, style.width - 4)
        yield f"    {first}"
        yield from _indented(rest, 6)


def _violations(plan: Plan, style: Style) -> Iterator[str]:
    """Breaks of policies that do not block; those that do stand among the objections."""
    blocking = {blocker.message for blocker in plan.blockers}
    passing = [v.diagnostic() for v in plan.violations]
    passing = [found for found in passing if found.message not in blocking]
    if passing:
        yield ""
    for found in passing:
        yield from diagnostic_lines(found, style, fold=True)


def _notes(plan: Plan, style: Style) -> Iterator[str]:
    """How the plan was adapted to what the target lacks."""
    if plan.notes:
        yield ""
    for note in plan.notes:
        start = "note: "
        text = "; ".join(filter(None, (note.message, note.remedy)))
        first, *rest = _wrapped(start + safe(text), style, indent=4)
        yield style.paint(start.rstrip(), "cyan", "bold") + first.removeprefix(start.rstrip())
        yield from rest


def _endings(plan: Plan, style: Style) -> Iterator[str]:
    """What ends soon by name; else the day on which the next dated assignment ends."""
    if plan.ending:
        for end in plan.ending:
            days = (end.until - plan.as_of).days
            text = f"Ends soon: {safe(end.user)} holds {safe(end.role)} until {end.until}"
            yield from _wrapped(f"{text} ({_count(days, 'more day')}).", style)
    elif plan.valid_until is not None:
        yield f"Dated assignments: the next one ends on {plan.valid_until}."


def _blockers(plan: Plan, style: Style) -> Iterator[str]:
    if plan.blockers:
        yield ""
        yield style.paint("This plan can't be applied:", "red", "bold")
        for blocker in plan.blockers:
            yield from diagnostic_lines(blocker, style, fold=True)
        yield ""


def _wrapped(text: str, style: Style, indent: int = 0) -> list[str]:
    return wrapped(text, max(style.width, 40), rest=" " * indent)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# How many privileges and includes of a role a line names, in progress and reports.
_MOST_NAMED = 3


def write_line(write: Write) -> str:
    """One write in a few words, for progress and reports."""
    match write:
        case CreateRole(role):
            return f'create role "{safe(role.name)}"'
        case UpdateRole(before, after):
            signed = _coming_and_going(before.privileges, after.privileges)
            signed += _coming_and_going(before.includes, after.includes, "include ")
            more = f" and {len(signed) - _MOST_NAMED} more" if len(signed) > _MOST_NAMED else ""
            what = f": {', '.join(signed[:_MOST_NAMED])}{more}" if signed else ""
            return f'update role "{safe(before.name)}"{what}'
        case RenameRole(before, name):
            return f'rename role "{safe(before.name)}" to "{safe(name)}"'
        case DeleteRole(before):
            return f'delete role "{safe(before.name)}"'
        case SetAssignment(user, before, after):
            return f"user {safe(user)}: {', '.join(_coming_and_going(before, after))}"


def _coming_and_going(before: frozenset[str], after: frozenset[str], kind: str = "") -> list[str]:
    """What comes and what goes: ``+A``, ``-B``."""
    added, removed = sorted(after - before), sorted(before - after)
    return [f"+{kind}{safe(n)}" for n in added] + [f"-{kind}{safe(n)}" for n in removed]
