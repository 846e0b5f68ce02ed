"""What is sound and what is not: the installation, the project, the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from provisioner.documents.codec import plain
from provisioner.reports.report import Document, Report, Sheet, Table, Text
from provisioner.reports.text.style import safe, wrapped

if TYPE_CHECKING:
    from provisioner.backends.base import Check
    from provisioner.reports.text.style import Style

_COLORS: Final = {"ok": "green", "warning": "yellow", "error": "red"}
_COLUMNS: Final = ("what", "status", "detail")


@dataclass(frozen=True, slots=True)
class DoctorReport(Report, Text, Document, Table):
    """What was looked at, in the order in which it is needed."""

    format: ClassVar = "provisioner-doctor"
    headings: ClassVar = (_COLUMNS,)

    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """1 where something is in error."""
        return int(any(check.status == "error" for check in self.checks))

    def text(self, style: Style) -> str:
        """A line for each check, or a few."""
        return "".join(f"{line}\n" for check in self.checks for line in _lines(check, style))

    def content(self) -> dict[str, Any]:
        """The checks as plain data."""
        return {"checks": [plain(check) for check in self.checks]}

    def table(self) -> Sheet:
        """A row for each check."""
        return Sheet(_COLUMNS, ((each.what, each.status, each.detail) for each in self.checks))


def _lines(check: Check, style: Style) -> list[str]:
    text, margin = f"{check.what}: {safe(check.detail)}", " " * 9
    first, *rest = wrapped(text, style.width, first=margin, rest=margin)
    status = style.paint(f"{check.status:<7}", _COLORS[check.status])
    return [f"{status}  {first.strip()}", *rest]
