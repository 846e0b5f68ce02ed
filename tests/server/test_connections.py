"""Clients that take their time, or everybody else's: nobody without a token keeps others out."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from provisioner.documents.gateway import shapes
from provisioner.server.app import create_app
from provisioner.server.http.connections import Connection, Crowd, Limits
from provisioner.server.http.limits import STRANGERS, Places
from provisioner.server.http.problems import Problem
from tests.server.client import Client, new_role, problem
from tests.server.running import WRITER, bearer, served, serving, settings
from tests.waiting import rests, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FOREVER = 3600.0
SHORT = 0.2
ASKING = b"GET /openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n"
WITH_TOKEN = f"Host: x\r\nAuthorization: Bearer {WRITER}\r\n".encode()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """None of this depends on the kind of database."""
    return str(tmp_path_factory.mktemp("database") / "gateway.sqlite")


class Gateway:
    """A gateway whose connections are looked at from within."""

    def __init__(self, url: str, crowd: Crowd) -> None:
        self.url = url
        self.crowd = crowd

    def connect(self, received: int | None = None) -> socket.socket:
        """Open a connection; ``received`` bounds what the system takes before we do."""
        return connected(self.url, received)

    def status(self, path: str) -> int:
        """Ask on a connection of its own, with the token."""
        reply = requests.get(self.url + path, headers=bearer(WRITER), timeout=30)
        return int(reply.status_code)

    @property
    def strangers(self) -> list[Connection]:
        return list(self.crowd.strangers)


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """``limited(head=0.2)``: a gateway with such limits for its connections."""
    with ExitStack() as open_ones:

        def opened(**limits: Any) -> Gateway:
            given: dict[str, Any] = {"head": FOREVER, "taking": FOREVER, **limits}
            crowd = Crowd(Limits(**given))
            app = create_app(settings(tmp_path / "gateway.sqlite"))
            return Gateway(open_ones.enter_context(serving(app, crowd)), crowd)

        yield opened


def connected(url: str, received: int | None = None) -> socket.socket:
    parts = urlsplit(url)
    connection = socket.socket()
    if received is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, received)
    connection.settimeout(30)
    connection.connect((parts.hostname, parts.port))
    return connection


def everything(connection: socket.socket) -> bytes:
    """All that comes until the other side ends it."""
    found = bytearray()
    try:
        while piece := connection.recv(1 << 16):
            found += piece
    except ConnectionError:
        pass
    return bytes(found)


def test_strangers_that_never_read_keep_nobody_out(tmp_path: Path):
    """Seventy ask for the contract again and again, and take no byte of it."""
    with served(tmp_path) as gateway, ExitStack() as open_ones:
        for _ in range(70):
            connection = open_ones.enter_context(connected(gateway.url, 4096))
            connection.settimeout(0.05)
            try:
                for _ in range(200):
                    connection.sendall(ASKING * 10)
            except OSError:
                pass  # it is full, or was ended
        until(lambda: rests(gateway.process.pid))
        for path in ("/readyz", "/whoami", "/state", "/readyz"):
            reply = requests.get(gateway.url + path, headers=bearer(WRITER), timeout=30)
            assert reply.status_code == 200, path
        assert requests.get(gateway.url + "/openapi.yaml", timeout=30).status_code == 200


@pytest.mark.parametrize("path", ["/openapi.yaml", "/whoami", "/livez", "/readyz", "/nowhere"])
def test_without_a_token_there_is_one_reply_a_connection(
    limited: Callable[..., Gateway], path: str
):
    with limited().connect() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 3)
        found = everything(connection)
    assert found.count(b"HTTP/1.1 ") == 1
    assert found.lower().count(b"connection: close\r\n") == 1


def test_with_a_token_a_connection_is_kept(limited: Callable[..., Gateway]):
    gateway = limited()
    with gateway.connect() as connection:
        asking = b"GET /whoami HTTP/1.1\r\n" + WITH_TOKEN
        connection.sendall((asking + b"\r\n") * 2 + asking + b"Connection: close\r\n\r\n")
        found = everything(connection)
        assert found.count(b"HTTP/1.1 200 ") == 3
        assert not gateway.strangers


@pytest.mark.parametrize("said", [b"", b"GET /livez HTT", b"GET /livez HTTP/1.1\r\nHost: x\r\n"])
def test_a_client_that_does_not_say_what_it_wants_is_cut_off(
    limited: Callable[..., Gateway], said: bytes
):
    gateway = limited(head=SHORT)
    with gateway.connect() as connection:
        connection.sendall(said)
        assert everything(connection) == b""
    until(lambda: not gateway.strangers)


def test_a_head_that_comes_in_drops_is_no_excuse(limited: Callable[..., Gateway]):
    """The time is for all of it, not for each byte."""
    gateway = limited(head=1.0)
    sent = 0
    with gateway.connect() as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        until(lambda: len(gateway.strangers) == 1)
        while gateway.strangers and sent < 3000:
            with suppress(OSError):
                connection.sendall(b"x")
            sent += 1
            time.sleep(0.01)
    assert 0 < sent < 3000


def test_the_time_for_a_head_begins_anew_with_each(limited: Callable[..., Gateway]):
    gateway = limited(head=1.0)
    with gateway.connect() as connection:
        connection.sendall(b"GET /whoami HTTP/1.1\r\n" + WITH_TOKEN + b"\r\n")
        connection.sendall(b"GET /whoami HTTP/1.1\r\n")
        found = everything(connection)
    assert found.count(b"HTTP/1.1 ") == 1


def test_a_request_under_way_is_no_silence(limited: Callable[..., Gateway]):
    """A body may take longer than a head, and so may an answer."""
    gateway = limited()
    body = b'{"name": "Slow", "description": "", "privileges": [], "includes": [], "protected": 0}'
    with gateway.connect() as connection:
        until(lambda: len(gateway.strangers) == 1)
        (other,) = gateway.strangers
        head = b"POST /roles HTTP/1.1\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\n"
        length = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        connection.sendall(head + WITH_TOKEN + length + body[:9])
        until(lambda: other.cycle is not None)
        until(lambda: other._waiting is None)  # nothing is left that would cut it off
        connection.sendall(body[9:])
        assert everything(connection).startswith(b"HTTP/1.1 422 ")


def narrow(gateway: Gateway) -> tuple[socket.socket, Connection]:
    """A connection whose system takes next to nothing, on either side; and its other end."""
    connection = gateway.connect(1024)
    until(lambda: len(gateway.strangers) == 1)
    (other,) = gateway.strangers
    other.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024)
    return connection, other


def test_who_takes_no_reply_is_cut_off(limited: Callable[..., Gateway]):
    gateway = limited(taking=SHORT)
    connection, other = narrow(gateway)
    with connection:
        connection.sendall(ASKING)
        until(lambda: other.cycle is not None)
        until(lambda: not gateway.strangers)
        assert len(everything(connection)) < len(shapes.contract_text())


def test_who_takes_a_reply_slowly_gets_it(limited: Callable[..., Gateway]):
    """However often it is looked at: each time something was taken meanwhile."""
    gateway = limited(pace=1)
    connection, other = narrow(gateway)
    found = bytearray()
    looks = 0
    with connection:
        connection.sendall(ASKING)
        until(lambda: other.transport.get_write_buffer_size() > 0)
        while left := other.transport.get_write_buffer_size():
            while other.transport.get_write_buffer_size() == left:
                found += connection.recv(1024)
            looked = threading.Event()
            other.loop.call_soon_threadsafe(other.require_taken)
            other.loop.call_soon_threadsafe(looked.set)
            assert looked.wait(30)
            looks += 1
        found += everything(connection)
    assert looks > 3
    assert bytes(found).endswith(shapes.contract_text())


def test_too_many_connections_cost_the_oldest_stranger(limited: Callable[..., Gateway]):
    gateway = limited(most=10)
    with ExitStack() as open_ones:
        known = open_ones.enter_context(gateway.connect())
        asking = b"GET /whoami HTTP/1.1\r\n" + WITH_TOKEN + b"\r\n"
        known.sendall(asking)
        assert reply_of(known).startswith(b"HTTP/1.1 200 ")
        idle = [open_ones.enter_context(gateway.connect()) for _ in range(30)]
        assert gateway.status("/whoami") == 200
        for connection in idle[:20]:
            assert everything(connection) == b""
        assert len(gateway.strangers) < 10
        known.sendall(asking)
        assert reply_of(known).startswith(b"HTTP/1.1 200 ")


def reply_of(connection: socket.socket) -> bytes:
    """The whole reply to `/whoami`, in however many pieces it comes."""
    reply = b""
    while not reply.endswith(b"}\n"):
        piece = connection.recv(1 << 16)
        assert piece
        reply += piece
    return reply


def test_strangers_have_places_of_their_own():
    places = Places(1)
    with ExitStack() as taken:
        for _ in range(STRANGERS):
            taken.enter_context(places.one("stranger"))
        with pytest.raises(Problem, match="too many requests"), places.one("stranger"):
            pass
        taken.enter_context(places.one("known"))
        with pytest.raises(Problem, match="too many requests"), places.one("known"):
            pass
        with places.one("health"):
            pass
    with places.one("stranger"):
        pass


@contextmanager
def half_sent(gateway: Client, size: int) -> Iterator[socket.socket]:
    """A request whose body has begun."""
    with connected(gateway.url) as connection:
        path = urlsplit(gateway.url).path
        head = f"POST {path}/roles HTTP/1.1\r\nContent-Type: application/json\r\n".encode()
        rest = f"Idempotency-Key: half\r\nContent-Length: {size}\r\n\r\n".encode()
        connection.sendall(head + WITH_TOKEN + rest + b" " * (size // 2))
        yield connection


def test_bodies_are_bounded_all_together(open_gateway: Callable[..., Client]):
    """What is under way counts, by what it announces or by what came of it."""
    gateway = open_gateway(max_bodies=10_000)
    wide = new_role(description="d" * 900) | {"includes": ["r"] * 1500}
    size = 6_000
    with half_sent(gateway, size) as connection:
        until(lambda: gateway.post("/roles", wide).status_code == 503)
        refused = gateway.post("/roles", wide)
        assert problem(refused) == (503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        in_pieces = gateway.ask(
            "POST",
            "/roles",
            data=iter([b" " * 3000] * 3),
            key="pieces",
            headers={"Content-Type": "application/json"},
        )
        assert problem(in_pieces) == (503, "unavailable")
        assert gateway.role()["name"]
        assert gateway.get("/readyz").status_code == 200
        connection.sendall(b" " * (size - size // 2))
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 400 ")
    assert gateway.post("/roles", wide).status_code == 422


def test_large_bodies_come_one_after_the_other(open_gateway: Callable[..., Client]):
    """The second waits where it keeps nobody else from being answered."""
    gateway = open_gateway(large=1000, threads=2, patience=1.0)
    wide = new_role(description="d" * 1000)
    with ThreadPoolExecutor(1) as thread:
        with gateway.app.state.gateway.database.only_writer():
            first = thread.submit(lambda: gateway.with_token(WRITER).post("/roles", wide))
            second = gateway.post("/roles", new_role(description="e" * 1000))
            assert problem(second) == (503, "unavailable")
        assert first.result().status_code in (201, 503)
    assert gateway.post("/roles", new_role(description="f" * 1000)).status_code == 201


def test_those_who_wait_to_write_keep_nobody_from_reading(open_gateway: Callable[..., Client]):
    gateway = open_gateway(threads=2)
    with ThreadPoolExecutor(6) as threads:
        with gateway.app.state.gateway.database.only_writer():
            waiting = [threads.submit(gateway.with_token(WRITER).role) for _ in range(6)]
            for _ in range(20):
                assert gateway.get("/state").status_code == 200
            assert not any(each.done() for each in waiting)
        for each in waiting:
            each.result()


def test_however_many_ask_whether_it_is_ready_the_database_is_asked_once(
    gateway: Client, monkeypatch: pytest.MonkeyPatch
):
    asked = []
    may_answer = threading.Event()
    database = gateway.app.state.gateway.database
    really = database.answers

    def counted() -> bool:
        asked.append(1)
        may_answer.wait(30)
        return bool(really())

    monkeypatch.setattr(database, "answers", counted)
    with ThreadPoolExecutor(10) as threads:
        replies = [threads.submit(gateway.with_token(None).get, "/readyz") for _ in range(10)]
        until(lambda: len(asked) == 1)
        may_answer.set()
        assert {reply.result().status_code for reply in replies} == {200}
    assert len(asked) < 10
