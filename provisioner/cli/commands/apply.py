"""``apply``: make the changes, from sources or a saved plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from provisioner.cli import options
from provisioner.cli.applying import (
    ask,
    carry_out,
    not_applied,
    question_about,
    require_approval,
    show,
)
from provisioner.cli.declaring import command
from provisioner.cli.opening.saved import open_for, read_plan, tell_what_moved
from provisioner.desired.files import STANDARD_INPUT
from provisioner.diagnostics import Diagnostic
from provisioner.errors import Blocked, InvalidInput
from provisioner.opening.judge import judge_of
from provisioner.opening.planning import plan_sources
from provisioner.opening.session import open_session
from provisioner.reports.outcome import OutcomeReport
from provisioner.reports.plan import BlockedReport

if TYPE_CHECKING:
    from datetime import date

    from provisioner.cli.invocation import Invocation
    from provisioner.reports.report import Report

# What a plan leaves open: where the project is, how to reach its target, how to talk.
_WITH_A_PLAN: Final = frozenset(
    (
        *("plan_file", "auto_approve", "lock_timeout", "config", "target"),
        *("insecure_http", "trust"),
        *("format", "no_color", "verbose", "quiet"),
    )
)


@command("apply", BlockedReport, OutcomeReport)
@options.sources
@options.option("--plan", "plan_file", metavar="FILE", help="Apply this saved plan; does not ask.")
@options.auto_approve
@options.lock_timeout
@options.config
@options.target
@options.as_of
@options.guards
@options.only_these
def apply(
    run: Invocation,
    sources: tuple[str, ...],
    plan_file: str | None,
    auto_approve: bool,
    lock_timeout: float,
    as_of: date | None,
    **guards: Any,
) -> Report:
    """Bring the target to what the sources say, after showing the plan and asking.

    With --plan, apply exactly what was planned, or nothing: a plan that no longer fits the target,
    or that was applied already, is refused (exit code 4). The project that is found here judges it
    again; only the target comes from the plan.
    """
    if plan_file is not None:
        _require_no_options(run)
        return _apply_saved(run, plan_file, lock_timeout)
    if STANDARD_INPUT in sources and not auto_approve:
        remedy = "repeat with --auto-approve"
        why = "standard input can't be both a source and the answer"
        raise InvalidInput(Diagnostic("no-approval", why, None, remedy))
    session, to = open_session(run), run.output
    made = plan_sources(session, sources, guards, as_of or options.today())
    if made.blockers:
        return BlockedReport(made)
    if made.applyable:
        require_approval(to, auto_approve=auto_approve)
    show(made, to)
    if made.is_empty:
        return OutcomeReport(made, "apply", None)
    if not auto_approve and not ask(question_about(made, to)):
        return not_applied(made, "apply")
    return carry_out(
        made, session.backend, to, operation="apply", lock_timeout=lock_timeout, today=made.as_of
    )


def _require_no_options(run: Invocation) -> None:
    """Refuse what the plan fixes already; a variable that says it is left aside."""
    given = [spelled for name, spelled in run.given.items() if name not in _WITH_A_PLAN]
    if given:
        raise click.UsageError(
            f"{', '.join(given)} can't go with --plan, which fixes it already: plan again with it"
        )


def _apply_saved(run: Invocation, plan_file: str, lock_timeout: float) -> Report:
    saved = read_plan(plan_file)
    if saved.blockers:
        raise Blocked(saved.blockers)
    session = open_for(run, saved, plan_file)
    show(saved, run.output)
    if saved.is_empty:
        return OutcomeReport(saved, "apply", None)
    snapshot = session.backend.read()
    judge = judge_of(saved, session, snapshot, options.today())
    tell_what_moved(saved, session, snapshot, judge)
    return carry_out(
        saved,
        session.backend,
        run.output,
        operation="apply",
        lock_timeout=lock_timeout,
        today=judge.today,
        judge=judge,
    )
