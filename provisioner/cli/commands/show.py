"""``show``: show a saved plan."""

from __future__ import annotations

import click

from provisioner.cli import options, output
from provisioner.cli.app import command
from provisioner.cli.saved import not_bound, read_plan


@command("show")
@click.argument("plan_file", metavar="PLAN")
@options.formats
@options.manner
def show(plan_file: str) -> int:
    """Show a saved plan (`plan --out PLAN`; - for standard input) as `plan` showed it.

    What follows from something else in the plan is worked out again. Nothing is asked of the
    target, the project file or the sources: `apply --plan` does that.
    """
    saved = read_plan(plan_file)
    output.show_plan(saved)
    output.note(
        "Checked: that this plan agrees with itself. Not checked: that it still fits the target, "
        "and that the project allows it; `apply --plan` does that first."
    )
    for line in not_bound(saved):
        output.note(line)
    return 0
