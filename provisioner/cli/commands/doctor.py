"""``doctor``: check the installation, the project and the target."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Final

from provisioner import schemas
from provisioner.backends.base import Check, Examinable
from provisioner.cli import options
from provisioner.cli.declaring import command
from provisioner.documents.codec import plain
from provisioner.engine.phrases import counted
from provisioner.errors import ProvisionerError
from provisioner.opening.session import open_session
from provisioner.reports.doctor import DoctorReport
from provisioner.version import __version__

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sized

    from provisioner.cli.invocation import Invocation
    from provisioner.model import Snapshot
    from provisioner.opening.session import Session

NEW: Final = "not there yet; the first apply makes it"
# What a plan does without a capability of its target; what is not listed has no alternative.
WITHOUT: Final = {
    "atomic": "changes are made object by object: one that breaks off leaves the earlier ones made",
    "assignments": "who holds a role can't be managed",
    "includes": "included roles are spelled out: each role gets all their privileges itself",
    "descriptions": "descriptions stay in the sources",
    "renames": "a rename becomes a new role and a deletion; that of a held role is blocked",
    "protection": "`protected` is not kept: nothing holds up the deletion of such a role",
    "history": "no `history` or `rollback`: to go back, apply the sources as they were, from git",
    "versions": "what changes between a look and a write, a moment later, can be overwritten",
    "whole_roles": "a new role is made empty first, then filled",
    "recording": "what is managed is listed under `adopted:` in the project file",
}


@command("doctor", DoctorReport)
@options.sources
@options.config
@options.target
def doctor(run: Invocation, sources: tuple[str, ...]) -> DoctorReport:
    """Look at everything that a plan and an apply need, and change nothing."""
    return DoctorReport(tuple(_checks(run, sources)))


def _checks(run: Invocation, named: tuple[str, ...]) -> Iterator[Check]:
    yield Check("provisioner", "ok", f"{__version__}, Python {platform.python_version()}")
    yield Check("schemas", "ok" if schemas.names() else "error", ", ".join(schemas.names()))
    try:
        session = open_session(run)
    except ProvisionerError as error:
        yield from _errors("project", error)
        return
    yield Check("project", "ok", str(session.project.file or "no project file; the defaults apply"))
    if session.project.trust is not None:
        yield Check("trust", "ok", f"{session.project.trust.file} lists all that the target names")
    snapshot = yield from _target(session)
    yield from _sources(session, named, snapshot)


def _errors(what: str, error: ProvisionerError) -> Iterator[Check]:
    for found in error.diagnostics:
        place = f"{found.place}: " if found.place else ""
        remedy = f" ({found.remedy})" if found.remedy else ""
        yield Check(what, "error", f"{place}{found.message}{remedy}")


def _sources(
    session: Session, named: tuple[str, ...], snapshot: Snapshot | None
) -> Iterator[Check]:
    """Read the sources as a plan would, or without the panel's catalogue if it can't be had."""
    if not (named or session.project.sources):
        yield Check("sources", "warning", "none listed; name them on the command line")
        return
    catalogue = session.catalogue_for(snapshot)
    try:
        loaded = session.load(named, catalogue, lenient=snapshot is None)
    except ProvisionerError as error:
        yield from _errors("sources", error)
    else:
        desired = loaded.desired
        roles, users = desired.roles or (), desired.users or ()
        found = _counts((desired.files, "file"), (roles, "role"), (users, "user"))
        unseen = "" if catalogue.known else "; privileges unchecked, for no catalogue is known"
        yield Check("sources", "ok", f"{found}{unseen}")


def _target(session: Session) -> Generator[Check, None, Snapshot | None]:
    """Look at the target; return what it holds, if that can be read."""
    if isinstance(session.backend, Examinable):
        for check in session.backend.examine():
            yield check
            if check.status == "error":
                return None
    try:
        description = session.backend.describe()
    except ProvisionerError as error:
        yield from _errors("target", error)
        return None
    yield Check("target", "ok", f"{session.target.name} ({description.identity})")
    can = plain(description.capabilities)
    yield Check(
        "backend", "ok", f"{description.kind}: {', '.join(name for name in can if can[name])}"
    )
    for name, consequence in WITHOUT.items():
        if not can[name]:
            yield Check(f"without {name.replace('_', ' ')}", "ok", consequence)
    try:
        snapshot = session.backend.read()
        runs = session.backend.history()
    except ProvisionerError as error:
        yield from _errors("state", error)
        return None
    state, base = snapshot.state, snapshot.base
    where = f"serial {base.serial}" if base.lineage else NEW if can["recording"] else "read"
    found = _counts((state.roles, "role"), (state.assignments, "user"))
    yield Check("state", "ok", f"{where}, {found}")
    if can["history"]:
        yield Check("history", "ok", counted(max(len(runs) - 1, 0), "run"))
    catalogue = session.catalogue_for(snapshot)
    yield Check(
        "catalogue", "ok", f"{catalogue.name}, {_counts((catalogue.privileges, 'privilege'))}"
    )
    owner = session.backend.owner()
    if owner is not None:
        yield Check(
            "lock", "warning", f"held by {owner.by}, process {owner.pid}, since {owner.since}"
        )
    return snapshot


def _counts(*found: tuple[Sized, str]) -> str:
    return ", ".join(counted(len(things), noun) for things, noun in found)
