"""From an order of elements to writes, joined and side by side where that makes no difference.

::

    rename  →  create  →  what components of the world need, each at its own pace  →  delete

Renames go by identity and change no access. A role that is created is held by nobody yet; it comes
with its contents where these were the first thing to be done. Deleted roles are not held any more.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from provisioner.engine.order.grain import WHOLE
from provisioner.engine.order.phases import plain_sequence
from provisioner.engine.order.search import best_sequence
from provisioner.engine.order.sequence import OverBudget, Sequence
from provisioner.engine.order.world import World
from provisioner.engine.order.writing import Step, Writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.engine.order.elements import Element
    from provisioner.engine.order.grain import Grain
    from provisioner.engine.order.sequence import Manner, Move
    from provisioner.engine.transition.passage import Passage
    from provisioner.engine.writes import (
        Write,
    )
    from provisioner.model import Capabilities

MOST_TRIED: Final = 4_000_000
"""How often somebody's access may be worked out to find an order, before the plain one is taken."""


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
    roles = passage.roles
    world = World(passage.before, passage.after, roles, passage.users)
    new = {name for name in roles if name not in passage.before.roles}
    writer = Writing(passage, roles, world.elements)
    start = [
        Step(tuple(writer.renames(aside=can.renames)), ordered=True),
        writer.step([world.strays]),
    ]
    if world.expects or (writer.clashes and not can.renames):
        found, lacks = _shrinking_first(world, writer, new, whole_roles=can.whole_roles)
        is_plain = True
    else:
        limit = 0 if can.atomic else limit
        every = [_sequence(world, group, grain, limit, new) for group in world.components]
        lacks = {login: mask for sequence, _ in every for login, mask in sequence.gaps.items()}
        is_plain = any(is_plain for _, is_plain in every)
        first, rest = _advanced([sequence.moves for sequence, _ in every], new)
        batches = [list(_batches(moves, grain)) for moves in rest]
        found = [
            *writer.creates(new, first, whole_roles=can.whole_roles),
            *(writer.step(beside) for beside in zip_longest(*batches, fillvalue=())),
            writer.details(),
            *writer.deletes(),
        ]
    gaps = (Gap(writer.spelled(u), world.privileges(mask)) for u, mask in sorted(lacks.items()))
    return Order(
        tuple(step for step in (*start, *found) if step.writes),
        () if can.atomic else tuple(gaps),
        is_plain=is_plain and not can.atomic,
    )


def _shrinking_first(
    world: World, writer: Writing, new: set[str], *, whole_roles: bool
) -> tuple[list[Step], dict[str, int]]:
    """The steps where a role must go before another has its name, or has holders at once.

    With them comes what everybody lacks when all that goes is gone, and nothing has come yet.
    """
    less = [element for element in world.elements if not element.grows]
    more = [element for element in world.elements if element.grows]
    if world.do(less) is None:
        raise AssertionError(less)
    lacks = {login: mask for login in world.now if (mask := world.missing(login))}
    left = [element for element in less if element not in world.strays]
    steps = [writer.step([left]), *writer.deletes()]
    steps += writer.creates(new, {}, whole_roles=whole_roles)
    return [*steps, writer.step([more]), writer.details()], lacks


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
