"""The command line: parse options, call, render, exit. Nothing is decided here."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code (docs/design.md lists them)."""
    from provisioner.cli.app import run

    sys.exit(run(sys.argv[1:]))
