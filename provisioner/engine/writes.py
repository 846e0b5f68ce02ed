"""The writes a plan consists of, and what each does to a state.

A write is the smallest thing an object-granular backend is asked to do. ``replay`` says, in the
only place that does, what a state looks like after it: backends that hold a whole document, the
staleness check of saved plans and the property tests all use it.

Roles are addressed by the name they have when the write runs; ``id`` goes along for backends that
address by it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, assert_never

from msgspec import Struct
from msgspec.structs import replace

from provisioner.model import Assignment, Role, State

if TYPE_CHECKING:
    from collections.abc import Iterable


class CreateRole(Struct, frozen=True):
    """Create a role; no role of that name exists."""

    role: Role


class UpdateRole(Struct, frozen=True):
    """Replace description, privileges, includes and protection; name and id stay."""

    before: Role
    after: Role


class RenameRole(Struct, frozen=True):
    """Give a role another name; whoever holds or includes it keeps doing so."""

    before: Role
    name: str


class DeleteRole(Struct, frozen=True):
    """Delete a role that nobody holds and no role includes."""

    before: Role


class SetAssignment(Struct, frozen=True):
    """Give a user exactly these roles."""

    user: str
    before: frozenset[str]
    after: frozenset[str]


Write = CreateRole | UpdateRole | RenameRole | DeleteRole | SetAssignment


class Unfit(ValueError):
    """A write does not fit the state: the message says which precondition failed."""


def replay(state: State, writes: Iterable[Write]) -> State:
    """Return the state after the writes, in their order.

    Raises:
        Unfit: A write's ``before`` is not what the state holds, a created or new name is taken, an
            included or assigned role does not exist, or a deleted role is still held or included.
    """
    working = Working(state)
    for write in writes:
        working.do(write)
    return replace(state, roles=working.roles, assignments=working.assignments)


class Working:
    """A state being changed, with the indexes that keep every write cheap.

    ``roles`` and ``assignments`` are the state as it is after the writes so far.
    """

    def __init__(self, state: State) -> None:
        self.roles = dict(state.roles)
        self.assignments = dict(state.assignments)
        self._taken = {name.casefold() for name in self.roles}
        self._holders: defaultdict[str, set[str]] = defaultdict(set)
        self._includers: defaultdict[str, set[str]] = defaultdict(set)
        for key, assignment in self.assignments.items():
            for name in assignment.roles:
                self._holders[name].add(key)
        for role in self.roles.values():
            for name in role.includes:
                self._includers[name].add(role.name)

    def do(self, write: Write) -> None:
        """Carry out one write, or raise ``Unfit``."""
        match write:
            case CreateRole(role):
                self._create(role)
            case UpdateRole(before, after):
                current = self._require_same(before)
                self._put(replace(after, name=before.name, id=current.id))
            case RenameRole(before, name):
                self._rename(self._require_same(before), name)
            case DeleteRole(before):
                self._delete(self._require_same(before))
            case SetAssignment():
                self._assign(write)
            case _:
                assert_never(write)

    def _create(self, role: Role) -> None:
        self._require_free(role.name)
        self._taken.add(role.name.casefold())
        self._put(role)

    def _put(self, role: Role) -> None:
        former = self.roles.get(role.name)
        had = former.includes if former else frozenset()
        missing = {n for n in role.includes - had if n not in self.roles and n != role.name}
        if missing:
            raise Unfit(f"role {role.name} includes roles that do not exist: {sorted(missing)}")
        for name in had:
            self._includers[name].discard(role.name)
        for name in role.includes:
            self._includers[name].add(role.name)
        self.roles[role.name] = role

    def _rename(self, before: Role, name: str) -> None:
        old = before.name
        if old.casefold() != name.casefold():
            self._require_free(name)
        self._taken.discard(old.casefold())
        self._taken.add(name.casefold())
        del self.roles[old]
        self.roles[name] = replace(before, name=name)
        for included in before.includes:
            self._includers[included].discard(old)
            self._includers[included].add(name)
        for other in self._includers.pop(old, set()):
            role = self.roles[other]
            self.roles[other] = replace(role, includes=role.includes - {old} | {name})
            self._includers[name].add(other)
        for key in self._holders.pop(old, set()):
            assignment = self.assignments[key]
            roles = assignment.roles - {old} | {name}
            self.assignments[key] = replace(assignment, roles=roles)
            self._holders[name].add(key)

    def _delete(self, before: Role) -> None:
        name = before.name
        if self._holders[name]:
            raise Unfit(f"role {name} is still held")
        if self._includers[name] - {name}:
            raise Unfit(f"role {name} is still included")
        for included in before.includes:
            self._includers[included].discard(name)
        self._taken.discard(name.casefold())
        del self.roles[name]

    def _assign(self, write: SetAssignment) -> None:
        key = write.user.casefold()
        current = self.assignments.get(key)
        if (current.roles if current else frozenset()) != write.before:
            raise Unfit(f"user {write.user} no longer holds what the plan was made from")
        if missing := [name for name in write.after if name not in self.roles]:
            raise Unfit(f"user {write.user} is given roles that do not exist: {sorted(missing)}")
        for name in write.before:
            self._holders[name].discard(key)
        for name in write.after:
            self._holders[name].add(key)
        if write.after:
            self.assignments[key] = Assignment(current.user if current else write.user, write.after)
        else:
            self.assignments.pop(key, None)

    def _require_same(self, before: Role) -> Role:
        """The role as it is; one that the same plan creates has no id in ``before`` yet."""
        current = self.roles.get(before.name)
        if current is None:
            raise Unfit(f"role {before.name} no longer exists")
        same = current == before
        if not same and before.id is None:
            same = replace(current, id=None) == before
        if not same:
            raise Unfit(f"role {before.name} is no longer what the plan was made from")
        return current

    def _require_free(self, name: str) -> None:
        if name.casefold() in self._taken:
            raise Unfit(f"a role named {name} exists already")
