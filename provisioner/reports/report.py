"""What a command found, as a value; a format turns it into what is printed or written.

A report offers *facets*, one for each kind of reader: text for people, a document for programs, a
table for spreadsheets, findings with their places for code review and CI. A format needs one of
them, so a command offers exactly the formats whose facet all of its reports have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from provisioner.model import Place
from provisioner.reports.text.style import json_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.diagnostics import Diagnostic
    from provisioner.reports.text.style import Style


@dataclass(frozen=True, slots=True)
class Beside:
    """What is said on standard error beside text: warnings up to a ceiling, errors in full."""

    warnings: tuple[Diagnostic, ...] = ()
    errors: tuple[Diagnostic, ...] = ()
    notes: tuple[str, ...] = ()


class Report:
    """What a command found."""

    __slots__ = ()

    @property
    def exit_code(self) -> int:
        """What the command exits with, whatever the format."""
        return 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What is said beside it in every format, unless ``--quiet``."""
        return ()

    def beside(self) -> Beside:
        """What text leaves to standard error; other formats hold it themselves."""
        return Beside()

    def essence(self) -> Report | None:
        """What goes to the other stream where standard output takes nothing, if anything does."""
        return None


class Text(ABC):
    """The facet for people."""

    __slots__ = ()

    @abstractmethod
    def text(self, style: Style) -> str:
        """The report in lines; what came from outside is escaped as ``text.style`` says."""


class Continued(Text):
    """Text whose beginning is shown before the command ends, since somebody is asked about it."""

    __slots__ = ()

    @abstractmethod
    def rest(self, style: Style) -> str:
        """What comes behind that beginning; ``text`` is both."""


class Document(ABC):
    """The facet for programs: JSON, in an outer form that all results share."""

    __slots__ = ()

    format: ClassVar[str]
    version: ClassVar[int] = 1

    @abstractmethod
    def content(self) -> dict[str, Any]:
        """The document's own fields."""

    def document(self) -> dict[str, Any]:
        """The whole document, valid by the schema that ``RESULTS`` names."""
        return {"format": self.format, "version": self.version, **self.content()}

    def json(self) -> str:
        """The document laid out: keys sorted, two blanks of indentation."""
        return json_text(self.document(), indent=2) + "\n"


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of plain text under their headings."""

    columns: tuple[str, ...]
    rows: Iterable[tuple[str, ...]]


class Table(ABC):
    """The facet for spreadsheets. ``headings`` are all that its sheets may have."""

    __slots__ = ()

    headings: ClassVar[tuple[tuple[str, ...], ...]]

    @abstractmethod
    def table(self) -> Sheet:
        """Return the report as rows; never cut."""


class Findings(ABC):
    """The facet for whoever shows findings at their places."""

    __slots__ = ()

    @abstractmethod
    def findings(self) -> tuple[Diagnostic, ...]:
        """Everything that was found, notes too, in a fixed order; never cut."""


FINDING: Final = ("severity", "id", "file", "line", "column", "message", "remedy")


class FindingsTable(Findings, Table):
    """Findings that are a table as well, a row for each."""

    __slots__ = ()

    headings: ClassVar = (FINDING,)

    def table(self) -> Sheet:
        """Return the findings as rows."""
        return Sheet(FINDING, map(_row, self.findings()))


def _row(found: Diagnostic) -> tuple[str, ...]:
    return (found.severity, found.id, *place_cells(found.place), found.message, found.remedy or "")


def place_cells(place: Place | str | None) -> tuple[str, str, str]:
    """File, line and column; empty where they are not known."""
    if isinstance(place, Place):
        return (place.file, str(place.line), str(place.column))
    return (place or "", "", "")


def yes(is_so: bool) -> str:  # noqa: FBT001 - it is what the cell is about
    """``yes`` or ``no``, as a cell of a sheet."""
    return "yes" if is_so else "no"
