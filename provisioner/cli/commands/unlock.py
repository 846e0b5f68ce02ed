"""``unlock``: remove a lock that a dead run left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli import options
from provisioner.cli.declaring import command
from provisioner.opening.session import open_session
from provisioner.reports.products import UnlockReport

if TYPE_CHECKING:
    from provisioner.cli.invocation import Invocation


@command("unlock", UnlockReport)
@options.option("--force", is_flag=True, help="Remove the lock of a living run as well.")
@options.config
@options.target
def unlock(run: Invocation, force: bool) -> UnlockReport:
    """Remove the target's lock, and say whose it was.

    The lock of a run that is still alive is left alone (exit code 4), unless --force. Even then
    nothing is overwritten: a run whose state has moved on stops with a conflict.
    """
    backend = open_session(run).backend
    owner = backend.unlock(force=force)
    return UnlockReport(owner, locks=owner is not None or backend.describe().locks)
