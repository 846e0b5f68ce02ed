"""A body is whole and sound, or an error that says what is wrong with it."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from provisioner.backends.http.transport.messages import LostReply, Request
from provisioner.errors import BackendError
from tests.http.scripted_server import ScriptedServer, client_of, json_reply, reply, sending

GET = Request("GET", "/roles")
WHOLE = json_reply({"items": ["a" * 100]})


def at_once(**more: Any) -> dict[str, Any]:
    return {"sleep": lambda _: None, **more}


def failing(answer: bytes, request: Request = GET, *, ends: bool = False, **more: Any) -> str:
    def send(_: object, peer) -> bool:
        peer.sendall(answer)
        return not ends

    with ScriptedServer(send) as server, pytest.raises(BackendError) as caught:
        client_of(server.url, **at_once(**more)).send(request)
    message = str(caught.value)
    assert f"{request.method} {server.url}{request.path}" in message
    assert message.isprintable()
    assert len(message) < 600
    return message


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


def json_bytes(body: bytes, **headers: str) -> bytes:
    return reply(200, body, Content_Type="application/json", **headers)


@pytest.mark.parametrize(
    "cut",
    [
        WHOLE[:-1],
        WHOLE[:-50],
        chunked(b'{"a":', end=b""),
        chunked(b'{"a":1}', end=b""),
        chunked(b'{"a":', end=b"7\r\n1}"),
        chunked(b'{"a":1}', end=b"zz\r\n"),
        chunked(b'{"a":1}', end=b"-5\r\n"),
        WHOLE.replace(b"Content-Length: ", b"Content-Length: " + b"9" * 5000),
    ],
    ids=[
        *("a byte", "half", "chunks", "no last chunk", "inside a chunk", "a broken chunk"),
        *("a chunk of less than nothing", "a length of thousands of digits"),
    ],
)
def test_what_is_cut_off_is_lost(cut: bytes) -> None:
    failing(cut, ends=True)

    def send(_: object, peer) -> bool:
        peer.sendall(cut)
        return False

    with ScriptedServer(send) as server, pytest.raises(LostReply):
        client_of(server.url).send(Request("POST", "/roles"))


def test_a_read_whose_reply_was_cut_off_is_repeated() -> None:
    def send(request, peer) -> bool:
        peer.sendall(WHOLE if request.number > 1 else WHOLE[:-9])
        return bool(request.number > 1)

    with ScriptedServer(send) as server:
        assert client_of(server.url).send(GET).body == {"items": ["a" * 100]}


def test_chunks_are_put_together() -> None:
    with ScriptedServer(sending(chunked(b'{"a":', b"1", b"}"))) as server:
        client = client_of(server.url)
        assert [client.send(GET).body for _ in range(3)] == [{"a": 1}] * 3
        client.close()
    assert server.connections == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"a":\xff}', "utf-8"),
        (b'{"a":1', "not JSON"),
        (b'{"a":1}x', "not JSON"),
        (b'{"a":1,"a":2}', "the key `a` stands twice"),
        (b'{"a":{"b":1,"b":1}}', "line 1, column 13 (/a/b): the key `b` stands twice"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b"[1e999]", "1e999"),
        (b"[" + b"9" * 5000 + b"]", "not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "not JSON"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "not JSON"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'["\\ud800"]', "not JSON"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_bad_json_is_an_error(body: bytes, told: str) -> None:
    message = failing(json_bytes(body))
    assert told.lower() in message.lower()


def test_another_type_is_named_with_the_beginning_of_the_text() -> None:
    page = b"<html>\x1b[31m\r\n<title>Please   log in</title>" + b"x" * 10_000
    message = failing(reply(200, page, Content_Type="text/html; charset=utf-8"))
    assert "the reply is not JSON (text/html: <html> [31m <title>Please log in</title>xx" in message


@pytest.mark.parametrize("kind", ["application/json", "application/hal+json; charset=utf-8"])
def test_json_has_many_names(kind: str) -> None:
    with ScriptedServer(sending(reply(200, b"{}", Content_Type=kind))) as server:
        assert client_of(server.url).send(GET).body == {}


def test_a_good_reply_without_a_body_is_none_to_a_question() -> None:
    assert "empty" in failing(reply(200, b""))


def test_a_reply_that_is_too_large_is_not_fetched_again() -> None:
    large = json_bytes(b'"' + b"x" * 2_000_000 + b'"')
    with ScriptedServer(sending(large)) as server, pytest.raises(BackendError, match="1 MB"):
        client_of(server.url, max_reply=1_000_000).send(GET)
    assert len(server.requests) == 1


def test_a_write_whose_reply_is_too_large_may_have_happened() -> None:
    large = json_bytes(b'"' + b"x" * 2_000_000 + b'"')
    with ScriptedServer(sending(large)) as server, pytest.raises(LostReply):
        client_of(server.url, max_reply=1_000_000).send(Request("PUT", "/roles/1", body={}))


def test_a_bomb_is_noticed_before_it_is_unpacked() -> None:
    packed = gzip.compress(b'"' + b" " * 30_000_000 + b'"', 1)
    assert "1 MB" in failing(
        json_bytes(packed, Content_Encoding="gzip"), max_reply=1_000_000, reply_timeout=8.0
    )


def test_a_packed_reply_is_understood_although_nobody_asked_for_it() -> None:
    packed = json_bytes(gzip.compress(json.dumps({"a": 1}).encode()), Content_Encoding="gzip")
    with ScriptedServer(sending(packed)) as server:
        assert client_of(server.url).send(GET).body == {"a": 1}


@pytest.mark.parametrize(
    "packed",
    [b"no gzip at all", gzip.compress(b'{"a":1}' * 100)[:-12]],
    ids=["no gzip", "cut off"],  # what is packed names the time, and so would the test
)
def test_a_packed_reply_that_is_broken_is_an_error(packed: bytes) -> None:
    failing(json_bytes(packed, Content_Encoding="gzip"))


@pytest.mark.parametrize(
    "nonsense",
    [
        b"SSH-2.0-OpenSSH_9.9\x1b[2J\r\n",
        b"HTTP/1.1 abc X\r\n\r\n",
        b"HTTP/1.1 200 X\r\n" + b"".join(b"H%d: 1\r\n" % n for n in range(500)) + b"\r\n",
        b"HTTP/1.1 200 X\r\nA: " + b"x" * 100_000 + b"\r\n\r\n",
        b"",
    ],
    ids=["no HTTP", "no status", "many headers", "a long header", "nothing"],
)
def test_what_is_no_http_is_an_error(nonsense: bytes) -> None:
    failing(nonsense, ends=True)


@pytest.mark.parametrize("status", [101, 103, 199, 300, 305, 306, 501, 505, 599, 600, 999])
def test_a_status_that_nobody_expects_is_no_success(status: int) -> None:
    failing(json_reply({}, status))
    with ScriptedServer(sending(json_reply({}, status))) as server, pytest.raises(LostReply):
        client_of(server.url).send(Request("POST", "/roles"))
