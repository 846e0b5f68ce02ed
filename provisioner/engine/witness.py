"""Why a role or user carries enough to break a rule, in as few words as show it.

A witness is minimal: without any one of its links it no longer shows a break.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from provisioner.engine.carried import indices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.engine.carried import Carried
    from provisioner.engine.chains import Chain, Chains, Link
    from provisioner.engine.rule import Rule
    from provisioner.model import Place, State


@dataclass(frozen=True, slots=True)
class Way:
    """An item that is carried, and a shortest chain to it; none where a role is the item itself."""

    item: int
    chain: Chain


class Ways:
    """Finds the ways in one state. ``carried`` and ``chains`` are of the same state."""

    def __init__(self, carried: Carried, chains: Chains) -> None:
        self._carried = carried
        self._chains = chains

    def of_user(self, login: str, rule: Rule, items: int, fresh: int = 0) -> list[Way]:
        """Ways to as few of the items that a user carries as break the rule.

        Args:
            login: The user, case-folded.
            rule: What is broken.
            items: Those of the rule's items that the user carries.
            fresh: Those that were not carried before: one of them is among the ways.
        """
        held = self._carried.state.assignments[login].roles
        return self._found(login, sorted(held), rule, items, fresh)

    def of_role(self, name: str, rule: Rule, items: int, fresh: int = 0) -> list[Way]:
        """The same for a role."""
        return self._found(None, [name], rule, items, fresh)

    def assignment(self, login: str, role: str) -> Link:
        """The link from a user to a role."""
        return self._chains.assignment(login, role)

    def _found(
        self, login: str | None, starts: list[str], rule: Rule, items: int, fresh: int
    ) -> list[Way]:
        enough = rule.at_most + 1
        seen: list[tuple[tuple[str, ...], int]] = []
        met = 0
        for path in self._breadth_first(starts, rule.exempt):
            more = self._carried.own[path[-1]] & items & ~met
            if more:
                met |= more
                seen += [(path, 1 << index) for index in indices(more)]
                if rule.count(met) >= enough and (met & fresh or not fresh):
                    break
        # What a role is itself costs no link, so it comes before what is fresh.
        itself = self._carried.items.role(starts[0]) if login is None else 0
        if itself or met & ~fresh:
            seen.sort(key=lambda way: (way[1] != itself, not way[1] & fresh))
        chosen: list[Way] = []
        taken = count = 0
        for path, item in seen:
            more = rule.count(taken | item)
            if more > count:
                taken, count = taken | item, more
                chosen.append(Way(item, self._chain(login, path, item)))
                if count >= enough:
                    break
        return chosen

    def _chain(self, login: str | None, path: tuple[str, ...], item: int) -> Chain:
        chains = self._chains
        links = [] if login is None else [chains.assignment(login, path[0])]
        links += [chains.include(*step) for step in pairwise(path)]
        if item != self._carried.items.role(path[-1]):
            links.append(chains.grants(path[-1], self._carried.items.name(item))[0])
        return tuple(links)

    def _breadth_first(
        self, starts: Iterable[str], exempt: frozenset[str]
    ) -> Iterator[tuple[str, ...]]:
        """The shortest path to every role that can be reached and is not exempt, each role once."""
        roles = self._carried.state.roles
        allowed = [name for name in starts if name in roles and name not in exempt]
        waiting: deque[tuple[str, ...]] = deque((name,) for name in allowed)
        met = set(allowed)
        while waiting:
            path = waiting.popleft()
            yield path
            for included in sorted(roles[path[-1]].includes):
                if included in roles and included not in exempt and included not in met:
                    met.add(included)
                    waiting.append((*path, included))

    def minimal(self, ways: Iterable[Way], rule: Rule) -> tuple[Chain, ...]:
        """The chains of the ways, without what the rest of them shows as well.

        Only roles on the way to others can make a chain, or its end, superfluous.
        """
        ways = list(ways)
        chains = sorted((way.chain for way in ways if way.chain), key=len)
        itself = next((way.item for way in ways if not way.chain), 0)
        if any(chain[-1].kind != "grant" for chain in chains):
            chains = self._shortened(chains, itself, rule)
        return tuple(dict.fromkeys(chains))

    def _shortened(self, chains: list[Chain], itself: int, rule: Rule) -> list[Chain]:
        for number in reversed(range(len(chains))):
            while chains[number]:
                shorter = [*chains]
                shorter[number] = chains[number][:-1]
                if not rule.is_broken_by(itself | self._on(shorter)):
                    break
                chains = shorter
        return [
            chain
            for number, chain in enumerate(chains)
            if chain
            and not any(
                other[: len(chain)] == chain
                for place, other in enumerate(chains)
                if place != number and (len(other), place) > (len(chain), number)
            )
        ]

    def _on(self, chains: Iterable[Chain]) -> int:
        """The items that the links lead to."""
        found, items = 0, self._carried.items
        for chain in chains:
            for link in chain:
                if link.kind != "grant":
                    found |= items.role(link.object)
        return found


def brought(chains: Iterable[Chain], before: State) -> Place | None:
    """The place of the first link that a state before did not have: the line that brings it."""
    for chain in chains:
        for link in chain:
            if link.place is not None and not _was_there(link, before):
                return link.place
    return None


def _was_there(link: Link, before: State) -> bool:
    if link.kind == "assignment":
        held = before.assignments.get(link.subject.casefold())
        return held is not None and link.object in held.roles
    role = before.roles.get(link.subject)
    return role is not None and link.object in (
        role.includes if link.kind == "include" else role.privileges
    )
