"""``history``: what was changed, when and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli import options
from provisioner.cli.declaring import command
from provisioner.opening.session import open_session
from provisioner.reports.history import HistoryReport

if TYPE_CHECKING:
    from provisioner.cli.invocation import Invocation


@command("history", HistoryReport)
@options.config
@options.target
def history(run: Invocation) -> HistoryReport:
    """List the runs that changed the target, oldest first. Run 0 is the state before any.

    Where the target knows who asks, that login stands first; in brackets, user and machine as the
    client told them.
    """
    backend = open_session(run).backend
    return HistoryReport(tuple(backend.history()), backend.describe().capabilities.history)
