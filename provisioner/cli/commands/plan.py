"""``plan``: show what would change, and for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.cli import options
from provisioner.cli.declaring import command
from provisioner.cli.files import PLAN, STANDARD_OUTPUT, write_out
from provisioner.errors import Blocked
from provisioner.opening.planning import plan_sources
from provisioner.opening.session import open_session
from provisioner.reports.plan import PlanOnly, PlanReport

if TYPE_CHECKING:
    from datetime import date

    from provisioner.cli.invocation import Invocation

CHANGES_PENDING = 2


@command("plan", PlanReport)
@options.sources
@options.out("Save the plan, for `apply --plan FILE`.")
@options.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit with 0 for no changes, 2 for changes (1 and 3 as always).",
)
@options.config
@options.target
@options.as_of
@options.guards
@options.only_these
def plan(
    run: Invocation,
    sources: tuple[str, ...],
    out: str | None,
    detailed_exitcode: bool,
    as_of: date | None,
    **guards: Any,
) -> PlanReport:
    """Compare the sources with the target's state and show what would change.

    SOURCE is a file, a folder, or - for standard input; without any, the project file says what to
    read. Nothing is written but what --out names.
    """
    session = open_session(run)
    made = plan_sources(session, sources, guards, as_of or options.today())
    if out is not None and out != STANDARD_OUTPUT:
        write_out(out, PlanReport(made).json().encode(), PLAN, session.project, sources)
    notes: tuple[str, ...] = ()
    if out is not None and made.applyable:
        from provisioner.cli.opening.saved import apply_command, not_bound

        command_line = apply_command(run, out, made.target.config)
        notes = (f"Saved. To apply exactly this: {command_line}", *not_bound(made))
    pending = CHANGES_PENDING if detailed_exitcode and not made.is_empty else 0
    code = Blocked.exit_code if made.blockers else pending
    return (PlanOnly if out == STANDARD_OUTPUT else PlanReport)(made, code, notes)
