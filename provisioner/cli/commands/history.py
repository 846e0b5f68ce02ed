"""``history``: what was changed, when and by whom."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from provisioner.cli import options, output
from provisioner.cli.app import command
from provisioner.cli.opening import open_session
from provisioner.documents.codec import plain
from provisioner.reports.text.table import table_text

if TYPE_CHECKING:
    from provisioner.backends.base import HistoryEntry, Run
    from provisioner.reports.text.table import Cell


@command("history")
@options.config
@options.target
@options.formats
@options.manner
def history(config: str | None, target: str | None) -> int:
    """List the runs that changed the target, oldest first. Run 0 is the state before any.

    Where the target knows who asks, that login stands first; in brackets, user and machine as the
    client told them.
    """
    backend = open_session(config, target).backend
    entries = backend.history()
    if output.wants_json():
        rows = [_row(entry) for entry in entries]
        output.result_json({"format": "provisioner-history", "version": 1, "runs": rows})
        return 0
    cells: list[list[Cell]] = []
    for entry in entries:
        run = entry.run
        what = run.summary if run else "the state before any run"
        if not entry.has_snapshot:
            what += " (state not kept)"
        row = (run.at, (_who(entry.subject, run),), run.operation) if run else ("", "", "")
        cells.append([str(entry.number), *row, what])
    if cells:
        columns = ("run", "at", "by", "command", "what")
        output.result(table_text(columns, cells, output.style_of(sys.stdout), last=True))
    elif backend.describe().capabilities.history:
        output.note("No runs yet.")
    else:
        output.note("This target keeps no history.")
    return 0


def _row(entry: HistoryEntry) -> dict[str, Any]:
    row: dict[str, Any] = plain(entry)
    if row["run"]:
        del row["run"]["until"]
    return row


def _who(subject: str | None, run: Run) -> str:
    return run.by if subject is None else f"{subject} ({run.by})"
