"""The runs that changed a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioner.documents.codec import plain
from provisioner.reports.report import Beside, Document, Report, Sheet, Table, Text, yes
from provisioner.reports.text.table import table_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.backends.base import HistoryEntry, Run
    from provisioner.reports.text.style import Style
    from provisioner.reports.text.table import Cell

_SHOWN = ("run", "at", "by", "command", "what")
_COLUMNS = ("run", "at", "subject", "by", "command", "summary", "plan", "state_kept", "digest")


@dataclass(frozen=True, slots=True)
class HistoryReport(Report, Text, Document, Table):
    """The runs, oldest first; ``is_kept`` tells whether the target keeps a history at all."""

    format: ClassVar = "provisioner-history"
    headings: ClassVar = (_COLUMNS,)

    runs: tuple[HistoryEntry, ...]
    is_kept: bool = True

    def text(self, style: Style) -> str:
        """The runs as a table; of too many the latest."""
        cells = [_shown(entry) for entry in self.runs]
        return table_text(_SHOWN, cells, style, last=True) if cells else ""

    def beside(self) -> Beside:
        """That there are none, and why."""
        none = "No runs yet." if self.is_kept else "This target keeps no history."
        return Beside() if self.runs else Beside(notes=(none,))

    def content(self) -> dict[str, Any]:
        """The runs as plain data."""
        return {"runs": [_document(entry) for entry in self.runs]}

    def table(self) -> Sheet:
        """A row for each run."""
        return Sheet(_COLUMNS, self._rows())

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for entry in self.runs:
            run = entry.run
            what = (run.by, run.operation, run.summary, run.plan or "") if run else ("",) * 4
            yield (
                *(str(entry.number), run.at if run else "", entry.subject or "", *what),
                *(yes(entry.has_snapshot), entry.digest or ""),
            )


def _shown(entry: HistoryEntry) -> list[Cell]:
    run = entry.run
    what = run.summary if run else "the state before any run"
    if not entry.has_snapshot:
        what += " (state not kept)"
    row = (run.at, (_who(entry.subject, run),), run.operation) if run else ("", "", "")
    return [str(entry.number), *row, what]


def _document(entry: HistoryEntry) -> dict[str, Any]:
    row: dict[str, Any] = plain(entry)
    if row["run"]:
        del row["run"]["until"]
    return row


def _who(subject: str | None, run: Run) -> str:
    return run.by if subject is None else f"{subject} ({run.by})"
