"""Why a command failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioner.reports.report import Document, Findings, FindingsTable, Report, Text
from provisioner.reports.text.diagnostics import Ceiling, diagnostic_document, diagnostic_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.diagnostics import Diagnostic
    from provisioner.reports.text.style import Style


@dataclass(frozen=True, slots=True)
class ErrorReport(Report, Text, Document, Findings):
    """Why a command failed. Of many errors the first are shown in full, the rest counted by id."""

    format: ClassVar = "provisioner-errors"

    errors: tuple[Diagnostic, ...]
    exit_code: int = 1

    def essence(self) -> Report:
        """All of it: nothing else says why."""
        return self

    def text(self, style: Style) -> str:
        """A line for each error and its remedy, and how many there are."""
        ceiling = Ceiling.over(self.errors)
        lines = [line for each in ceiling.shown for line in diagnostic_lines(each, style)]
        lines += filter(None, [ceiling.rest()])
        if len(self.errors) > 1:
            untouched = not any(error.id == "unknown-outcome" for error in self.errors)
            lines.append(
                f"{len(self.errors):,} errors{'; nothing was changed' if untouched else ''}"
            )
        return "".join(f"{line}\n" for line in lines)

    def content(self) -> dict[str, Any]:
        """The errors, and how many more there are."""
        return limited("errors", self.errors)

    def findings(self) -> tuple[Diagnostic, ...]:
        """The errors."""
        return self.errors


class ErrorList(ErrorReport, FindingsTable):
    """The errors of a command whose result is a list of findings too: they have its columns."""

    __slots__ = ()


def error_report(
    errors: Iterable[Diagnostic], exit_code: int, instead_of: tuple[type[Report], ...]
) -> ErrorReport:
    """The report of a command that failed instead of returning one of these."""
    lists = bool(instead_of) and all(issubclass(each, FindingsTable) for each in instead_of)
    return (ErrorList if lists else ErrorReport)(tuple(errors), exit_code)


def limited(key: str, found: tuple[Diagnostic, ...]) -> dict[str, Any]:
    """Findings below a key, up to the ceiling, and what they are more by id: ``more``."""
    ceiling = Ceiling.over(found)
    more = {"more": ceiling.more} if ceiling.more else {}
    return {key: [diagnostic_document(each) for each in ceiling.shown], **more}
