"""``roles``, ``privileges`` and ``users``: what is there, as a table or JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from provisioner.cli import options, output
from provisioner.cli.app import command
from provisioner.cli.files import CATALOGUE, write_out
from provisioner.cli.opening import open_session, tell_if_new
from provisioner.desired.writer import write_catalogue
from provisioner.diagnostics import Diagnostic
from provisioner.engine.access.effective import access_of, holders
from provisioner.errors import InvalidInput
from provisioner.model import State
from provisioner.reports.text.table import table_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioner.cli.opening import Session
    from provisioner.model import Privilege
    from provisioner.reports.text.table import Cell

search = options.option(
    "--search", metavar="TEXT", help="Only what contains this text, without regard to case."
)


def _show(kind: str, columns: Sequence[str], rows: list[dict[str, Any]], text: str | None) -> int:
    """Print the rows that contain the text; ``columns`` are the keys that the table shows."""
    if text is not None:
        rows = [row for row in rows if text.casefold() in _searched(row)]
    if output.wants_json():
        output.result_json({"format": f"provisioner-{kind}", "version": 1, kind: rows})
    elif rows:
        style = output.style_of(sys.stdout)
        cells = [[(row[columns[0]],), *(_cell(row[c]) for c in columns[1:])] for row in rows]
        output.result(table_text(columns, cells, style))
    else:
        output.note(f"No {kind}." if text is None else f"No {kind} contain `{text}`.")
    return 0


def _searched(row: dict[str, Any]) -> str:
    texts = [value for value in row.values() if isinstance(value, str)]
    texts += [item for value in row.values() if isinstance(value, list) for item in value]
    return "\n".join(texts).casefold()


def _cell(value: object) -> Cell:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else ""
        case list():
            return tuple(map(str, value))
        case _:
            return str(value)


@command("roles")
@search
@options.config
@options.target
@options.formats
@options.manner
def roles(search: str | None, config: str | None, target: str | None) -> int:
    """List the stored roles: what they carry, and how many users hold them."""
    session = open_session(config, target)
    tell_if_new(session)
    snapshot = session.backend.read()
    catalogue = session.catalogue_for(snapshot)
    access = access_of(snapshot.state)
    counts = holders(access)
    rows = []
    for name, role in sorted(snapshot.state.roles.items()):
        effective = sorted(access.of_role(name))
        rows.append(
            {
                "name": name,
                "description": role.description,
                "privileges": sorted(role.privileges) if output.wants_json() else len(effective),
                "effective": effective,
                "includes": sorted(role.includes),
                "holders": counts.get(name, 0),
                "protected": role.protected,
                "default": catalogue.is_default(name),
                "id": role.id,
            }
        )
    columns = ("name", "privileges", "holders", "includes", "description")
    return _show("roles", columns, rows, search)


@command("privileges")
@search
@options.option(
    "--out", metavar="FILE", help="Write the panel's catalogue as a new file for `catalogue:`."
)
@options.config
@options.target
@options.formats
@options.manner
def privileges(search: str | None, out: str | None, config: str | None, target: str | None) -> int:
    """List the privileges of the target's catalogue.

    With --out, what the panel itself tells is written, with its default roles as they are now.
    Declared as `catalogue:`, it lets sources be checked without asking the panel.
    """
    if out is not None and (search is not None or output.wants_json()):
        click.get_current_context().fail("--out goes with neither --search nor --format")
    session = open_session(config, target)
    if out is not None:
        return _write_catalogue(session, out)
    catalogue = session.catalogue or session.catalogue_for(session.backend.read())
    rows = [_privilege(privilege) for _, privilege in sorted(catalogue.privileges.items())]
    return _show("privileges", ("name", "summary"), rows, search)


def _write_catalogue(session: Session, out: str) -> int:
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
    output.note(f"Written. To use it: `catalogue: {out}` in the project file.")
    return 0


def _privilege(privilege: Privilege) -> dict[str, Any]:
    requires = [
        f"{item.name} (for {item.when})" if item.when else item.name for item in privilege.requires
    ]
    summary = privilege.summary
    if not output.wants_json():
        summary += f"; needs {', '.join(requires)}" if requires else ""
        summary += " (internal: never granted)" if privilege.internal else ""
    return {
        "name": privilege.name,
        "group": privilege.group,
        "summary": summary,
        "requires": requires,
        "internal": privilege.internal,
        "sensitive": privilege.sensitive,
    }


@command("users")
@search
@options.config
@options.target
@options.formats
@options.manner
def users(search: str | None, config: str | None, target: str | None) -> int:
    """List the users that hold roles, and which."""
    session = open_session(config, target)
    tell_if_new(session)
    state = session.backend.read().state
    access = access_of(state)
    rows = [
        {
            "user": assignment.user,
            "roles": sorted(assignment.roles),
            "privileges": sorted(access.of_user(login))
            if output.wants_json()
            else len(access.of_user(login)),
        }
        for login, assignment in sorted(state.assignments.items())
    ]
    return _show("users", ("user", "privileges", "roles"), rows, search)
