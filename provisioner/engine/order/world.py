"""Two states, and one on its way from the first to the second: what everybody holds meanwhile.

The way is made of *elements*: one privilege of a role, one include, one role of a user, each added
or taken away. Access is kept as one integer per user, a bit for each privilege, and follows each
element at once; ``undo`` takes it back. So an order can be found by trying.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, NamedTuple

from provisioner.engine.order.elements import NOTHING, Element, Groups, elements_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from provisioner.model import Role, State


class Trial(NamedTuple):
    """What elements did that were tried: whose access was what before, and what to undo."""

    elements: tuple[Element, ...]
    former_roles: dict[str, int]
    former: dict[str, int]


class World:
    """The objects that a transition changes, and everybody whose access may move with them.

    Both states carry the new names. Roles that are created are there from the start, without
    privileges and includes; of roles that are deleted, only who holds and includes them changes.
    ``roles`` and ``users`` are the objects that differ. ``strays`` take roles from users that do
    not exist: they change nothing, and come before all else. ``is_circular`` says that stored
    includes go in circles, so that what is carried can't be followed here; ``expects``, that
    somebody holds or includes by name a role that is yet to be made. ``spent`` counts how often
    the access of somebody was worked out.
    """

    def __init__(
        self, before: State, after: State, roles: Collection[str], users: Collection[str]
    ) -> None:
        self.spent = 0
        self.is_circular = False
        self._bits: dict[str, int] = {}
        self._masks: dict[frozenset[str], int] = {NOTHING: 0}
        self._before, self._after = before.roles, after.roles
        self.elements = tuple(elements_of(before, after, roles, users))
        self.strays = tuple(
            element
            for element in self.elements
            if not element.grows and element.kind == "role" and element.item not in before.roles
        )
        self._includers: defaultdict[str, set[str]] = defaultdict(set)
        for role in before.roles.values():
            for name in role.includes:
                self._includers[name].add(role.name)
        reaching = self._reaching(after, roles)
        touched = set(users)
        for state in (before, after):
            touched.update(
                login
                for login, held in state.assignments.items()
                if not reaching.isdisjoint(held.roles)
            )
        self._own: dict[str, int] = {}
        self.includes: dict[str, set[str]] = {}
        self._carried: dict[str, int] = {}
        self.held: dict[str, set[str]] = {}
        self._holders: defaultdict[str, set[str]] = defaultdict(set)
        final: dict[str, int] = {}
        self.before: dict[str, int] = {}
        self.after: dict[str, int] = {}
        for login in touched:
            now, then = before.assignments.get(login), after.assignments.get(login)
            self.held[login] = set(now.roles) if now else set()
            for name in self.held[login]:
                self._holders[name].add(login)
            self.before[login] = self._union(now.roles if now else (), before.roles, self._carried)
            self.after[login] = self._union(then.roles if then else (), after.roles, final)
        for element in self.elements:
            if element.kind == "role":
                self._enter(element.item)
            else:
                self._enter(element.owner)
                if element.kind == "include":
                    self._enter(element.item)
        for name in reaching:
            self._enter(name)
        made = [name for name in roles if name in after.roles and name not in before.roles]
        self.expects = any(self._includers.get(name) or self._holders.get(name) for name in made)
        self.now = dict(self.before)
        self.keep = {login: had & self.after[login] for login, had in self.before.items()}
        self.components = self._components(before, after, reaching)

    def _reaching(self, after: State, changed: Iterable[str]) -> set[str]:
        """The roles that carry a changed one before or after, itself included."""
        above: defaultdict[str, set[str]] = defaultdict(set)
        for role in after.roles.values():
            for name in role.includes:
                above[name].add(role.name)
        found = set(changed)
        todo = list(found)
        while todo:
            name = todo.pop()
            for other in self._includers.get(name, NOTHING) | above.get(name, NOTHING):
                if other not in found:
                    found.add(other)
                    todo.append(other)
        return found

    def _mask(self, privileges: frozenset[str]) -> int:
        mask = self._masks.get(privileges)
        if mask is None:
            mask = 0
            for privilege in privileges:
                mask |= self.bit(privilege)
            self._masks[privileges] = mask
        return mask

    def bit(self, privilege: str) -> int:
        """The bit of a privilege."""
        bit = self._bits.get(privilege)
        if bit is None:
            bit = self._bits[privilege] = 1 << len(self._bits)
        return bit

    def privileges(self, mask: int) -> tuple[str, ...]:
        """The privileges of a mask, sorted."""
        return tuple(sorted(name for name, bit in self._bits.items() if mask & bit))

    def _union(
        self, names: Iterable[str], roles: Mapping[str, Role], carried: dict[str, int]
    ) -> int:
        mask = 0
        for name in names:
            mask |= carried[name] if name in carried else self._carry(name, roles, carried)
        return mask

    def _carry(self, name: str, roles: Mapping[str, Role], carried: dict[str, int]) -> int:
        """What a role carries, over all that it includes; without recursion, for long chains."""
        todo, above = [name], set[str]()
        while todo:
            top = todo[-1]
            role = roles.get(top)
            included = role.includes if role else NOTHING
            missing = [other for other in included if other not in carried]
            if top in missing or not above.isdisjoint(missing):
                self.is_circular = True
                missing = []
            if missing:
                above.add(top)
                todo += missing
                continue
            mask = self._mask(role.privileges) if role else 0
            for other in included:
                mask |= carried.get(other, 0)
            carried[top] = mask
            above.discard(todo.pop())
        return carried[name]

    def _enter(self, name: str) -> None:
        """Take a role in, with what it carries and includes now."""
        todo = [name]
        while todo:
            name = todo.pop()
            if name in self.includes:
                continue
            role = self._before.get(name)
            self.includes[name] = set(role.includes) if role else set()
            self._own[name] = self._mask(role.privileges) if role else 0
            if name not in self._carried:
                if role:
                    self._carry(name, self._before, self._carried)
                else:
                    self._carried[name] = 0
            todo += self.includes[name]

    def _components(
        self, before: State, after: State, reaching: set[str]
    ) -> tuple[tuple[Element, ...], ...]:
        """The elements in groups that have no role in common, and nobody who could notice both."""
        groups = Groups()
        for state in (before, after):
            for name in reaching & state.roles.keys():
                for other in reaching & state.roles[name].includes:
                    groups.join((False, name), (False, other))
            for login in self.held.keys() & state.assignments.keys():
                for name in reaching & state.assignments[login].roles:
                    groups.join((True, login), (False, name))
        found: defaultdict[tuple[bool, str], list[Element]] = defaultdict(list)
        for element in self.elements:
            if element not in self.strays:
                found[groups.of(element.target)].append(element)
        return tuple(tuple(group) for group in found.values())

    def reached(self, elements: Iterable[Element]) -> set[str]:
        """Everybody who holds what these elements change, directly or by includes, right now."""
        found: set[str] = set()
        todo = []
        for element in elements:
            if element.kind == "role":
                found.add(element.owner)
            else:
                todo.append(element.owner)
        seen = set(todo)
        while todo:
            name = todo.pop()
            found |= self._holders.get(name, NOTHING)
            for other in self._includers.get(name, NOTHING):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return found

    def do(self, elements: Sequence[Element]) -> Trial | None:
        """Carry out elements at once; None, with nothing done, if they close a circle of includes.

        What is taken away goes first, so that a set is replaced and not widened.
        """
        done: list[Element] = []
        changed: set[str] = set()
        people: set[str] = set()
        for element in sorted(elements, key=_shrinks_first):
            if element.kind == "include" and element.grows and self._closes(element):
                self._set_back(done)
                return None
            self._flip(element, element.grows)
            done.append(element)
            (people if element.kind == "role" else changed).add(element.owner)
        former_roles: dict[str, int] = {}
        todo = deque(changed)
        carried = self._carried
        while todo:
            name = todo.popleft()
            mask = self._own[name]
            for other in self.includes[name]:
                mask |= carried[other]
            if mask != carried[name]:
                former_roles.setdefault(name, carried[name])
                carried[name] = mask
                todo.extend(self._includers.get(name, NOTHING))
        for name in former_roles:
            people |= self._holders.get(name, NOTHING)
        former: dict[str, int] = {}
        now = self.now
        for login in people:
            mask = 0
            for name in self.held[login]:
                mask |= carried[name]
            if mask != now[login]:
                former[login] = now[login]
                now[login] = mask
        self.spent += len(people) + 1
        return Trial(tuple(done), former_roles, former)

    def undo(self, trial: Trial) -> None:
        """Take back what was tried last."""
        self._set_back(trial.elements)
        self._carried.update(trial.former_roles)
        self.now.update(trial.former)

    def take_back(self, group: Sequence[Element]) -> None:
        """Undo elements that were done, without what was remembered of them."""
        back = tuple(element._replace(grows=not element.grows) for element in group)
        if self.do(back) is None:
            raise AssertionError(back)

    def _set_back(self, done: Sequence[Element]) -> None:
        for element in reversed(done):
            self._flip(element, not element.grows)

    def _flip(self, element: Element, add: bool) -> None:  # noqa: FBT001
        kind, owner, item, _ = element
        if kind == "privilege":
            self._own[owner] ^= self.bit(item)
        elif kind == "include":
            (self.includes[owner].add if add else self.includes[owner].discard)(item)
            (self._includers[item].add if add else self._includers[item].discard)(owner)
        else:
            (self.held[owner].add if add else self.held[owner].discard)(item)
            (self._holders[item].add if add else self._holders[item].discard)(owner)

    def _closes(self, element: Element) -> bool:
        todo = [element.item]
        seen = set(todo)
        while todo:
            name = todo.pop()
            if name == element.owner:
                return True
            fresh = self.includes[name] - seen
            seen |= fresh
            todo += fresh
        return False

    def unsafe(self, login: str) -> bool:
        """Whether somebody holds now what he must hold neither before nor after."""
        now = self.now[login]
        return bool(now & ~self.before[login] and now & ~self.after[login])

    def missing(self, login: str) -> int:
        """What somebody holds before and after, and not now."""
        return self.keep[login] & ~self.now[login]


def _shrinks_first(element: Element) -> bool:
    return element.grows
