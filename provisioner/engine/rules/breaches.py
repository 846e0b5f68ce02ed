"""A state and the one before it as policies see them: who breaks a rule, and whether that is new.

Judged by what is carried, never by how it is called or comes about: renamed roles have their new
names in both states, includes count, and who held a role while it was empty had nothing by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from provisioner.engine.access.carried import Carried, Items
from provisioner.engine.access.chains import Chain, Chains
from provisioner.engine.rules.witness import Ways, brought
from provisioner.model import DesiredUser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.engine.access.effective import EffectiveAccess
    from provisioner.engine.rules.rule import Rule
    from provisioner.model import Place, Provenance


class Dates(Struct, frozen=True):
    """The day, and which users are given what until when, now and, where it is known, before."""

    as_of: date
    users: Mapping[str, DesiredUser]
    former_users: Mapping[str, DesiredUser] | None


class Judged:
    """The state, and the one before, where there is one, as all rules see them."""

    def __init__(
        self,
        now: EffectiveAccess,
        before: EffectiveAccess | None,
        items: Items,
        dates: Dates,
        *,
        provenance: Provenance | None,
        shipped: frozenset[str],
    ) -> None:
        self.state = now.state
        self.items = items
        self.now = Carried(now, items)
        self.before = Carried(before, items) if before is not None else None
        self.ways = Ways(self.now, Chains(now.state, provenance))
        self.roles = [(n, self.now.roles[n]) for n in sorted(now.state.roles.keys() - shipped)]
        self.logins = sorted(self.now.users.items())
        self.dates = dates

    def narrowed(self, rule: Rule) -> Rule:
        """The rule with those exemptions alone that make a difference to it."""
        carried = [self.now.roles, self.before.roles if self.before else {}]
        matter = {n for n in rule.exempt if any(rows.get(n, 0) & rule.items for rows in carried)}
        return rule if matter == rule.exempt else replace(rule, exempt=frozenset(matter))

    def roles_with(self, rule: Rule) -> Iterator[tuple[str, int]]:
        """The roles that break a rule on what is carried, and what of it they carry, by name."""
        items, fewest = rule.items, rule.fewest
        for name in [n for n, row in self.roles if (row & items).bit_count() >= fewest]:
            found = self.now.of_role(name, rule.exempt) & items & ~_itself(name, rule, self.items)
            if rule.is_broken_by(found):
                yield name, found

    def users_with(self, rule: Rule) -> Iterator[tuple[str, int]]:
        """The same for users, by login."""
        items, fewest = rule.items, rule.fewest
        for login in [n for n, row in self.logins if (row & items).bit_count() >= fewest]:
            found = self.now.of_user(login, rule.exempt) & items
            if rule.is_broken_by(found):
                yield login, found

    def age_of_user(self, login: str, carried: int, rule: Rule) -> Age:
        """Whether a user's break is new; carried are all items that break the rule."""
        if self.before is None:
            return Age(carried)
        had = self.before.of_user(login, rule.exempt) & rule.items & ~self._hollow
        return _age(carried, had, rule)

    def age_of_role(self, name: str, carried: int, rule: Rule) -> Age:
        """The same for a role.

        One that was not there before brings nothing new to those who had all of it already.
        """
        if self.before is None:
            return Age(carried)
        if name not in self.before.access.state.roles and self._is_taken_out(name, carried, rule):
            return Age(0)
        had = self.before.of_role(name, rule.exempt) & rule.items & ~self._hollow
        return _age(carried, had & ~_itself(name, rule, self.items), rule)

    def _is_taken_out(self, name: str, carried: int, rule: Rule) -> bool:
        before = self.before
        if before is None or not before.access.state.roles:
            return False
        roles, users = self.now.carriers(name, rule.exempt)
        had = [before.of_role(r, rule.exempt) for r in roles if r in before.access.state.roles]
        had += [before.of_user(login, rule.exempt) for login in users]
        return bool(had) and not any(carried & (~items | self._hollow) for items in had)

    @cached_property
    def _hollow(self) -> int:
        """The roles that rules name, that carried nothing before, and carry something now."""
        if self.before is None:
            return 0
        had, has = self.before.access, self.now.access
        names = self.items.roles & self.before.access.state.roles.keys()
        return self.items.set_of(
            "roles", [n for n in names if has.of_role(n) and not had.of_role(n)]
        )

    def brought_at(self, age: Age, chains: Iterable[Chain]) -> Place | None:
        """The line by which the change brings a break."""
        if self.before is None or not age.fresh:
            return None
        return brought(chains, self.before.access.state)


class Age(Struct, frozen=True):
    """What a subject did not carry before, and whether it broke the rule with part of the rest."""

    fresh: int
    was_broken: bool = False


def _age(carried: int, had: int, rule: Rule) -> Age:
    grows = not had & ~carried
    return Age(carried & ~had, grows and rule.is_broken_by(had))


def _itself(name: str, rule: Rule, items: Items) -> int:
    """A role that is denied breaks nothing by being what it is."""
    return items.role(name) if rule.kind == "deny" else 0
