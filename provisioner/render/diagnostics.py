"""Findings as text and as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from provisioner.model import Place
from provisioner.render.style import Style, safe, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.diagnostics import Diagnostic


_MARGIN: Final = "    "
_COLORS: Final = {"error": "red", "warning": "yellow", "note": "cyan"}


def diagnostic_lines(found: Diagnostic, style: Style, *, fold: bool = False) -> Iterator[str]:
    """A finding: ``place: error: message``, the remedy on a line of its own.

    ``fold`` breaks the message into lines of the style's width; without it a finding is one
    line for whoever searches or jumps to places.
    """
    color = _COLORS[found.severity]
    place = f"{safe(str(found.place))}: " if found.place is not None else ""
    start, message = f"{place}{found.severity}: ", safe(found.message)
    lines = [start + message]
    if fold:
        lines = wrapped(start + message, style.width, rest=_MARGIN)
    painted = style.paint(place, "bold") + style.paint(f"{found.severity}:", color, "bold") + " "
    yield painted + lines[0].removeprefix(start) if lines[0].startswith(start) else lines[0]
    yield from lines[1:]
    if found.remedy:
        width = style.width if fold else 2**20
        yield from wrapped(safe(found.remedy), width, first=_MARGIN, rest=_MARGIN)


def diagnostic_document(found: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic as plain data, as plans and JSON errors carry it."""
    place: Any = found.place
    if isinstance(place, Place):
        place = {"file": place.file, "line": place.line, "column": place.column}
    elif place is not None:
        place = {"file": place}
    return {
        "id": found.id,
        "severity": found.severity,
        "message": found.message,
        "place": place,
        "remedy": found.remedy,
    }
