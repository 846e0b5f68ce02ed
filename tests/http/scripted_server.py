"""Servers on loopback that send exactly the bytes a test wants, when it wants them.

::

    with ScriptedServer(lambda request, peer: peer.sendall(json_reply({"a": 1}))) as server:
        client = client_of(server.url)
        client.send(Request("GET", "/roles"))
        server.requests  # what arrived

The answering function returns False to end the connection; otherwise the next request is awaited.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from provisioner.backends.http.transport.client import Client
from provisioner.backends.http.transport.settings import HttpSettings, Secret

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    Answer = Callable[["Received", socket.socket], Any]

_CLIENTS: list[Client] = []
TOKEN = "a-token-nobody-may-see"  # noqa: S105 - for tests


@dataclass(frozen=True)
class Received:
    """A request as it came. Header names are in lower case; connections count from 1."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    number: int


class ScriptedServer:
    """Answers with a function; one thread for each connection. ``tls`` makes it speak https."""

    def __init__(
        self, answer: Answer, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._answer, self._tls, self._host = answer, tls, host
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self._guard = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.requests: list[Received] = []
        self.connections = self.closed = 0
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        while _CLIENTS:
            _CLIENTS.pop().close()
        # Only a shutdown wakes up a thread that waits in accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        with self._guard:
            for peer in self._open:
                with suppress(OSError):
                    socket.socket.shutdown(peer, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _start(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self.closing.is_set():
                peer, _ = self._listener.accept()
                self.connections += 1
                self._start(self._serve, peer, self.connections)

    def _serve(self, peer: socket.socket, connection: int) -> None:
        with self._guard:
            self._open.add(peer)
        try:
            if self._tls:
                peer = self._tls.wrap_socket(peer, server_side=True, do_handshake_on_connect=False)
                with self._guard:
                    self._open.add(peer)
                self._shake_hands(peer)
            self._talk(peer, connection)
        except (OSError, ValueError):
            pass  # the client went away, or the test is over
        finally:
            with suppress(OSError):
                peer.close()
            self.closed += 1

    def _shake_hands(self, peer: ssl.SSLSocket) -> None:
        try:
            peer.do_handshake()
        except OSError:
            # With bytes unread, closing would be a reset, which overtakes what TLS has to say.
            while socket.socket.recv(peer, 4096):
                pass
            raise

    def _talk(self, peer: socket.socket, connection: int) -> None:
        with peer.makefile("rb") as stream:
            while found := read_request(stream):
                with self._guard:
                    request = Received(*found, connection, len(self.requests) + 1)
                    self.requests.append(request)
                if self._answer(request, peer) is False:
                    return


def read_request(stream: Any) -> tuple[str, str, dict[str, str], bytes] | None:
    """Read one request; None at the end of the connection."""
    first = stream.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return first[0], first[1], headers, stream.read(int(headers.get("content-length", 0)))


def reply(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """A whole reply with its length; ``_`` in a header's name stands for ``-``."""
    headers.setdefault("Content_Length", str(len(body)))
    lines = [f"HTTP/1.1 {status} X"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def json_reply(body: Any, status: int = 200, **headers: str) -> bytes:
    """A whole reply that holds JSON."""
    headers.setdefault("Content_Type", "application/json")
    return reply(status, json.dumps(body).encode(), **headers)


def sending(*replies: bytes) -> Answer:
    """Answer the first request with the first reply, and so on; the last one stays."""
    return lambda request, peer: peer.sendall(replies[min(request.number, len(replies)) - 1])


class Endless:
    """An answer that begins and then goes on in drops, with no end that a client should wait for.

    ``left`` is set once the client has closed the connection.
    """

    def __init__(self, start: bytes, drop: bytes = b"y") -> None:
        self._start, self._drop = start, drop
        self.left = threading.Event()

    def __call__(self, _: object, peer: socket.socket) -> bool:
        try:
            peer.sendall(self._start)
            for _ in range(1200):
                time.sleep(0.05)
                peer.sendall(self._drop)
        except OSError:
            self.left.set()
        return False


def reset(peer: socket.socket) -> bool:
    """End a connection with RST: the client gets no reply."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def client_of(url: str, **more: Any) -> Client:
    """A client for a server that answers at once, or is meant not to."""
    times = {
        "connect_timeout": 2.0,
        "read_timeout": 8.0,
        "reply_timeout": 8.0,
        "total_timeout": 8.0,
    }
    token = more.pop("token", TOKEN)
    given = {name: more.pop(name) for name in ("clock", "sleep") if name in more}
    settings = HttpSettings(url, token=Secret(token) if token else None, **{**times, **more})
    client = Client(settings, **given)
    _CLIENTS.append(client)
    return client


def unused_port() -> int:
    """A port on loopback where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
