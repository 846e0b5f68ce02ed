"""A format of one module: a line for each finding, with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.model import Place
from provisioner.printable import harmless, shown, spelled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.reports.report import Findings, Report
    from provisioner.reports.text.style import Style


def render(report: Findings, _: Style) -> str:
    return "".join(
        f"* {each.severity} {_at(each.place)} {shown(each.message)}\n" for each in report.findings()
    )


def _at(place: Place | str | None) -> str:
    return f"{place.file}:{place.line}" if isinstance(place, Place) else place or "-"


def leaving(text: str, encoding: str) -> str:
    return spelled(harmless(text), encoding)


def is_earlier(data: bytes, _: Iterable[type[Report]]) -> bool:
    return data.startswith(b"* ")
