"""Connections, and how long each may take: for the head of a request, and for taking its reply.

What uvicorn leaves open: a client that connects and says nothing, or half a head, and one that asks
and never reads. Each would hold a connection, and memory, for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope, Send

CONNECTION: Final = "provisioner.connection"


@dataclass(frozen=True, slots=True)
class Limits:
    """``head`` and ``taking`` are in seconds: for a whole head, and for ``pace`` bytes of a reply.

    ``most`` connections are open at a time; of those beyond it the oldest stranger's is cut.
    """

    head: float = 10.0
    taking: float = 10.0
    pace: int = 16 * 1024
    most: int = 512


@dataclass(slots=True)
class Crowd:
    """The open connections of one server that nobody has shown a token on, oldest first."""

    limits: Limits = field(default_factory=Limits)
    strangers: dict[Connection, None] = field(default_factory=dict)


class Connection(H11Protocol):
    """One connection. What it serves finds it in the scope, as ``CONNECTION``."""

    def __init__(self, *given: Any, crowd: Crowd, **more: Any) -> None:
        super().__init__(*given, **more)
        self._crowd = crowd
        self._limits = crowd.limits
        self._waiting: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None
        self._untaken = 0
        self._app = self.app
        self.app = self._with_connection

    async def _with_connection(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[CONNECTION] = self
        await self._app(scope, receive, send)

    def welcome(self) -> None:
        """Count this one no longer as a stranger's."""
        self._crowd.strangers.pop(self, None)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, and make room if there are too many."""
        super().connection_made(transport)
        self._crowd.strangers[self] = None
        if len(self.connections) > self._limits.most:
            oldest = next(iter(self._crowd.strangers))
            # At once, for more may come before it is lost.
            oldest.welcome()
            self.connections.discard(oldest)
            oldest.transport.abort()
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Go on reading; once a head is whole, the client need not hurry any more."""
        super().data_received(data)
        if self._is_asked and self._waiting:
            self._waiting.cancel()
            self._waiting = None

    def on_response_complete(self) -> None:
        """Wait for the next head, and for this reply to be taken."""
        super().on_response_complete()
        self._await_head()
        self._await_taking()

    def pause_writing(self) -> None:
        """Wait for what is written to be taken."""
        super().pause_writing()
        self._await_taking()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        for timer in (self._waiting, self._taking):
            if timer:
                timer.cancel()
        self.welcome()
        super().connection_lost(exc)

    @property
    def _is_asked(self) -> bool:
        """Whether a request is under way."""
        return bool(self.cycle) and not self.cycle.response_complete

    def _await_head(self) -> None:
        if self._waiting:
            self._waiting.cancel()
        self._waiting = None
        if not self._is_asked:
            self._waiting = self.loop.call_later(self._limits.head, self.transport.abort)

    def _await_taking(self) -> None:
        if self._taking:
            self._taking.cancel()
        self._taking = None
        self._untaken = self.transport.get_write_buffer_size()
        if self._untaken:
            self._taking = self.loop.call_later(self._limits.taking, self.require_taken)

    def require_taken(self) -> None:
        """Cut off a client that takes next to nothing; a slow one goes on."""
        left = self.transport.get_write_buffer_size()
        if left and self._untaken - left < self._limits.pace:
            self.transport.abort()
        else:
            self._await_taking()
