"""The vocabulary as values: privileges, roles, assignments, states, and where they were declared.

Everything here is immutable and free of I/O. References between objects (a role's includes, a
user's roles) are by role *name*; a role's ``id``, given by the backend, is what stays the same
when the name changes. Users are keyed by their case-folded login.

The terms are those of NIST RBAC (ANSI INCITS 359): a *role* carries *privileges* (the panel's word
for permissions) and may *include* roles; an *assignment* gives roles to a *user*.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

Kind = Literal["roles", "users"]
KINDS: tuple[Kind, ...] = ("roles", "users")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands in a source: a file and a 1-based line and column."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Requirement:
    """A privilege that another one needs to be effective; ``when`` limits it to a case."""

    name: str
    when: str | None = None


@dataclass(frozen=True, slots=True)
class Privilege:
    """A named permission, defined by the panel. Names are case-sensitive."""

    name: str
    group: str | None = None
    summary: str = ""
    requires: tuple[Requirement, ...] = ()
    internal: bool = False
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """A role as a backend holds it, or as it shall be. ``id`` is None until a backend gave one."""

    name: str
    description: str = ""
    privileges: frozenset[str] = frozenset()
    includes: frozenset[str] = frozenset()
    protected: bool = False
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """The roles a user holds. ``user`` is the login as it was written, kept for display."""

    user: str
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All privileges a panel offers, and the default roles that it ships with.

    ``name`` says where the catalogue comes from, for messages and plans. One that is not
    ``known`` says nothing about privileges: any well-formed name may be one.
    """

    name: str
    privileges: Mapping[str, Privilege]
    default_roles: tuple[Role, ...] = ()
    known: bool = True
    grantable: frozenset[str] = field(init=False)
    internal: frozenset[str] = field(init=False)
    sensitive: frozenset[str] = field(init=False)
    default_names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        names = self.privileges.values()
        object.__setattr__(self, "grantable", frozenset(p.name for p in names if not p.internal))
        object.__setattr__(self, "internal", frozenset(p.name for p in names if p.internal))
        object.__setattr__(self, "sensitive", frozenset(p.name for p in names if p.sensitive))
        defaults = frozenset(role.name.casefold() for role in self.default_roles)
        object.__setattr__(self, "default_names", defaults)

    def is_default(self, role: str) -> bool:
        """Whether the panel ships a role of this name (compared case-folded)."""
        return role.casefold() in self.default_names


@dataclass(frozen=True, slots=True)
class State:
    """What a backend holds: roles by name, assignments by case-folded login.

    ``recorded`` names the kinds that a provisioner run has taken under management before; until a
    kind is recorded, a plan that would remove objects of it needs ``--adopt``. ``policies`` are
    those that the last run was judged by, as plain data.
    """

    roles: Mapping[str, Role] = field(default_factory=dict)
    assignments: Mapping[str, Assignment] = field(default_factory=dict)
    recorded: frozenset[Kind] = frozenset()
    policies: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Base:
    """Which version of a state something was made from.

    ``lineage`` tells one store from another, ``serial`` counts its versions, ``digest`` is over its
    content. A store that does not exist yet has no lineage, serial 0 and no digest.
    """

    lineage: str | None = None
    serial: int = 0
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
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


@dataclass(frozen=True, slots=True)
class Capabilities:
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


@dataclass(frozen=True, slots=True)
class Grant:
    """One reason why a role carries a privilege itself: the text that says so, and its place.

    ``pattern`` is the exact name or the glob as written; ``set_name`` the privilege set it was
    written in, if any.
    """

    privilege: str
    pattern: str
    place: Place | None
    set_name: str | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
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


@dataclass(frozen=True, slots=True)
class DesiredRole:
    """A role as the sources declare it. ``role.id`` is set only where it is known (rollback)."""

    role: Role
    renamed_from: str | None = None


@dataclass(frozen=True, slots=True)
class DatedRole:
    """One role in a user's assignment. ``until`` is the last day on which it is held."""

    role: str
    until: date | None = None
    reason: str | None = None

    def is_active(self, as_of: date) -> bool:
        """Whether the role is held on the given day."""
        return self.until is None or as_of <= self.until


@dataclass(frozen=True, slots=True)
class Ending:
    """An assignment with an end: ``until`` is the last day on which the user holds the role."""

    user: str
    role: str
    until: date


@dataclass(frozen=True, slots=True)
class DesiredUser:
    """What the sources say a user holds, dates included."""

    user: str
    roles: tuple[DatedRole, ...] = ()


@dataclass(frozen=True, slots=True)
class DesiredState:
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
