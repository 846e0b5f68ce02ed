"""Who effectively holds what: the union over a user's roles and everything those include."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provisioner.model import Role, State


@dataclass(frozen=True, slots=True)
class UserImpact:
    """What a plan changes for one user: privileges gained and lost, net, sorted."""

    user: str
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class EffectiveAccess:
    """The effective access that a state gives. Worked out when asked, each role once.

    Roles that are referred to but not there carry nothing. Stored cycles are followed once round.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._by_role: dict[str, frozenset[str]] = {}

    def closure(self, names: Iterable[str]) -> frozenset[str]:
        """The roles themselves and all that they include, at any depth."""
        roles = self._state.roles
        seen: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in seen or name not in roles:
                continue
            seen.add(name)
            waiting += roles[name].includes
        return frozenset(seen)

    def of_role(self, name: str) -> frozenset[str]:
        """The privileges a role carries, its includes' among them."""
        known = self._by_role.get(name)
        if known is not None:
            return known
        roles: Mapping[str, Role] = self._state.roles
        role = roles.get(name)
        if role is None:
            return frozenset()
        if not role.includes:
            found = role.privileges
        else:
            carried = (roles[included].privileges for included in self.closure((name,)))
            found = frozenset().union(*carried)
        self._by_role[name] = found
        return found

    def of_user(self, login: str) -> frozenset[str]:
        """The privileges a user holds over all roles. ``login`` in any case."""
        assignment = self._state.assignments.get(login.casefold())
        if assignment is None:
            return frozenset()
        return frozenset().union(*map(self.of_role, assignment.roles))


def impact(before: State, after: State) -> tuple[UserImpact, ...]:
    """Return, for every user whose effective access differs, what is gained and lost.

    Users are compared by their effective privileges, so a role split in two with the same holders
    has no impact. Sorted by login.
    """
    old, new = EffectiveAccess(before), EffectiveAccess(after)
    moved = {
        name
        for name in before.roles.keys() | after.roles.keys()
        if old.of_role(name) != new.of_role(name)
    }
    found = []
    for login in sorted(before.assignments.keys() | after.assignments.keys()):
        held, holds = before.assignments.get(login), after.assignments.get(login)
        same = held is not None and holds is not None and held.roles == holds.roles
        if same and held is not None and moved.isdisjoint(held.roles):
            continue
        had, has = old.of_user(login), new.of_user(login)
        if had != has:
            shown = holds or held
            name = shown.user if shown else login
            found.append(UserImpact(name, tuple(sorted(has - had)), tuple(sorted(had - has))))
    return tuple(found)


def holders(state: State) -> dict[str, int]:
    """Count, for each role, the users who carry it, directly or through an include."""
    access = EffectiveAccess(state)
    closures: dict[frozenset[str], frozenset[str]] = {}
    counts: dict[str, int] = {}
    for assignment in state.assignments.values():
        carried = closures.get(assignment.roles)
        if carried is None:
            carried = closures[assignment.roles] = access.closure(assignment.roles)
        for name in carried:
            counts[name] = counts.get(name, 0) + 1
    return counts
