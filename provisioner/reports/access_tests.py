"""How the access tests of the sources ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioner.reports.report import (
    Document,
    Findings,
    Report,
    Sheet,
    Table,
    Text,
    place_cells,
    yes,
)
from provisioner.reports.text.diagnostics import diagnostic_document
from provisioner.reports.text.findings import access_tests_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from provisioner.diagnostics import Diagnostic
    from provisioner.engine.rules.access_tests import TestResult
    from provisioner.reports.text.style import Style

_COLUMNS = ("test", "file", "line", "passed", "id", "message", "remedy")


@dataclass(frozen=True, slots=True)
class AccessTestsReport(Report, Text, Document, Table, Findings):
    """Each test and its failures; ``head`` and ``origin`` as for an explanation."""

    format: ClassVar = "provisioner-test"
    headings: ClassVar = (_COLUMNS,)

    results: tuple[TestResult, ...]
    head: str
    origin: str
    as_of: date

    @property
    def exit_code(self) -> int:
        """1 where a test failed."""
        return int(any(result.failures for result in self.results))

    def text(self, style: Style) -> str:
        """The failures, and how many tests there were; or each test."""
        return f"{self.head}\n{access_tests_text(self.results, style)}"

    def content(self) -> dict[str, Any]:
        """The results as plain data."""
        failed = sum(bool(result.failures) for result in self.results)
        return {
            "of": self.origin,
            "as_of": self.as_of.isoformat(),
            "passed": len(self.results) - failed,
            "failed": failed,
            "tests": [_test(result) for result in self.results],
        }

    def table(self) -> Sheet:
        """A row for each failure, and for each test without any."""
        return Sheet(_COLUMNS, self._rows())

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for result in self.results:
            file, line, _ = place_cells(result.place)
            start = (result.title, file, line, yes(not result.failures))
            for failure in result.failures:
                yield (*start, failure.id, failure.message, failure.remedy or "")
            if not result.failures:
                yield (*start, "", "", "")

    def findings(self) -> tuple[Diagnostic, ...]:
        """The failures."""
        return tuple(failure for result in self.results for failure in result.failures)


def _test(result: TestResult) -> dict[str, Any]:
    place = result.place
    return {
        "test": result.title,
        "place": place and {"file": place.file, "line": place.line, "column": place.column},
        "passed": not result.failures,
        "failures": [diagnostic_document(failure) for failure in result.failures],
    }
