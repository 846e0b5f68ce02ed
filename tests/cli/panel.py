"""An adapter as a third party installs it: a panel in memory that tells and can what a test says.

It is copied beside a project, with the metadata that registers it (see the fixture ``panel``). The
target's keys say what it is like::

    backend: panel
    lacks: [includes, renames]         capabilities
    has: [closed_users]
    catalogue_of: [ARDOCS_VIEW]        the privileges that it tells; without, it tells none
    roles: {Viewer: [ARDOCS_VIEW]}     besides the default roles
    without: [Service Desk Only]       default roles that it does not have
    holds: {ada: [Viewer]}
    knows: [ada]                       its users
    fails: true                        it can't be read
    dies_at: 2                         the answer to this write is lost, and nothing works after it
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.diagnostics import Diagnostic
from provisioner.errors import BackendError
from provisioner.model import KINDS, Assignment, Capabilities, Catalogue, Privilege, Role, State
from provisioner.testing import MemoryBackend

if TYPE_CHECKING:
    from provisioner.backends.opening import Opening
    from provisioner.engine.writes import Write
    from provisioner.model import Snapshot


class Panel(MemoryBackend):
    """A store in memory that may be out of reach."""

    fails = False
    dies_at: int | None = None
    writes = 0

    def write(self, write: Write) -> None:
        super().write(write)
        self.writes += 1
        if self.writes == self.dies_at:
            self.fails = True
            raise BackendError(Diagnostic("no-answer", "the connection was lost", "panel:here"))

    def read(self) -> Snapshot:
        if self.fails:
            raise BackendError(Diagnostic("unreachable", "the panel does not answer", "panel:here"))
        return super().read()


def open_panel(opening: Opening) -> Panel:
    """Open what the target describes."""
    told = opening.options
    roles = {name: Role(name, privileges=frozenset(p)) for name, p in told.get("roles", {}).items()}
    defaults = tuple(opening.initial.roles.values())
    users = {
        user.casefold(): Assignment(user, frozenset(r)) for user, r in told.get("holds", {}).items()
    }
    without = told.get("without", ())
    stored = {name: role for name, role in opening.initial.roles.items() if name not in without}
    state = State({**stored, **roles}, users, frozenset(KINDS))
    able = dict.fromkeys(told.get("lacks", ()), False) | dict.fromkeys(told.get("has", ()), True)
    catalogue = None
    if "catalogue_of" in told:
        names = {name: Privilege(name) for name in told["catalogue_of"]}
        catalogue = Catalogue("panel", names, defaults)
    backend = Panel(
        state,
        capabilities=Capabilities(**able),
        atomic=able.get("atomic", True),
        identity="panel:here",
        catalogue=catalogue,
        users=told.get("knows", ()),
    )
    backend.fails = told.get("fails", False)
    backend.dies_at = told.get("dies_at")
    return backend
