"""One object's transition, as a value that any front end can show.

What ``before`` and ``after`` mean, for each action::

    CREATE   before None             after the new role
    UPDATE   before the stored role  after the same role (name and id) with other content
    RENAME   before the stored role  after the same role under its new name, content untouched
    DELETE   before the stored role  after None
    ASSIGN   before and after: what the user holds (an empty assignment where nothing)

A role that is renamed and edited gives two changes; the update's ``before`` then carries the new
name already. Names inside ``includes`` and assignments are those after the plan's renames.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

from msgspec import Struct

from provisioner.model import Assignment, DatedRole, Grant, Place, Role


class Action(Enum):
    """What happens to an object. The value is the word in JSON, ``symbol`` the one people see."""

    CREATE = "create"
    UPDATE = "update"
    RENAME = "rename"
    DELETE = "delete"
    ASSIGN = "assign"

    @property
    def symbol(self) -> str:
        """``+``, ``~`` or ``-``."""
        return _SYMBOLS[self]


_SYMBOLS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.RENAME: "~",
    Action.DELETE: "-",
    Action.ASSIGN: "~",
}

Effect = Literal["grants", "revokes", "both", "cosmetic"]


class FieldChange(Struct, frozen=True):
    """One field that differs. For sets ``added`` and ``removed`` hold the sorted difference."""

    field: str
    before: str | bool | None = None
    after: str | bool | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class RoleChange(Struct, frozen=True, tag_field="kind", tag="role"):
    """A change of one role.

    ``holders`` counts the users who carry the role before or after; ``grants`` tells for each
    added privilege which lines of the sources grant it.
    """

    action: Action
    name: str
    before: Role | None
    after: Role | None
    fields: tuple[FieldChange, ...] = ()
    source: Place | None = None
    holders: int = 0
    grants: tuple[Grant, ...] = ()

    @property
    def added(self) -> tuple[str, ...]:
        """Privileges that the role itself gains, sorted."""
        return _difference(self.after, self.before)

    @property
    def removed(self) -> tuple[str, ...]:
        """Privileges that the role itself loses, sorted."""
        return _difference(self.before, self.after)

    @property
    def effect(self) -> Effect:
        """Whether the edit itself widens or narrows what the role carries."""
        if self.action is Action.RENAME:
            return "cosmetic"
        before, after = self.before or Role(""), self.after or Role("")
        wider = bool(after.privileges - before.privileges or after.includes - before.includes)
        narrower = bool(before.privileges - after.privileges or before.includes - after.includes)
        return _effect(wider=wider, narrower=narrower)


class AssignmentChange(Struct, frozen=True, tag_field="kind", tag="assignment"):
    """A change of the roles that one user holds.

    ``dated`` are those roles among the added and removed ones that the sources give with an end
    date or a reason; a removed one has come to its end.
    """

    name: str
    before: Assignment
    after: Assignment
    source: Place | None = None
    dated: tuple[DatedRole, ...] = ()
    action: Action = Action.ASSIGN

    @property
    def added(self) -> tuple[str, ...]:
        """Roles that the user is given, sorted."""
        return tuple(sorted(self.after.roles - self.before.roles))

    @property
    def removed(self) -> tuple[str, ...]:
        """Roles that are taken from the user, sorted."""
        return tuple(sorted(self.before.roles - self.after.roles))

    @property
    def effect(self) -> Effect:
        """Whether the user is given roles, loses roles, or both."""
        return _effect(wider=bool(self.added), narrower=bool(self.removed))


Change = RoleChange | AssignmentChange


def _difference(some: Role | None, other: Role | None) -> tuple[str, ...]:
    if some is None:
        return ()
    return tuple(sorted(some.privileges - (other.privileges if other else frozenset())))


def _effect(*, wider: bool, narrower: bool) -> Effect:
    if wider and narrower:
        return "both"
    if wider:
        return "grants"
    return "revokes" if narrower else "cosmetic"
