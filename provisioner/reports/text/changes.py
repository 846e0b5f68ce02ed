"""The changes of a plan as text: of roles, of assignments, of rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.engine.changes import Action, AssignmentChange, Change, FieldChange, RoleChange
from provisioner.engine.phrases import counted
from provisioner.reports.text import ceilings
from provisioner.reports.text.ceilings import fitting
from provisioner.reports.text.style import (
    Style,
    at_blanks,
    indented,
    safe,
    signed,
    signed_names,
    whole,
    with_place,
    wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.rules.in_force import RuleChange
    from provisioner.model import DatedRole


def change_lines(plan: Plan, style: Style) -> tuple[list[str], list[Change]]:
    """The changes that are shown, in the plan's order, and those that are left out."""
    blocks = []
    for change in plan.changes:
        lines = ["", *_change(change, style, plan.sensitive)]
        if style.every and isinstance(change, RoleChange):
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
            yield from signed_names("includes", tuple(sorted(after.includes)), (), style)
            yield from signed_names("", _gravest(change.added, sensitive), (), style)
        case Action.DELETE if change.before is not None:
            yield from signed_names("", (), change.removed, style)
            yield from signed_names("includes", (), tuple(sorted(change.before.includes)), style)
        case _:
            for field in change.fields:
                yield from _field(field, style, sensitive)


def _roles_of_user(change: AssignmentChange, style: Style) -> Iterator[str]:
    dated = {item.role: item for item in change.dated}
    for symbol, names in (("+", change.added), ("-", change.removed)):
        plain = tuple(name for name in names if name not in dated)
        yield from signed(symbol, style.names(plain), style)
        for name in (name for name in names if name in dated):
            yield from signed(symbol, _dated(dated[name], ended=symbol == "-"), style)


def _dated(item: DatedRole, *, ended: bool) -> str:
    text = whole(item.role)
    if item.until is not None:
        text += f", {'ended' if ended else 'until'} {item.until}"
    return f"{text}: {safe(item.reason)}" if item.reason else text


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
    return counted(change.holders, "holder")


def _field(
    field: FieldChange, style: Style, sensitive: frozenset[str] = frozenset()
) -> Iterator[str]:
    if field.field in ("privileges", "includes"):
        label = "" if field.field == "privileges" else field.field
        yield from signed_names(label, _gravest(field.added, sensitive), field.removed, style)
        return
    before, after = (_value(value) for value in (field.before, field.after))
    text = after if field.before is None else f"{before} → {after}"
    yield from indented(at_blanks(f"{field.field}: {text}", style.width - 8), 6)


def _value(value: object) -> str:
    if isinstance(value, str):
        return f'"{safe(value)}"'
    return str(value).lower()


def _gravest(names: tuple[str, ...], sensitive: frozenset[str]) -> tuple[str, ...]:
    """The names; where not all can be shown, sensitive privileges come first."""
    if len(names) <= ceilings.NAMES:
        return names
    return tuple(sorted(names, key=lambda name: (name not in sensitive, name)))


def rules_lines(changes: Iterable[RuleChange], style: Style) -> Iterator[str]:
    """A heading, then each policy that comes, changes or goes, with what it says."""
    for index, change in enumerate(changes):
        if not index:
            yield from ("", "Rules:")
        place = change.source
        where = f"{whole(place.file)}:{place.line}" if place else ""
        symbol, name = change.action.symbol, f'policy "{whole(change.name)}"'
        head = f"  {style.symbol(symbol)} {style.paint(name, 'bold')}"
        yield from with_place(head, len(f"  {symbol} {name}"), where, style)
        for field in change.fields:
            for symbol, text in _said(field):
                first, *rest = wrapped(text, style.width - 8) or [""]
                yield f"      {style.symbol(symbol)} {first}"
                yield from (" " * 8 + line for line in rest)


def _said(field: FieldChange) -> Iterator[tuple[str, str]]:
    """What a field says, each with its sign."""
    if field.added or field.removed:
        for symbol, items in (("+", field.added), ("-", field.removed)):
            if items:
                yield symbol, f"{field.field}: {', '.join(map(whole, items))}"
    else:
        for symbol, value in (("+", field.after), ("-", field.before)):
            if value is not None:
                yield symbol, f"{field.field}: {safe(str(value))}"
