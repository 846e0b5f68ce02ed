"""``import``: write the stored roles and assignments as YAML."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from provisioner.cli import options, output
from provisioner.cli.declaring import command
from provisioner.cli.files import SOURCES, write_out
from provisioner.desired.writer import write_state
from provisioner.opening.session import open_session
from provisioner.reports.products import Product

if TYPE_CHECKING:
    from provisioner.cli.invocation import Invocation


@command("import", Product)
@options.out("Write a new file. Default: standard output.")
@options.config
@options.target
def import_(run: Invocation, out: str | None) -> Product:
    """Write the target's roles and assignments as sources that plan to no change."""
    session = open_session(run)
    snapshot = session.backend.read()
    catalogue = session.catalogue_for(snapshot)
    # A new file starts with the catalogue's default roles; what a new panel starts with, who knows?
    written = write_state(
        snapshot.state,
        catalogue,
        session.project.ignore,
        session.project.external,
        session.project.ignore_users,
        ships_defaults=session.target.backend == "file",
        ascii_only=out is None and output.is_ascii_only(sys.stdout),
    )
    run.output.warn(written.warnings)
    if out is None:
        return Product(written.text)
    write_out(out, written.text.encode(), SOURCES, session.project, ())
    source = f"./{out}" if out.startswith("-") else out
    return Product(notes=(f"Written. To check: {run.pasted('plan', source)}",))
