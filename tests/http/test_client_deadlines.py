"""No server holds a client for longer than its time, however it goes about it."""

from __future__ import annotations

import socket
import time

import pytest

from provisioner.backends.http.transport.messages import LostReply, Request
from provisioner.errors import BackendError
from tests.http.scripted_server import Endless, ScriptedServer, client_of, json_reply
from tests.waiting import PATIENCE, until

TIMES = {"read_timeout": 0.4, "reply_timeout": 0.6, "total_timeout": 0.8}
WHOLE = json_reply({"text": "x" * 400})
HEAD, _, BODY = WHOLE.partition(b"\r\n\r\n")
IN_CHUNKS = (
    b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)
CHUNKED = IN_CHUNKS + (b"".join(b"1\r\n%c\r\n" % byte for byte in BODY))
SLOW = {
    "status line": (b"HTTP/1.1 200 ", b"X"),
    "headers": (b"HTTP/1.1 200 X\r\nX-Long: ", b"y"),
    "body": (b"HTTP/1.1 200 X\r\nContent-Type: text/plain\r\nContent-Length: 99999\r\n\r\n", b"y"),
    "chunks": (IN_CHUNKS, b"1\r\ny\r\n"),
    "chunk size": (IN_CHUNKS, b"0"),
}


@pytest.mark.parametrize("what", SLOW)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_reply_that_trickles_is_given_up(what: str, method: str) -> None:
    answer = Endless(*SLOW[what])
    with ScriptedServer(answer) as server:
        with pytest.raises(BackendError, match=r"no whole reply within 0\.\d s") as caught:
            client_of(server.url, **TIMES).send(Request(method, "/roles"))
        assert answer.left.wait(PATIENCE)
    assert len(server.requests) <= (2 if method == "GET" else 1)
    assert f"{method} {server.url}/roles" in str(caught.value)
    if method == "POST":
        assert isinstance(caught.value, LostReply)


@pytest.mark.parametrize("start", [b"", HEAD, HEAD + b"\r\n\r\n", WHOLE[:-1], CHUNKED[:120]])
def test_a_server_that_falls_silent_is_given_up(start: bytes) -> None:
    def answer(_: object, peer) -> None:
        peer.sendall(start)

    patient = {"reply_timeout": PATIENCE, "total_timeout": PATIENCE}
    with ScriptedServer(answer) as server:
        with pytest.raises(LostReply, match=r"silent for 0\.4 s"):
            client_of(server.url, read_timeout=0.4, **patient).send(Request("POST", "/roles"))
        until(lambda: server.closed)
    assert len(server.requests) == 1


def test_a_slow_reply_that_is_whole_in_time_counts() -> None:
    """All of it takes longer than the longest silence may."""

    def answer(_: object, peer) -> None:
        for start in range(0, len(WHOLE), 10):
            peer.sendall(WHOLE[start : start + 10])
            time.sleep(0.05)

    assert len(WHOLE) // 10 * 0.05 > 2.0
    times = {"read_timeout": 2.0, "reply_timeout": PATIENCE, "total_timeout": PATIENCE}
    with ScriptedServer(answer) as server:
        assert client_of(server.url, **times).send(Request("GET", "/roles")).status == 200
    assert len(server.requests) == 1


def test_a_server_that_does_not_read_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(LostReply):
            client_of(url, **TIMES).send(Request("POST", "/x", body="x" * 20_000_000))
