"""Who effectively holds what: the union over a user's roles and everything those include."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.model import Role, State

_NOTHING: Final[frozenset[str]] = frozenset()


class UserImpact(Struct, frozen=True):
    """What a plan changes for one user: privileges gained and lost, net, sorted."""

    user: str
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class EffectiveAccess:
    """A state, and the effective access that it gives. Worked out when asked, each role once.

    Roles that are referred to but not there carry nothing. Stored cycles are followed once round.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self._by_role: dict[str, frozenset[str]] = {}
        self._by_roles: dict[frozenset[str], frozenset[str]] = {}

    def closure(self, names: Iterable[str]) -> frozenset[str]:
        """The roles themselves and all that they include, at any depth."""
        roles = self.state.roles
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
        roles = self.state.roles
        role = roles.get(name)
        if role is None:
            return _NOTHING
        found = self._by_role[name] = (
            self._with_included(name) if role.includes else role.privileges
        )
        return found

    def _with_included(self, name: str) -> frozenset[str]:
        """What a role carries; what is known to be carried below it is taken as it is."""
        roles, known = self.state.roles, self._by_role
        carried: list[frozenset[str]] = []
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            below = waiting.pop()
            if below in seen or below not in roles:
                continue
            seen.add(below)
            if below in known:
                carried.append(known[below])
            else:
                carried.append(roles[below].privileges)
                waiting += roles[below].includes
        return _NOTHING.union(*carried)

    def of_user(self, login: str) -> frozenset[str]:
        """The privileges a user holds over all roles. ``login`` in any case."""
        assignment = self.state.assignments.get(login.casefold())
        if assignment is None:
            return _NOTHING
        found = self._by_roles.get(assignment.roles)
        if found is None:
            found = _NOTHING.union(*map(self.of_role, assignment.roles))
            self._by_roles[assignment.roles] = found
        return found

    @cached_property
    def roles(self) -> Mapping[str, frozenset[str]]:
        """The privileges that each role carries."""
        for name in _included_first(self.state.roles):
            self.of_role(name)
        return {name: self.of_role(name) for name in self.state.roles}

    @cached_property
    def included_in(self) -> Mapping[str, list[str]]:
        """For each role that is included, there or not: the roles that include it."""
        found: dict[str, list[str]] = {}
        for role in self.state.roles.values():
            for included in role.includes:
                found.setdefault(included, []).append(role.name)
        return found

    @cached_property
    def held_by(self) -> Mapping[str, list[str]]:
        """For each role that is assigned: the users, by case-folded login."""
        found: dict[str, list[str]] = {}
        for login, held in self.state.assignments.items():
            for role in held.roles:
                found.setdefault(role, []).append(login)
        return found


def access_of(state: State) -> EffectiveAccess:
    """The access in a state that is asked about by itself. Between two, a passage has both.

    Whoever asks several things about one state asks this once, and hands it on.
    """
    return EffectiveAccess(state)


class AccessTable:
    """The effective access of every role and every user of a state at once.

    A set of privileges is an int with a bit for each of ``privileges``, which are sorted; so a
    union is one instruction for each 64 of them. ``roles`` has the privileges of every role,
    ``users`` those of every user (by case-folded login). ``names`` turns such a set into names.
    The result is the one of ``EffectiveAccess``, which is better for a few questions.
    """

    def __init__(self, state: State) -> None:
        own = {role.privileges for role in state.roles.values()}
        self.privileges: tuple[str, ...] = tuple(sorted(frozenset().union(*own)))
        bits = {name: 1 << index for index, name in enumerate(self.privileges)}
        in_bits = {names: sum(bits[name] for name in names) for names in own}
        self.roles: dict[str, int] = {n: in_bits[r.privileges] for n, r in state.roles.items()}
        self._names: dict[int, tuple[str, ...]] = {}
        _add_included(state.roles, self.roles)
        self.users: dict[str, int] = {
            login: self.union(assignment.roles) for login, assignment in state.assignments.items()
        }

    def union(self, roles: Iterable[str]) -> int:
        """What some roles carry together; roles that are not there carry nothing."""
        found = 0
        for name in roles:
            found |= self.roles.get(name, 0)
        return found

    def names(self, privileges: int) -> tuple[str, ...]:
        """The names of a set of privileges, sorted."""
        known = self._names.get(privileges)
        if known is None:
            known = tuple(self.privileges[index] for index in indices(privileges))
            self._names[privileges] = known
        return known


def _add_included(roles: Mapping[str, Role], carried: dict[str, int]) -> None:
    """Add to what each role carries itself what it includes; sets are ints, a bit for each item.

    Innermost first, until nothing is added any more: one round, unless stored includes run in
    circles.
    """
    order = _included_first(roles)
    moving = bool(order)
    while moving:
        moving = False
        for name in order:
            found = carried[name]
            for included in roles[name].includes:
                found |= carried.get(included, 0)
            moving = moving or found != carried[name]
            carried[name] = found


def carriers(state: State, users: Iterable[str]) -> dict[str, int]:
    """Who carries each role, directly or through an include: a bit for each user, in their order.

    ``users`` are case-folded logins, each once.
    """
    held: dict[str, bytearray] = {}
    logins = list(users)
    for index, login in enumerate(logins):
        assignment = state.assignments.get(login)
        for name in assignment.roles if assignment is not None else ():
            if name not in held:
                held[name] = bytearray(len(logins) // 8 + 1)
            held[name][index >> 3] |= 1 << (index & 7)
    found = dict.fromkeys(state.roles, 0)
    found |= {name: int.from_bytes(bits, "little") for name, bits in held.items()}
    outermost_first = _included_first(state.roles)[::-1]
    moving = bool(outermost_first)
    while moving:
        moving = False
        for name in outermost_first:
            for included in state.roles[name].includes & found.keys():
                more = found[included] | found[name]
                moving = moving or more != found[included]
                found[included] = more
    return found


def indices(bits: int) -> Iterator[int]:
    """The positions of the bits that are set, lowest first."""
    digits = f"{bits:b}"[::-1]
    index = digits.find("1")
    while index >= 0:
        yield index
        index = digits.find("1", index + 1)


def _included_first(roles: Mapping[str, Role]) -> list[str]:
    """The roles that include others, each after those that it includes, circles apart."""
    order: list[str] = []
    opened: set[str] = set()
    for start, role in roles.items():
        waiting = [(start, False)] if role.includes else []
        while waiting:
            name, leaving = waiting.pop()
            if leaving:
                order.append(name)
            elif name not in opened:
                opened.add(name)
                waiting.append((name, True))
                waiting += [(n, False) for n in roles[name].includes if n in roles]
    return [name for name in order if roles[name].includes]


def impact(old: EffectiveAccess, new: EffectiveAccess) -> tuple[UserImpact, ...]:
    """Return, for every user whose effective access differs, what is gained and lost.

    Users are compared by their effective privileges, so a role split in two with the same holders
    has no impact. Sorted by login.
    """
    before, after = old.state.assignments, new.state.assignments
    moved = {
        name
        for name in old.roles.keys() | new.roles.keys()
        if old.roles.get(name, _NOTHING) != new.roles.get(name, _NOTHING)
    }
    found = []
    for login in sorted(before.keys() | after.keys()):
        held, holds = before.get(login), after.get(login)
        same = held is not None and holds is not None and held.roles == holds.roles
        if same and held is not None and moved.isdisjoint(held.roles):
            continue
        had, has = old.of_user(login), new.of_user(login)
        if had != has:
            shown = holds or held
            name = shown.user if shown else login
            found.append(UserImpact(name, tuple(sorted(has - had)), tuple(sorted(had - has))))
    return tuple(found)


def holders(access: EffectiveAccess) -> dict[str, int]:
    """Count, for each role, the users who carry it, directly or through an include."""
    closures: dict[frozenset[str], frozenset[str]] = {}
    counts: dict[str, int] = {}
    for assignment in access.state.assignments.values():
        carried = closures.get(assignment.roles)
        if carried is None:
            carried = closures[assignment.roles] = access.closure(assignment.roles)
        for name in carried:
            counts[name] = counts.get(name, 0) + 1
    return counts
