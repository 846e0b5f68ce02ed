"""What each role and user of a state carries of the privileges and roles that rules name.

A set of such items is an int with a bit for each. However many rules there are, access is looked at
once, and a rule is looked at in one instruction for each role and user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from provisioner.engine.access.effective import indices
from provisioner.engine.access.reachable import reachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provisioner.engine.access.effective import EffectiveAccess
    from provisioner.model import Role

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

    def among(self, privileges: frozenset[str]) -> int:
        """Those of the privileges that are items."""
        bits, found = self._bits["privileges"], 0
        for name in bits.keys() & privileges:
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

    def __init__(self, access: EffectiveAccess, items: Items) -> None:
        self.access = access
        self.items = items
        roles = access.state.roles
        # What each role is and grants itself.
        self.own: dict[str, int] = {
            name: items.role(name) | items.among(role.privileges) for name, role in roles.items()
        }
        self.roles: dict[str, int] = {
            name: self.own[name] | items.among(carried) if roles[name].includes else self.own[name]
            for name, carried in access.roles.items()
        }
        for name in items.roles & roles.keys():
            for outer in reachable((name,), access.included_in):
                self.roles[outer] |= items.role(name)
        self.users: dict[str, int] = {}
        get = self.roles.get
        for login, held in access.state.assignments.items():
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
        if not exempt or login not in self.access.state.assignments:
            return self.users.get(login, 0)
        held = self.access.state.assignments[login].roles
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
            known = self._touched[exempt] = reachable(exempt, self.access.included_in)
        return known

    def carriers(self, name: str, exempt: frozenset[str] = _NOBODY) -> tuple[set[str], set[str]]:
        """The other roles and the users (by case-folded login) that carry a role."""
        above: set[str] = set()
        waiting = [name]
        while waiting:
            role = waiting.pop()
            if role not in above and role not in exempt:
                above.add(role)
                waiting += self.access.included_in.get(role, ())
        users = {login for role in above for login in self.access.held_by.get(role, ())}
        return above - {name}, users

    def _closure(self, name: str, exempt: frozenset[str]) -> set[str]:
        roles: Mapping[str, Role] = self.access.state.roles
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            role = waiting.pop()
            if role not in seen and role not in exempt and role in roles:
                seen.add(role)
                waiting += roles[role].includes
        return seen
