"""The command line: parse options, call, render, exit. Nothing is decided here.

Imports everything but the server, which only the command that starts it does. Nobody imports it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from provisioner import signals
from provisioner.cli import streams

_INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit with its code (docs/running.md lists them)."""
    code = _INTERRUPTED
    try:
        streams.open_standard()
        signals.answer(_interrupt)
        from provisioner.cli.app import run

        code = run(sys.argv[1:])
        streams.settle()
        # All is done and said; what the exit code says shall not change any more.
        signals.answer(signal.SIG_IGN)
    except (KeyboardInterrupt, signals.Stopped):
        pass
    if signals.Stopped.said and threading.active_count() > 1:
        os._exit(code)  # a write that is under way is not waited for
    sys.exit(code)


def _interrupt(*_: object) -> None:
    if signals.Stopped.said:
        os._exit(_INTERRUPTED)
    raise signals.Stopped
