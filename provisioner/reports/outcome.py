"""What an apply or a rollback did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioner.apply.outcome import Outcome
from provisioner.diagnostics import Diagnostic
from provisioner.documents.plan import to_document
from provisioner.errors import Interrupted, OthersChanged
from provisioner.reports.report import Beside, Continued, Document, Findings, Report
from provisioner.reports.text.diagnostics import diagnostic_document
from provisioner.reports.text.outcome import report_lines, write_line
from provisioner.reports.text.plan import plan_text
from provisioner.reports.text.summary import done_line

if TYPE_CHECKING:
    from provisioner.engine.planning.plan import Plan
    from provisioner.reports.text.style import Style


@dataclass(frozen=True, slots=True)
class OutcomeReport(Report, Continued, Document, Findings):
    """How the apply of a plan ended that was shown before.

    Without an ``outcome`` nothing was begun: there was nothing to do, or somebody ``refused``. It
    is an account of a change, so all of it gets through.
    """

    format: ClassVar = "provisioner-apply"

    plan: Plan
    operation: str
    outcome: Outcome | None
    refused: bool = False
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """As the changes ended."""
        outcome = self.outcome
        if outcome is None:
            return int(self.refused)
        if outcome.is_complete and outcome.error is None:
            return 0
        if outcome.interrupted or outcome.error is None:
            return Interrupted.exit_code
        return outcome.error.exit_code

    def essence(self) -> Report:
        """All of it."""
        return self

    def text(self, style: Style) -> str:
        """The plan, and how it ended."""
        return plan_text(self.plan, style) + self.rest(style)

    def rest(self, style: Style) -> str:
        """How it ended."""
        if self.outcome is None:
            return ""
        if self.exit_code == 0:
            text = f"{self.operation.partition(' ')[0].capitalize()} complete: "
            return style.paint(text + done_line(self.plan), "green") + "\n"
        return "".join(f"{line}\n" for line in self._broken_off(self.outcome, style))

    def _broken_off(self, outcome: Outcome, style: Style) -> list[str]:
        groups = {
            "done": outcome.applied,
            "failed": outcome.failed,
            "unknown": outcome.unknown,
            "not tried": outcome.not_tried,
        }
        made, total = len(outcome.applied), sum(map(len, groups.values()))
        command = self.operation.split(maxsplit=1)[0]
        lines = [f"The {command} broke off. {made:,} of {total:,} writes were made."]
        if outcome.is_complete:
            but = "the target could not be told to remember the run"
            if isinstance(outcome.error, OthersChanged):
                but = "something else changed with them, or may have"
            lines = [f"All {total:,} writes were made, but {but}."]
        elif outcome.unknown:
            lines[0] += f" Of {len(outcome.unknown):,} it is not known."
        lines += report_lines(groups, style)
        if not outcome.is_complete:
            lines.append(f"{self._way_on()} to go on: what is done is not repeated.")
        return lines

    def _way_on(self) -> str:
        """A plan from the sources leads forth, and ``last`` would be this run."""
        is_back = self.operation.startswith("rollback ")
        return f"Repeat `provisioner {self.operation}`" if is_back else "Plan again"

    def beside(self) -> Beside:
        """Why it broke off."""
        interrupted = self.outcome is not None and self.outcome.interrupted
        stopped = [Diagnostic("interrupted", "interrupted")] if interrupted else []
        return Beside(errors=(*self.findings(), *stopped))

    def content(self) -> dict[str, Any]:
        """The writes by what became of them."""
        outcome = self.outcome or Outcome()
        return {
            "plan": to_document(self.plan)["digest"],
            "complete": outcome.is_complete and not self.refused,
            "interrupted": outcome.interrupted,
            "applied": [write_line(write) for write in outcome.applied],
            "failed": [write_line(write) for write in outcome.failed],
            "unknown": [write_line(write) for write in outcome.unknown],
            "not_tried": [write_line(write) for write in outcome.not_tried],
            "errors": [diagnostic_document(error) for error in self.findings()],
        }

    def findings(self) -> tuple[Diagnostic, ...]:
        """Why it broke off."""
        error = self.outcome.error if self.outcome else None
        return error.diagnostics if error else ()
