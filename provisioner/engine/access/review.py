"""Effective access as rows: by user, by role, by privilege; what it was and is; and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from provisioner import globs
from provisioner.engine.access.chains import Chain, Chains
from provisioner.engine.access.effective import AccessTable, carriers, indices
from provisioner.model import DatedRole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import date

    from provisioner.model import DesiredUser, Provenance, State

By = Literal["user", "role", "privilege"]
Holdings = dict[str, tuple[str, frozenset[str]]]
"""By login (case-folded) or role: the name to show, and the privileges."""


class Selection(Struct, frozen=True):
    """Which part of the access to look at; globs, and no glob means everything.

    ``users`` and ``roles`` match without regard to case, ``privileges`` with. A user's access is
    then only what comes through assigned roles that match.
    """

    users: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    privileges: tuple[str, ...] = ()

    def user(self, login: str) -> bool:
        """Whether to look at this user."""
        return _any(globs.matches_caseless, self.users, login)

    def role(self, name: str) -> bool:
        """Whether to look at this role."""
        return _any(globs.matches_caseless, self.roles, name)

    def privilege(self, name: str) -> bool:
        """Whether to look at this privilege."""
        return _any(globs.matches, self.privileges, name)


class Row(Struct, frozen=True):
    """One user, role or privilege, and the others that belong to it, sorted.

    ``roles`` are those that a user is assigned, or that carry a privilege; ``users`` are those who
    carry a role, also by an include, or hold a privilege.
    """

    name: str
    roles: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    privileges: tuple[str, ...] = ()


class Difference(Struct, frozen=True):
    """What one user or role gained and lost, or who gained and lost one privilege; sorted."""

    name: str
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class Attestation(Struct, frozen=True):
    """One line of an access review: who has a privilege, and the chain by which it lasts longest.

    Of chains that last equally long it is the shortest. ``dated`` is the assignment at its start.
    """

    subject: str
    privilege: str
    chain: Chain
    dated: DatedRole | None = None


def _any(matches: Callable[[str, str], bool], patterns: tuple[str, ...], name: str) -> bool:
    return not patterns or any(matches(pattern, name) for pattern in patterns)


class Review:
    """The selected access of a state."""

    def __init__(self, state: State, selection: Selection) -> None:
        self._state = state
        self._table = AccessTable(state)
        self._roles = sorted(filter(selection.role, state.roles))
        self._selection = selection
        chosen = frozenset(self._roles)
        digits = "".join(str(int(selection.privilege(n))) for n in self._table.privileges)
        self._mask = int(digits[::-1] or "0", 2)
        # Of each user: the assigned roles that were selected. Without a selection: all.
        self._assigned = {
            login: held.roles & chosen if selection.roles else held.roles
            for login, held in sorted(state.assignments.items())
            if selection.user(held.user)
        }
        self._narrow = bool(selection.roles or selection.privileges)

    def rows(self, by: By) -> tuple[Row, ...]:
        """The access as rows, sorted by name."""
        match by:
            case "user":
                return tuple(self._by_user())
            case "role":
                return tuple(self._by_role())
            case "privilege":
                return tuple(self._by_privilege())

    def holdings(self, by: Literal["user", "role"]) -> Holdings:
        """The privileges of each selected user or role; nobody who has none."""
        names = {row.name: frozenset(row.privileges) for row in self.rows(by) if row.privileges}
        return {(n.casefold() if by == "user" else n): (n, held) for n, held in names.items()}

    def attestations(
        self,
        by: Literal["user", "role"],
        *,
        provenance: Provenance | None = None,
        users: Mapping[str, DesiredUser] | None = None,
    ) -> Iterator[Attestation]:
        """Why each selected user or role has each selected privilege, sorted by both."""
        chains = Chains(self._state, provenance)
        reach: dict[str, dict[str, Chain]] = {}
        for row in self.rows(by):
            if by == "role":
                ways = chains.reach_of_role(row.name)
                for privilege in row.privileges:
                    yield Attestation(row.name, privilege, ways[privilege])
                continue
            key = row.name.casefold()
            declared = (users or {}).get(key)
            dates = {item.role: item for item in declared.roles} if declared else {}
            starts = sorted(self._assigned[key], key=lambda name: (_lasting(dates.get(name)), name))
            for name in starts:
                if name not in reach:
                    reach[name] = chains.reach_of_role(name)
            for privilege in row.privileges:
                ways = {name: reach[name][privilege] for name in starts if privilege in reach[name]}
                best = min(
                    ways, key=lambda name: (_lasting(dates.get(name)), len(ways[name]), name)
                )
                chain = (chains.assignment(row.name, best), *ways[best])
                yield Attestation(row.name, privilege, chain, dates.get(best))

    def _held(self, login: str) -> int:
        return self._table.union(self._assigned[login]) & self._mask

    def _by_user(self) -> Iterator[Row]:
        for login, roles in self._assigned.items():
            held = self._held(login)
            if held or not self._narrow:
                name = self._state.assignments[login].user
                yield Row(name, tuple(sorted(roles)), (), self._table.names(held))

    def _by_role(self) -> Iterator[Row]:
        held_by = carriers(self._state, self._assigned)
        shown = [self._state.assignments[login].user for login in self._assigned]
        for name in self._roles:
            users = tuple(shown[index] for index in indices(held_by[name]))
            carried = self._table.roles[name] & self._mask
            unwanted = self._selection.users and not users
            if not unwanted and (carried or not self._selection.privileges):
                yield Row(name, (), users, self._table.names(carried))

    def _by_privilege(self) -> Iterator[Row]:
        users: dict[str, list[str]] = {}
        for login in self._assigned:
            for name in self._table.names(self._held(login)):
                users.setdefault(name, []).append(self._state.assignments[login].user)
        roles: dict[str, list[str]] = {}
        for role in self._roles:
            for name in self._table.names(self._table.roles[role] & self._mask):
                roles.setdefault(name, []).append(role)
        wanted = users.keys() if self._selection.users else users.keys() | roles.keys()
        for name in sorted(wanted):
            yield Row(name, tuple(roles.get(name, ())), tuple(users.get(name, ())))


def _lasting(dated: DatedRole | None) -> tuple[bool, int]:
    """Sorts what lasts longest first."""
    until: date | None = dated.until if dated else None
    return (until is not None, -until.toordinal() if until else 0)


def differences(before: Holdings, after: Holdings) -> tuple[Difference, ...]:
    """What differs between two holdings, sorted by name."""
    nothing: tuple[str, frozenset[str]] = ("", frozenset())
    found = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key, nothing), after.get(key, nothing)
        if old[1] != new[1]:
            gained, lost = sorted(new[1] - old[1]), sorted(old[1] - new[1])
            found.append(Difference(new[0] or old[0], tuple(gained), tuple(lost)))
    return tuple(found)


def by_privilege(found: Iterable[Difference]) -> tuple[Difference, ...]:
    """The same differences, told for each privilege: who gained it, and who lost it."""
    gained: dict[str, list[str]] = {}
    lost: dict[str, list[str]] = {}
    for difference in found:
        for privilege in difference.gained:
            gained.setdefault(privilege, []).append(difference.name)
        for privilege in difference.lost:
            lost.setdefault(privilege, []).append(difference.name)
    return tuple(
        Difference(name, tuple(gained.get(name, ())), tuple(lost.get(name, ())))
        for name in sorted(gained.keys() | lost.keys())
    )
