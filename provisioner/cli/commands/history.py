"""``history`` and ``rollback``: what was changed, and the way back."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, cast

import click

from provisioner.backends.file import FileBackend
from provisioner.cli import options, output
from provisioner.cli.app import command
from provisioner.cli.applying import (
    ask,
    carry_out,
    nothing_to_do,
    question_about,
    require_approval,
    show,
)
from provisioner.cli.session import open_session, plan_desired
from provisioner.diagnostics import Diagnostic
from provisioner.engine.target import is_ignored
from provisioner.errors import Blocked, InvalidInput
from provisioner.model import DatedRole, DesiredRole, DesiredState, DesiredUser
from provisioner.render.table import table_text

if TYPE_CHECKING:
    from provisioner.backends.base import Backend, Run
    from provisioner.engine.writes import Write
    from provisioner.model import Base, Snapshot, State
    from provisioner.render.table import Cell


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
        rows = [asdict(entry) for entry in entries]
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


def _who(subject: str | None, run: Run) -> str:
    return run.by if subject is None else f"{subject} ({run.by})"


@command("rollback")
@click.argument("run", type=click.IntRange(min=0), metavar="RUN")
@options.option(
    "--replace-broken",
    is_flag=True,
    help="The state file itself is damaged: set it aside and go on from the history.",
)
@options.auto_approve
@options.lock_timeout
@options.config
@options.target
@options.formats
@options.guards
@options.manner
def rollback(
    run: int,
    replace_broken: bool,
    auto_approve: bool,
    lock_timeout: float,
    config: str | None,
    target: str | None,
    **guards: Any,
) -> int:
    """Plan the way back to the state after RUN (0: before any run), show it, ask, and apply it.

    `provisioner history` lists the runs. The way back is a run of its own and can be taken back
    like any other.
    """
    require_approval(auto_approve=auto_approve, saved_plans=False)
    session = open_session(config, target)
    backend = _over_broken(session.backend) if replace_broken else session.backend
    snapshot = backend.read()
    settings = replace(session.settings(guards), manage="all")
    desired = _desired(backend.snapshot(run), settings.ignore)
    made = plan_desired(session, desired, snapshot, settings, options.today())
    show(made)
    if made.blockers:
        return Blocked.exit_code
    if made.is_empty and not replace_broken:
        return nothing_to_do(made)
    question = "Replace the damaged state file?" if made.is_empty else question_about(made)
    if not auto_approve and not ask(question):
        output.note("Not applied.")
        return 1
    operation = f"rollback {run}"
    return carry_out(
        made, backend, operation=operation, lock_timeout=lock_timeout, today=made.as_of
    )


def _desired(state: State, ignore: tuple[str, ...]) -> DesiredState:
    """A stored state as a desired one. Roles are told by id, so renames go back as renames."""
    left_alone = {name for name in state.roles if is_ignored(name, ignore)}
    return DesiredState(
        roles={
            name: DesiredRole(role) for name, role in state.roles.items() if name not in left_alone
        },
        users={
            login: DesiredUser(held.user, tuple(map(DatedRole, sorted(held.roles - left_alone))))
            for login, held in state.assignments.items()
        },
    )


def _over_broken(backend: Backend) -> Backend:
    if not isinstance(backend, FileBackend):
        message = f"the backend `{backend.describe().kind}` has no state file that could be damaged"
        raise InvalidInput(Diagnostic("no-state-file", message, None, "leave out --replace-broken"))
    return cast("Backend", _OverBroken(backend))


class _OverBroken:
    """A file backend whose state file is damaged: reads its history, writes over the damage."""

    def __init__(self, backend: FileBackend) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def read(self) -> Snapshot:
        return self._backend.read_newest_snapshot()

    def commit(self, base: Base, writes: tuple[Write, ...], after: State, run: Run) -> Base:
        return self._backend.commit_over_broken(writes, after, run)
