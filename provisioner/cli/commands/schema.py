"""``schema``: print a JSON Schema."""

from __future__ import annotations

import click

from provisioner import schemas
from provisioner.cli import options, output
from provisioner.cli.app import command
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput
from provisioner.names import did_you_mean


@command("schema")
@click.argument("name", required=False)
@options.manner
def schema(name: str | None) -> int:
    """Print the JSON Schema called NAME; without NAME, list what there is."""
    known = schemas.names()
    if name is None:
        output.result("".join(f"{known_name}\n" for known_name in known))
        return 0
    if name not in known:
        remedy = did_you_mean(name, known) or f"there are: {', '.join(known)}"
        message = f"there is no schema `{name}`"
        raise InvalidInput(Diagnostic("unknown-schema", message, None, remedy))
    output.result_json(schemas.load(name))
    return 0
