"""A server on loopback that answers with exactly the bytes that a test wants, or with none."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    Answer = bytes | Callable[[socket.socket], object]


@dataclass(frozen=True)
class Asked:
    """One request as it arrived. ``connection`` counts the connections."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


class RawServer:
    """Answers the requests, in the order in which they come, with the answers given.

    The last answer is given to all that come later. An answer is bytes, or a function that is given
    the socket. A connection stays open after bytes, unless they say ``Connection: close``.
    """

    def __init__(self, *answers: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.answered = self.closed = 0
        self._answers = answers
        self._tls = tls
        self._guard = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._port = self._listener.getsockname()[1]
        self._connections = 0
        self._open: list[socket.socket] = []

    @property
    def address(self) -> str:
        """``127.0.0.1`` and the port."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """The server's URL, by its host name where there is a certificate for it."""
        scheme, host = ("https", "localhost") if self._tls else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self._port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections += 1
            threading.Thread(
                target=self._serve, args=(connection, self._connections), daemon=True
            ).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError, ValueError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            with self._counted(), connection, connection.makefile("rb") as stream:
                while first := stream.readline().decode("latin-1").split():
                    headers = {}
                    while line := stream.readline().decode("latin-1").strip():
                        name, _, value = line.partition(":")
                        headers[name.lower()] = value.strip()
                    body = stream.read(int(headers.get("content-length", 0)))
                    with self._guard:
                        answer = self._answers[min(len(self.asked), len(self._answers) - 1)]
                        self.asked.append(Asked(first[0], first[1], headers, body, number))
                    if callable(answer):
                        answer(connection)
                        return
                    connection.sendall(answer)
                    self.answered += 1
                    if b"connection: close" in answer.lower():
                        return

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.closed += 1


def reply(
    body: bytes | str = b"{}", status: int = 200, kind: str = "application/json", *headers: str
) -> bytes:
    """The bytes of a reply."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(data)}"]
    return ("\r\n".join([*lines, *headers]) + "\r\n\r\n").encode() + data


def trickled(data: bytes, pause: float = 0.05) -> Callable[[socket.socket], None]:
    """An answer that comes byte by byte."""

    def send(connection: socket.socket) -> None:
        for position in range(len(data)):
            connection.sendall(data[position : position + 1])
            time.sleep(pause)

    return send


def stalled(data: bytes) -> Callable[[socket.socket], None]:
    """An answer that stops, while the connection stays open: until the client ends it."""

    def send(connection: socket.socket) -> None:
        connection.sendall(data)
        while connection.recv(4096):
            pass

    return send


def hung_up(connection: socket.socket) -> None:
    """No answer: the connection is closed."""
    connection.close()
