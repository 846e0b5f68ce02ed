"""Why somebody holds a privilege: every chain from a user over roles and includes to a grant.

A chain is a value that can be replayed: each link is an assignment, an include or a grant of the
state it was found in, and following all of them leads from the subject to the privilege.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from provisioner.model import Assignment, NoProvenance, Role, State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from provisioner.model import Catalogue, DesiredState, Grant, Place, Provenance

LinkKind = Literal["assignment", "include", "grant"]


@dataclass(frozen=True, slots=True)
class Link:
    """One step of a chain: a user's role, a role's included role, or a role's privilege.

    ``pattern`` and ``set_name`` tell how a grant was written, where that is known.
    """

    kind: LinkKind
    subject: str
    object: str
    place: Place | None = None
    pattern: str | None = None
    set_name: str | None = None


Chain = tuple[Link, ...]


class Chains:
    """Finds chains in a state. Places come from the provenance of the sources, where there is one.

    Roles that the sources do not declare (default, external, ignored ones) have links without
    places.
    """

    def __init__(self, state: State, provenance: Provenance | None = None) -> None:
        self._state = state
        self._provenance: Provenance = provenance or NoProvenance()

    def of_user(self, login: str, privilege: str) -> Iterator[Chain]:
        """Every chain by which a user holds a privilege, shortest first among equal starts."""
        key = login.casefold()
        held = self._state.assignments.get(key)
        for role in sorted(held.roles) if held else ():
            place = self._provenance.assignment(key, role)
            first = Link("assignment", held.user if held else login, role, place)
            for rest in self.of_role(role, privilege):
                yield (first, *rest)

    def of_role(self, name: str, privilege: str) -> Iterator[Chain]:
        """Every chain by which a role carries a privilege: over each simple path of includes."""
        for path in self.include_paths(name):
            last = path[-1].object if path else name
            role = self._state.roles.get(last)
            if role is not None and privilege in role.privileges:
                for grant in self._grants(role, privilege):
                    yield (*path, grant)

    def include_paths(self, name: str) -> Iterator[Chain]:
        """Every simple path of includes that starts at a role, the empty one first."""
        waiting: list[tuple[str, Chain, frozenset[str]]] = [(name, (), frozenset((name,)))]
        while waiting:
            current, path, seen = waiting.pop(0)
            yield path
            role = self._state.roles.get(current)
            for included in sorted(role.includes - seen) if role else ():
                place = self._provenance.include(current, included)
                link = Link("include", current, included, place)
                waiting.append((included, (*path, link), seen | {included}))

    def shortest_of_user(self, login: str, privilege: str) -> Chain | None:
        """One chain with the fewest links, or None where the user does not hold the privilege."""
        return min(self.of_user(login, privilege), key=len, default=None)

    def shortest_of_role(self, name: str, privilege: str) -> Chain | None:
        """One chain with the fewest links, or None where the role does not carry the privilege."""
        return next(self.of_role(name, privilege), None)

    def _grants(self, role: Role, privilege: str) -> Iterator[Link]:
        grants: tuple[Grant, ...] = self._provenance.grants(role.name)
        found = [grant for grant in grants if grant.privilege == privilege]
        for grant in found:
            yield Link("grant", role.name, privilege, grant.place, grant.pattern, grant.set_name)
        if not found:
            yield Link("grant", role.name, privilege)


def declared_state(desired: DesiredState, catalogue: Catalogue, as_of: date) -> State:
    """The state that the sources alone describe, on a given day.

    Default roles that are not declared are as the catalogue ships them; external roles exist, and
    carry nothing that is known.
    """
    roles = {role.name: role for role in catalogue.default_roles}
    roles |= {name: declared.role for name, declared in (desired.roles or {}).items()}
    assignments = {}
    for login, user in (desired.users or {}).items():
        held = frozenset(dated.role for dated in user.roles if dated.is_active(as_of))
        if held:
            assignments[login] = Assignment(user.user, held)
    referred = {name for held in assignments.values() for name in held.roles}
    referred |= {name for role in roles.values() for name in role.includes}
    for name in referred - roles.keys():
        roles[name] = Role(name)
    return State(roles, assignments)
