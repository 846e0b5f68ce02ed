"""``schema``: print a JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioner import schemas
from provisioner.cli.declaring import command
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput
from provisioner.names import did_you_mean
from provisioner.reports.products import Product
from provisioner.reports.text.style import json_text

if TYPE_CHECKING:
    from provisioner.cli.invocation import Invocation


@command("schema", Product)
@click.argument("name", required=False)
def schema(_: Invocation, name: str | None) -> Product:
    """Print the JSON Schema called NAME; without NAME, list what there is."""
    known = schemas.names()
    if name is None:
        return Product("".join(f"{known_name}\n" for known_name in known))
    if name not in known:
        remedy = did_you_mean(name, known) or f"there are: {', '.join(known)}"
        message = f"there is no schema `{name}`"
        raise InvalidInput(Diagnostic("unknown-schema", message, None, remedy))
    return Product(json_text(schemas.load(name), indent=2) + "\n")
