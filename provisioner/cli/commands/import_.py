"""``import``: write the stored roles and assignments as YAML."""

from __future__ import annotations

import shlex
import sys

from provisioner.cli import options, output
from provisioner.cli.app import command
from provisioner.cli.files import SOURCES, write_out
from provisioner.cli.opening import open_session
from provisioner.desired.writer import write_state


@command("import")
@options.option("--out", metavar="FILE", help="Write a new file. Default: standard output.")
@options.config
@options.target
@options.manner
def import_(out: str | None, config: str | None, target: str | None) -> int:
    """Write the target's roles and assignments as sources that plan to no change."""
    session = open_session(config, target)
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
    output.warn(written.warnings)
    if out is None:
        output.result(written.text)
    else:
        write_out(out, written.text.encode(), SOURCES, session.project, ())
        output.note(f"Written. To check: provisioner plan {shlex.quote(out)}")
    return 0
