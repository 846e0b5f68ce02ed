"""What a plan changes about the rules, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.reports.text.style import Style, safe, whole, with_place, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.engine.changes import FieldChange
    from provisioner.engine.rules.in_force import RuleChange


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
