"""One version of the panel: all that it holds, and what tells it from others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from provisioner.model import Assignment, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.model import Role


class Version(Struct, frozen=True):
    """``names`` gives each role's name by its id; ``defaults`` are the ids of default roles.

    ``mark`` is drawn anew for each version, so that no two versions ever have the same.
    """

    panel: str
    lineage: str
    serial: int
    mark: str
    state: State
    names: Mapping[str, str]
    defaults: frozenset[str]

    def role(self, id: str) -> Role | None:
        """Return the role of that id."""
        name = self.names.get(id)
        return None if name is None else self.state.roles[name]

    def includes(self, ids: Iterable[str]) -> set[tuple[str, str]]:
        """Return, for each role of these that is there, its id with that of each include."""
        roles = self.state.roles
        return {
            (id, str(roles[name].id))
            for id in ids
            if (role := self.role(id)) is not None
            for name in role.includes
        }

    def assignments(self, keys: Iterable[str]) -> set[tuple[str, str]]:
        """Return, for each user of these that is there, its key with the id of each role."""
        roles, users = self.state.roles, self.state.assignments
        return {
            (key, str(roles[name].id)) for key in keys if key in users for name in users[key].roles
        }

    def user(self, login: str) -> Assignment:
        """Return what a login holds, in the stored spelling where it holds something."""
        return self.state.assignments.get(login.casefold()) or Assignment(login)
