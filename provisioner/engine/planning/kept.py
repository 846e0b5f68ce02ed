"""What somebody keeps although a change takes it away: a revocation that is not complete.

Looked at are the users who lose a role, or hold one that carries less, directly or because an
include does; and the roles that lose a grant or an include, or include a role that carries less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from provisioner.engine.access.reachable import reachable
from provisioner.engine.changes import Action, AssignmentChange, Change, RoleChange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.access.effective import EffectiveAccess
    from provisioner.engine.transition.passage import Passage

_NOTHING: frozenset[str] = frozenset()


class Kept(Struct, frozen=True):
    """A user or role keeps ``privileges`` through other roles, though ``role`` gives them no more.

    ``role`` was taken from the subject, or carries less than before; where it is the subject
    itself, that is a role whose own grants went. In ``through`` the subject stands for its own
    grants too.
    """

    subject_kind: Literal["user", "role"]
    subject: str
    role: str
    privileges: tuple[str, ...]
    through: tuple[str, ...]


def find_kept(changes: tuple[Change, ...], passage: Passage) -> tuple[Kept, ...]:
    """Return, for each role and user, what is kept of that which the changes take away.

    Roles first, then users; sorted by subject, then by the role that gives less.
    """
    before, after, old, new = passage.before, passage.after, passage.old, passage.new
    narrowed = {c.name for c in changes if isinstance(c, RoleChange) and _is_narrower(c)}
    taken = {
        c.name.casefold(): c.removed
        for c in changes
        if isinstance(c, AssignmentChange)
        if c.removed
    }
    if not narrowed and not taken:
        return ()
    included_in: dict[str, list[str]] = {}
    for role in (*before.roles.values(), *after.roles.values()):
        for name in role.includes:
            included_in.setdefault(name, []).append(role.name)
    lessened = {
        name: less
        for name in reachable(narrowed, included_in)
        if (less := old.of_role(name) - new.of_role(name))
    }
    above = {outer for name in lessened for outer in included_in.get(name, ())}
    found = [
        kept
        for name in sorted((narrowed | above) & before.roles.keys() & after.roles.keys())
        for kept in _of_role(name, lessened, passage)
    ]
    for login, held in sorted(before.assignments.items()):
        lost = {name: old.of_role(name) for name in taken.get(login, ())}
        for name in held.roles & lessened.keys():
            lost.setdefault(name, lessened[name])
        if lost and login in after.assignments:
            found += _of_user(login, lost, new)
    return tuple(found)


def _is_narrower(change: RoleChange) -> bool:
    return change.action is Action.DELETE or change.effect in {"revokes", "both"}


def _of_role(subject: str, lessened: dict[str, frozenset[str]], passage: Passage) -> Iterator[Kept]:
    """What goes from a role on one way and was there on another one before, and still is.

    Ways that are new count for nothing: who replaces a grant by an include takes nothing away.
    """
    before, after = passage.before.roles[subject], passage.after.roles[subject]
    old, new = passage.old, passage.new
    lost = {name: old.of_role(name) for name in before.includes - after.includes}
    lost |= {name: lessened[name] for name in before.includes & lessened.keys() - lost.keys()}
    if before.privileges - after.privileges:
        lost[subject] = before.privileges - after.privileges
    ways = {
        name: old.of_role(name) & new.of_role(name) for name in before.includes & after.includes
    }
    ways[subject] = before.privileges & after.privileges
    for name in sorted(lost):
        kept = lost[name] & _NOTHING.union(*ways.values())
        if kept:
            through = sorted(other for other, carried in ways.items() if carried & kept)
            yield Kept("role", subject, name, tuple(sorted(kept)), tuple(through))


def _of_user(
    login: str, lessened: dict[str, frozenset[str]], access: EffectiveAccess
) -> Iterator[Kept]:
    holds = access.state.assignments[login]
    has = access.of_user(login)
    for role in sorted(lessened):
        kept = lessened[role] & has
        if kept:
            through = sorted(name for name in holds.roles if access.of_role(name) & kept)
            yield Kept("user", holds.user, role, tuple(sorted(kept)), tuple(through))
