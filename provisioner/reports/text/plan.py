"""Plans, findings and runs as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.engine.changes import Action, AssignmentChange, Change, FieldChange, RoleChange
from provisioner.engine.planning.summary import summarise
from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
    Write,
)
from provisioner.reports.text import ceilings
from provisioner.reports.text.ceilings import WHOLE, WHOLE_OR_JSON, fitting
from provisioner.reports.text.diagnostics import folded
from provisioner.reports.text.rules import rules_lines
from provisioner.reports.text.style import Style, page, safe, whole, with_place, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from provisioner.engine.access.effective import UserImpact
    from provisioner.engine.planning.kept import Kept
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.settings import Settings
    from provisioner.model import DatedRole, Ending

# How many privileges and includes of a role a line names, in progress and reports.
_MOST_NAMED = 3
_MOST_CHANGED_BACK = 20
_NO_CHANGES = "No changes. The target matches the sources."
# What has read no sources is a way back.
_NOTHING_BACK = "No changes. There is nothing to bring back."


def plan_text(plan: Plan, style: Style, *, brief: bool = False, places: bool = False) -> str:
    """The plan: changes, who is affected, what was adapted and compared, what forbids it.

    ``brief`` leaves everything out but the objections and the sum; ``places`` adds which line of
    the sources grants each added privilege. Of a plan that is too long for people the gravest
    changes are shown, and what is left out is counted beside the sum.
    """
    lines: list[str] = []
    left_out: list[Change] = []
    if not brief:
        lines += _header(plan, style)
        shown, left_out = _changes(plan, style, places=places)
        lines += shown
        lines += rules_lines(plan.rule_changes, style)
        lines += _impact(plan, style)
        lines += _kept(plan, style)
        lines += _violations(plan, style)
        lines += _notes(plan, style)
        lines += ["", *_wrapped(coverage_line(plan), style)]
        lines += _endings(plan, style)
    lines += _blockers(plan, style)
    if left_out:
        text = f"Not shown above: {_left_out(plan, left_out)} ({WHOLE_OR_JSON})."
        lines += [style.paint(part, "yellow", "bold") for part in _wrapped(text, style)]
    for line in summary_line(plan).splitlines():
        lines += [style.paint(part, "bold") for part in _wrapped(line, style)]
    return page(lines)


def question(plan: Plan, style: Style, *, brief: bool = False, places: bool = False) -> str:
    """What is asked below the plan's text; it says what the text left out."""
    _, left_out = ([], []) if brief else _changes(plan, style, places=places)
    if not left_out:
        return "Apply these changes?"
    return f"Apply all changes, also those not shown above ({_left_out(plan, left_out)})?"


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


def _header(plan: Plan, style: Style) -> list[str]:
    where = plan.target.identity
    text = f"Target {whole(plan.target.name)} ({whole(where)}), as of {plan.as_of}"
    options = [whole(option) for option in options_given(plan.settings)]
    given = _wrapped(f"Planned with {', '.join(options)}.", style) if options else []
    return [*_wrapped(text, style), *given]


def options_given(settings: Settings) -> Iterator[str]:
    """The options that a plan was made with, and that change what it is judged by."""
    flags = ("adopt", "allow_lockout", "new_only")
    yield from (f"--{name.replace('_', '-')}" for name in flags if getattr(settings, name))
    for name in sorted(settings.given):
        yield f"--{name.replace('_', '-')} {getattr(settings.safety, name)}"
    if settings.actor is not None:
        yield f"--actor {settings.actor}"
    if settings.rules_from is not None:
        yield f"--rules-from {settings.rules_from}"


def _changes(plan: Plan, style: Style, *, places: bool) -> tuple[list[str], list[Change]]:
    """The changes that are shown, in the plan's order, and those that are left out."""
    blocks = []
    for change in plan.changes:
        lines = ["", *_change(change, style, plan.sensitive)]
        if places and isinstance(change, RoleChange):
            lines += _grants(change)
        blocks.append(lines)
    order: Iterable[int] = range(len(blocks))
    if sum(map(len, blocks)) > ceilings.CHANGES:
        risky = {user.user for user in plan.impact if plan.sensitive.intersection(user.gained)}
        order = sorted(order, key=lambda index: _gravity(plan.changes[index], plan, risky))
    order = list(order)
    _, count = fitting(order, blocks.__getitem__, style.most(ceilings.CHANGES))
    shown, hidden = sorted(order[:count]), sorted(order[count:])
    return [ln for index in shown for ln in blocks[index]], [plan.changes[n] for n in hidden]


def _gravity(change: Change, plan: Plan, risky: set[str]) -> int:
    """Which changes come first where not all can be shown: what is lost for good, then risk."""
    match change:
        case RoleChange(action=Action.DELETE):
            return 0
        case RoleChange(added=added) if plan.sensitive.intersection(added):
            return 1
        case AssignmentChange(name=user) if user in risky:
            return 1
        case _:
            return 2


def _left_out(plan: Plan, changes: list[Change]) -> str:
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


def _change(change: Change, style: Style, sensitive: frozenset[str]) -> Iterator[str]:
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
            yield from _names("", _gravest(change.added, sensitive), (), style)
        case Action.DELETE if change.before is not None:
            yield from _names("", (), change.removed, style)
            yield from _names("includes", (), tuple(sorted(change.before.includes)), style)
        case _:
            for field in change.fields:
                yield from _field(field, style, sensitive)


def _roles_of_user(change: AssignmentChange, style: Style) -> Iterator[str]:
    dated = {item.role: item for item in change.dated}
    for symbol, names in (("+", change.added), ("-", change.removed)):
        plain = tuple(name for name in names if name not in dated)
        yield from _signed(symbol, style.names(plain), style)
        for name in (name for name in names if name in dated):
            yield from _signed(symbol, _dated(dated[name], ended=symbol == "-"), style)


def _dated(item: DatedRole, *, ended: bool) -> str:
    text = whole(item.role)
    if item.until is not None:
        text += f", {'ended' if ended else 'until'} {item.until}"
    return f"{text}: {safe(item.reason)}" if item.reason else text


def _signed(symbol: str, text: str, style: Style) -> Iterator[str]:
    """Text behind its sign, wrapped; nothing for no text."""
    if text:
        first, *rest = _at_blanks(text, style.width - 8)
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
    head = f"  {symbol} {style.paint(what, 'bold')}{note}"
    yield from with_place(head, len(f"  {change.action.symbol} {what}{note}"), place, style)


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


def _field(
    field: FieldChange, style: Style, sensitive: frozenset[str] = frozenset()
) -> Iterator[str]:
    if field.field in ("privileges", "includes"):
        label = "" if field.field == "privileges" else field.field
        yield from _names(label, _gravest(field.added, sensitive), field.removed, style)
        return
    before, after = (_value(value) for value in (field.before, field.after))
    text = after if field.before is None else f"{before} → {after}"
    yield from _indented(_at_blanks(f"{field.field}: {text}", style.width - 8), 6)


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
            yield from _signed(symbol, start + style.names(names), style)


def _gravest(names: tuple[str, ...], sensitive: frozenset[str]) -> tuple[str, ...]:
    """The names; where not all can be shown, sensitive privileges come first."""
    if len(names) <= ceilings.NAMES:
        return names
    return tuple(sorted(names, key=lambda name: (name not in sensitive, name)))


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
    groups = _alike(plan)
    most = style.most(ceilings.IMPACT)
    lines, count = fitting(groups, lambda group: _impact_of(*group, plan, style), most)
    yield from lines
    if not style.every and any(len(users) > ceilings.GROUP for users, _ in groups[:count]):
        yield "    (-v names everybody)"
    if count < len(groups):
        gaining = sum(len(users) for users, example in groups[count:] if example.gained)
        losing = sum(len(users) for users, example in groups[count:] if example.lost)
        text = f"and {_count(sum(len(users) for users, _ in groups[count:]), 'user')} more, "
        text += f"{gaining:,} gaining and {losing:,} losing; nobody of them gains what is riskier"
        yield from wrapped(f"{text} ({WHOLE})", style.width, first="    ", rest="    ")


def _impact_of(users: list[str], example: UserImpact, plan: Plan, style: Style) -> Iterator[str]:
    shown = users[: style.most(ceilings.GROUP)]
    who = ", ".join(map(whole, shown))
    if len(shown) < len(users):
        who += f" and {len(users) - len(shown):,} more"
    for part in _at_blanks(who, style.width - 4):
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
        most = style.most(ceilings.KEPT)
        lines, count = fitting(plan.kept, lambda kept: _kept_by(kept, style), most)
        yield from lines
        if count < len(plan.kept):
            yield f"    and {len(plan.kept) - count:,} more ({WHOLE})"


def _kept_by(kept: Kept, style: Style) -> Iterator[str]:
    own = kept.subject if kept.subject_kind == "role" else None
    ways = ["its own grant" if name == own else whole(name) for name in kept.through]
    was = "its own grant" if kept.role == own else whole(kept.role)
    who = f"role {whole(kept.subject)}" if own else whole(kept.subject)
    text = f"{who} keeps {style.names(kept.privileges)} through "
    text += f"{', '.join(ways)} (was also {was})"
    first, *rest = _at_blanks(text, style.width - 4)
    yield f"    {first}"
    yield from _indented(rest, 6)


def _violations(plan: Plan, style: Style) -> Iterator[str]:
    """Breaks of policies that do not block; those that do stand among the objections."""
    blocking = {blocker.message for blocker in plan.blockers}
    passing = [v.diagnostic() for v in plan.violations]
    passing = [found for found in passing if found.message not in blocking]
    if passing:
        yield ""
    yield from folded(passing, style)


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
        most = style.most(ceilings.ENDINGS)
        lines, count = fitting(plan.ending, lambda end: _ends_soon(end, plan, style), most)
        yield from lines
        if count < len(plan.ending):
            yield f"Ends soon: {len(plan.ending) - count:,} more assignments ({WHOLE})."
    elif plan.dated:
        yield f"Dated assignments: the next one ends on {plan.dated[0].until}."
    if plan.valid_until is not None and all(plan.valid_until < end.until for end in plan.dated):
        yield f"An exemption from a policy ends on {plan.valid_until}."


def _ends_soon(end: Ending, plan: Plan, style: Style) -> list[str]:
    days = (end.until - plan.as_of).days
    text = f"Ends soon: {whole(end.user)} holds {whole(end.role)} until {end.until}"
    return _wrapped(f"{text} ({_count(days, 'more day')}).", style)


def _blockers(plan: Plan, style: Style) -> Iterator[str]:
    if plan.blockers:
        yield ""
        yield style.paint("This plan can't be applied:", "red", "bold")
        yield from folded(plan.blockers, style)
        yield ""


def _wrapped(text: str, style: Style, indent: int = 0) -> list[str]:
    return wrapped(text, max(style.width, 40), rest=" " * indent)


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def write_line(write: Write) -> str:
    """One write in a few words, for progress and reports."""
    match write:
        case CreateRole(role):
            return f'create role "{safe(role.name)}"'
        case UpdateRole(before, after):
            signed = _coming_and_going(before.privileges, after.privileges)
            signed += _coming_and_going(before.includes, after.includes, "include ")
            more = f" and {len(signed) - _MOST_NAMED:,} more" if len(signed) > _MOST_NAMED else ""
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


def report_lines(groups: Mapping[str, Sequence[Write]], style: Style) -> Iterator[str]:
    """The writes of an apply that broke off, a line for each, in groups: done, failed, and so on.

    Each group has a ceiling of its own.
    """
    for group, writes in groups.items():
        label = f"  {f'{group}:':<10}"
        shown = writes[: style.most(ceilings.WRITES)]
        yield from (f"{label} {write_line(write)}" for write in shown)
        if len(shown) < len(writes):
            yield f"{label} {len(writes) - len(shown):,} more ({WHOLE_OR_JSON})"
