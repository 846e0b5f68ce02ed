"""What somebody keeps although a change takes it away: a revocation that is not complete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.engine.access import EffectiveAccess
from provisioner.engine.changes import AssignmentChange, Change, RoleChange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.model import State


@dataclass(frozen=True, slots=True)
class Kept:
    """A user keeps ``privileges`` through other roles, though ``role`` no longer gives them.

    ``role`` is the role that was taken from the user, or that carries less than before.
    """

    user: str
    role: str
    privileges: tuple[str, ...]
    through: tuple[str, ...]


def find_kept(changes: tuple[Change, ...], before: State, after: State) -> tuple[Kept, ...]:
    """Return, for each user and each role that gives less than before, what is kept all the same.

    Sorted by user, then role. Both states carry the new names.
    """
    old, new = EffectiveAccess(before), EffectiveAccess(after)
    shrunk = {}
    for change in changes:
        if isinstance(change, RoleChange) and change.before is not None:
            less = old.of_role(change.name) - new.of_role(change.name)
            if less:
                shrunk[change.name] = less
    taken = {c.name.casefold(): c.removed for c in changes if isinstance(c, AssignmentChange)}
    found: list[Kept] = []
    for login, held in sorted(before.assignments.items()):
        lessened = {name: old.of_role(name) for name in taken.get(login, ())}
        for name in held.roles & shrunk.keys():
            lessened.setdefault(name, shrunk[name])
        if lessened and login in after.assignments:
            found += _of_user(login, lessened, after, new)
    return tuple(found)


def _of_user(
    login: str, lessened: dict[str, frozenset[str]], after: State, access: EffectiveAccess
) -> Iterator[Kept]:
    holds = after.assignments[login]
    has = access.of_user(login)
    for role in sorted(lessened):
        kept = lessened[role] & has
        if kept:
            through = sorted(name for name in holds.roles if access.of_role(name) & kept)
            yield Kept(holds.user, role, tuple(sorted(kept)), tuple(through))
