"""How much is under way at a time: requests, by who asks, and the bytes of their bodies.

Who has shown no token has places of their own, so that nobody without one can take those of others.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from provisioner.server.http.problems import unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

Asker = Literal["known", "stranger", "health"]
STRANGERS: Final = 16
_HEALTH: Final = 64


class Places:
    """The requests under way. ``known`` is the most of those who have a token."""

    def __init__(self, known: int) -> None:
        self._most: dict[Asker, int] = {"known": known, "stranger": STRANGERS, "health": _HEALTH}
        self._taken: dict[Asker, int] = dict.fromkeys(self._most, 0)

    @contextmanager
    def one(self, kind: Asker) -> Iterator[None]:
        """Have a place for the block.

        Raises:
            Problem: All are taken.
        """
        if self._taken[kind] >= self._most[kind]:
            raise unavailable("too many requests at once")
        self._taken[kind] += 1
        try:
            yield
        finally:
            self._taken[kind] -= 1

    @property
    def is_full(self) -> bool:
        """Whether somebody with a token would be refused now."""
        return self._taken["known"] >= self._most["known"]


class Room:
    """The bytes of bodies that are held, all together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """Have a share of it for the block, empty at first."""
        share = Share(self)
        try:
            yield share
        finally:
            self._held -= share.size

    def take(self, more: int) -> None:
        """Hold so much more.

        Raises:
            Problem: There is no room for it now.
        """
        if self._held + more > self._most:
            raise unavailable("too many large requests at once")
        self._held += more


class Share:
    """What one request holds of the room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.size = 0

    def grow_to(self, size: int) -> None:
        """Hold so many bytes, if it is not as much already.

        Raises:
            Problem: There is no room for it now.
        """
        if size > self.size:
            self._room.take(size - self.size)
            self.size = size
