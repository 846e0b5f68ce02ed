"""What the checks of lint look at: a desired state on a day."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from provisioner.engine.access.chains import Chains, declared_state
from provisioner.engine.access.effective import access_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from provisioner.model import Catalogue, DesiredState, DesiredUser, Exclusion, Place

    # A message, the place, and what helps.
    Found = tuple[str, Place | None, str]


@runtime_checkable
class Wording(Protocol):
    """What sources say that makes no difference to the roles. The provenance of files knows it."""

    def exclusions(self, role: str) -> tuple[Exclusion, ...]:
        """What the role's ``except`` takes away, item by item."""
        ...

    def sets_of(self, role: str) -> tuple[str, ...]:
        """The privilege sets that the role names."""
        ...

    def sets(self) -> Mapping[str, Place | None]:
        """Every privilege set, and where it is declared."""
        ...


class Case:
    """A desired state on a day, and what several checks want to know of it.

    ``knows_all_holders`` is False where users that the sources do not list may hold roles as well.
    """

    def __init__(
        self,
        desired: DesiredState,
        catalogue: Catalogue,
        as_of: date,
        *,
        soon_days: int = 30,
        knows_all_holders: bool = True,
    ) -> None:
        self.desired = desired
        self.catalogue = catalogue
        self.as_of = as_of
        self.soon_days = soon_days
        self.knows_all_holders = knows_all_holders and desired.users is not None
        self.places = desired.provenance
        self.wording = desired.provenance if isinstance(desired.provenance, Wording) else None
        self.access = access_of(declared_state(desired, catalogue, as_of))
        self.state = self.access.state
        self.chains = Chains(self.state, self.places)
        self.names = tuple(sorted(desired.roles or ()))

    @cached_property
    def closures(self) -> dict[str, frozenset[str]]:
        """For each role: itself and all that it includes."""
        return {name: self.access.closure((name,)) for name in self.state.roles}

    @cached_property
    def known(self) -> frozenset[str]:
        """The roles whose access is known, since they include no external one."""
        defaults = {role.name for role in self.catalogue.default_roles}
        external = self.state.roles.keys() - (self.desired.roles or {}).keys() - defaults
        return frozenset(n for n, closure in self.closures.items() if external.isdisjoint(closure))

    @cached_property
    def idle_includes(self) -> dict[str, tuple[str, ...]]:
        """For each declared role: the includes that can all be left out, the smallest first."""
        found = {}
        for name in self.names:
            role = self.state.roles[name]
            if role.includes:
                carried = {included: self.access.of_role(included) for included in role.includes}
                order = sorted(role.includes & self.known, key=lambda n: (len(carried[n]), n))
                times = Counter(role.privileges)
                for privileges in carried.values():
                    times.update(privileges)
                found[name] = _left_out(order, carried, times)
        return found

    @cached_property
    def by_size(self) -> tuple[str, ...]:
        """The declared roles, those that carry least first."""
        return tuple(sorted(self.names, key=lambda name: (len(self.access.of_role(name)), name)))

    @cached_property
    def holders(self) -> dict[str, int]:
        """For each role a bit for each user who holds it, directly or through an include."""
        direct: dict[str, int] = {}
        for index, login in enumerate(sorted(self.state.assignments)):
            for role in self.state.assignments[login].roles:
                direct[role] = direct.get(role, 0) | 1 << index
        held = dict.fromkeys(self.state.roles, 0)
        for role, users in direct.items():
            for carried in self.closures[role]:
                held[carried] |= users
        return held

    @cached_property
    def privilege_holders(self) -> dict[str, int]:
        """For each privilege a bit for each user who holds it, as in ``holders``."""
        found: dict[str, int] = {}
        for name, users in self.holders.items():
            for privilege in self.state.roles[name].privileges:
                found[privilege] = found.get(privilege, 0) | users
        return found

    def users(self) -> Iterator[tuple[str, DesiredUser]]:
        """The declared users by their case-folded logins, sorted."""
        yield from sorted((self.desired.users or {}).items())


def _left_out(
    order: Iterable[str], carried: dict[str, frozenset[str]], times: Counter[str]
) -> tuple[str, ...]:
    """Take out, one by one, what gives nothing that does not come another way as well."""
    left_out = []
    for name in order:
        if all(times[privilege] > 1 for privilege in carried[name]):
            left_out.append(name)
            times.subtract(carried[name])
    return tuple(left_out)


def covering(wanted: frozenset[str], offers: list[tuple[str, frozenset[str]]]) -> list[str]:
    """Few of the offers that have all that is wanted between them: one where one is enough."""
    chosen = []
    while wanted and offers:
        label, has = max(offers, key=lambda offer: len(wanted & offer[1]))
        chosen.append(label)
        wanted -= has
        offers = [offer for offer in offers if wanted & offer[1]]
    return chosen
