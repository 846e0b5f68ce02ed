"""In which order a plan's changes are written, so that nobody ever holds more than before or after.

Two phases, each a row of steps::

    shrink   unassign → un-include → reduce → delete
    grow     rename → create → extend → include → assign

Access is monotone in the sets of assignments, includes and privileges. Through the shrink phase
each of these sets is a subset of the old one, through the grow phase of the new one; renames go by
identity and change no access; a role that is created is held by nobody yet. So at every prefix of
the writes, each user's effective access is a subset of what it was before or of what it will be
after. What this costs: a privilege that moves from one role to another is missing for the time
between the two writes, where a store can't commit at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
    Working,
    Write,
)
from provisioner.model import Assignment, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.engine.transition.passage import Passage

Phase = Literal["shrink", "grow"]


class Step(Struct, frozen=True):
    """Writes that may run in any order, unless ``ordered``; the next step starts when all are done.

    Renames are ordered: each name must be free before another role takes it.
    """

    name: str
    phase: Phase
    writes: tuple[Write, ...]

    @property
    def ordered(self) -> bool:
        """Whether the writes must run one after the other, as they stand."""
        return self.name == "rename"


class _Orderer:
    """Works out each write against the state that all earlier ones have led to."""

    def __init__(self, passage: Passage, *, whole_roles: bool) -> None:
        self.before, self.after = passage.stored, passage.after
        self.renames = passage.renames
        self.former = {new: old for old, new in passage.renames.items()}
        self.roles, self.users = passage.roles, passage.users
        self.whole_roles = whole_roles
        self.working = Working(passage.stored)

    def old_names(self, names: frozenset[str]) -> frozenset[str]:
        return frozenset(self.former.get(name, name) for name in names)

    def stays(self) -> Iterator[tuple[Role, Role]]:
        """The differing roles that are there before and after: as it is now, as it shall be."""
        for name in self.roles:
            current = self.working.roles.get(self.former.get(name, name))
            if current is not None and name in self.after.roles:
                yield current, self.after.roles[name]

    def unassign(self) -> Iterator[Write]:
        for login in self.users:
            held = self.before.assignments.get(login, Assignment(login))
            wanted = self.after.assignments.get(login, Assignment(login))
            kept = held.roles & self.old_names(wanted.roles)
            if kept != held.roles:
                yield SetAssignment(held.user, held.roles, kept)

    def un_include(self) -> Iterator[Write]:
        for role, wanted in self.stays():
            kept = role.includes & self.old_names(wanted.includes)
            if kept != role.includes:
                yield UpdateRole(role, replace(role, includes=kept))
        deleted = frozenset(self.deleted())
        for name in sorted(deleted):
            role = self.working.roles[name]
            if role.includes & deleted:
                yield UpdateRole(role, replace(role, includes=role.includes - deleted))

    def deleted(self) -> Iterator[str]:
        """The roles that go, by the names they have until then."""
        for name in self.roles:
            if name not in self.after.roles:
                yield self.former.get(name, name)

    def reduce(self) -> Iterator[Write]:
        for role, wanted in self.stays():
            kept = role.privileges & wanted.privileges
            if kept != role.privileges:
                yield UpdateRole(role, replace(role, privileges=kept))

    def delete(self) -> Iterator[Write]:
        for name in self.deleted():
            yield DeleteRole(self.working.roles[name])

    def rename(self) -> Iterator[Write]:
        """A name must be free before it is taken: chains run last-first, circles by a detour."""
        renames = sorted(self.renames.items())
        waiting = {old: new for old, new in renames if old in self.working.roles}
        while waiting:
            taken = {old.casefold() for old in waiting}
            ready = [
                old
                for old, new in waiting.items()
                if new.casefold() not in taken or new.casefold() == old.casefold()
            ]
            if ready:
                for old in ready:
                    yield RenameRole(self.working.roles[old], waiting.pop(old))
            else:
                old = next(iter(waiting))
                detour = self.free_name(old)
                yield RenameRole(self.working.roles[old], detour)
                waiting[detour] = waiting.pop(old)

    def free_name(self, name: str) -> str:
        candidate = f"{name[:100]} (being renamed)"
        while candidate in self.working.roles or candidate in self.after.roles:
            candidate += "'"
        return candidate

    def create(self) -> Iterator[Write]:
        """Nobody holds a new role yet, so one that comes empty can be filled by ``extend``."""
        none: frozenset[str] = frozenset()
        for name in self.roles:
            if name not in self.working.roles and name in self.after.roles:
                role = replace(self.after.roles[name], includes=none)
                yield CreateRole(role if self.whole_roles else replace(role, privileges=none))

    def extend(self) -> Iterator[Write]:
        for role, wanted in self._wanted():
            if _all_but_includes(role) != _all_but_includes(wanted):
                yield UpdateRole(role, replace(wanted, includes=role.includes, id=role.id))

    def include(self) -> Iterator[Write]:
        for role, wanted in self._wanted():
            if role.includes != wanted.includes:
                yield UpdateRole(role, replace(role, includes=wanted.includes))

    def _wanted(self) -> Iterator[tuple[Role, Role]]:
        """The roles that there will be: each as it is now, and as it shall be."""
        for name in self.roles:
            if name in self.after.roles:
                yield self.working.roles[name], self.after.roles[name]

    def assign(self) -> Iterator[Write]:
        for login in self.users:
            now = self.working.assignments.get(login, Assignment(login))
            wanted = self.after.assignments.get(login, Assignment(login))
            if now.roles != wanted.roles:
                user = now.user if now.roles else wanted.user
                yield SetAssignment(user, now.roles, wanted.roles)


def _all_but_includes(role: Role) -> tuple[object, ...]:
    return role.privileges, role.description, role.protected


_STEPS: Final[tuple[tuple[str, Phase, Callable[[_Orderer], Iterator[Write]]], ...]] = (
    ("unassign", "shrink", _Orderer.unassign),
    ("un-include", "shrink", _Orderer.un_include),
    ("reduce", "shrink", _Orderer.reduce),
    ("delete", "shrink", _Orderer.delete),
    ("rename", "grow", _Orderer.rename),
    ("create", "grow", _Orderer.create),
    ("extend", "grow", _Orderer.extend),
    ("include", "grow", _Orderer.include),
    ("assign", "grow", _Orderer.assign),
)


def steps(passage: Passage, *, whole_roles: bool) -> tuple[Step, ...]:
    """Return the writes of a passage, step by step; steps without writes are left out.

    ``whole_roles`` says whether the store creates a role together with its privileges.

    Raises:
        Unfit: The passage is impossible, say because a deleted role is still held. The guards
            find such plans before they are ordered.
    """
    orderer = _Orderer(passage, whole_roles=whole_roles)
    found = []
    for name, phase, writes_of in _STEPS:
        writes = []
        for write in writes_of(orderer):
            orderer.working.do(write)
            writes.append(write)
        if writes:
            found.append(Step(name, phase, tuple(writes)))
    return tuple(found)
