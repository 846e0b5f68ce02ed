"""Sources that are valid, and what is to be said of them all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioner.engine.phrases import counted
from provisioner.reports.errors import limited
from provisioner.reports.report import Beside, Document, FindingsTable, Report, Text

if TYPE_CHECKING:
    from provisioner.diagnostics import Diagnostic
    from provisioner.reports.text.style import Style


@dataclass(frozen=True, slots=True)
class ValidationReport(Report, Text, Document, FindingsTable):
    """What was read, and warnings. Errors are an ``ErrorReport`` instead."""

    format: ClassVar = "provisioner-validation"

    files: tuple[str, ...]
    roles: int
    users: int
    warnings: tuple[Diagnostic, ...]

    def text(self, style: Style) -> str:
        """One line; warnings stand beside it."""
        numbers = {"file": len(self.files), "role": self.roles, "user": self.users}
        return f"Valid: {', '.join(counted(n, what) for what, n in numbers.items())}.\n"

    def beside(self) -> Beside:
        """The warnings."""
        return Beside(self.warnings)

    def content(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "valid": True,
            "files": list(self.files),
            "roles": self.roles,
            "users": self.users,
            **limited("warnings", self.warnings),
        }

    def findings(self) -> tuple[Diagnostic, ...]:
        """The warnings."""
        return self.warnings
