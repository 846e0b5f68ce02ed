"""The vocabulary as values: privileges, roles, assignments, states, and where they were declared.

Everything here is immutable and free of I/O. References between objects (a role's includes, a
user's roles) are by role *name*; a role's ``id``, given by the backend, is what stays the same
when the name changes. Users are keyed by their case-folded login.

The terms are those of NIST RBAC (ANSI INCITS 359): a *role* carries *privileges* (the panel's word
for permissions) and may *include* roles; an *assignment* gives roles to a *user*.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Any, Literal, Protocol

from msgspec import Struct, field

Kind = Literal["roles", "users"]
KINDS: tuple[Kind, ...] = ("roles", "users")


class Place(Struct, frozen=True, order=True):
    """Where something stands in a source: a file and a 1-based line and column."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Requirement(Struct, frozen=True):
    """A privilege that another one needs to be effective; ``when`` limits it to a case."""

    name: str
    when: str | None = None


class Privilege(Struct, frozen=True):
    """A named permission, defined by the panel. Names are case-sensitive."""

    name: str
    group: str | None = None
    summary: str = ""
    requires: tuple[Requirement, ...] = ()
    internal: bool = False
    sensitive: bool = False


class Role(Struct, frozen=True):
    """A role as a backend holds it, or as it shall be. ``id`` is None until a backend gave one."""

    name: str
    description: str = ""
    privileges: frozenset[str] = frozenset()
    includes: frozenset[str] = frozenset()
    protected: bool = False
    id: str | None = None


class Assignment(Struct, frozen=True):
    """The roles a user holds. ``user`` is the login as it was written, kept for display."""

    user: str
    roles: frozenset[str] = frozenset()


class Catalogue(Struct, frozen=True, dict=True):
    """All privileges a panel offers, and the default roles that it ships with.

    ``name`` says where the catalogue comes from, for messages and plans. One that is not
    ``known`` says nothing about privileges: any well-formed name may be one.
    """

    name: str
    privileges: Mapping[str, Privilege]
    default_roles: tuple[Role, ...] = ()
    known: bool = True

    @cached_property
    def grantable(self) -> frozenset[str]:
        """The privileges that a role may be given."""
        return frozenset(p.name for p in self.privileges.values() if not p.internal)

    @cached_property
    def internal(self) -> frozenset[str]:
        """The privileges that only the panel itself gives."""
        return frozenset(p.name for p in self.privileges.values() if p.internal)

    @cached_property
    def sensitive(self) -> frozenset[str]:
        """The privileges that are marked as sensitive."""
        return frozenset(p.name for p in self.privileges.values() if p.sensitive)

    @cached_property
    def default_names(self) -> frozenset[str]:
        """The names of the default roles, case-folded."""
        return frozenset(role.name.casefold() for role in self.default_roles)

    def is_default(self, role: str) -> bool:
        """Whether the panel ships a role of this name (compared case-folded)."""
        return role.casefold() in self.default_names


class State(Struct, frozen=True):
    """What a backend holds: roles by name, assignments by case-folded login.

    ``recorded`` names the kinds that a provisioner run has taken under management before; until a
    kind is recorded, a plan that would remove objects of it needs ``--adopt``. ``policies`` are
    those that the last run was judged by, as plain data.
    """

    roles: Mapping[str, Role] = field(default_factory=dict)
    assignments: Mapping[str, Assignment] = field(default_factory=dict)
    recorded: frozenset[Kind] = frozenset()
    policies: tuple[Mapping[str, Any], ...] = ()


class Base(Struct, frozen=True):
    """Which version of a state something was made from.

    ``lineage`` tells one store from another, ``serial`` counts its versions, ``digest`` is over its
    content. A store that does not exist yet has no lineage, serial 0 and no digest.
    """

    lineage: str | None = None
    serial: int = 0
    digest: str | None = None


class Snapshot(Struct, frozen=True):
    """A state as it was read, and its version, with what else the store told of itself.

    ``catalogue`` is the panel's own, where the store has one. ``users`` are the case-folded logins
    that a store with ``closed_users`` knows. ``subject`` is the login that the store knows the
    reader by. ``administrators`` are the roles that mean administrative access there, besides what
    does so everywhere.
    """

    state: State
    base: Base = Base()
    catalogue: Catalogue | None = None
    users: frozenset[str] | None = None
    subject: str | None = None
    administrators: frozenset[str] = frozenset()


class Capabilities(Struct, frozen=True):
    """What a store can hold and do. The planner adapts to what is missing, and says so.

    ``atomic``: all writes of a plan are committed at once. ``versions``: a write is refused when
    the object changed since it was read; without, the object is read again just before and after.
    ``whole_roles``: a role is created together with its privileges, not empty and filled later.
    ``recording``: the store remembers which kinds are managed, and the policies. ``closed_users``:
    only users that the store knows can be given roles.
    """

    atomic: bool = False
    assignments: bool = True
    includes: bool = True
    descriptions: bool = True
    renames: bool = True
    protection: bool = True
    history: bool = False
    versions: bool = True
    whole_roles: bool = True
    recording: bool = True
    closed_users: bool = False


class Grant(Struct, frozen=True):
    """One reason why a role carries a privilege itself: the text that says so, and its place.

    ``pattern`` is the exact name or the glob as written; ``set_name`` the privilege set it was
    written in, if any.
    """

    privilege: str
    pattern: str
    place: Place | None
    set_name: str | None = field(default=None, name="set")


class Exclusion(Struct, frozen=True):
    """One item of a role's ``except``, and the privileges that it takes away."""

    pattern: str
    place: Place | None
    taken: frozenset[str]


class Provenance(Protocol):
    """Answers where things of a desired state were declared. Answers are worked out when asked."""

    def role(self, name: str) -> Place | None:
        """Where the role is declared."""
        ...

    def user(self, login: str) -> Place | None:
        """Where the user is declared; ``login`` case-folded."""
        ...

    def assignment(self, login: str, role: str) -> Place | None:
        """Where the user is given the role; ``login`` case-folded."""
        ...

    def grants(self, role: str) -> tuple[Grant, ...]:
        """Every grant of the role's own privileges, sorted by privilege, then place."""
        ...

    def include(self, role: str, included: str) -> Place | None:
        """Where the role's ``includes`` names the included role."""
        ...


class NoProvenance:
    """The provenance of a desired state that was not read from files."""

    def role(self, name: str) -> Place | None:
        """No file, no place."""
        return None

    def user(self, login: str) -> Place | None:
        """No file, no place."""
        return None

    def assignment(self, login: str, role: str) -> Place | None:
        """No file, no place."""
        return None

    def grants(self, role: str) -> tuple[Grant, ...]:
        """No file, no grants."""
        return ()

    def include(self, role: str, included: str) -> Place | None:
        """No file, no place."""
        return None


class DesiredRole(Struct, frozen=True):
    """A role as the sources declare it. ``role.id`` is set only where it is known (rollback)."""

    role: Role
    renamed_from: str | None = None


class DatedRole(Struct, frozen=True):
    """One role in a user's assignment. ``until`` is the last day on which it is held."""

    role: str
    until: date | None = None
    reason: str | None = None

    def is_active(self, as_of: date) -> bool:
        """Whether the role is held on the given day."""
        return self.until is None or as_of <= self.until


class Ending(Struct, frozen=True):
    """An assignment with an end: ``until`` is the last day on which the user holds the role."""

    user: str
    role: str
    until: date


class DesiredUser(Struct, frozen=True):
    """What the sources say a user holds, dates included."""

    user: str
    roles: tuple[DatedRole, ...] = ()


class DesiredState(Struct, frozen=True):
    """What the sources resolve to. ``None`` for a kind means: not managed; empty means: none.

    ``roles`` is keyed by name, ``users`` by case-folded login. ``ignore`` holds the globs that the
    sources themselves declare, ``ignore_users`` those over logins. ``rules`` are the policies and
    access tests as plain data. ``files`` are the sources read, for the coverage statement of a
    plan; ``digest`` is over them.
    """

    roles: Mapping[str, DesiredRole] | None = None
    users: Mapping[str, DesiredUser] | None = None
    catalogue: Catalogue | None = None
    ignore: tuple[str, ...] = ()
    ignore_users: tuple[str, ...] = ()
    rules: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    digest: str | None = None
    provenance: Provenance = field(default_factory=NoProvenance)
