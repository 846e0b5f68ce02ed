"""What to cut so that somebody loses a privilege."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioner.reports.explanation import chain_document
from provisioner.reports.report import Document, Report, Text
from provisioner.reports.text.revoke import revocation_text

if TYPE_CHECKING:
    from datetime import date

    from provisioner.engine.access.revoke import Revocation
    from provisioner.reports.text.style import Style


@dataclass(frozen=True, slots=True)
class RevocationReport(Report, Text, Document):
    """The fewest edges to cut; ``head`` and ``origin`` as for an explanation."""

    format: ClassVar = "provisioner-revoke"

    found: Revocation
    head: str
    origin: str
    as_of: date

    def text(self, style: Style) -> str:
        """The edges, and who loses what by it."""
        return f"{self.head}\n{revocation_text(self.found, style)}"

    def content(self) -> dict[str, Any]:
        """The edges to cut as plain data."""
        found = self.found
        return {
            "of": self.origin,
            "as_of": self.as_of.isoformat(),
            "user": found.user,
            "privilege": found.privilege,
            "cuts": [
                {
                    "links": chain_document(cut.links),
                    "others": [{"user": o.user, "lost": list(o.lost)} for o in cut.others],
                }
                for cut in found.cuts
            ],
            "others": [{"user": other.user, "lost": list(other.lost)} for other in found.others],
            "also": list(found.also),
            "compared": found.compared,
            "compared_all": found.compared_all,
        }
