"""Small worlds that are hard to change: users who lose, gain and keep, through the same few roles.

A state is three dicts of plain sets. ``least`` searches all orders of all writes that a store can
be told, and so knows which gaps none of them avoids. It shares nothing with the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import TYPE_CHECKING

from provisioner.engine.order.grain import ONE_BY_ONE, WHOLE, Grain
from provisioner.model import Assignment, Role, State

if TYPE_CHECKING:
    from collections.abc import Iterator

Sets = dict[str, frozenset[str]]
Gap = tuple[str, str]
Element = tuple[str, str, str]
"""Where ("privileges", "includes", "users"), whose, and what comes or goes."""


@dataclass(frozen=True)
class Sides:
    """One state: privileges and includes by role, roles by user."""

    privileges: Sets
    includes: Sets
    users: Sets

    def state(self) -> State:
        """The same for the engine."""
        roles = {
            name: Role(name, privileges=held, includes=self.includes[name], id=f"id of {name}")
            for name, held in self.privileges.items()
        }
        held = {user: Assignment(user, has) for user, has in self.users.items() if has}
        return State(roles, held)

    def access(self) -> Sets:
        """Who holds what, over all includes."""

        def carried(name: str) -> frozenset[str]:
            below = map(carried, self.includes.get(name, ()))
            return frozenset().union(self.privileges.get(name, ()), *below)

        return {user: frozenset().union(*map(carried, roles)) for user, roles in self.users.items()}

    def is_circular(self) -> bool:
        """Whether includes go in circles."""
        rest = dict(self.includes)
        while rest:
            free = [name for name, included in rest.items() if rest.keys().isdisjoint(included)]
            if not free:
                return True
            for name in free:
                del rest[name]
        return False

    def with_change(self, elements: tuple[Element, ...]) -> Sides:
        """The state after one write."""
        sides = {
            "privileges": dict(self.privileges),
            "includes": dict(self.includes),
            "users": dict(self.users),
        }
        for where, owner, item in elements:
            sides[where][owner] = sides[where].get(owner, frozenset()) ^ {item}
        return Sides(**sides)


@dataclass(frozen=True)
class SmallWorld:
    """A state, what it shall become, and what its store can be told at once."""

    before: Sides
    after: Sides
    grain: Grain

    def elements(self) -> frozenset[Element]:
        """Everything that comes or goes, but for the contents of roles that are deleted."""
        gone = self.before.privileges.keys() - self.after.privileges.keys()
        return frozenset(
            (where, owner, item)
            for where in ("privileges", "includes", "users")
            for owner in getattr(self.before, where).keys() | getattr(self.after, where).keys()
            if where == "users" or owner not in gone
            for item in getattr(self.before, where).get(owner, frozenset())
            ^ getattr(self.after, where).get(owner, frozenset())
        )

    def writes(self, rest: frozenset[Element]) -> Iterator[tuple[Element, ...]]:
        """Every part of what is left that the store takes as one write."""
        targets: dict[tuple[bool, str], list[Element]] = {}
        for element in sorted(rest):
            targets.setdefault((element[0] == "users", element[1]), []).append(element)
        for elements in targets.values():
            for size in range(1, len(elements) + 1):
                for some in combinations(elements, size):
                    if size == 1 or self._at_once({where for where, _, _ in some}):
                        yield some

    def _at_once(self, kinds: set[str]) -> bool:
        grain = self.grain
        return {
            frozenset({"users"}): grain.sets,
            frozenset({"privileges"}): grain.privileges,
            frozenset({"includes"}): grain.includes,
            frozenset({"privileges", "includes"}): grain.roles,
        }[frozenset(kinds)]

    def can_do_with(self, gaps: frozenset[Gap]) -> bool:
        """Whether some order of writes opens none but these gaps, and gives nobody more."""
        had, will = self.before.access(), self.after.access()
        users = had.keys() | will.keys()
        none: frozenset[str] = frozenset()

        def is_good(sides: Sides) -> bool:
            if sides.is_circular():
                return False
            now = sides.access()
            return all(
                (now.get(u, none) <= had.get(u, none) or now.get(u, none) <= will.get(u, none))
                and {(u, p) for p in (had.get(u, none) & will.get(u, none)) - now.get(u, none)}
                <= gaps
                for u in users
            )

        seen: set[frozenset[Element]] = set()
        stack = [(self.elements(), self.before)]
        while stack:
            rest, sides = stack.pop()
            if not rest:
                return True
            if rest in seen:
                continue
            seen.add(rest)
            for write in self.writes(rest):
                changed = sides.with_change(write)
                if rest.difference(write) not in seen and is_good(changed):
                    stack.append((rest.difference(write), changed))
        return False


STORES = (
    WHOLE,
    Grain(sets=False),
    Grain(privileges=False, roles=False),
    ONE_BY_ONE,
)


def hard_world(seed: int, most: int = 9) -> SmallWorld:
    """A world in which somebody loses something; the same for the same seed."""
    rng = Random(seed)
    while True:
        world = _world(rng)
        had, will = world.before.access(), world.after.access()
        loses = any(had[user] - will.get(user, frozenset()) for user in had)
        if loses and 1 < len(world.elements()) <= most:
            return world


def _world(rng: Random) -> SmallWorld:
    roles = [f"R{n}" for n in range(rng.randint(2, 4))]
    items = "ABCD"[: rng.randint(2, 4)]
    users = [f"u{n}" for n in range(rng.randint(1, 4))]
    before = _sides(rng, roles, items, users)
    if rng.random() < 0.5:
        after = _sides(rng, roles, items, users)
    else:
        after = before
        for _ in range(rng.randint(2, 7)):
            changed = after.with_change((_element(rng, after, items),))
            after = after if changed.is_circular() else changed
    return SmallWorld(before, after, rng.choice(STORES))


def _sides(rng: Random, roles: list[str], items: str, users: list[str]) -> Sides:
    there = [name for name in roles if rng.random() < 0.85] or roles[:1]
    order = rng.sample(there, len(there))
    return Sides(
        {name: frozenset(i for i in items if rng.random() < 0.4) for name in there},
        {
            name: frozenset(other for other in order[at + 1 :] if rng.random() < 0.25)
            for at, name in enumerate(order)
        },
        {user: frozenset(name for name in there if rng.random() < 0.5) for user in users},
    )


def _element(rng: Random, sides: Sides, items: str) -> Element:
    roles = sorted(sides.privileges)
    match rng.choice(("privileges", "privileges", "includes", "users", "users")):
        case "privileges":
            return "privileges", rng.choice(roles), rng.choice(items)
        case "includes":
            return "includes", rng.choice(roles), rng.choice(roles)
        case _:
            return "users", rng.choice(sorted(sides.users)), rng.choice(roles)
