"""Why a role or user carries enough to break a rule, in as few words as show it.

A witness is minimal: without any one of its links it no longer shows a break.
"""

from __future__ import annotations

from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING

from msgspec import Struct

from provisioner.engine.access.chains import Chain
from provisioner.engine.access.effective import indices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.engine.access.carried import Carried
    from provisioner.engine.access.chains import Chains, Link, Path
    from provisioner.engine.rules.rule import Rule
    from provisioner.model import Place, State


class Way(Struct, frozen=True):
    """An item that is carried, and a shortest chain to it; none where a role is the item itself."""

    item: int
    chain: Chain


class Ways:
    """Finds the ways in one state. ``carried`` and ``chains`` are of the same state."""

    def __init__(self, carried: Carried, chains: Chains) -> None:
        self._carried = carried
        self._chains = chains
        self._reached: dict[tuple[str, frozenset[str]], list[list[tuple[Path, int]]]] = {}
        self._chain_of: dict[tuple[Path, int], Chain] = {}

    def of_user(self, login: str, rule: Rule, items: int, fresh: int = 0) -> list[Way]:
        """Ways to as few of the items that a user carries as break the rule.

        Args:
            login: The user, case-folded.
            rule: What is broken.
            items: Those of the rule's items that the user carries.
            fresh: Those that were not carried before: one of them is among the ways.
        """
        held = self._carried.access.state.assignments[login].roles
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
        seen: list[tuple[Path, int]] = []
        met = 0
        for path, own in self._nearest_first(starts, rule.exempt):
            more = own & items & ~met
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
                start = () if login is None else (self._chains.assignment(login, path[0]),)
                chosen.append(Way(item, (*start, *self._links(path, item))))
                if count >= enough:
                    break
        return chosen

    def _links(self, path: Path, item: int) -> Chain:
        """The includes along a path, and the grant at its end, unless the item is a role."""
        known = self._chain_of.get((path, item))
        if known is None:
            links = [self._chains.include(*step) for step in pairwise(path)]
            if item != self._carried.items.role(path[-1]):
                links.append(self._chains.grants(path[-1], self._carried.items.name(item))[0])
            known = self._chain_of[path, item] = tuple(links)
        return known

    def _nearest_first(
        self, starts: list[str], exempt: frozenset[str]
    ) -> Iterator[tuple[Path, int]]:
        """The roles that are or grant items, by a shortest path to each, and what those are.

        As if all starts were searched breadth first together, so that the paths make one tree. A
        role may come again by another start, later, when its items are known already.
        """
        found = [self._levels(start, exempt) for start in starts]
        if len(found) == 1:
            for level in found[0]:
                yield from level
        else:
            for levels in zip_longest(*found):
                for level in levels:
                    yield from level or ()

    def _levels(self, start: str, exempt: frozenset[str]) -> list[list[tuple[Path, int]]]:
        """What can be reached from a role, by the number of includes on the way."""
        known = self._reached.get((start, exempt))
        if known is not None:
            return known
        roles, own = self._carried.access.state.roles, self._carried.own
        found: list[list[tuple[Path, int]]] = []
        paths: list[Path] = [(start,)] if start in roles and start not in exempt else []
        met = {start}
        while paths:
            found.append([(path, own[path[-1]]) for path in paths if own[path[-1]]])
            further: list[Path] = []
            for path in paths:
                for included in sorted(roles[path[-1]].includes - met):
                    if included in roles and included not in exempt:
                        met.add(included)
                        further.append((*path, included))
            paths = further
        self._reached[start, exempt] = found
        return found

    def minimal(self, ways: Iterable[Way], rule: Rule) -> tuple[Chain, ...]:
        """The chains of the ways, without what the rest of them shows as well.

        Only roles on the way to others can make a chain, or its end, superfluous.
        """
        ways = list(ways)
        chains = sorted((way.chain for way in ways if way.chain), key=len)
        itself = next((way.item for way in ways if not way.chain), 0)
        if any(chain[-1].kind != "grant" for chain in chains):
            chains = self._shortened(chains, itself, rule)
        return tuple(chains)

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
