"""``plan``: show what would change, and for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.cli import options, output
from provisioner.cli.app import command
from provisioner.cli.files import PLAN, STANDARD_OUTPUT, write_out
from provisioner.cli.opening import open_session, plan_sources
from provisioner.errors import Blocked

if TYPE_CHECKING:
    from datetime import date

CHANGES_PENDING = 2


@command("plan")
@options.sources
@options.option("--out", metavar="FILE", help="Save the plan, for `apply --plan FILE`.")
@options.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit with 0 for no changes, 2 for changes (1 and 3 as always).",
)
@options.config
@options.target
@options.formats
@options.as_of
@options.guards
@options.only_these
@options.manner
def plan(
    sources: tuple[str, ...],
    out: str | None,
    detailed_exitcode: bool,
    config: str | None,
    target: str | None,
    as_of: date | None,
    **guards: Any,
) -> int:
    """Compare the sources with the target's state and show what would change.

    SOURCE is a file, a folder, or - for standard input; without any, the project file says what to
    read. Nothing is written but what --out names.
    """
    session = open_session(config, target)
    made = plan_sources(session, sources, guards, as_of or options.today())
    if out is not None:
        from provisioner.documents.plan import encode

        write_out(out, encode(made), PLAN, session.project, sources)
    if out != STANDARD_OUTPUT:
        output.show_plan(made)
    if out is not None and made.applyable:
        from provisioner.cli.saved import apply_command, not_bound

        output.note(f"Saved. To apply exactly this: {apply_command(out, made.target.config)}")
        for line in not_bound(made):
            output.note(line)
    if made.blockers:
        return Blocked.exit_code
    return CHANGES_PENDING if detailed_exitcode and not made.is_empty else 0
