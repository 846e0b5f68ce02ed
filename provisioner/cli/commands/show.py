"""``show``: show a saved plan."""

from __future__ import annotations

import click

from provisioner.cli import options, output
from provisioner.cli.app import command
from provisioner.desired.files import read_bytes
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput
from provisioner.planfile import decode


@command("show")
@click.argument("plan_file", metavar="PLAN")
@options.formats
@options.manner
def show(plan_file: str) -> int:
    """Show a saved plan (`plan --out PLAN`; - for standard input) as `plan` showed it.

    The plan is checked against its own digest, not against the target.
    """
    data = read_bytes(plan_file, streams=True)
    if isinstance(data, Diagnostic):
        raise InvalidInput(data)
    output.show_plan(decode(data, plan_file))
    return 0
