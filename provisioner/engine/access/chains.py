"""Why somebody holds a privilege: every chain from a user over roles and includes to a grant.

A chain is a value that can be replayed: each link is an assignment, an include or a grant of the
state it was found in, and following all of them leads from the subject to the privilege.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from provisioner.model import Assignment, NoProvenance, Place, Role, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from provisioner.model import Catalogue, DesiredState, Grant, Provenance

LinkKind = Literal["assignment", "include", "grant"]
Path = tuple[str, ...]


class Link(Struct, frozen=True):
    """One step of a chain: a user's role, a role's included role, or a role's privilege.

    ``pattern`` and ``set_name`` tell how a grant was written, where that is known.
    """

    kind: LinkKind
    subject: str
    object: str
    place: Place | None = None
    pattern: str | None = None
    set_name: str | None = None


Chain = tuple[Link, ...]


class Chains:
    """Finds chains in a state. Places come from the provenance of the sources, where there is one.

    Roles that the sources do not declare (default, external, ignored ones) have links without
    places. Chains are over simple paths, so includes that run in circles, as a panel may store
    them, are followed at most once round. A role that grants a privilege by several lines has a
    chain for each of them.
    """

    def __init__(self, state: State, provenance: Provenance | None = None) -> None:
        self._state = state
        self._provenance: Provenance = provenance or NoProvenance()
        self._grants_of: dict[str, dict[str, list[Grant]]] = {}
        self._included_in: dict[str, list[str]] | None = None

    def of_user(self, login: str, privilege: str) -> Iterator[Chain]:
        """Every chain by which a user holds a privilege, found when asked for.

        The shortest come first; those of equal length are sorted by the names of their roles. The
        next one takes a few looks at each include at most, however many chains there are.
        """
        return self._chains(login, self._held(login), privilege)

    def of_role(self, name: str, privilege: str) -> Iterator[Chain]:
        """Every chain by which a role carries a privilege, in the manner of ``of_user``."""
        return self._chains(None, (name,), privilege)

    def count_of_user(self, login: str, privilege: str) -> int | None:
        """How many chains ``of_user`` finds, without finding them; None where circles hide it."""
        return self._count(self._held(login), privilege)

    def count_of_role(self, name: str, privilege: str) -> int | None:
        """How many chains ``of_role`` finds, without finding them; None where circles hide it."""
        return self._count((name,), privilege)

    def shortest_of_user(self, login: str, privilege: str) -> Chain | None:
        """One chain with the fewest links, or None where the user does not hold the privilege."""
        return self._shortest(login, self._held(login), privilege)

    def shortest_of_role(self, name: str, privilege: str) -> Chain | None:
        """One chain with the fewest links, or None where the role does not carry the privilege."""
        return self._shortest(None, (name,), privilege)

    def reach_of_user(self, login: str) -> dict[str, Chain]:
        """For every privilege that a user holds, the chain that ``shortest_of_user`` gives."""
        return self._reach(login, self._held(login))

    def reach_of_role(self, name: str) -> dict[str, Chain]:
        """For every privilege that a role carries, the chain that ``shortest_of_role`` gives."""
        return self._reach(None, (name,))

    def assignment(self, login: str, role: str) -> Link:
        """The link from a user to a role that the user holds."""
        key = login.casefold()
        held = self._state.assignments.get(key)
        place = self._provenance.assignment(key, role)
        return Link("assignment", held.user if held else login, role, place)

    def include(self, role: str, included: str) -> Link:
        """The link from a role to one that it includes."""
        return Link("include", role, included, self._provenance.include(role, included))

    def grants(self, role: str, privilege: str) -> tuple[Link, ...]:
        """The links from a role to one of its own privileges: one for each line that grants it."""
        if role not in self._grants_of:
            lines: dict[str, list[Grant]] = {}
            for grant in self._provenance.grants(role):
                lines.setdefault(grant.privilege, []).append(grant)
            self._grants_of[role] = lines
        found = self._grants_of[role].get(privilege)
        if not found:
            return (Link("grant", role, privilege),)
        return tuple(
            Link("grant", role, privilege, grant.place, grant.pattern, grant.set_name)
            for grant in found
        )

    def _held(self, login: str) -> Path:
        held = self._state.assignments.get(login.casefold())
        return tuple(sorted(held.roles)) if held else ()

    def _includes(self, name: str) -> frozenset[str]:
        role = self._state.roles.get(name)
        return role.includes if role else frozenset()

    def _grants_it(self, name: str, privilege: str) -> bool:
        role = self._state.roles.get(name)
        return role is not None and privilege in role.privileges

    def _links(self, login: str | None, path: Path) -> Chain:
        """The links along a path of roles, without the grant at its end."""
        start = () if login is None else (self.assignment(login, path[0]),)
        steps = pairwise(path)
        return (*start, *(self.include(role, included) for role, included in steps))

    def _shortest(self, login: str | None, starts: Path, privilege: str) -> Chain | None:
        for path in self._breadth_first(starts):
            if self._grants_it(path[-1], privilege):
                return (*self._links(login, path), self.grants(path[-1], privilege)[0])
        return None

    def _reach(self, login: str | None, starts: Path) -> dict[str, Chain]:
        found: dict[str, Chain] = {}
        for path in self._breadth_first(starts):
            role = self._state.roles.get(path[-1])
            new = sorted(role.privileges - found.keys()) if role else ()
            links = self._links(login, path) if new else ()
            for privilege in new:
                found[privilege] = (*links, self.grants(path[-1], privilege)[0])
        return found

    def _breadth_first(self, starts: Path) -> Iterator[Path]:
        """The shortest path to every role that can be reached, each role once."""
        waiting: deque[Path] = deque((start,) for start in starts)
        seen = set(starts)
        while waiting:
            path = waiting.popleft()
            yield path
            for included in sorted(self._includes(path[-1]) - seen):
                seen.add(included)
                waiting.append((*path, included))

    def _chains(self, login: str | None, starts: Path, privilege: str) -> Iterator[Chain]:
        """Best first: a path waits under the length of the shortest chain that it can become.

        Since that length is exact, no path is tried in vain. With circles it depends on the roles
        that the path has passed already, and is worked out for each path.
        """
        granting = self._granting(privilege)
        distance = self._distances(granting)
        in_circles = self._order(starts, distance) is None
        waiting: list[tuple[int, Path]] = []
        for start in starts:
            if start in distance:
                heappush(waiting, (1 + distance[start], (start,)))
        while waiting:
            _, path = heappop(waiting)
            last = path[-1]
            if self._grants_it(last, privilege):
                links = self._links(login, path)
                for grant in self.grants(last, privilege):
                    yield (*links, grant)
            onward = self._includes(last) & distance.keys() - set(path)
            if not onward:
                continue
            left = self._distances(granting, frozenset(path)) if in_circles else distance
            for included in sorted(onward & left.keys()):
                heappush(waiting, (len(path) + 1 + left[included], (*path, included)))

    def _granting(self, privilege: str) -> list[str]:
        return [name for name, role in self._state.roles.items() if privilege in role.privileges]

    def _distances(
        self, granting: Iterable[str], without: frozenset[str] = frozenset()
    ) -> dict[str, int]:
        """For each role that leads to a granting one, how many includes away the nearest is."""
        if self._included_in is None:
            self._included_in = {}
            for role in self._state.roles.values():
                for included in role.includes:
                    self._included_in.setdefault(included, []).append(role.name)
        waiting = deque(name for name in granting if name not in without)
        distance = dict.fromkeys(waiting, 0)
        while waiting:
            name = waiting.popleft()
            for above in self._included_in.get(name, ()):
                if above not in distance and above not in without:
                    distance[above] = distance[name] + 1
                    waiting.append(above)
        return distance

    def _count(self, starts: Path, privilege: str) -> int | None:
        distance = self._distances(self._granting(privilege))
        order = self._order(starts, distance)
        if order is None:
            return None
        ways: dict[str, int] = {}
        for name in order:
            own = len(self.grants(name, privilege)) if self._grants_it(name, privilege) else 0
            ways[name] = own + sum(ways.get(included, 0) for included in self._includes(name))
        return sum(ways.get(start, 0) for start in starts)

    def _order(self, starts: Path, within: Mapping[str, int]) -> list[str] | None:
        """The roles that can be reached, included ones first; None where includes run in circles.

        Only roles ``within`` count: the others lead nowhere.
        """
        order: list[str] = []
        open_roles: set[str] = set()
        done: set[str] = set()
        waiting: list[tuple[str, bool]] = [(start, False) for start in starts if start in within]
        while waiting:
            name, leaving = waiting.pop()
            if leaving:
                open_roles.discard(name)
                done.add(name)
                order.append(name)
            elif name in open_roles:
                return None
            elif name not in done:
                open_roles.add(name)
                waiting.append((name, True))
                waiting += [(n, False) for n in self._includes(name) if n in within]
        return order


def declared_state(desired: DesiredState, catalogue: Catalogue, as_of: date) -> State:
    """The state that the sources alone describe, on a given day.

    Default roles that are not declared are as the catalogue ships them; external roles exist, and
    carry nothing that is known.
    """
    roles = {role.name: role for role in catalogue.default_roles}
    roles |= {name: declared.role for name, declared in (desired.roles or {}).items()}
    assignments = {}
    for login, user in (desired.users or {}).items():
        held = frozenset(dated.role for dated in user.roles if dated.is_active(as_of))
        if held:
            assignments[login] = Assignment(user.user, held)
    referred = {name for held in assignments.values() for name in held.roles}
    referred |= {name for role in roles.values() for name in role.includes}
    for name in referred - roles.keys():
        roles[name] = Role(name)
    return State(roles, assignments)
