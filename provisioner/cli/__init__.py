"""The command line: parse options, call, render, exit. Nothing is decided here."""

from __future__ import annotations

import sys

from provisioner import signals
from provisioner.cli import streams


def main() -> None:
    """Run the command line and exit with its code (docs/running.md lists them)."""
    code = 130
    try:
        streams.open_standard()
        signals.answer(_interrupt)
        from provisioner.cli.app import run

        code = run(sys.argv[1:])
        streams.settle()
    except (KeyboardInterrupt, signals.Stopped):
        # Before anything had begun, or while it was said that it had been interrupted.
        pass
    sys.exit(code)


def _interrupt(*_: object) -> None:
    raise signals.Stopped
