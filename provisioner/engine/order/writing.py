"""From elements to writes, each worked out against the state that all earlier ones have led to."""

from __future__ import annotations

from collections import Counter, defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from provisioner.engine.order.elements import NOTHING
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
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.engine.order.elements import Element
    from provisioner.engine.transition.passage import Passage


class Step(Struct, frozen=True):
    """Writes that may run in any order, unless ``ordered``; the next step starts when all are done.

    Renames are ordered: each name must be free before another role takes it.
    """

    writes: tuple[Write, ...]
    ordered: bool = False


class Writing:
    """Works out each write against the state that all earlier ones have led to."""

    def __init__(
        self, passage: Passage, roles: tuple[str, ...], elements: Iterable[Element]
    ) -> None:
        self._passage = passage
        self._roles = roles
        self._after = passage.after
        self._working = Working(passage.stored)
        wanted = {name.casefold() for name in self._after.roles}
        gone = (name for name in passage.before.roles if name not in self._after.roles)
        self.clashes = tuple(name for name in gone if name.casefold() in wanted)
        self._aside: dict[str, str] = {}
        self._to_do = Counter(element.owner for element in elements if element.kind != "role")

    def spelled(self, login: str) -> str:
        """The login as it is stored, or will be."""
        found = self._passage.before.assignments.get(login)
        return (found or self._after.assignments[login]).user

    def _do(self, write: Write) -> Write:
        self._working.do(write)
        return write

    def renames(self, *, aside: bool) -> Iterator[Write]:
        """A name must be free before it is taken: chains run last-first, circles by a detour.

        ``aside``: roles to be deleted that have the name of another to come make room for it.
        """
        former = {new: old for old, new in self._passage.renames.items()}
        for name in self.clashes if aside else ():
            self._aside[name] = self._free_name(name)
            role = self._working.roles[former.pop(name, name)]
            yield self._do(RenameRole(role, self._aside[name]))
        renames = sorted(self._passage.renames.items())
        waiting = {
            old: new
            for old, new in renames
            if old in self._working.roles and new not in self._aside
        }
        while waiting:
            taken = {old.casefold() for old in waiting}
            ready = [
                old
                for old, new in waiting.items()
                if new.casefold() not in taken or new.casefold() == old.casefold()
            ]
            if ready:
                for old in ready:
                    yield self._do(RenameRole(self._working.roles[old], waiting.pop(old)))
            else:
                old = next(iter(waiting))
                detour = self._free_name(old)
                yield self._do(RenameRole(self._working.roles[old], detour))
                waiting[detour] = waiting.pop(old)

    def _free_name(self, name: str) -> str:
        candidate = f"{name[:100]} (being renamed)"
        while candidate in self._working.roles or candidate in self._after.roles:
            candidate += "'"
        return candidate

    def creates(
        self, new: set[str], first: Mapping[str, list[Element]], *, whole_roles: bool
    ) -> Iterator[Step]:
        """Create the new roles, those first that others include from the beginning."""
        waiting = dict.fromkeys(name for name in self._roles if name in new)
        contents = {name: _filled(Role(name), first.get(name, ())) for name in waiting}
        later: list[Element] = []
        while waiting:
            ready = [n for n in waiting if waiting.keys().isdisjoint(contents[n].includes - {n})]
            if not ready:
                ready = list(waiting)
            made = []
            for name in ready:
                del waiting[name]
                wanted, elements = self._after.roles[name], first.get(name, [])
                role = replace(wanted, privileges=NOTHING, includes=NOTHING)
                if whole_roles:
                    role = _filled(role, elements)
                    self._to_do[name] -= len(elements)
                else:
                    later += elements
                made.append(self._do(CreateRole(role)))
            yield Step(tuple(made))
        if later:
            yield self.step([tuple(later)])

    def step(self, batches: Iterable[Iterable[Element]]) -> Step:
        """One write for each object that elements change."""
        of_target: defaultdict[tuple[bool, str], list[Element]] = defaultdict(list)
        for batch in batches:
            for element in batch:
                of_target[element.target].append(element)
        writes = []
        for (is_user, name), elements in of_target.items():
            if is_user:
                writes.append(self._do(self._assignment(name, elements)))
            else:
                role = self._working.roles[name]
                filled = _filled(role, elements, self._aside)
                self._to_do[name] -= len(elements)
                if not self._to_do[name]:
                    filled = replace(self._after.roles[name], id=role.id)
                writes.append(self._do(UpdateRole(role, filled)))
        return Step(tuple(writes))

    def _assignment(self, login: str, elements: Iterable[Element]) -> SetAssignment:
        now = self._working.assignments.get(login, Assignment(login))
        roles = set(now.roles)
        for element in elements:
            name = self._aside.get(element.item, element.item)
            (roles.add if element.grows else roles.discard)(name)
        user = now.user if now.roles else self.spelled(login)
        return SetAssignment(user, now.roles, frozenset(roles))

    def details(self) -> Step:
        """Descriptions and protection, which change nobody's access."""
        writes = []
        for name in self._roles:
            if name in self._after.roles:
                role, wanted = self._working.roles[name], self._after.roles[name]
                if role != replace(wanted, id=role.id):
                    writes.append(self._do(UpdateRole(role, replace(wanted, id=role.id))))
        return Step(tuple(writes))

    def deletes(self) -> Iterator[Step]:
        """Delete what goes, roles that include others before these."""
        gone = (name for name in self._roles if name not in self._after.roles)
        waiting = [self._aside.get(name, name) for name in gone]
        while waiting:
            included = {
                other for name in waiting for other in self._working.roles[name].includes - {name}
            }
            ready = [name for name in waiting if name not in included]
            if not ready:  # a circle among them
                broken = [self._working.roles[name] for name in waiting]
                yield Step(
                    tuple(
                        self._do(UpdateRole(role, replace(role, includes=NOTHING)))
                        for role in broken
                        if role.includes
                    )
                )
                continue
            yield Step(tuple(self._do(DeleteRole(self._working.roles[name])) for name in ready))
            waiting = [name for name in waiting if name in included]


def _filled(
    role: Role, elements: Iterable[Element], aside: Mapping[str, str] = MappingProxyType({})
) -> Role:
    privileges, includes = set(role.privileges), set(role.includes)
    for element in elements:
        items = privileges if element.kind == "privilege" else includes
        name = element.item if items is privileges else aside.get(element.item, element.item)
        (items.add if element.grows else items.discard)(name)
    return replace(role, privileges=frozenset(privileges), includes=frozenset(includes))
