"""What each role and user of a state carries of the privileges and roles that rules name.

A set of such items is an int with a bit for each. However many rules there are, access is worked
out once, and a rule is looked at in one instruction for each role and user.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

from provisioner.engine.access.effective import add_included, indices
from provisioner.engine.access.reachable import reachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provisioner.model import Role, State

Kind = Literal["privileges", "roles"]
_NOBODY: frozenset[str] = frozenset()


class Items:
    """The bits of the items. The same items may be looked for in several states."""

    def __init__(self) -> None:
        self._bits: dict[Kind, dict[str, int]] = {"privileges": {}, "roles": {}}
        self._names: list[str] = []

    def set_of(self, kind: Kind, names: Iterable[str]) -> int:
        """The set of these privileges or roles; new ones get a bit."""
        bits, found = self._bits[kind], 0
        for name in names:
            if name not in bits:
                bits[name] = 1 << len(self._names)
                self._names.append(name)
            found |= bits[name]
        return found

    @property
    def roles(self) -> frozenset[str]:
        """The roles that are items."""
        return frozenset(self._bits["roles"])

    def role(self, name: str) -> int:
        """The item that a role itself is; nothing where no rule names it."""
        return self._bits["roles"].get(name, 0)

    def own(self, role: Role) -> int:
        """What a role is and grants itself."""
        bits = self._bits["privileges"]
        found = self.role(role.name)
        for name in bits.keys() & role.privileges:
            found |= bits[name]
        return found

    def name(self, item: int) -> str:
        """The name of one item."""
        return self._names[item.bit_length() - 1]

    def names(self, items: int) -> list[str]:
        """The names of a set of items, sorted."""
        return sorted(self._names[index] for index in indices(items))


class Carried:
    """The items that the roles and users of one state carry, includes among them.

    Roles that are referred to but not there carry nothing. Stored circles are followed once round.
    Where roles are ``exempt``, what arrives only through them is not counted.
    """

    def __init__(self, state: State, items: Items) -> None:
        self.state = state
        self.items = items
        self.own: dict[str, int] = {name: items.own(role) for name, role in state.roles.items()}
        self.roles: dict[str, int] = dict(self.own)
        add_included(state.roles, self.roles)
        self.users: dict[str, int] = {}
        get = self.roles.get
        for login, held in state.assignments.items():
            found = 0
            for name in held.roles:
                found |= get(name, 0)
            self.users[login] = found
        self._without: dict[frozenset[str], dict[str, int]] = {}
        self._touched: dict[frozenset[str], set[str]] = {}

    def of_role(self, name: str, exempt: frozenset[str] = _NOBODY) -> int:
        """What a role carries."""
        if not exempt or name not in self._touching(exempt):
            return self.roles.get(name, 0)
        known = self._without.setdefault(exempt, {})
        if name not in known:
            found = 0
            for role in self._closure(name, exempt):
                found |= self.own[role]
            known[name] = found
        return known[name]

    def of_user(self, login: str, exempt: frozenset[str] = _NOBODY) -> int:
        """What a user, by case-folded login, carries over all roles."""
        if not exempt or login not in self.state.assignments:
            return self.users.get(login, 0)
        held = self.state.assignments[login].roles
        if held.isdisjoint(self._touching(exempt)):
            return self.users[login]
        found = 0
        for name in held:
            found |= self.of_role(name, exempt)
        return found

    def _touching(self, exempt: frozenset[str]) -> set[str]:
        """The exempted roles, and all that include them: only these carry less than it seems."""
        known = self._touched.get(exempt)
        if known is None:
            known = self._touched[exempt] = reachable(exempt, self._included_in)
        return known

    def carriers(self, name: str, exempt: frozenset[str] = _NOBODY) -> tuple[set[str], set[str]]:
        """The other roles and the users (by case-folded login) that carry a role."""
        above: set[str] = set()
        waiting = [name]
        while waiting:
            role = waiting.pop()
            if role not in above and role not in exempt:
                above.add(role)
                waiting += self._included_in.get(role, ())
        users = {login for role in above for login in self._held_by.get(role, ())}
        return above - {name}, users

    @cached_property
    def _included_in(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for role in self.state.roles.values():
            for included in role.includes:
                found.setdefault(included, []).append(role.name)
        return found

    @cached_property
    def _held_by(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for login, held in self.state.assignments.items():
            for role in held.roles:
                found.setdefault(role, []).append(login)
        return found

    def _closure(self, name: str, exempt: frozenset[str]) -> set[str]:
        roles: Mapping[str, Role] = self.state.roles
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            role = waiting.pop()
            if role not in seen and role not in exempt and role in roles:
                seen.add(role)
                waiting += roles[role].includes
        return seen
