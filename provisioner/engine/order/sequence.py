"""An order of elements in which nobody holds more than before or after, and nobody needlessly less.

After each step of the order, every user's access A is within what he holds before (B) or within
what he holds after (F). What is in both B and F is missing only where that was forced: then it is
recorded as a *gap*. The first rule that something waits for is taken, and then the first again:

1. the whole change of one target (a role's contents, a user's roles), where the store writes it at
   once: if everybody stays within B or F, and no gap opens;
2. one element that is added: if everybody whose access it changes is within F afterwards;
3. one element that is taken away: if it takes what somebody must lose, and opens no gap;
4. one that is taken away and changes nobody's access;
5. whatever opens the fewest gaps, of what leaves everybody within B or F. To take away does.

So the first promise holds at every step by the test, and the order ends: each step does at least
one element, and one can always be taken away or, when none is left to take away, added: then all
assignments, includes and privileges are among the final ones, and so is the access.

A target or element that a rule refuses waits for the first user on whom it failed: the answer can
change only when something changes that this user holds, or in a role that it would give.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from provisioner.engine.order.elements import Element
    from provisioner.engine.order.grain import Grain, Group
    from provisioner.engine.order.world import Trial, World

Manner = Literal["grow", "shrink", "set", "mixed"]
_T = TypeVar("_T")


class OverBudget(Exception):
    """Too much was tried; the elements that are left are to be ordered in a plainer way."""


class Move(NamedTuple):
    """Elements that are done at once.

    ``manner`` says what may be done beside it, in any order: a "grow" leaves everybody whom it
    changes within F, a "shrink" only takes away, a "set" is one user's roles.
    """

    elements: Group
    manner: Manner


class Sequence(Struct):
    """An order, step by step, and what is missing at some point of it: a mask for each login."""

    moves: list[Move] = field(default_factory=list)
    gaps: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many pairs of a user and a privilege are missing at some point."""
        return sum(mask.bit_count() for mask in self.gaps.values())


Queue = Literal["wholes", "grows", "shrinks"]


class Sequencer:
    """Finds an order for the elements of one component of a world, and carries it out there.

    ``links_first`` says whether assignments and includes are tried before privileges. ``limit`` is
    how often the world may work out somebody's access before ``OverBudget`` is raised.
    """

    def __init__(
        self,
        world: World,
        elements: Iterable[Element],
        grain: Grain,
        *,
        links_first: bool,
        limit: int,
    ) -> None:
        self._world = world
        self._grain = grain
        self._limit = limit
        self.found = Sequence()
        order = sorted(elements, key=lambda element: (element.kind == "privilege") == links_first)
        self._pending: dict[Element, None] = dict.fromkeys(order)
        self._of_target: defaultdict[tuple[bool, str], dict[Element, None]] = defaultdict(dict)
        for element in order:
            self._of_target[element.target][element] = None
        self._wholes: dict[tuple[bool, str], None] = dict.fromkeys(self._of_target)
        self._grows: dict[Element, None] = {e: None for e in order if e.grows}
        self._shrinks: dict[Element, None] = {e: None for e in order if not e.grows}
        self._idle: dict[Element, None] = {}
        self._waiting: defaultdict[str, list[tuple[Queue, object]]] = defaultdict(list)
        self._waiting_for_role: defaultdict[str, list[tuple[Queue, object]]] = defaultdict(list)
        self._circular: list[tuple[Queue, object]] = []

    def run(self) -> Sequence:
        """Return the order of all elements.

        Raises:
            OverBudget: The limit was reached; ``found`` is the order so far.
        """
        while self._pending:
            if self._world.spent > self._limit:
                raise OverBudget
            if self._wholes:
                self._try_whole(_first(self._wholes))
            elif self._grows:
                self._try_growth(_first(self._grows))
            elif self._shrinks:
                self._try_shrink(_first(self._shrinks))
            elif self._idle:
                self._try_idle(_first(self._idle))
            else:
                self._force()
        return self.found

    def _is_final(self, trial: Trial) -> str | None:
        """None if everybody whose access changed is within F; else the first who is not."""
        now, after = self._world.now, self._world.after
        return next((login for login in trial.former if now[login] & ~after[login]), None)

    def _is_harmless(self, trial: Trial) -> str | None:
        """None if everybody is within B or F and no gap opens; else the first who is not."""
        unsafe, opened = self._world.unsafe, self._opened
        return next((login for login in trial.former if unsafe(login) or opened(login)), None)

    def _opened(self, login: str) -> int:
        return self._world.missing(login) & ~self.found.gaps.get(login, 0)

    def _takes_what_must_go(self, trial: Trial) -> bool:
        now, after = self._world.now, self._world.after
        return any(had & ~now[login] & ~after[login] for login, had in trial.former.items())

    def _try_whole(self, target: tuple[bool, str]) -> None:
        del self._wholes[target]
        for group in self._grain.wholes(self._of_target[target]):
            if self._take(group, "wholes", target, self._is_harmless):
                return

    def _try_growth(self, element: Element) -> None:
        del self._grows[element]
        self._take((element,), "grows", element, self._is_final)

    def _take(
        self, group: Group, queue: Queue, item: object, rule: Callable[[Trial], str | None]
    ) -> bool:
        trial = self._world.do(group)
        if trial is None:
            self._circular.append((queue, item))
            return False
        witness = rule(trial)
        if witness is not None:
            self._world.undo(trial)
            self._wait(witness, queue, item, group)
            return False
        self._settle(trial)
        return True

    def _wait(self, witness: str, queue: Queue, item: object, group: Group) -> None:
        self._waiting[witness].append((queue, item))
        for element in group:
            if element.grows and element.kind != "privilege":
                self._waiting_for_role[element.item].append((queue, item))

    def _try_shrink(self, element: Element) -> None:
        del self._shrinks[element]
        trial = self._world.do((element,))
        if trial is None:
            raise AssertionError(element)
        if not trial.former:
            self._world.undo(trial)
            self._idle[element] = None
        elif (witness := self._is_harmless(trial)) is None and self._takes_what_must_go(trial):
            self._settle(trial)
        else:
            self._world.undo(trial)
            self._wait(witness or next(iter(trial.former)), "shrinks", element, (element,))

    def _try_idle(self, element: Element) -> None:
        del self._idle[element]
        trial = self._world.do((element,))
        if trial is None:
            raise AssertionError(element)
        if not trial.former:
            self._settle(trial)
        else:
            self._world.undo(trial)
            self._shrinks[element] = None

    def _force(self) -> None:
        """Take what opens the fewest gaps, and record them."""
        best: tuple[int, Group] | None = None
        for group in self._candidates():
            trial = self._world.do(group)
            if trial is None:
                continue
            if not any(map(self._world.unsafe, trial.former)):
                opened = sum(self._opened(login).bit_count() for login in trial.former)
                if best is None or opened < best[0]:
                    best = opened, group
            self._world.undo(trial)
            if (best is not None and best[0] <= 1) or self._world.spent > self._limit:
                break
        if best is None:
            raise OverBudget
        trial = self._world.do(best[1])
        if trial is None:
            raise AssertionError(best)
        for login in trial.former:
            if opened := self._opened(login):
                self.found.gaps[login] = self.found.gaps.get(login, 0) | opened
        self._settle(trial)

    def _candidates(self) -> Iterator[Group]:
        yield from ((element,) for element in tuple(self._pending) if not element.grows)
        for elements in tuple(self._of_target.values()):
            yield from self._grain.wholes(elements)

    def _settle(self, trial: Trial) -> None:
        """Keep what was tried, and wake what waits for somebody that it reaches."""
        self.found.moves.append(Move(trial.elements, manner_of(self._world, trial)))
        for element in trial.elements:
            del self._pending[element]
            self._grows.pop(element, None)
            self._shrinks.pop(element, None)
            self._idle.pop(element, None)
            of_target = self._of_target[element.target]
            del of_target[element]
            if not of_target:
                del self._of_target[element.target]
                self._wholes.pop(element.target, None)
            elif len(of_target) > 1:
                self._wholes[element.target] = None
        reached = self._world.reached(trial.elements)
        self._world.spent += len(reached) // 8
        for login in reached & self._waiting.keys():
            self._wake(self._waiting.pop(login))
        for name in trial.former_roles.keys() & self._waiting_for_role.keys():
            self._wake(self._waiting_for_role.pop(name))
        if self._circular and any(e.kind == "include" and not e.grows for e in trial.elements):
            self._wake(self._circular)
            self._circular = []

    def _wake(self, waiting: list[tuple[Queue, object]]) -> None:
        for queue, item in waiting:
            match queue:
                case "wholes":
                    if item in self._of_target:
                        self._wholes[item] = None  # type: ignore[index]
                case "grows":
                    if item in self._pending:
                        self._grows[item] = None
                case "shrinks":
                    if item in self._pending:
                        self._shrinks[item] = None


def manner_of(world: World, trial: Trial) -> Manner:
    """In which manner the elements of a trial, just done, may be done beside others."""
    if not any(element.grows for element in trial.elements):
        return "shrink"
    if all(element.grows for element in trial.elements) and not any(
        world.now[login] & ~world.after[login] for login in trial.former
    ):
        return "grow"
    return "set" if trial.elements[0].kind == "role" else "mixed"


def _first(queue: dict[_T, None]) -> _T:
    return next(iter(queue))
