"""``show``: show a saved plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioner.cli.declaring import command
from provisioner.cli.opening.saved import not_bound, read_plan
from provisioner.reports.plan import PlanReport

if TYPE_CHECKING:
    from provisioner.cli.invocation import Invocation


@command("show", PlanReport)
@click.argument("plan_file", metavar="PLAN")
def show(_: Invocation, plan_file: str) -> PlanReport:
    """Show a saved plan (`plan --out PLAN`; - for standard input) as `plan` showed it.

    What follows from something else in the plan is worked out again. Nothing is asked of the
    target, the project file or the sources: `apply --plan` does that.
    """
    saved = read_plan(plan_file)
    checked = (
        "Checked: that this plan agrees with itself. Not checked: that it still fits the target, "
        "and that the project allows it; `apply --plan` does that first."
    )
    return PlanReport(saved, notes=(checked, *not_bound(saved)))
