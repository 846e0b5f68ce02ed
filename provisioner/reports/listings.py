"""What is there: roles, privileges and users."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioner.reports.report import Beside, Document, Report, Sheet, Table, Text, yes
from provisioner.reports.text.table import table_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioner.reports.text.style import Style
    from provisioner.reports.text.table import Cell

    Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listing(Report, Text, Document, Table):
    """Rows that have the same keys; with ``search``, those of them that contain a text.

    ``kind`` names them, ``shown`` are the columns of the table for people, ``columns`` those of
    the sheet. A list in a cell of a sheet has its items in a row, with commas between.
    """

    kind: ClassVar[str]
    shown: ClassVar[tuple[str, ...]]
    columns: ClassVar[tuple[str, ...]]

    rows: tuple[Row, ...]
    search: str | None = None

    def found(self) -> tuple[Row, ...]:
        """The rows that contain the text, or all; without regard to case."""
        if self.search is None:
            return self.rows
        wanted = self.search.casefold()
        return tuple(row for row in self.rows if wanted in "\n".join(self.texts(row)).casefold())

    def texts(self, row: Row) -> Iterator[str]:
        """Everything of a row that is text, in which is searched."""
        for value in row.values():
            if isinstance(value, str):
                yield value
            elif isinstance(value, list):
                yield from value

    @abstractmethod
    def cell(self, row: Row, column: str) -> Cell:
        """What a column shows of a row."""

    def text(self, style: Style) -> str:
        """The rows as a table; nothing where there are none."""
        rows = self.found()
        first, *others = self.shown
        cells = [[(row[first],), *(self.cell(row, key) for key in others)] for row in rows]
        return table_text(self.shown, cells, style) if cells else ""

    def beside(self) -> Beside:
        """That there are none."""
        if self.found():
            return Beside()
        contain = "" if self.search is None else f" contain `{self.search}`"
        return Beside(notes=(f"No {self.kind}{contain}.",))

    def content(self) -> dict[str, Any]:
        """The rows as they are."""
        return {self.kind: [dict(row) for row in self.found()]}

    def table(self) -> Sheet:
        """A row of the sheet for each."""
        rows = (tuple(_flat(row[key]) for key in self.columns) for row in self.found())
        return Sheet(self.columns, rows)


class RolesReport(Listing):
    """The stored roles."""

    __slots__ = ()

    format: ClassVar = "provisioner-roles"
    kind: ClassVar = "roles"
    shown: ClassVar = ("name", "privileges", "holders", "includes", "description")
    columns: ClassVar = (
        *("name", "description", "privileges", "effective", "includes"),
        *("holders", "protected", "default", "id"),
    )
    headings: ClassVar = (columns,)

    def cell(self, row: Row, column: str) -> Cell:
        """Of privileges, how many are carried, over all includes."""
        return str(len(row["effective"])) if column == "privileges" else _cell(row[column])


class PrivilegesReport(Listing):
    """The privileges of a catalogue."""

    __slots__ = ()

    format: ClassVar = "provisioner-privileges"
    kind: ClassVar = "privileges"
    shown: ClassVar = ("name", "summary")
    columns: ClassVar = ("name", "group", "summary", "requires", "internal", "sensitive")
    headings: ClassVar = (columns,)

    def texts(self, row: Row) -> Iterator[str]:
        """What is shown of the summary, too."""
        yield from Listing.texts(self, row)
        yield str(self.cell(row, "summary"))

    def cell(self, row: Row, column: str) -> Cell:
        """The summary, and what else is worth knowing before a privilege is granted."""
        if column != "summary":
            return _cell(row[column])
        needs = f"; needs {', '.join(row['requires'])}" if row["requires"] else ""
        internal = " (internal: never granted)" if row["internal"] else ""
        return f"{row['summary']}{needs}{internal}"


class UsersReport(Listing):
    """The users that hold roles."""

    __slots__ = ()

    format: ClassVar = "provisioner-users"
    kind: ClassVar = "users"
    shown: ClassVar = ("user", "privileges", "roles")
    columns: ClassVar = ("user", "roles", "privileges")
    headings: ClassVar = (columns,)

    def cell(self, row: Row, column: str) -> Cell:
        """Of privileges, how many."""
        return str(len(row["privileges"])) if column == "privileges" else _cell(row[column])


def _cell(value: object) -> Cell:
    match value:
        case None:
            return ""
        case list():
            return tuple(map(str, value))
        case _:
            return str(value)


def _flat(value: object) -> str:
    match value:
        case bool():
            return yes(value)
        case list():
            return ", ".join(map(str, value))
        case _:
            return "" if value is None else str(value)
