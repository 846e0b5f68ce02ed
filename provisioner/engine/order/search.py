"""A bounded search for an order in which less is missing in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.engine.order.sequence import Move, OverBudget, Sequence, Sequencer, manner_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.engine.order.elements import Element
    from provisioner.engine.order.grain import Grain, Group
    from provisioner.engine.order.world import Trial, World

MOST_STATES: Final = 200


def best_sequence(
    world: World, elements: tuple[Element, ...], grain: Grain, limit: int
) -> Sequence:
    """Return an order of a component's elements. The world is left as it will be at the end.

    Both ways of trying are followed, contents first and links first; for each gap that remains an
    order without it is looked for, among ``MOST_STATES`` states.

    Raises:
        OverBudget: ``limit`` was reached; the world is as it was.
    """
    best: Sequence | None = None
    for links_first in (False, True):
        sequencer = Sequencer(world, elements, grain, links_first=links_first, limit=limit)
        try:
            found = sequencer.run()
        except OverBudget:
            _undo(world, sequencer.found.moves)
            if best is None:
                raise
            break
        _undo(world, found.moves)
        if best is None or found.size < best.size:
            best = found
        if not best.gaps:
            break
    if best is None:
        raise OverBudget
    best = _without_gaps(world, elements, grain, best, limit)
    for move in best.moves:
        world.do(move.elements)
    return best


def _undo(world: World, moves: Iterable[Move]) -> None:
    for move in reversed(list(moves)):
        world.take_back(move.elements)


def _without_gaps(
    world: World, elements: tuple[Element, ...], grain: Grain, best: Sequence, limit: int
) -> Sequence:
    """The order, or one that lacks some of its gaps and has no others."""
    for login, mask in sorted(best.gaps.items()):
        for bit in _bits(mask):
            if not best.gaps.get(login, 0) & bit:
                continue
            allowed = best.gaps | {login: best.gaps[login] & ~bit}
            search = _Search(world, elements, grain, allowed)
            if world.spent < limit and search.finds_a_way():
                best = Sequence(search.path, {k: v for k, v in search.gaps.items() if v})
    return best


def _bits(mask: int) -> Iterator[int]:
    while mask:
        bit = mask & -mask
        yield bit
        mask ^= bit


class _Search:
    """Depth first through the sets of elements that can be done, each seen once."""

    def __init__(
        self, world: World, elements: tuple[Element, ...], grain: Grain, allowed: dict[str, int]
    ) -> None:
        self._world = world
        self._grain = grain
        self._allowed = allowed
        self._elements = elements
        self.path: list[Move] = []
        self.gaps: dict[str, int] = {}

    def finds_a_way(self) -> bool:
        """Whether everything can be done with only the allowed gaps. Leaves the world as it was."""
        rest = frozenset(self._elements)
        seen = {rest}
        stack = [(rest, self._moves(rest))]
        trials: list[tuple[Trial, dict[str, int]]] = []
        found = not rest
        while stack and not found:
            rest, moves = stack[-1]
            group = next(moves, None)
            if group is None:
                stack.pop()
                if trials:
                    self._back(trials)
                continue
            fewer = rest.difference(group)
            if fewer in seen or len(seen) > MOST_STATES:
                continue
            trial = self._world.do(group)
            if trial is None:
                continue
            if not self._may_be(trial):
                self._world.undo(trial)
                continue
            seen.add(fewer)
            trials.append((trial, self.gaps))
            self.gaps = self._with_gaps(trial)
            self.path.append(Move(trial.elements, manner_of(self._world, trial)))
            stack.append((fewer, self._moves(fewer)))
            found = not fewer
        path, gaps = self.path, self.gaps
        while trials:
            self._world.undo(trials.pop()[0])
        self.path, self.gaps = path, gaps
        return found

    def _back(self, trials: list[tuple[Trial, dict[str, int]]]) -> None:
        trial, self.gaps = trials.pop()
        self._world.undo(trial)
        self.path.pop()

    def _moves(self, rest: frozenset[Element]) -> Iterator[Group]:
        left = [element for element in self._elements if element in rest]
        of_target: dict[tuple[bool, str], list[Element]] = {}
        for element in left:
            of_target.setdefault(element.target, []).append(element)
        for elements in of_target.values():
            yield from self._grain.wholes(elements)
        yield from ((element,) for element in left if element.grows)
        yield from ((element,) for element in left if not element.grows)

    def _may_be(self, trial: Trial) -> bool:
        unsafe, missing = self._world.unsafe, self._world.missing
        return not any(
            unsafe(login) or missing(login) & ~self._allowed.get(login, 0) for login in trial.former
        )

    def _with_gaps(self, trial: Trial) -> dict[str, int]:
        opened = {
            login: self.gaps.get(login, 0) | mask
            for login in trial.former
            if (mask := self._world.missing(login))
        }
        return self.gaps | opened if opened else self.gaps
