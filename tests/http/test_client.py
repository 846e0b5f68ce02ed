"""The HTTP client against servers that behave, and many that do not."""

from __future__ import annotations

import gzip
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.backends.http.transport.backoff import MOST, asked_for, backoff
from provisioner.backends.http.transport.client import Client
from provisioner.backends.http.transport.messages import LostReply, NotSent, Request
from provisioner.backends.http.transport.refusals import refusal
from provisioner.backends.http.transport.settings import HttpSettings, Secret
from provisioner.errors import BackendError, StateMoved
from tests.http.raw_server import RawServer, hung_up, reply, stalled, trickled
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Callable

GET = Request("GET", "/roles")
PUT = Request("PUT", "/roles/1", body={"a": 1})
POST = Request("POST", "/roles", body={"a": 1})
KEYED = Request("POST", "/roles", body={"a": 1}, key="k-1")
GOOD = reply('{"ok": true}')
TOKEN = "a-secret-token"  # noqa: S105 - for tests


def client(url: str, **more: Any) -> Client:
    """A client that does not wait between attempts."""
    settings = HttpSettings(url, Secret(TOKEN), **more)
    return Client(settings, sleep=lambda _: None)


def patience(message: str) -> float:
    """How long to wait for a reply that is unusable in such a way."""
    return 0.2 if message.startswith("no whole reply") else PATIENCE


def told(error: pytest.ExceptionInfo[BackendError]) -> str:
    return error.value.diagnostics[0].message


def test_what_is_sent() -> None:
    with RawServer(GOOD) as server:
        found = client(f"{server.url}/base").send(
            Request("POST", "/roles", (("a", "b c"),), {"n": "ä"}, {"If-Match": '"1"'}, key="k")
        )
    assert (found.status, found.body, found.perhaps_repeated) == (200, {"ok": True}, False)
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("POST", "/base/roles?a=b%20c")
    assert json.loads(asked.body) == {"n": "ä"}
    sent = {name: asked.headers[name] for name in ("authorization", "idempotency-key", "if-match")}
    assert sent == {
        "authorization": f"Bearer {TOKEN}",
        "idempotency-key": "k",
        "if-match": '"1"',
    }
    assert asked.headers["user-agent"].startswith("provisioner/")
    assert asked.headers["accept-encoding"] == "identity"


def test_connections_stay_open() -> None:
    with RawServer(GOOD) as server:
        ours = client(server.url)
        for _ in range(5):
            ours.send(GET)
    assert {asked.connection for asked in server.asked} == {1}


def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    with RawServer(reply("{}", 200, "application/json", "Connection: close"), GOOD) as server:
        ours = client(server.url)
        ours.send(POST)
        until(lambda: server.closed)
        assert ours.send(POST).status == 200


def test_many_threads_share_a_client() -> None:
    with RawServer(GOOD) as server:
        ours = client(server.url, concurrency=4)
        threads = [threading.Thread(target=lambda: ours.send(GET)) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert len(server.asked) == 24


CHUNKED = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
UNUSABLE: dict[str, tuple[Any, str]] = {
    "hung up": (hung_up, "the connection broke off"),
    "cut off": (GOOD[:-3] + b"", "no whole reply within"),
    "a body that ends early": (
        reply('{"ok": true}', 200, "application/json", "Connection: close")[:-3],
        "the reply was cut off",
    ),
    "a broken chunk": (
        CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + b"zz\r\n{}",
        "the reply was cut off",
    ),
    "a web page": (reply("<h1>Log in</h1>", 200, "text/html"), "is not JSON (text/html: <h1>Log"),
    "no type": (reply("{}", 200, ""), "is not JSON (no type: {})"),
    "invalid JSON": (reply('{"a": '), "is not JSON: "),
    "two of a name": (reply('{"a": 1, "a": 2}'), "the key `a` stands twice"),
    "no number": (reply('{"a": NaN}'), "NaN is no JSON"),
    "not UTF-8": (reply(b'"\xff"'), "is not JSON: "),
    "half a pair": (reply('{"a": "\\ud800"}'), "is not JSON: "),
    "too deep": (reply("[" * 100_000), "is not JSON: "),
    "nothing": (reply(b""), "the reply is empty"),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", "the connection broke off"),
    "500": (reply('{"detail": "out of order"}', 500), "the server answers 500: out of order"),
    "502": (reply("Bad gateway", 502, "text/plain"), "the server answers 502: Bad gateway"),
}


@pytest.mark.parametrize(("answer", "message"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_reply_is_asked_for_again(answer: Any, message: str) -> None:
    with RawServer(answer, GOOD) as server:
        found = client(server.url, reply_timeout=1.0).send(GET)
    assert found.body == {"ok": True}
    assert found.perhaps_repeated
    with RawServer(answer) as server, pytest.raises(BackendError) as error:
        client(server.url, reply_timeout=patience(message)).send(GET)
    assert told(error).startswith(f"GET {server.url}/roles: ")
    assert message in told(error)
    assert not isinstance(error.value, LostReply | NotSent)


@pytest.mark.parametrize(("answer", "message"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_write_that_can_not_be_repeated_is_sent_once(answer: Any, message: str) -> None:
    if message == "the reply is empty":
        pytest.skip("a write may be answered with nothing")
    with RawServer(answer) as server, pytest.raises(LostReply) as error:
        client(server.url, reply_timeout=patience(message)).send(POST)
    assert message in told(error)
    assert len(server.asked) == 1


@pytest.mark.parametrize("request_", [PUT, KEYED], ids=["PUT", "keyed POST"])
@pytest.mark.parametrize("answer", [hung_up, reply("x", 502, "text/plain"), reply("{")])
def test_a_write_that_may_be_repeated_is_repeated(request_: Request, answer: Any) -> None:
    with RawServer(answer, answer, GOOD) as server:
        found = client(server.url).send(request_)
    assert found.perhaps_repeated
    assert len({(asked.body, asked.headers.get("idempotency-key")) for asked in server.asked}) == 1
    with RawServer(answer) as server, pytest.raises(LostReply) as error:
        client(server.url).send(request_)
    assert "after 10 attempts" in told(error)


def test_a_server_that_is_busy_is_asked_again_whatever_is_asked() -> None:
    busy = reply("{}", 429, "application/json", "Retry-After: 0")
    with RawServer(busy, busy, GOOD) as server:
        found = client(server.url).send(POST)
    assert found.status == 200
    assert not found.perhaps_repeated
    with RawServer(busy) as server, pytest.raises(NotSent, match="the server answers 429"):
        client(server.url).send(POST)


def test_503_is_no_promise_that_nothing_was_done() -> None:
    with RawServer(reply("{}", 503), GOOD) as server, pytest.raises(LostReply):
        client(server.url).send(POST)
    with RawServer(reply("{}", 503), GOOD) as server:
        assert client(server.url).send(PUT).perhaps_repeated


def test_no_longer_than_there_is_time() -> None:
    """A server that asks for more than is left is not waited for at all."""
    waits: list[float] = []
    settings = HttpSettings("", Secret(TOKEN), total_timeout=30)
    with RawServer(reply("{}", 503, "application/json", "Retry-After: 3600"), GOOD) as server:
        ours = Client(
            HttpSettings(server.url, settings.token, total_timeout=30), sleep=waits.append
        )
        with pytest.raises(BackendError) as error:
            ours.send(GET)
    assert "it asks to wait 3600 s, longer than `total_timeout` leaves" in told(error)
    assert waits == []


def test_what_a_server_asks_for_is_waited() -> None:
    waits: list[float] = []
    with RawServer(reply("{}", 429, "application/json", "Retry-After: 7"), GOOD) as server:
        Client(HttpSettings(server.url), sleep=waits.append).send(GET)
    assert len(waits) == 1
    assert 7 <= waits[0] <= 7.25


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "12"}, 12),
        ({"Retry-After": "0"}, 0),
        (
            {
                "Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT",
                "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
            },
            30,
        ),
        (
            {
                "Retry-After": "Wed, 21 Oct 2015 07:27:00 GMT",
                "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
            },
            0,
        ),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Mon, 01 Jan 2024 00:00:00 +99999999999999999999"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1e9"}, None),
        ({}, None),
    ],
)
def test_both_forms_of_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """A date counts from the server's own Date, so that a clock that is off does no harm."""
    assert asked_for(headers) == seconds


def test_the_wait_grows_and_is_spread() -> None:
    assert [backoff(attempt, lambda: 1.0) for attempt in range(1, 8)] == [
        0.25,
        0.5,
        1.0,
        2.0,
        4.0,
        MOST,
        MOST,
    ]
    assert backoff(3, lambda: 0.0) == 0.0


def test_attempts_end_with_the_time_for_all_of_them() -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    with RawServer(reply("{}", 500)) as server:
        ours = Client(HttpSettings(server.url, total_timeout=2.0), clock=lambda: now, sleep=sleep)
        with pytest.raises(BackendError):
            ours.send(GET)
    assert now < 2.0
    assert len(server.asked) > 1


TOO_SLOW: dict[str, Callable[..., object]] = {
    "the head trickles": trickled(GOOD * 20),
    "the body trickles": trickled(reply(" " * 500 + "{}")),
    "chunks trickle": trickled(CHUNKED + b"1\r\n \r\n" * 300),
    "the head stalls": stalled(GOOD[:20]),
    "the body stalls": stalled(GOOD[:-2]),
    "there is no answer": stalled(b""),
}


@pytest.mark.parametrize("answer", TOO_SLOW.values(), ids=TOO_SLOW.keys())
def test_a_whole_reply_is_there_in_time_or_it_counts_as_lost(answer: Any) -> None:
    with RawServer(answer) as server:
        with pytest.raises(LostReply, match=r"no whole reply within 0\.4 s"):
            client(server.url, reply_timeout=0.4).send(POST)
        until(lambda: server.closed)
    assert len(server.asked) == 1


def test_silence_is_limited_by_itself() -> None:
    silent = r"the server was silent for 0\.2 s"
    with RawServer(stalled(GOOD[:-2])) as server, pytest.raises(LostReply, match=silent):
        client(server.url, read_timeout=0.2).send(POST)


def test_a_slow_reply_that_is_in_time_is_good() -> None:
    with RawServer(trickled(GOOD, 0.002)) as server:
        assert client(server.url).send(GET).body == {"ok": True}


def test_a_reply_that_is_too_large() -> None:
    large = json.dumps(["x" * 1000] * 200)
    chunked = CHUNKED + b"".join(b"%x\r\n%s\r\n" % (100, b" " * 100) for _ in range(2000))
    packed = gzip.compress(large.encode())
    bomb = reply(packed, 200, "application/json", "Content-Encoding: gzip")
    lying = chunked.replace(b"Transfer-", b"Content-Length: 5\r\nTransfer-", 1)
    for answer in (reply(large), chunked, bomb, lying):
        with RawServer(answer) as server, pytest.raises(LostReply) as error:
            client(server.url, max_reply=100_000).send(POST)
        assert "the reply is larger than 0.1 MB" in told(error)
        assert error.value.diagnostics[0].remedy == "if that is right, raise `max_reply_mb`"


def test_a_packed_reply_that_nobody_asked_for_is_unpacked() -> None:
    packed = reply(
        gzip.compress(b'{"ok": true}'), 200, "application/json", "Content-Encoding: gzip"
    )
    with RawServer(packed) as server:
        assert client(server.url).send(GET).body == {"ok": True}


def test_a_redirect_to_the_same_place_is_followed_for_reads_only() -> None:
    moved = reply("{}", 308, "application/json", "Location: /elsewhere?x=1")
    with RawServer(moved, GOOD) as server:
        assert client(server.url).send(GET).body == {"ok": True}
        assert server.asked[1].path == "/elsewhere?x=1"
    with RawServer(moved, GOOD) as server, pytest.raises(BackendError, match="sends it on to http"):
        client(server.url).send(PUT)
    assert len(server.asked) == 1
    with RawServer(moved) as server, pytest.raises(BackendError, match="sends it on to"):
        client(server.url).send(GET)
    assert len(server.asked) == 6


@pytest.mark.parametrize("to", ["http://{}/", "//{}/roles", "https://{}/"])
def test_a_redirect_to_another_place_gets_no_token(to: str) -> None:
    with RawServer(GOOD) as other:
        away = reply("{}", 302, "application/json", f"Location: {to.format(other.address)}")
        with RawServer(away) as server, pytest.raises(BackendError) as error:
            client(server.url).send(GET)
    assert "another place" in told(error)
    assert other.asked == []


@pytest.mark.parametrize("path", ["/users/..", "/users/%2E%2e/x", "/./roles", "/a%2F..%2Fb"])
def test_an_address_never_leads_out_of_its_place(path: str) -> None:
    with RawServer(GOOD) as server, pytest.raises(NotSent, match=r"with `\.` or `\.\.`"):
        client(server.url).send(Request("GET", path))
    assert server.asked == []


def test_escaped_characters_arrive_as_they_were_escaped() -> None:
    with RawServer(GOOD) as server:
        client(server.url).send(Request("GET", "/users/a%2Fb%3Fc%20d%25"))
    assert server.asked[0].path == "/users/a%2Fb%3Fc%20d%25"


def test_a_refused_connection_is_tried_a_few_times() -> None:
    with RawServer(GOOD) as server:
        gone = server.url
    waits: list[float] = []
    ours = Client(HttpSettings(gone), sleep=waits.append)
    with pytest.raises(NotSent) as error:
        ours.send(PUT)
    assert told(error) == (
        f"PUT {gone}/roles/1: no connection (Connection refused) (after 4 attempts)"
    )
    assert len(waits) == 3


def test_an_unknown_host_is_named_as_that() -> None:
    with pytest.raises(NotSent, match="the host's name is not known"):
        client("http://nowhere.invalid").send(PUT)


NEVER: dict[str, Any] = dict.fromkeys(("read_timeout", "reply_timeout", "total_timeout"), 7200.0)


def test_closing_ends_what_is_under_way() -> None:
    with RawServer(stalled(GOOD[:-2])) as server:
        ours = Client(HttpSettings(server.url, **NEVER))

        def close() -> None:
            until(lambda: server.asked)
            ours.close()

        closing = threading.Thread(target=close)
        closing.start()
        with pytest.raises(LostReply):
            ours.send(PUT)
        closing.join(PATIENCE)
        with pytest.raises(NotSent, match="the client is closed"):
            ours.send(PUT)


def test_closing_wakes_up_who_waits() -> None:
    busy = reply("{}", 429, "application/json", "Retry-After: 3600")
    with RawServer(busy) as server:
        ours = Client(HttpSettings(server.url, **NEVER))
        failed = threading.Event()

        def ask() -> None:
            with pytest.raises(BackendError):
                ours.send(GET)
            failed.set()

        thread = threading.Thread(target=ask)
        thread.start()
        until(lambda: server.answered)
        ours.close()
        assert failed.wait(PATIENCE)
        thread.join(PATIENCE)


PROBLEM = {
    "type": "urn:x",
    "title": "Invalid",
    "detail": "the content is wrong",
    "errors": [{"pointer": f"/privileges/{n}", "detail": f"no {n}"} for n in range(5)],
}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            422,
            PROBLEM,
            "422: the content is wrong; /privileges/0: no 0; /privileges/1: no 1; /privileges/2",
        ),
        (400, {"message": {"name": ["too long", "odd"]}}, "400: name: too long, odd"),
        (404, {"message": "Not found"}, "404: Not found"),
        (409, {"error": "taken"}, "409: taken"),
        (403, "Forbidden", "403: Forbidden"),
        (403, None, "403"),
        (401, ["odd"], "401"),
        (400, {"detail": "a\x1b[31mb\r\nc" + "x" * 900}, "400: a [31mb cxxx"),
    ],
)
def test_what_a_refusal_says(status: int, body: Any, said: str) -> None:
    answer = reply(json.dumps(body) if body is not None else b"", status)
    with RawServer(answer) as server:
        found = client(server.url).send(GET)
        error = refusal(found, "list the roles")
    message = error.diagnostics[0].message
    assert message.startswith(f"{server.url}/roles: could not list the roles: the server answers")
    assert said in message
    assert "\x1b" not in message
    assert len(message) < 500


def test_only_a_failed_precondition_is_a_conflict() -> None:
    with RawServer(reply("{}", 412)) as server:
        found = client(server.url).send(PUT)
    assert isinstance(refusal(found, "change it"), StateMoved)


def test_a_secret_is_never_shown() -> None:
    settings = HttpSettings("http://127.0.0.1:9", Secret(TOKEN), password=Secret("hunter2"))
    shown = f"{settings!r} {settings} {settings.token} {settings.password!r} {settings.token:>9}"
    assert TOKEN not in shown
    assert "hunter2" not in shown
    with RawServer(reply('{"detail": "no"}', 500)) as server, pytest.raises(BackendError) as error:
        client(server.url).send(GET)
    assert TOKEN not in str(error.value)
    assert TOKEN not in repr(error.value.__cause__)
