"""A proxy on loopback that goes wrong on purpose, in every way that networks and servers do.

::

    with FaultyProxy(upstream, lambda number, method, path: Fault.RESET_AFTER) as proxy:
        client_of(proxy.url)
        proxy.log  # what was done to each request

``seeded(seed, rate)`` draws faults at random, the same for the same seed, but never so many for one
request that no client could get through.
"""

from __future__ import annotations

import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    Chooser = Callable[[int, str, str], "Fault | None"]


class Fault(Enum):
    """What is done to a request. AFTER: the server has acted, the answer does not arrive."""

    REFUSE = "the connection is cut, and for a moment no new one is accepted"
    RESET_BEFORE = "the connection is reset before the server sees the request"
    RESET_AFTER = "the connection is reset after the server has acted"
    TRUNCATED = "the body ends in the middle"
    STALLED = "the body stops in the middle, the connection stays"
    SILENT = "there is no answer, the connection stays"
    ERROR_500 = "500 before the server sees the request"
    ERROR_502 = "502 before the server sees the request"
    ERROR_503 = "503 with Retry-After in seconds"
    ERROR_502_AFTER = "502 after the server has acted"
    ERROR_500_AFTER = "500 after the server has acted"
    BUSY_SECONDS = "429 with Retry-After in seconds"
    BUSY_DATE = "429 with Retry-After as a date, on a clock that is hours off"
    HTML = "200 with a web page, after the server has acted"
    BAD_JSON = "200 with broken JSON, after the server has acted"
    SKEWED = "the answer, from a clock that is a day off"


AFTER = frozenset(
    {
        Fault.RESET_AFTER,
        Fault.TRUNCATED,
        Fault.STALLED,
        Fault.SILENT,
        Fault.ERROR_502_AFTER,
        Fault.ERROR_500_AFTER,
        Fault.HTML,
        Fault.BAD_JSON,
    }
)
_SKEW = timedelta(hours=7)
_DOWN = 0.005


def seeded(seed: int, rate: float, *, in_a_row: int = 2) -> Chooser:
    """Draw a fault for each request with the given probability.

    The same method and path meets at most ``in_a_row`` faults, then one attempt goes through.
    """
    chance = random.Random(seed)
    guard = threading.Lock()
    met: Counter[tuple[str, str]] = Counter()
    faults = list(Fault)

    def choose(_: int, method: str, path: str) -> Fault | None:
        with guard:
            if met[method, path] >= in_a_row or chance.random() >= rate:
                met[method, path] = 0
                return None
            met[method, path] += 1
            return chance.choice(faults)

    return choose


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class FaultyProxy:
    """Forwards to an upstream URL, except for the requests that ``choose`` has a fault for."""

    def __init__(self, upstream: str, choose: Chooser, *, stall: float = 5.0) -> None:
        parts = urlsplit(upstream)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._path = parts.path
        self._choose = choose
        self._stall = stall
        self._guard = threading.Lock()
        self._number = 0
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._address = self._listener.getsockname()
        self._open: set[socket.socket] = set()
        self.log: list[tuple[str, str, Fault | None]] = []

    @property
    def url(self) -> str:
        """Where the proxy stands in for its upstream."""
        return f"http://127.0.0.1:{self._address[1]}{self._path}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        with self._guard:
            _stop_listening(self._listener)
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                time.sleep(_DOWN / 4)
                continue
            with self._guard:
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        upstream = http.client.HTTPConnection(self._host, self._port, timeout=30)
        try:
            with connection, connection.makefile("rb") as stream:
                while request := _request(stream):
                    if not self._handle(connection, upstream, *request):
                        return
        except (OSError, http.client.HTTPException):
            pass  # the client or the upstream went away; the client notices by itself
        finally:
            upstream.close()
            with self._guard:
                self._open.discard(connection)

    def _handle(
        self,
        connection: socket.socket,
        upstream: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> bool:
        """Answer one request, or not; whether the connection may go on."""
        with self._guard:
            number, self._number = self._number, self._number + 1
            fault = self._choose(number, method, path)
            self.log.append((method, path, fault))
        if fault is None or fault is Fault.SKEWED or fault in AFTER:
            answer = _forward(upstream, method, path, headers, body)
        else:
            answer = _refusal(fault)
        if fault is Fault.SKEWED:
            answer = _Answer(answer.status, [*answer.headers, ("Date", _date())], answer.body)
        return self._deliver(connection, answer, fault)

    def _deliver(self, connection: socket.socket, answer: _Answer, fault: Fault | None) -> bool:
        half = len(answer.body) // 2
        match fault:
            case Fault.REFUSE:
                self._go_down()
                return _reset(connection)
            case Fault.RESET_BEFORE | Fault.RESET_AFTER:
                return _reset(connection)
            case Fault.SILENT:
                self._closed.wait(self._stall)
                return False
            case Fault.TRUNCATED | Fault.STALLED if answer.body:
                connection.sendall(_bytes(answer)[: -(len(answer.body) - half)])
                if fault is Fault.STALLED:
                    self._closed.wait(self._stall)
                return False
            case Fault.TRUNCATED | Fault.STALLED:
                return _reset(connection)
            case Fault.HTML:
                page = b"<html><h1>Please log in</h1></html>"
                answer = _Answer(200, [("Content-Type", "text/html")], page)
            case Fault.BAD_JSON:
                json = [("Content-Type", "application/json")]
                # Half of a text can be a whole one by chance; with this byte it never is.
                answer = _Answer(200, json, answer.body[:half] + b"\xff")
            case Fault.ERROR_500_AFTER | Fault.ERROR_502_AFTER:
                answer = _Answer(int(fault.name[6:9]), [], b"")
        connection.sendall(_bytes(answer))
        return True

    def _go_down(self) -> None:
        """Stop listening for a moment, on the same port."""
        with self._guard:
            _stop_listening(self._listener)
            time.sleep(_DOWN)
            if not self._closed.is_set():
                self._listener = socket.create_server(self._address, backlog=64)


def _stop_listening(listener: socket.socket) -> None:
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)  # wakes up who waits in accept, which close does not
    listener.close()


def _request(stream: Any) -> tuple[str, str, list[tuple[str, str]], bytes] | None:
    first = stream.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = []
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    length = next((int(v) for k, v in headers if k.lower() == "content-length"), 0)
    return first[0], first[1], headers, stream.read(length)


def _forward(
    upstream: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: list[tuple[str, str]],
    body: bytes,
) -> _Answer:
    upstream.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        upstream.putheader(name, value)
    upstream.endheaders(body or None)
    reply = upstream.getresponse()
    data = reply.read()
    dropped = {"content-length", "transfer-encoding", "connection", "date"}
    kept = [(name, value) for name, value in reply.getheaders() if name.lower() not in dropped]
    return _Answer(reply.status, kept, data)


def _refusal(fault: Fault) -> _Answer:
    match fault:
        case Fault.BUSY_SECONDS:
            return _Answer(429, [("Retry-After", "0")], b"")
        case Fault.BUSY_DATE:
            now = datetime.now(UTC) + _SKEW
            dates = [("Date", format_datetime(now, usegmt=True))]
            return _Answer(429, [*dates, ("Retry-After", dates[0][1])], b"")
        case Fault.ERROR_503:
            return _Answer(503, [("Retry-After", "0")], b"")
        case _:
            status = int(fault.name[6:9]) if fault.name.startswith("ERROR") else 502
            return _Answer(status, [("Content-Type", "text/html")], b"<h1>Sorry</h1>")


def _bytes(answer: _Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} X"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if answer.status not in (204, 304):
        lines.append(f"Content-Length: {len(answer.body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + answer.body


def _date() -> str:
    return format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)


def _reset(connection: socket.socket) -> bool:
    """Close with RST instead of FIN: what is on the way is lost."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return False
