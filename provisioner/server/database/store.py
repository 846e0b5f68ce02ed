"""The panel in the database: reading its newest version, and writing the next one.

A version that this process has read or written is kept, and used again for as long as the
database's mark says that it is still the newest. Writing the next one touches only the rows of
objects that differ.
"""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from sys import intern
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from msgspec.structs import replace

from provisioner import strict_json
from provisioner.backends.committed_state import with_initial_ids
from provisioner.diagnostics import Diagnostic
from provisioner.documents import codec
from provisioner.documents.gateway.shapes import valid
from provisioner.engine.writes import Working
from provisioner.errors import InvalidInput
from provisioner.model import Assignment, Role, State
from provisioner.server.database import tables as t
from provisioner.server.panel.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provisioner.model import Catalogue
    from provisioner.server.panel.editing import Editing

SANDBOX: Final = "sandbox"
Row = dict[str, Any]


class Store:
    """One panel in one database, as one process sees it."""

    def __init__(self) -> None:
        self._newest: Version | None = None
        self._loading = threading.Lock()
        self._working: tuple[str, Working] | None = None

    def seed(self, connection: sa.Connection, panel: str | None, catalogue: Catalogue) -> bool:
        """Make the panel with its default roles, unless there is one; return whether it did.

        Raises:
            InvalidInput: The database holds another panel.
        """
        found = connection.execute(sa.select(t.PANEL.c.id)).scalar_one_or_none()
        if found is not None:
            if panel not in {None, found}:
                what = f"the database holds the panel `{found}`, not `{panel}`"
                remedy = f"use --panel {found}, or another --database"
                raise InvalidInput(Diagnostic("other-panel", what, None, remedy))
            return False
        first = {
            "one": 1,
            "id": panel or SANDBOX,
            "lineage": str(uuid.uuid4()),
            "serial": 0,
            "mark": uuid.uuid4().hex,
            "recorded": "[]",
            "policies": "[]",
        }
        connection.execute(sa.insert(t.PANEL), first)
        defaults = with_initial_ids(
            State({role.name: _with_sound_id(role) for role in catalogue.default_roles})
        )
        if defaults.roles:
            roles = defaults.roles.values()
            rows = [{**_role_row(role), "is_default": True} for role in roles]
            connection.execute(sa.insert(t.ROLES), rows)
        return True

    def current(self, connection: sa.Connection, *, lock: bool = False) -> Version:
        """Return the newest version; with ``lock``, keep others from writing the next one."""
        query = sa.select(t.PANEL)
        panel = connection.execute(query.with_for_update() if lock else query).one()
        newest = self._newest
        if newest is not None and newest.mark == panel.mark:
            return newest
        with self._loading:
            newest = self._newest
            if newest is None or newest.mark != panel.mark:
                newest = _load(connection, panel)
                self.remember(newest)
            return newest

    def remember(self, version: Version) -> None:
        """Keep a version that is committed."""
        self._newest = version

    def take_working(self, version: Version) -> Working:
        """Return a state to be changed, at that version. Only who holds the lock may ask.

        Its indexes are worth keeping from write to write: making them costs more than the write.
        """
        kept, self._working = self._working, None
        return kept[1] if kept and kept[0] == version.mark else Working(version.state)

    def return_working(self, version: Version, working: Working) -> None:
        """Give it back, at that version, for the next one who asks."""
        self._working = (version.mark, working)

    def save(
        self, connection: sa.Connection, before: Version, edited: Editing, state: State
    ) -> Version:
        """Write what was edited, and return the next version. The lock is held."""
        after = replace(
            before,
            serial=before.serial + 1,
            mark=uuid.uuid4().hex,
            state=state,
            names=edited.names,
        )
        _save_objects(connection, before, after, edited)
        recording = {
            "recorded": codec.line(sorted(state.recorded)),
            "policies": codec.line(state.policies),
        }
        version = {"serial": after.serial, "mark": after.mark}
        connection.execute(sa.update(t.PANEL).values(**version, **recording))
        return after


def _load(connection: sa.Connection, panel: Any) -> Version:
    names: dict[str, str] = {}
    roles: dict[str, Role] = {}
    defaults = []
    rows = connection.execute(sa.select(t.ROLES)).all()
    names = {row.id: row.name for row in rows}
    includes = _grouped(connection.execute(sa.select(t.INCLUDES)), names)
    held = _grouped(connection.execute(sa.select(t.ASSIGNMENTS)), names)
    for row in rows:
        # Interned: the same few hundred names fill thousands of roles.
        privileges = frozenset(map(intern, strict_json.parse(row.privileges)))
        included = frozenset(includes.get(row.id, ()))
        roles[row.name] = Role(
            row.name, row.description, privileges, included, row.protected, row.id
        )
        if row.is_default:
            defaults.append(row.id)
    users = {
        row.key: Assignment(row.login, frozenset(held[row.key]))
        for row in connection.execute(sa.select(t.USERS))
    }
    recorded = frozenset(strict_json.parse(panel.recorded))
    state = State(roles, users, recorded, tuple(strict_json.parse(panel.policies)))
    return Version(
        panel.id, panel.lineage, panel.serial, panel.mark, state, names, frozenset(defaults)
    )


def _grouped(rows: Iterable[Any], names: Mapping[str, str]) -> dict[str, list[str]]:
    """The names of the roles that each first column's object refers to."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for owner, role_id in rows:
        found[owner].append(names[role_id])
    return found


def _save_objects(
    connection: sa.Connection, before: Version, after: Version, edited: Editing
) -> None:
    """What refers goes before what it refers to is deleted, and comes after it is made."""
    changed = [version.includes(edited.roles) for version in (before, after)]
    old_includes, new_includes = _difference(*changed)
    changed = [version.assignments(edited.users) for version in (before, after)]
    old_assignments, new_assignments = _difference(*changed)
    old, new = before.state.assignments, after.state.assignments
    _delete(connection, t.INCLUDES, ("role_id", "included_id"), old_includes)
    _delete(connection, t.ASSIGNMENTS, ("user_key", "role_id"), old_assignments)
    gone = [(key,) for key in sorted(edited.users) if key in old and key not in new]
    _delete(connection, t.USERS, ("key",), gone)
    _save_roles(connection, before, after, sorted(edited.roles))
    _insert(connection, t.INCLUDES, ("role_id", "included_id"), new_includes)
    come = [(key, new[key].user) for key in sorted(edited.users) if key in new and key not in old]
    _insert(connection, t.USERS, ("key", "login"), come)
    stay = (key for key in sorted(edited.users) if key in new and key in old)
    respelt = [{"a_key": k, "a_login": new[k].user} for k in stay if new[k].user != old[k].user]
    if respelt:
        # Who lost every role on the way and was given some again, by another spelling.
        chosen = sa.update(t.USERS).where(t.USERS.c.key == sa.bindparam("a_key"))
        connection.execute(chosen.values(login=sa.bindparam("a_login")), respelt)
    _insert(connection, t.ASSIGNMENTS, ("user_key", "role_id"), new_assignments)


def _save_roles(
    connection: sa.Connection, before: Version, after: Version, ids: Iterable[str]
) -> None:
    gone, new, changed, renamed = [], [], [], []
    for id in ids:
        former, role = before.role(id), after.role(id)
        if role is None:
            if former is not None:
                gone.append((id,))
        elif former is None:
            new.append({**_role_row(role), "is_default": False})
        elif (row := _role_row(role)) != _role_row(former):
            changed.append({f"new_{key}": value for key, value in row.items()})
            if former.name.casefold() != role.name.casefold():
                # No name holds a control character, so this stands in nobody's way.
                renamed.append({"new_id": id, "new_name_key": f"\x01{id}"})
    _delete(connection, t.ROLES, ("id",), gone)
    fields = [c.name for c in t.ROLES.columns if c.name not in {"id", "is_default"}]
    chosen = t.ROLES.c.id == sa.bindparam("new_id")
    if renamed:
        # Names may change in a circle; none is taken twice on the way.
        aside = sa.update(t.ROLES).where(chosen).values(name_key=sa.bindparam("new_name_key"))
        connection.execute(aside, renamed)
    if changed:
        values: dict[str, Any] = {field: sa.bindparam(f"new_{field}") for field in fields}
        connection.execute(sa.update(t.ROLES).where(chosen).values(values), changed)
    if new:
        connection.execute(sa.insert(t.ROLES), new)


def _role_row(role: Role) -> Row:
    return {
        "id": role.id,
        "name": role.name,
        "name_key": role.name.casefold(),
        "description": role.description,
        "privileges": codec.line(sorted(role.privileges)),
        "protected": role.protected,
    }


def _difference(
    before: set[tuple[str, str]], after: set[tuple[str, str]]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    return sorted(before - after), sorted(after - before)


def _insert(
    connection: sa.Connection, table: sa.Table, columns: Iterable[str], rows: list[Any]
) -> None:
    if rows:
        connection.execute(sa.insert(table), [dict(zip(columns, row, strict=True)) for row in rows])


def _delete(
    connection: sa.Connection, table: sa.Table, columns: Iterable[str], rows: list[Any]
) -> None:
    if rows:
        chosen = [table.c[column] == sa.bindparam(f"old_{column}") for column in columns]
        keys = [f"old_{column}" for column in columns]
        connection.execute(
            sa.delete(table).where(*chosen), [dict(zip(keys, row, strict=True)) for row in rows]
        )


def _with_sound_id(role: Role) -> Role:
    """The role, without its id if the contract does not allow that."""
    return role if valid("RoleId", role.id) else replace(role, id=None)
