"""Connections whose replies have to be there in time, however slowly they trickle.

A socket's own timeout begins anew with every byte, so a server that sends one now and then could
hold a request for ever. Here every receive is given what is left of the request's time.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from typing_extensions import Buffer


_RECORD: Final = 16_384


class Sockets:
    """The open sockets of one client, to be cut when nobody will wait any longer."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._open: WeakSet[_Socket] = WeakSet()
        self._is_cut = False

    def add(self, sock: _Socket) -> None:
        """Remember a socket; cut it, if all are."""
        with self._guard:
            self._open.add(sock)
        if self._is_cut:
            sock.cut()

    def cut(self) -> None:
        """Make every receive end, now and from now on."""
        self._is_cut = True
        with self._guard:
            found = list(self._open)
        for sock in found:
            sock.cut()


class Time(threading.local):
    """What the request of this thread has left, and whether any of it was sent.

    ``end`` is on the clock of ``time.monotonic``; ``silence`` is in seconds; ``sockets`` are those
    of the client that makes the request.
    """

    end: float = 0.0
    silence: float = 0.0
    is_sent: bool = False
    sockets: Sockets | None = None
    has_body: bool = False
    head: bytes = b""

    def begin(self, end: float, silence: float, sockets: Sockets, *, has_body: bool) -> None:
        """A request begins; ``has_body`` says whether something is sent after its head."""
        self.end, self.silence, self.is_sent, self.sockets = end, silence, False, sockets
        self.has_body, self.head = has_body, b""

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


class _SocketStream(io.RawIOBase):
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
        if TIME.sockets is not None:
            TIME.sockets.add(self)

    def cut(self) -> None:
        """End whatever waits for this socket."""
        # TLS within TLS, to a server behind an encrypted proxy, is no socket but has one.
        inner = getattr(self._socket, "socket", self._socket)
        with suppress(OSError):
            inner.shutdown(socket.SHUT_RDWR)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_SocketStream(self._socket))

    def sendall(self, data: Any) -> None:
        if TIME.has_body:
            # The head waits for the body, so that a small request is one packet and not two.
            TIME.has_body, TIME.head = False, bytes(data)
            return
        data, TIME.head = TIME.head + bytes(data), b""
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
        plain, end, has_body = self.sock, TIME.end, TIME.has_body
        self.sock = _Socket(plain)
        TIME.has_body = False
        TIME.end = min(end, time.monotonic() + float(self.timeout or 0))
        try:
            super()._tunnel()
        finally:
            # So far, only the proxy was told something.
            TIME.end, TIME.is_sent, TIME.has_body = end, False, has_body
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
