"""Why a user or a role has a privilege, or why not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, Protocol, runtime_checkable

from msgspec import Struct, field

from provisioner.engine.access.chains import Chain, Chains
from provisioner.engine.access.effective import EffectiveAccess, holders
from provisioner.model import (
    Catalogue,
    DatedRole,
    DesiredUser,
    Place,
    Provenance,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.model import (
        Exclusion,
        Privilege,
    )

Kind = Literal["user", "role"]
MOST_CHAINS: Final = 200


@runtime_checkable
class Exclusions(Protocol):
    """A provenance that also knows what a role's ``except`` takes away."""

    def exclusions(self, role: str) -> tuple[Exclusion, ...]:
        """What the role's ``except`` takes away, item by item."""
        ...


class Needs(Struct, frozen=True):
    """What a privilege requires that the subject does not have: always, or in some cases only.

    A privilege with ``always`` missing ones has no effect; ``sometimes`` are pairs of a case and a
    privilege.
    """

    privilege: str
    always: tuple[str, ...] = ()
    sometimes: tuple[tuple[str, str], ...] = ()


class Held(Struct, frozen=True):
    """The subject has the privilege: the chains, shortest first, at most ``MOST_CHAINS``.

    ``total`` is how many there are; None says: more than these, and stored includes that run in
    circles keep them from being counted.
    """

    chains: tuple[Chain, ...]
    total: int | None
    needs: Needs


class Offer(Struct, frozen=True):
    """A role that carries the privilege: how, among how many, and how many users carry the role."""

    role: str
    chain: Chain
    privileges: int
    holders: int


class Ended(Struct, frozen=True):
    """A role that would give the user the privilege, had its time not passed."""

    dated: DatedRole
    place: Place | None
    chain: Chain


class Excepted(Struct, frozen=True):
    """A role of the subject that would grant the privilege, did its ``except`` not take it away."""

    role: str
    pattern: str
    place: Place | None


class NotHeld(Struct, frozen=True):
    """The subject lacks the privilege: what took it away, and which roles would grant it.

    ``offers`` are sorted by how little else comes with the role, then by name.
    """

    internal: bool
    offers: tuple[Offer, ...]
    ended: tuple[Ended, ...] = ()
    excepted: tuple[Excepted, ...] = ()


class Group(Struct, frozen=True):
    """Privileges that come the same way: ``path`` leads to the role, ``grant`` is the line there.

    The links of the path are assignments and includes; it is empty for what a role itself grants.
    """

    path: Chain
    role: str
    pattern: str | None
    set_name: str | None
    place: Place | None
    privileges: tuple[str, ...]


class Everything(Struct, frozen=True):
    """All that the subject has, each privilege by its shortest chain, and what of it is idle.

    ``carried_by`` are the roles that the user holds, or that the role includes.
    """

    privileges: tuple[str, ...]
    carried_by: tuple[str, ...]
    groups: tuple[Group, ...]
    idle: tuple[Needs, ...] = ()
    ended: tuple[tuple[DatedRole, Place | None], ...] = ()


class Explanation(Struct, frozen=True):
    """The answer about one subject. ``dated`` has the dates and reasons of the roles held."""

    kind: Kind
    subject: str
    privilege: str | None
    answer: Held | NotHeld | Everything
    dated: Mapping[str, DatedRole] = field(default_factory=dict)


class Explainer(Struct, frozen=True, dict=True):
    """Explains access in one state.

    Args:
        access: The roles and assignments, as they are on the day, and who holds what by them.
        catalogue: What privileges require, and which are internal.
        as_of: The day on which end dates are judged.
        provenance: Gives links their places.
        users: What the sources say of users, dates included; keyed by case-folded login.
        exclusions: Tells what ``except`` takes away.
    """

    access: EffectiveAccess
    catalogue: Catalogue
    as_of: date
    provenance: Provenance | None = None
    users: Mapping[str, DesiredUser] = field(default_factory=dict)
    exclusions: Exclusions | None = None

    @cached_property
    def chains(self) -> Chains:
        """The chains that lead to it."""
        return Chains(self.state, self.provenance)

    @property
    def state(self) -> State:
        """The roles and assignments."""
        return self.access.state

    def logins(self) -> list[str]:
        """The users that can be asked about, those whose roles have all ended among them."""
        named = {key: user.user for key, user in self.users.items()}
        named |= {key: held.user for key, held in self.state.assignments.items()}
        return sorted(named.values())

    def explain(self, kind: Kind, subject: str, privilege: str | None = None) -> Explanation:
        """Say why the subject has the privilege, or why not; without one, all that it has.

        ``subject`` is one of ``logins()`` or a role of the state. Nothing is checked.
        """
        key = subject.casefold()
        dated = {}
        if kind == "user" and key in self.users:
            dated = {item.role: item for item in self.users[key].roles}
        answer: Held | NotHeld | Everything
        if privilege is None:
            answer = self._everything(kind, subject)
        elif privilege in self._effective(kind, subject):
            answer = self._held(kind, subject, privilege)
        else:
            answer = self._not_held(kind, subject, privilege)
        return Explanation(kind, subject, privilege, answer, dated)

    def _effective(self, kind: Kind, subject: str) -> frozenset[str]:
        return (self.access.of_user if kind == "user" else self.access.of_role)(subject)

    def _held(self, kind: Kind, subject: str, privilege: str) -> Held:
        chains = self.chains
        if kind == "user":
            found = chains.of_user(subject, privilege)
            count = chains.count_of_user(subject, privilege)
        else:
            found = chains.of_role(subject, privilege)
            count = chains.count_of_role(subject, privilege)
        shown = tuple(islice(found, MOST_CHAINS))
        if count is None and next(found, None) is None:
            count = len(shown)
        needs = self._needs(privilege, self._effective(kind, subject))
        return Held(shown, count, needs)

    def _needs(self, privilege: str, effective: frozenset[str]) -> Needs:
        known: Privilege | None = self.catalogue.privileges.get(privilege)
        lacking = [r for r in (known.requires if known else ()) if r.name not in effective]
        always = tuple(sorted({item.name for item in lacking if item.when is None}))
        sometimes = sorted({(item.when, item.name) for item in lacking if item.when is not None})
        return Needs(privilege, always, tuple(sometimes))

    def _not_held(self, kind: Kind, subject: str, privilege: str) -> NotHeld:
        counts = holders(self.access)
        offers = []
        for name in self.state.roles:
            if (chain := self._way(name, privilege)) is not None:
                size = len(self.access.of_role(name))
                offers.append(Offer(name, chain, size, counts.get(name, 0)))
        offers.sort(key=lambda offer: (offer.privileges, offer.role))
        ended = []
        for dated, place in self._ended(subject) if kind == "user" else ():
            if (chain := self._way(dated.role, privilege)) is not None:
                ended.append(Ended(dated, place, chain))
        excepted = self._excepted(self._roles_of(kind, subject), privilege)
        internal = privilege in self.catalogue.internal
        return NotHeld(internal, tuple(offers), tuple(ended), excepted)

    def _way(self, role: str, privilege: str) -> Chain | None:
        if privilege not in self.access.of_role(role):
            return None
        return self.chains.shortest_of_role(role, privilege)

    def _ended(self, login: str) -> list[tuple[DatedRole, Place | None]]:
        key = login.casefold()
        user = self.users.get(key)
        ended = [item for item in (user.roles if user else ()) if not item.is_active(self.as_of)]
        where = self.provenance
        return [
            (item, where.assignment(key, item.role) if where else None)
            for item in sorted(ended, key=lambda item: item.role)
        ]

    def _roles_of(self, kind: Kind, subject: str) -> frozenset[str]:
        if kind == "role":
            return self.access.closure((subject,))
        held = self.state.assignments.get(subject.casefold())
        return self.access.closure(held.roles if held else ())

    def _excepted(self, roles: Iterable[str], privilege: str) -> tuple[Excepted, ...]:
        if self.exclusions is None:
            return ()
        return tuple(
            Excepted(name, item.pattern, item.place)
            for name in sorted(roles)
            for item in self.exclusions.exclusions(name)
            if privilege in item.taken
        )

    def _everything(self, kind: Kind, subject: str) -> Everything:
        if kind == "user":
            reach = self.chains.reach_of_user(subject)
            held = self.state.assignments.get(subject.casefold())
            carried_by = held.roles if held else frozenset()
        else:
            reach = self.chains.reach_of_role(subject)
            role = self.state.roles.get(subject)
            carried_by = role.includes if role else frozenset()
        groups: dict[tuple[Chain, str, str | None, str | None, Place | None], list[str]] = {}
        for privilege, chain in reach.items():
            grant = chain[-1]
            # Exact names next to each other are one group; a glob is one by itself.
            exact = grant.pattern is None or grant.pattern == privilege
            pattern, place = (None, None) if exact else (grant.pattern, grant.place)
            way = (chain[:-1], grant.subject, pattern, grant.set_name, place)
            groups.setdefault(way, []).append(privilege)
        effective = frozenset(reach)
        needs = (self._needs(name, effective) for name in sorted(effective))
        return Everything(
            tuple(sorted(effective)),
            tuple(sorted(carried_by)),
            tuple(Group(*way, tuple(sorted(names))) for way, names in groups.items()),
            tuple(need for need in needs if need.always),
            tuple(self._ended(subject)) if kind == "user" else (),
        )
