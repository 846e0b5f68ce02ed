"""The fewest edges to cut so that a user loses a privilege.

A user holds a privilege by chains of assignments, includes and grants. To lose it, one link of each
chain must go: a cut between the user and the privilege. By the theorem of Ford and Fulkerson
(Canadian Journal of Mathematics 8, 1956) the smallest cut is as large as the largest flow, and all
smallest cuts can be read off what that flow leaves over (Picard and Queyranne, Mathematical
Programming Study 13, 1980).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from provisioner.engine.access.chains import Chains, Link
from provisioner.engine.access.effective import UserImpact, access_of
from provisioner.engine.access.reachable import reachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioner.engine.access.effective import EffectiveAccess
    from provisioner.model import Provenance, Role, State

Edge = tuple[str, str]
"""From one node to another. Nodes are role names with a prefix, the user, and the privilege."""

MOST_COMPARED: Final = 1000
_USER: Final = "user"
_PRIVILEGE: Final = "privilege"


class Cut(Struct, frozen=True):
    """One edge to cut.

    ``links`` are the lines that make the edge: one, or several where a role grants the privilege by
    more than one line. ``others`` are the other users who lose something by this cut alone.
    """

    links: tuple[Link, ...]
    others: tuple[UserImpact, ...]


class Revocation(Struct, frozen=True):
    """How to take a privilege from a user. No cuts: the user does not hold it.

    ``others`` are the other users who lose something by all cuts together, sorted by login, and
    ``also`` what else the user loses. ``compared`` counts the equally small sets of cuts that were
    compared; ``compared_all`` is False where there are more than ``MOST_COMPARED``.
    """

    user: str
    privilege: str
    cuts: tuple[Cut, ...] = ()
    others: tuple[UserImpact, ...] = ()
    also: tuple[str, ...] = ()
    compared: int = 0
    compared_all: bool = True


def revoke(
    access: EffectiveAccess,
    login: str,
    privilege: str,
    *,
    provenance: Provenance | None = None,
    fixed: frozenset[str] = frozenset(),
) -> Revocation:
    """Return a smallest set of edges without which the user does not hold the privilege.

    Of several such sets it is one with the most assignments, and among those one by which the
    fewest other users lose anything; then the first by names.

    Args:
        access: Who holds what by the roles and assignments as they are.
        login: The user, in any case.
        privilege: What the user shall lose.
        provenance: Gives the links their places.
        fixed: Roles whose includes and grants can't be cut. Assignments always can.
    """
    state = access.state
    held = state.assignments.get(login.casefold())
    user = held.user if held else login
    edges = _edges(access, login, privilege, fixed)
    if not edges:
        return Revocation(user, privilege)
    loss = _Losses(access, login.casefold())
    found: set[frozenset[Edge]] = set()
    compared_all = True
    best: tuple[int, list[Edge]] | None = None
    for number, cut in enumerate(_smallest_cuts(edges)):
        if number == MOST_COMPARED:
            compared_all = False
            break
        if cut not in found:
            found.add(cut)
            rank = (len(loss.of(cut)[1]) if _beyond_user(cut) else 0, sorted(cut))
            best = rank if best is None else min(best, rank)
    if best is None:  # pragma: no cover - assignments can always be cut
        raise AssertionError(edges)
    chains = Chains(state, provenance)
    cuts = tuple(
        Cut(_links(edge, login, privilege, chains), loss.of(frozenset((edge,)))[1])
        for edge in best[1]
    )
    lost, others = loss.of(frozenset(best[1]))
    also = tuple(name for name in lost if name != privilege)
    return Revocation(user, privilege, cuts, others, also, len(found), compared_all)


def without(access: EffectiveAccess, login: str, cuts: frozenset[Link]) -> State:
    """The state without some edges: assignments of the user, includes and grants of roles."""
    edges = frozenset(_edge(link) for link in cuts)
    return _Losses(access, login.casefold()).after(edges, {})


def _edge(link: Link) -> Edge:
    match link.kind:
        case "assignment":
            return (_USER, _role(link.object))
        case "include":
            return (_role(link.subject), _role(link.object))
        case "grant":
            return (_role(link.subject), f"{_PRIVILEGE} {link.object}")


def _role(name: str) -> str:
    return f"role {name}"


def _name(node: str) -> str:
    return node.partition(" ")[2]


def _beyond_user(cut: frozenset[Edge]) -> bool:
    return any(source != _USER for source, _ in cut)


def _links(edge: Edge, login: str, privilege: str, chains: Chains) -> tuple[Link, ...]:
    source, end = edge
    if source == _USER:
        return (chains.assignment(login, _name(end)),)
    if end.startswith(_PRIVILEGE):
        return chains.grants(_name(source), privilege)
    return (chains.include(_name(source), _name(end)),)


def _edges(
    access: EffectiveAccess, login: str, privilege: str, fixed: frozenset[str]
) -> dict[Edge, int | None]:
    """Every edge on a way from the user to the privilege, with its weight; None: can't be cut.

    All cuttable edges weigh nearly the same, assignments a little less, so that the lightest cut is
    a smallest one, and among those one with the most assignments.
    """
    state = access.state
    held = state.assignments.get(login.casefold())
    carrying = {
        name
        for name in access.closure(held.roles if held else ())
        if privilege in access.of_role(name)
    }
    below = [
        (name, included)
        for name in carrying
        for included in state.roles[name].includes & carrying
        if included != name
    ]
    granting = [name for name in carrying if privilege in state.roles[name].privileges]
    # More than all the little extras of the includes and grants together.
    weight = len(below) + len(granting) + 1
    edges: dict[Edge, int | None] = {}
    for name in sorted(held.roles & carrying) if held else ():
        edges[_USER, _role(name)] = weight
    for name, included in sorted(below):
        edges[_role(name), _role(included)] = None if name in fixed else weight + 1
    for name in sorted(granting):
        edges[_role(name), f"{_PRIVILEGE} {privilege}"] = None if name in fixed else weight + 1
    return edges


class _Residue:
    """What a largest flow leaves over: the capacity from node to node, both ways."""

    def __init__(self, edges: Mapping[Edge, int | None]) -> None:
        infinite = sum(weight or 0 for weight in edges.values()) + 1
        self.sink = next(end for _, end in edges if end.startswith(_PRIVILEGE))
        self.left: dict[str, dict[str, int]] = {}
        for (source, end), weight in edges.items():
            self.left.setdefault(source, {})[end] = infinite if weight is None else weight
            self.left.setdefault(end, {}).setdefault(source, 0)
        # Where two roles include each other, the line above must not undo what was set before.
        for (source, end), weight in edges.items():
            self.left[source][end] = infinite if weight is None else weight
        while path := self._shortest_path():
            least = min(self.left[a][b] for a, b in path)
            for a, b in path:
                self.left[a][b] -= least
                self.left[b][a] += least

    def _shortest_path(self) -> list[Edge] | None:
        """Edmonds and Karp: always the path with the fewest edges."""
        came_from: dict[str, str] = {_USER: _USER}
        waiting = deque([_USER])
        while waiting and self.sink not in came_from:
            node = waiting.popleft()
            for end, capacity in self.left[node].items():
                if capacity and end not in came_from:
                    came_from[end] = node
                    waiting.append(end)
        if self.sink not in came_from:
            return None
        path = []
        node = self.sink
        while node != _USER:
            path.append((came_from[node], node))
            node = came_from[node]
        return path

    def reach(self, start: str, *, backwards: bool = False) -> frozenset[str]:
        """The nodes that can be reached from a node, or that can reach it."""
        seen = {start}
        waiting = [start]
        while waiting:
            node = waiting.pop()
            for other, capacity in self.left[node].items():
                if (self.left[other][node] if backwards else capacity) and other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return frozenset(seen)


def _smallest_cuts(edges: Mapping[Edge, int | None]) -> Iterator[frozenset[Edge]]:
    """Every lightest cut, at least once; the one nearest to the user first.

    The lightest cuts are those between a set of nodes that nothing leaves in the residue, and the
    rest. Each step decides for one more node to which side it belongs, with all that must follow.
    """
    residue = _Residue(edges)
    nodes = sorted(residue.left)
    waiting = [(residue.reach(_USER), residue.reach(residue.sink, backwards=True))]
    while waiting:
        near, far = waiting.pop()
        undecided = next((node for node in nodes if node not in near and node not in far), None)
        if undecided is None:
            yield frozenset((a, b) for a, b in edges if a in near and b not in near)
            continue
        waiting.append((near | residue.reach(undecided), far))
        waiting.append((near, far | residue.reach(undecided, backwards=True)))


class _Losses:
    """Works out who loses what by a cut, looking only at the roles and users that it touches."""

    def __init__(self, access: EffectiveAccess, login: str) -> None:
        self._state = access.state
        self._login = login
        self._access = access
        self._known: dict[frozenset[Edge], tuple[tuple[str, ...], tuple[UserImpact, ...]]] = {}

    def of(self, cut: frozenset[Edge]) -> tuple[tuple[str, ...], tuple[UserImpact, ...]]:
        """What the user loses, and what each of the others does, sorted."""
        if cut in self._known:
            return self._known[cut]
        roles = self._changed(cut)
        after, before = access_of(self.after(cut, roles)), self._access
        above = reachable(roles, before.included_in)
        lesser = [name for name in above if after.of_role(name) != before.of_role(name)]
        touched = {user for name in lesser for user in before.held_by.get(name, ())}
        touched.add(self._login)
        losses = {
            login: tuple(sorted(before.of_user(login) - after.of_user(login)))
            for login in sorted(touched)
        }
        own = losses.pop(self._login)
        others = tuple(
            UserImpact(self._state.assignments[login].user, lost=lost)
            for login, lost in losses.items()
            if lost
        )
        self._known[cut] = (own, others)
        return own, others

    def after(self, cut: frozenset[Edge], roles: Mapping[str, Role]) -> State:
        """The state after a cut."""
        changed = roles or self._changed(cut)
        assignments = dict(self._state.assignments)
        given_up = {_name(end) for source, end in cut if source == _USER}
        if given_up:
            held = assignments[self._login]
            assignments[self._login] = replace(held, roles=held.roles - given_up)
        return replace(self._state, roles={**self._state.roles, **changed}, assignments=assignments)

    def _changed(self, cut: frozenset[Edge]) -> dict[str, Role]:
        roles: dict[str, Role] = {}
        for source, end in sorted(cut):
            if source == _USER:
                continue
            name, gone = _name(source), {_name(end)}
            role = roles.get(name) or self._state.roles[name]
            if end.startswith(_PRIVILEGE):
                roles[name] = replace(role, privileges=role.privileges - gone)
            else:
                roles[name] = replace(role, includes=role.includes - gone)
        return roles
