"""Connections whose replies have to be there in time, however slowly they trickle.

A socket's own timeout begins anew with every byte, so a server that sends one now and then could
hold a request for ever. Here every receive is given what is left of the request's time.
"""

from __future__ import annotations

import io
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    import socket

    from typing_extensions import Buffer


_RECORD: Final = 16_384


class Time(threading.local):
    """What the request of this thread has left, and whether any of it was sent.

    ``end`` is on the clock of ``time.monotonic``; ``silence`` is in seconds.
    """

    end: float = 0.0
    silence: float = 0.0
    is_sent: bool = False

    def begin(self, end: float, silence: float) -> None:
        """A request begins."""
        self.end, self.silence, self.is_sent = end, silence, False

    def left(self) -> float:
        """Seconds until the next receive must have brought something.

        Raises:
            TimeoutError: There are none.
        """
        seconds = min(self.end - time.monotonic(), self.silence)
        if seconds <= 0:
            raise TimeoutError("the reply took too long")
        return seconds


TIME = Time()


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        self._socket.settimeout(TIME.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Socket:
    """A connected socket that minds the time of the request it is used for."""

    def __init__(self, sock: Any) -> None:
        self._socket = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._socket))

    def sendall(self, data: Any) -> None:
        TIME.is_sent = True
        # Encrypted, each of its parts would begin a timeout of its own.
        for start in range(0, len(data), _RECORD):
            self._socket.settimeout(TIME.left())
            self._socket.sendall(data[start : start + _RECORD])


class _Connection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.sock = _Socket(self.sock)


class _SecureConnection(HTTPSConnection):
    def _tunnel(self) -> None:
        """Ask the proxy for a tunnel; its answer has to be there in time, too."""
        plain, end = self.sock, TIME.end
        self.sock = _Socket(plain)
        TIME.end = min(end, time.monotonic() + float(self.timeout or 0))
        try:
            super()._tunnel()
        finally:
            # So far, only the proxy was told something.
            TIME.end, TIME.is_sent = end, False
            if self.sock is not None:
                self.sock = plain

    def connect(self) -> None:
        super().connect()
        self.sock = _Socket(self.sock)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS = {"http": _Pool, "https": _SecurePool}
