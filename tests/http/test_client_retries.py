"""Which requests are repeated, how often, and after which waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.backends.http.transport.messages import LostReply, NotSent, Request
from provisioner.errors import BackendError
from tests.http.scripted_server import (
    ScriptedServer,
    client_of,
    json_reply,
    reply,
    reset,
    sending,
    unused_port,
)

if TYPE_CHECKING:
    from provisioner.backends.http.transport.client import Client

OK = json_reply({"ok": True})
POST = Request("POST", "/roles", body={"name": "A"})
KEYED = Request("POST", "/roles", body={"name": "A"}, key="k")
PUT = Request("PUT", "/roles/1", body={})
GET = Request("GET", "/roles")
LOST = [500, 502, 503, 504]


class FakeTime:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def timed_client(url: str, time: FakeTime, **more: Any) -> Client:
    return client_of(url, clock=time.clock, sleep=time.sleep, **more)


@pytest.mark.parametrize("request_", [GET, PUT, KEYED], ids=["read", "put", "keyed post"])
@pytest.mark.parametrize("status", LOST)
def test_what_may_be_repeated_is_repeated(request_: Request, status: int) -> None:
    with ScriptedServer(sending(reply(status), OK)) as server:
        found = timed_client(server.url, FakeTime()).send(request_)
    assert found.status == 200
    assert len(server.requests) == 2
    assert len({sent.headers.get("idempotency-key") for sent in server.requests}) == 1
    if request_ is not GET:
        assert found.perhaps_repeated


@pytest.mark.parametrize("status", [*LOST, 501, 505, 508, 520, 524])
def test_a_post_without_a_key_is_not_repeated(status: int) -> None:
    with ScriptedServer(sending(reply(status), OK)) as server, pytest.raises(LostReply):
        timed_client(server.url, FakeTime()).send(POST)
    assert len(server.requests) == 1


def test_a_write_that_is_said_not_to_be_repeatable_is_not_repeated() -> None:
    request = Request("PUT", "/roles/1", body={}, repeatable=False)
    with ScriptedServer(sending(reply(502), OK)) as server, pytest.raises(LostReply):
        timed_client(server.url, FakeTime()).send(request)
    assert len(server.requests) == 1


@pytest.mark.parametrize("request_", [GET, PUT, KEYED, POST])
def test_what_was_refused_for_lack_of_room_is_repeated_always(request_: Request) -> None:
    with ScriptedServer(sending(reply(429, Retry_After="0"), OK)) as server:
        found = timed_client(server.url, FakeTime()).send(request_)
    assert (found.status, found.perhaps_repeated) == (200, False)
    assert len(server.requests) == 2


def test_too_much_for_the_server_all_the_time_is_certainly_not_done() -> None:
    with ScriptedServer(sending(reply(429))) as server, pytest.raises(NotSent, match="429"):
        timed_client(server.url, FakeTime()).send(POST)


def test_a_reset_after_sending_loses_the_reply() -> None:
    with ScriptedServer(lambda _, peer: reset(peer)) as server, pytest.raises(LostReply) as caught:
        timed_client(server.url, FakeTime()).send(POST)
    assert len(server.requests) == 1
    assert f"POST {server.url}/roles" in str(caught.value)


def test_a_keyed_post_survives_a_reset_and_says_so() -> None:
    def answer(request, peer):
        return reset(peer) if request.number == 1 else peer.sendall(OK)

    with ScriptedServer(answer) as server:
        assert timed_client(server.url, FakeTime()).send(KEYED).perhaps_repeated
    assert [sent.headers["idempotency-key"] for sent in server.requests] == ["k", "k"]


def test_a_lost_reply_stays_lost_when_the_server_is_gone_afterwards() -> None:
    def answer(_: object, peer):
        server._listener.close()
        return reset(peer)

    with ScriptedServer(answer) as server, pytest.raises(LostReply):
        timed_client(server.url, FakeTime()).send(PUT)


@pytest.mark.parametrize("request_", [GET, PUT, POST])
def test_a_refused_connection_fails_soon(request_: Request) -> None:
    time = FakeTime()
    with pytest.raises(BackendError, match="refused") as caught:
        timed_client(f"http://127.0.0.1:{unused_port()}", time).send(request_)
    assert 2 <= len(time.waits) <= 4
    assert sum(time.waits) < 3
    assert not isinstance(caught.value, LostReply)
    if request_ is not GET:
        assert isinstance(caught.value, NotSent)


def test_a_host_without_an_address_is_named_as_such() -> None:
    with pytest.raises(BackendError, match=r"no-such-host\.invalid.*name"):
        timed_client("https://no-such-host.invalid", FakeTime()).send(GET)


def test_waits_grow_and_are_bounded() -> None:
    time = FakeTime()
    with ScriptedServer(sending(reply(503))) as server, pytest.raises(BackendError, match="503"):
        timed_client(server.url, time, total_timeout=60.0).send(GET)
    assert all(wait <= min(5.0, 0.25 * 2**number) + 0.001 for number, wait in enumerate(time.waits))
    assert sum(time.waits) <= 60


def test_no_request_takes_longer_than_all_of_it_may() -> None:
    time = FakeTime()
    with (
        ScriptedServer(sending(reply(503, Retry_After="3"))) as server,
        pytest.raises(BackendError),
    ):
        timed_client(server.url, time, total_timeout=8.0).send(GET)
    assert sum(time.waits) <= 8


def test_the_seconds_that_a_server_asks_for_are_waited() -> None:
    time = FakeTime()
    with ScriptedServer(sending(reply(503, Retry_After="4"), OK)) as server:
        timed_client(server.url, time).send(GET)
    (wait,) = time.waits
    assert 4 <= wait <= 5


@pytest.mark.parametrize("skew", [timedelta(0), timedelta(days=3), -timedelta(days=3)])
def test_a_date_is_measured_by_the_clock_of_the_server(skew: timedelta) -> None:
    now = datetime.now(UTC) + skew
    until = format_datetime(now + timedelta(seconds=4), usegmt=True)
    busy = reply(429, Date=format_datetime(now, usegmt=True), Retry_After=until)
    time = FakeTime()
    with ScriptedServer(sending(busy, OK)) as server:
        timed_client(server.url, time).send(POST)
    (wait,) = time.waits
    assert 3 <= wait <= 5.5


@pytest.mark.parametrize("nonsense", ["soon", "-5", "", "1e9", "Mon, 99 Foo 2026 00:00:00 GMT"])
def test_a_wait_that_makes_no_sense_is_not_waited(nonsense: str) -> None:
    time = FakeTime()
    with ScriptedServer(sending(reply(503, Retry_After=nonsense), OK)) as server:
        timed_client(server.url, time).send(GET)
    assert sum(time.waits) <= 0.3


def test_who_is_asked_for_more_time_than_there_is_fails_at_once_and_says_so() -> None:
    time = FakeTime()
    busy = sending(reply(503, Retry_After="3600"))
    with ScriptedServer(busy) as server, pytest.raises(BackendError, match="3600 s"):
        timed_client(server.url, time).send(GET)
    assert time.waits == []
