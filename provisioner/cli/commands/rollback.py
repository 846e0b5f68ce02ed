"""``rollback``: the way back to the state after an earlier run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

import click
from msgspec.structs import replace

from provisioner.backends.file import FileBackend
from provisioner.cli import options
from provisioner.cli.applying import (
    ask,
    carry_out,
    not_applied,
    question_about,
    require_approval,
    show,
)
from provisioner.cli.declaring import command
from provisioner.diagnostics import Diagnostic
from provisioner.engine.planning.making import make_plan
from provisioner.engine.planning.way_back import names_in, way_back
from provisioner.engine.rules.in_force import in_new_names
from provisioner.errors import InvalidInput
from provisioner.model import DatedRole, Snapshot
from provisioner.opening.judging import grounds_of
from provisioner.opening.planning import plan_desired
from provisioner.opening.session import open_session
from provisioner.reports.outcome import OutcomeReport
from provisioner.reports.plan import BlockedReport
from provisioner.reports.text.summary import would_change_back

if TYPE_CHECKING:
    from provisioner.backends.base import Backend, Run
    from provisioner.cli.invocation import Invocation
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.settings import Settings
    from provisioner.engine.writes import Write
    from provisioner.model import Base, Catalogue, DesiredState, State
    from provisioner.opening.session import Session
    from provisioner.reports.report import Report

_LAST = "last"


@command("rollback", BlockedReport, OutcomeReport)
@click.argument("number", metavar="RUN")
@options.option(
    "--replace-broken",
    is_flag=True,
    help="The state file itself is damaged: set it aside and go on from the history.",
)
@options.auto_approve
@options.lock_timeout
@options.config
@options.target
@options.guards
def rollback(
    run: Invocation,
    number: str,
    replace_broken: bool,
    auto_approve: bool,
    lock_timeout: float,
    **guards: Any,
) -> Report:
    """Plan the way back to the state after RUN, show it, ask, and apply it.

    RUN is a number that `provisioner history` lists (0: before any run), or `last`, which takes
    the newest run back. Roles and assignments come back, rules do not: the way back is judged by
    the policies in force and by those of the project's sources. It is a run of its own and can be
    taken back like any other.
    """
    session, to = open_session(run), run.output
    backend = _over_broken(session.backend) if replace_broken else session.backend
    snapshot = backend.read()
    after = _number(number, backend)
    then = backend.state_after(after)
    catalogue = session.catalogue_for(snapshot)
    grounds = grounds_of(session, (), guards, snapshot, catalogue)
    sources, unread = _sources(session, catalogue)
    settings = _settings(grounds.settings, sources)
    today = options.today()
    dates = _dates(backend, after, then, snapshot.state, sources)
    names = catalogue.default_names
    way = way_back(then, snapshot.state, settings, dates, today, names)
    declared = sources.rules.get("policies", ()) if sources else ()
    rules = {
        **grounds.on(way.desired).rules,
        "also": tuple(in_new_names(policy, way.renames) for policy in declared),
    }
    rules["former"] = (*rules.get("former", ()), *declared)
    desired = _managed(replace(way.desired, rules=rules), snapshot.state, settings)
    # The rules stay while the roles go back: only by effect do they mean what they mean now.
    settings = replace(settings, judge_former=True)
    made = plan_desired(session, desired, snapshot, settings, today)
    made = replace(made, notes=(*made.notes, *way.left_out, *unread))
    if made.blockers:
        return BlockedReport(made)
    operation = f"rollback {after}"
    if made.is_empty and not replace_broken:
        show(made, to)
        return OutcomeReport(made, operation, None)
    require_approval(to, auto_approve=auto_approve, saved_plans=False)
    show(made, to)
    back = _brought_back(session, made, snapshot, sources, grounds.settings)
    if not auto_approve:
        for line in back:
            to.note(line)
    question = "Replace the damaged state file?" if made.is_empty else question_about(made, to)
    if not auto_approve and not ask(question):
        return not_applied(made, operation)
    ended = carry_out(
        made, backend, to, operation=operation, lock_timeout=lock_timeout, today=made.as_of
    )
    return dataclasses.replace(ended, notes=back) if ended.exit_code == 0 else ended


def _number(run: str, backend: Backend) -> int:
    """The number of the run to go back to.

    Raises:
        InvalidInput: It is no number, and not ``last``; or there is no run to take back.
    """
    if run.isascii() and run.isdigit() and len(run) < 19:
        return int(run)
    if run != _LAST:
        message = f"`{run}` names no run"
        remedy = "write a number that `provisioner history` lists, or `last` for the newest run"
        raise InvalidInput(Diagnostic("no-such-run", message, None, remedy))
    entries = backend.history()
    if len(entries) < 2:
        message = "there is no run to take back"
        raise InvalidInput(Diagnostic("no-such-run", message, None, "see `provisioner history`"))
    return entries[-2].number


def _sources(
    session: Session, catalogue: Catalogue
) -> tuple[DesiredState | None, tuple[Diagnostic, ...]]:
    """What the project's sources say, and a note where there are some that can't be read."""
    if not session.project.sources:
        return None, ()
    try:
        return session.load((), catalogue).desired, ()
    except InvalidInput as error:
        message = (
            "the project's sources can't be read, so only the policies in force judge this: "
            f"{error.diagnostics[0].message}"
        )
        remedy = "`provisioner validate` lists all that is wrong with them"
        return None, (
            Diagnostic("sources-unread", message, error.diagnostics[0].place, remedy, "warning"),
        )


def _settings(settings: Settings, sources: DesiredState | None) -> Settings:
    """Everything goes back, but for what the project or its sources leave alone."""
    if sources is None:
        return replace(settings, manage="all")
    return replace(
        settings,
        manage="all",
        ignore=tuple(dict.fromkeys((*settings.ignore, *sources.ignore))),
        ignore_users=tuple(dict.fromkeys((*settings.ignore_users, *sources.ignore_users))),
    )


def _managed(desired: DesiredState, now: State, settings: Settings) -> DesiredState:
    """What of it is under management: the rest is nobody's to bring back, and stays unmanaged."""
    managed = now.recorded | settings.adopted
    if settings.adopt or not managed:
        return desired
    return replace(
        desired,
        roles=desired.roles if "roles" in managed else None,
        users=desired.users if "users" in managed else None,
    )


def _dates(
    backend: Backend, number: int, then: State, now: State, sources: DesiredState | None
) -> dict[tuple[str, str], DatedRole]:
    """The end dates of the assignments after a run: as recorded, else as the sources have them.

    Under the names that the roles had after that run, whatever they were called when it was said.
    """
    found: dict[tuple[str, str], DatedRole] = {}
    names = {called: name for name, called in names_in(then, now).items()}
    for login, user in ((sources.users if sources else None) or {}).items():
        for dated in user.roles:
            if dated.until:
                name = names.get(dated.role, dated.role)
                found[login, name] = replace(dated, role=name)
    runs = [entry for entry in backend.history() if entry.run and entry.number <= number]
    said = [entry for entry in runs if entry.run and entry.run.until is not None]
    if not said or said[-1].run is None:
        return found
    if said[-1].number != number:
        names = {
            c: name for name, c in names_in(then, backend.state_after(said[-1].number)).items()
        }
    else:
        names = {}
    for end in said[-1].run.until or ():
        key = (end.user.casefold(), names.get(end.role, end.role))
        reason = found[key].reason if key in found else None
        found[key] = DatedRole(key[1], end.until, reason)
    return found


def _brought_back(
    session: Session,
    made: Plan,
    snapshot: Snapshot,
    sources: DesiredState | None,
    settings: Settings,
) -> tuple[str, ...]:
    """What the next plan from the sources would change, once this is applied, line by line."""
    if sources is None:
        return ()
    after = made.passage(snapshot.state).after
    later = replace(snapshot, state=after)
    catalogue = session.catalogue_for(later)
    plan = make_plan(sources, later, settings, made.as_of, session.identity(), catalogue).plan
    return would_change_back(plan)


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
