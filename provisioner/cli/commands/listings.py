"""``roles``, ``privileges`` and ``users``: what is there, as a table or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from provisioner.cli import options
from provisioner.cli.declaring import command
from provisioner.cli.files import CATALOGUE, write_out
from provisioner.desired.writer import write_catalogue
from provisioner.diagnostics import Diagnostic
from provisioner.engine.access.effective import access_of, holders
from provisioner.errors import InvalidInput
from provisioner.model import State
from provisioner.opening.session import open_session, tell_if_new
from provisioner.reports.listings import PrivilegesReport, RolesReport, UsersReport
from provisioner.reports.products import Product

if TYPE_CHECKING:
    from provisioner.cli.invocation import Invocation
    from provisioner.model import Privilege
    from provisioner.opening.session import Session
    from provisioner.reports.report import Report

search = options.option(
    "--search", metavar="TEXT", help="Only what contains this text, without regard to case."
)


@command("roles", RolesReport)
@search
@options.config
@options.target
def roles(run: Invocation, search: str | None) -> RolesReport:
    """List the stored roles: what they carry, and how many users hold them."""
    session = open_session(run)
    tell_if_new(session)
    snapshot = session.backend.read()
    catalogue = session.catalogue_for(snapshot)
    access = access_of(snapshot.state)
    counts = holders(access)
    rows = [
        {
            "name": name,
            "description": role.description,
            "privileges": sorted(role.privileges),
            "effective": sorted(access.of_role(name)),
            "includes": sorted(role.includes),
            "holders": counts.get(name, 0),
            "protected": role.protected,
            "default": catalogue.is_default(name),
            "id": role.id,
        }
        for name, role in sorted(snapshot.state.roles.items())
    ]
    return RolesReport(tuple(rows), search)


@command("privileges", PrivilegesReport)
@search
@options.out("Write the panel's catalogue as a new file for `catalogue:`.")
@options.config
@options.target
def privileges(run: Invocation, search: str | None, out: str | None) -> Report:
    """List the privileges of the target's catalogue.

    With --out, what the panel itself tells is written, with its default roles as they are now.
    Declared as `catalogue:`, it lets sources be checked without asking the panel.
    """
    if out is not None and (search is not None or run.files or not run.output.is_text):
        raise click.UsageError("--out goes with neither --search nor --format")
    session = open_session(run)
    if out is not None:
        return _write_catalogue(session, out)
    catalogue = session.catalogue or session.catalogue_for(session.backend.read())
    rows = [_privilege(privilege) for _, privilege in sorted(catalogue.privileges.items())]
    return PrivilegesReport(tuple(rows), search)


def _write_catalogue(session: Session, out: str) -> Product:
    snapshot = session.backend.read()
    catalogue = session.told_catalogue(snapshot)
    if not catalogue.known:
        message = f"target `{session.target.name}` tells no catalogue"
        remedy = "list its privileges in a file of your own: docs/roles.md, Catalogue files"
        raise InvalidInput(Diagnostic("no-catalogue", message, session.target.place, remedy))
    shipped = {role.name: role for role in catalogue.default_roles}
    access = access_of(State(shipped | dict(snapshot.state.roles)))
    carried = {role.name: access.of_role(role.name) for role in catalogue.default_roles}
    text = write_catalogue(catalogue, carried)
    write_out(out, text.encode(), CATALOGUE, session.project, ())
    return Product(notes=(f"Written. To use it: `catalogue: {out}` in the project file.",))


def _privilege(privilege: Privilege) -> dict[str, Any]:
    requires = [
        f"{item.name} (for {item.when})" if item.when else item.name for item in privilege.requires
    ]
    return {
        "name": privilege.name,
        "group": privilege.group,
        "summary": privilege.summary,
        "requires": requires,
        "internal": privilege.internal,
        "sensitive": privilege.sensitive,
    }


@command("users", UsersReport)
@search
@options.config
@options.target
def users(run: Invocation, search: str | None) -> UsersReport:
    """List the users that hold roles, and which."""
    session = open_session(run)
    tell_if_new(session)
    state = session.backend.read().state
    access = access_of(state)
    rows = [
        {
            "user": assignment.user,
            "roles": sorted(assignment.roles),
            "privileges": sorted(access.of_user(login)),
        }
        for login, assignment in sorted(state.assignments.items())
    ]
    return UsersReport(tuple(rows), search)
