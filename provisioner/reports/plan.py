"""A plan: what would change, and for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioner.documents.plan import FORMAT, encode, to_document
from provisioner.errors import Blocked
from provisioner.reports.errors import ErrorReport
from provisioner.reports.report import Document, Findings, Report, Text
from provisioner.reports.text.plan import plan_text

if TYPE_CHECKING:
    from provisioner.diagnostics import Diagnostic
    from provisioner.engine.planning.plan import Plan
    from provisioner.reports.text.style import Style


@dataclass(frozen=True, slots=True)
class PlanReport(Report, Text, Document, Findings):
    """What would change; in JSON it is what ``apply --plan`` takes."""

    format: ClassVar = FORMAT

    plan: Plan
    exit_code: int = 0
    notes: tuple[str, ...] = ()

    def text(self, style: Style) -> str:
        """The plan for people."""
        return plan_text(self.plan, style)

    def content(self) -> dict[str, Any]:
        """The plan, with the name of its format and its digest."""
        return to_document(self.plan)

    def json(self) -> str:
        """The document with a line for each change, user and setting."""
        return encode(self.plan).decode()

    def findings(self) -> tuple[Diagnostic, ...]:
        """What forbids the plan, breaks of policies that do not, and how it was adapted."""
        breaks = (violation.diagnostic() for violation in self.plan.violations)
        return tuple(dict.fromkeys((*self.plan.blockers, *breaks, *self.plan.notes)))


class PlanOnly(PlanReport):
    """The plan as ``--out -`` prints it: as it is saved, in the place of text too."""

    __slots__ = ()

    def text(self, _style: Style) -> str:
        """The JSON document."""
        return self.json()


class BlockedReport(PlanReport):
    """A plan that was to be applied, and must not be.

    What blocks it is an account of the run, and gets through where the plan can't be shown.
    """

    __slots__ = ()

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan, Blocked.exit_code)

    def essence(self) -> Report:
        """What blocks it."""
        return ErrorReport(self.plan.blockers, self.exit_code)
