"""Who effectively holds what, and how it differs from an earlier state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from provisioner.reports.report import Document, Report, Sheet, Table, Text, yes
from provisioner.reports.text.access import access_text, difference_text
from provisioner.reports.text.chains import via_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date

    from provisioner.engine.access.review import Attestation, By, Difference, Row
    from provisioner.reports.text.style import Style

_ATTESTED: Final[dict[By, tuple[str, ...]]] = {
    "user": ("user", "privilege", "sensitive", "via", "place", "until", "reason"),
    "role": ("role", "privilege", "sensitive", "via", "place"),
    "privilege": ("privilege", "sensitive", "user", "via", "place", "until", "reason"),
}
_DIFFERENT: Final[dict[By, tuple[str, ...]]] = {
    "user": ("user", "change", "privilege", "sensitive"),
    "role": ("role", "change", "privilege", "sensitive"),
    "privilege": ("privilege", "sensitive", "change", "user"),
}
_SHOWN: Final = {
    "user": ("roles", "privileges"),
    "role": ("users", "privileges"),
    "privilege": ("roles", "users"),
}


@dataclass(frozen=True, slots=True)
class About:
    """What an answer is about: ``origin`` is ``sources`` or ``current``, ``by`` what rows are."""

    origin: str
    by: By
    as_of: date
    sensitive: frozenset[str]

    def content(self) -> dict[str, Any]:
        """The head of the document."""
        return {
            "of": self.origin,
            "by": self.by,
            "as_of": self.as_of.isoformat(),
            "sensitive": sorted(self.sensitive),
        }

    def grave(self, privilege: str) -> str:
        """Whether a privilege is sensitive, as a cell."""
        return yes(privilege in self.sensitive)


@dataclass(frozen=True, slots=True)
class AccessReport(Report, Text, Document, Table):
    """Who holds what; ``head`` says in which state.

    ``rows`` are for people and programs, ``attested`` the lines of a review, which say why. Both
    take long to work out, so each is asked for by the facet that shows it.
    """

    format: ClassVar = "provisioner-access"
    headings: ClassVar = tuple(_ATTESTED.values())

    about: About
    head: str
    rows: Callable[[], Sequence[Row]]
    attested: Callable[[], Iterable[Attestation]]

    def text(self, style: Style) -> str:
        """Users and roles that have the same are shown together."""
        shown = access_text(self.rows(), self.about.by, self.about.sensitive, style)
        return f"{self.head}\n\n{shown}"

    def content(self) -> dict[str, Any]:
        """The rows as plain data."""
        return {
            **self.about.content(),
            "against": None,
            "rows": [
                {key: list(getattr(row, key)) for key in _SHOWN[self.about.by]} | {"name": row.name}
                for row in self.rows()
            ],
        }

    def table(self) -> Sheet:
        """The attestation sheet: a line for each user (or role) and privilege, and why."""
        columns = _ATTESTED[self.about.by]
        cells = (dict(_attested(line, self.about)) for line in self.attested())
        rows = (tuple(cell[column] for column in columns) for cell in cells)
        return Sheet(columns, sorted(rows) if self.about.by == "privilege" else rows)


def _attested(line: Attestation, about: About) -> Iterator[tuple[str, str]]:
    place = next((link.place for link in line.chain if link.place is not None), None)
    yield "role" if about.by == "role" else "user", line.subject
    yield "privilege", line.privilege
    yield "sensitive", about.grave(line.privilege)
    yield "via", via_words(line.chain, str)
    yield "place", f"{place.file}:{place.line}" if place is not None else ""
    yield "until", line.dated.until.isoformat() if line.dated and line.dated.until else ""
    yield "reason", (line.dated.reason or "") if line.dated else ""


@dataclass(frozen=True, slots=True)
class DifferenceReport(Report, Text, Document, Table):
    """What differs; ``words`` say between what, ``against`` names the earlier state."""

    format: ClassVar = "provisioner-access"
    headings: ClassVar = tuple(_DIFFERENT.values())

    about: About
    against: str
    words: str
    rows: tuple[Difference, ...]

    def text(self, style: Style) -> str:
        """Who gained and lost the same is shown together."""
        return difference_text(self.rows, self.about.by, self.words, style)

    def content(self) -> dict[str, Any]:
        """What differs as plain data."""
        return {
            **self.about.content(),
            "against": self.against,
            "rows": [
                {"name": item.name, "gained": list(item.gained), "lost": list(item.lost)}
                for item in self.rows
            ],
        }

    def table(self) -> Sheet:
        """A line for each privilege that a user (or role) gained or lost."""
        return Sheet(_DIFFERENT[self.about.by], self._cells())

    def _cells(self) -> Iterator[tuple[str, ...]]:
        for item in self.rows:
            for how, names in (("gained", item.gained), ("lost", item.lost)):
                for name in names:
                    if self.about.by == "privilege":
                        yield item.name, self.about.grave(item.name), how, name
                    else:
                        yield item.name, how, name, self.about.grave(name)
