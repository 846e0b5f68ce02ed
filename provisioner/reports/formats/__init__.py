"""The table of formats, and which of them suit a report. One module a format, loaded when used.

Imports what a report is, and no report.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from msgspec import Struct

from provisioner.reports import report

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provisioner.reports.report import Report
    from provisioner.reports.text.style import Style


class Renderer(Protocol):
    """What the module of a format has."""

    def render(self, report: Any, style: Style, /) -> str:
        """A report that has the facet, in this format; nobody obeys any of it."""

    def leaving(self, text: str, encoding: str, /) -> str:
        """What was rendered, as it may be written in this encoding: nothing fails or is lost."""

    def is_earlier(self, data: bytes, reports: Iterable[type[Report]], /) -> bool:
        """Whether a file holds an earlier report of one of these types, so that it may go."""


class Format(Struct, frozen=True):
    """One format: the facet that it needs, how its files end, and its module."""

    name: str
    needs: type
    endings: tuple[str, ...] = ()
    module: str | None = None

    def suits(self, kind: type[Report]) -> bool:
        """Whether reports of this type have the facet."""
        return issubclass(kind, self.needs)

    @property
    def renderer(self) -> Renderer:
        """The module, loaded now at the latest."""
        return cast("Renderer", import_module(self.module or f"{__name__}.{self.name}"))


TEXT: Final = Format("text", report.Text, (".txt",))
FORMATS: Final = {
    "text": TEXT,
    "json": Format("json", report.Document, (".json",)),
    "csv": Format("csv", report.Table, (".csv",)),
}


def offered(reports: Sequence[type[Report]]) -> tuple[str, ...]:
    """The formats that suit all of these types of reports; none where there are no reports."""
    every = (name for name, form in FORMATS.items() if all(map(form.suits, reports)))
    return tuple(every) if reports else ()
