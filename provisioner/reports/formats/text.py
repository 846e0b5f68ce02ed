"""For people. This is the last line of defence: whatever a renderer forgot, nobody obeys it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.printable import harmless, spelled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.reports.report import Report, Text
    from provisioner.reports.text.style import Style


def render(report: Text, style: Style) -> str:
    """Return the report in lines."""
    return report.text(style)


def leaving(text: str, encoding: str) -> str:
    """Text that nobody obeys; what the encoding can't hold is spelled."""
    return spelled(harmless(text), encoding)


def is_earlier(_data: bytes, _reports: Iterable[type[Report]]) -> bool:
    """No: nothing tells it from notes that somebody wrote."""
    return False
