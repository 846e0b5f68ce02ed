"""What lint found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioner.reports.report import Document, FindingsTable, Report, Text
from provisioner.reports.text.diagnostics import diagnostic_document
from provisioner.reports.text.findings import lint_text

if TYPE_CHECKING:
    from datetime import date

    from provisioner.diagnostics import Diagnostic
    from provisioner.reports.text.style import Style


@dataclass(frozen=True, slots=True)
class LintReport(Report, Text, Document, FindingsTable):
    """Findings that nothing hides, sorted; ``strict`` makes a warning fail the run."""

    format: ClassVar = "provisioner-lint"

    found: tuple[Diagnostic, ...]
    files: tuple[str, ...]
    as_of: date
    strict: bool = False

    @property
    def exit_code(self) -> int:
        """1 where ``strict`` and there is a warning."""
        return int(self.strict and any(each.severity != "note" for each in self.found))

    def text(self, style: Style) -> str:
        """The findings and their number."""
        return lint_text(self.found, self.files, style)

    def content(self) -> dict[str, Any]:
        """The findings as plain data."""
        return {
            "as_of": self.as_of.isoformat(),
            "files": list(self.files),
            "findings": [diagnostic_document(each) for each in self.found],
        }

    def findings(self) -> tuple[Diagnostic, ...]:
        """The findings."""
        return self.found
