"""Findings as text and as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.model import Place
from provisioner.render.style import Style, safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.diagnostics import Diagnostic


def diagnostic_lines(found: Diagnostic, style: Style) -> Iterator[str]:
    """A finding: ``place: error: message``, the remedy on a line of its own."""
    color = "red" if found.severity == "error" else "yellow"
    place = f"{safe(str(found.place))}: " if found.place is not None else ""
    severity = style.paint(f"{found.severity}:", color, "bold")
    yield f"{style.paint(place, 'bold')}{severity} {safe(found.message)}"
    if found.remedy:
        yield f"    {safe(found.remedy)}"


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
