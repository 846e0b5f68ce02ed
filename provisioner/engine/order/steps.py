"""From an order of elements to writes, joined and side by side where that makes no difference.

::

    rename  →  create  →  what components of the world need, each at its own pace  →  delete

Renames go by identity and change no access. A role that is created is held by nobody yet; it comes
with its contents where these were the first thing to be done. Deleted roles are not held any more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import zip_longest
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from provisioner.engine.order.grain import WHOLE
from provisioner.engine.order.phases import plain_sequence
from provisioner.engine.order.search import best_sequence
from provisioner.engine.order.sequence import OverBudget, Sequence
from provisioner.engine.order.world import NOTHING, World
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

    from provisioner.engine.order.grain import Grain
    from provisioner.engine.order.sequence import Manner, Move
    from provisioner.engine.order.world import Element
    from provisioner.engine.transition.passage import Passage
    from provisioner.model import Capabilities

MOST_TRIED: Final = 4_000_000
"""How often somebody's access may be worked out to find an order, before the plain one is taken."""


class Step(Struct, frozen=True):
    """Writes that may run in any order, unless ``ordered``; the next step starts when all are done.

    Renames are ordered: each name must be free before another role takes it.
    """

    writes: tuple[Write, ...]
    ordered: bool = False


class Gap(Struct, frozen=True):
    """What somebody is without for a time, though he holds it before and after."""

    user: str
    privileges: tuple[str, ...]


class Order(Struct, frozen=True):
    """The writes of a transition, step by step, and the gaps that they open.

    ``is_plain`` says that the order was not searched for: there was too much to try.
    """

    steps: tuple[Step, ...]
    gaps: tuple[Gap, ...] = ()
    is_plain: bool = False

    @property
    def writes(self) -> tuple[Write, ...]:
        """All writes, in their order."""
        return tuple(write for step in self.steps for write in step.writes)


def ordered(
    passage: Passage, can: Capabilities, grain: Grain = WHOLE, *, limit: int = MOST_TRIED
) -> Order:
    """Return the writes of a passage, for a store with these capabilities and this grain.

    Nothing is tried for a store that commits at once: its order is the plain one, and nobody is
    ever without anything.

    Raises:
        Unfit: The passage is impossible, say because a deleted role is still held. The guards find
            such plans before they are ordered.
    """
    roles, users = passage.roles, passage.users
    world = World(passage.before, passage.after, roles, users)
    new = {name for name in roles if name not in passage.before.roles}
    limit = 0 if can.atomic else limit
    writer = _Writer(passage, roles, world.elements)
    start = [
        Step(tuple(writer.renames(aside=can.renames)), ordered=True),
        writer.step([world.strays]),
    ]
    if writer.clashes and not can.renames:
        return writer.deleting_first(world, start, new, whole_roles=can.whole_roles)
    found = [_sequence(world, group, grain, limit, new) for group in world.components]
    gaps = {login: mask for sequence, _ in found for login, mask in sequence.gaps.items()}
    steps = list(start)
    first, rest = _advanced([sequence.moves for sequence, _ in found], new)
    steps += writer.creates(new, first, whole_roles=can.whole_roles)
    batches = [list(_batches(moves, grain)) for moves in rest]
    steps += [writer.step(side_by_side) for side_by_side in zip_longest(*batches, fillvalue=())]
    steps.append(writer.details())
    steps += writer.deletes()
    return Order(
        tuple(step for step in steps if step.writes),
        ()
        if can.atomic
        else tuple(
            Gap(writer.spelled(login), world.privileges(mask))
            for login, mask in sorted(gaps.items())
        ),
        limit > 0 and any(is_plain for _, is_plain in found),
    )


def _sequence(
    world: World, group: tuple[Element, ...], grain: Grain, limit: int, new: set[str]
) -> tuple[Sequence, bool]:
    if limit and not world.is_circular:
        try:
            return best_sequence(world, group, grain, limit), False
        except OverBudget:
            pass
    return plain_sequence(world, group, grain, new.__contains__), True


def _advanced(
    sequences: Iterable[list[Move]], new: set[str]
) -> tuple[dict[str, list[Element]], list[list[Move]]]:
    """What roles are created with, since it is the first thing to be done, and all the rest."""
    first: dict[str, list[Element]] = {}
    rest = []
    for moves in sequences:
        count = 0
        for move in moves:
            if not all(e.kind != "role" and e.owner in new for e in move.elements):
                break
            count += 1
            for element in move.elements:
                first.setdefault(element.owner, []).append(element)
        rest.append(moves[count:])
    return first, rest


def _batches(moves: Iterable[Move], grain: Grain) -> Iterator[list[Element]]:
    """Moves that may be done side by side, as their elements; those of one target are joined.

    Growth leaves everybody whom it changes within F, so any part of it does; any part of what only
    takes away is within what there was; and users' sets do not touch each other.
    """
    batch: list[Element] = []
    manner: Manner = "mixed"
    for move in moves:
        alike = move.manner == manner != "mixed"
        joined = not alike and _are_one_write((*batch, *move.elements), grain)
        if batch and not (alike or joined):
            yield batch
            batch = []
        manner = "mixed" if batch and joined else move.manner
        batch += move.elements
    if batch:
        yield batch


def _are_one_write(elements: tuple[Element, ...], grain: Grain) -> bool:
    return any(len(whole) == len(elements) for whole in grain.wholes(elements)) and (
        len({element.target for element in elements}) == 1
    )


class _Writer:
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

    def deleting_first(
        self, world: World, start: list[Step], new: set[str], *, whole_roles: bool
    ) -> Order:
        """The order where a role must go before another one can have its name."""
        less = [element for element in world.elements if not element.grows]
        more = [element for element in world.elements if element.grows]
        if world.do(less) is None:
            raise AssertionError(less)
        lacks = ((login, world.missing(login)) for login in sorted(world.now))
        gaps = tuple(Gap(self.spelled(u), world.privileges(mask)) for u, mask in lacks if mask)
        left = [element for element in less if element not in world.strays]
        steps = [*start, self.step([left]), *self.deletes()]
        steps += self.creates(new, {}, whole_roles=whole_roles)
        steps += [self.step([more]), self.details()]
        return Order(tuple(step for step in steps if step.writes), gaps, is_plain=True)

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
