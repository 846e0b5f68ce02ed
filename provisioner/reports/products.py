"""What commands make rather than find: files of a new project, sources, schemas, a free lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioner.documents.codec import plain
from provisioner.printable import shown
from provisioner.reports.report import Beside, Document, Findings, Report, Text
from provisioner.reports.text.diagnostics import diagnostic_document

if TYPE_CHECKING:
    from provisioner.backends.base import LockOwner
    from provisioner.diagnostics import Diagnostic
    from provisioner.reports.text.style import Style


@dataclass(frozen=True, slots=True)
class Product(Report, Text):
    """Text in a language of its own, for other programs; empty where it went to a file."""

    product: str = ""
    notes: tuple[str, ...] = ()

    def text(self, style: Style) -> str:
        """The product."""
        return self.product


@dataclass(frozen=True, slots=True)
class InitReport(Report, Text, Document, Findings):
    """The files of a new project that were written, and why there are no more."""

    format: ClassVar = "provisioner-init"

    files: tuple[str, ...]
    errors: tuple[Diagnostic, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 where a file could not be written."""
        return int(bool(self.errors))

    @property
    def notes(self) -> tuple[str, ...]:
        """What to do next."""
        return () if self.errors else ("Next: provisioner plan",)

    def essence(self) -> Report:
        """All of it: it is an account of a change."""
        return self

    def text(self, style: Style) -> str:
        """A line for each file."""
        return "".join(f"Wrote {file}\n" for file in self.files)

    def beside(self) -> Beside:
        """What went wrong."""
        return Beside(errors=self.errors)

    def content(self) -> dict[str, Any]:
        """The files, and what went wrong."""
        errors = [diagnostic_document(error) for error in self.errors]
        return {"files": list(self.files), "errors": errors}

    def findings(self) -> tuple[Diagnostic, ...]:
        """What went wrong."""
        return self.errors


@dataclass(frozen=True, slots=True)
class UnlockReport(Report, Text, Document):
    """Whose lock was removed; None for there was none. ``locks``: whether the target has any."""

    format: ClassVar = "provisioner-unlock"

    owner: LockOwner | None
    locks: bool = True

    def essence(self) -> Report:
        """All of it: it is an account of a change."""
        return self

    def text(self, style: Style) -> str:
        """One line."""
        owner = self.owner
        if owner is None:
            return "There is no lock.\n" if self.locks else "This target has no locks.\n"
        text = f"It was {owner.by}, process {owner.pid}, {owner.operation}, since {owner.since}."
        return f"{shown(f'Unlocked. {text}')}\n"

    def content(self) -> dict[str, Any]:
        """The same as plain data."""
        return {"locks": self.locks, "owner": plain(self.owner) if self.owner else None}
