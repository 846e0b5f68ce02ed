"""Whose turn it is to send a request: the first come, so many at a time, and no faster than asked.

A semaphore lets whoever has just finished take the next place before those who have waited for
long, so that two requests of one write could lie seconds apart. Here places go round in order.

A server that answers 429 is asked for less: half as many at a time, and with a pause between two
beginnings that doubles. Both come back slowly while it answers (additive increase, multiplicative
decrease: Chiu and Jain, "Analysis of the Increase and Decrease Algorithms", 1989).
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHORTEST: Final = 0.02
LONGEST: Final = 2.0
_FASTER: Final = 0.95
# So many good answers in a row, for each place there is, until there is one more.
_GOOD: Final = 10


class Slot(Struct, frozen=True):
    """A place to send from; ``number`` counts the places given.

    ``queued`` are the seconds until there was one, ``held_back`` those for the sake of the server.
    """

    queued: float
    held_back: float
    number: int


class SendQueue:
    """Gives places to any number of threads, ``most`` at a time, by a clock in seconds."""

    def __init__(
        self, most: int, clock: Callable[[], float], sleep: Callable[[float], object]
    ) -> None:
        self._most, self._clock, self._sleep = most, clock, sleep
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = self._given = self._good = 0
        self._slowed_at = 0
        self.at_a_time = most
        self.pause = 0.0
        self._next = 0.0

    @property
    def queued(self) -> int:
        """How many wait for a place."""
        with self._guard:
            return len(self._waiting)

    @contextmanager
    def taking(self) -> Iterator[Slot]:
        """Wait for a place, and hold it for the ``with`` block."""
        began = self._clock()
        ready = threading.Event()
        with self._guard:
            self._waiting.append(ready)
            self._admit()
        ready.wait()
        try:
            ours = self._clock()
            self._sleep_until_due()
            with self._guard:
                self._given += 1
                number = self._given
            yield Slot(ours - began, self._clock() - ours, number)
        finally:
            with self._guard:
                self._taken -= 1
                self._admit()

    def refused(self, slot: Slot, wait: float) -> None:
        """The server had too much: nobody begins for ``wait`` seconds, and then fewer do."""
        with self._guard:
            self._next = max(self._next, self._clock() + wait)
            self._good = 0
            # What was under way when it was too much says nothing of what is less by now.
            if slot.number > self._slowed_at:
                self._slowed_at = self._given
                self.at_a_time = max(1, self.at_a_time // 2)
                self.pause = min(max(2 * self.pause, SHORTEST), LONGEST)

    def answered(self) -> None:
        """The server took a request: a little more may follow."""
        with self._guard:
            if self.at_a_time == self._most and not self.pause:
                return
            self.pause = self.pause * _FASTER if self.pause * _FASTER > SHORTEST / 4 else 0.0
            self._good += 1
            if self._good >= _GOOD * self.at_a_time and self.at_a_time < self._most:
                self._good = 0
                self.at_a_time += 1
                self._admit()

    def _admit(self) -> None:
        while self._waiting and self._taken < self.at_a_time:
            self._taken += 1
            self._waiting.popleft().set()

    def _sleep_until_due(self) -> None:
        with self._guard:
            now = self._clock()
            due = max(self._next, now)
            self._next = due + self.pause if self.pause else self._next
        if due > now:
            self._sleep(due - now)
