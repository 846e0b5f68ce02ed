"""No server holds a client for longer than its time, however it goes about it."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from provisioner.backends.http.transport.client import LostReply, Request
from provisioner.errors import BackendError
from tests.http.scripted_server import ScriptedServer, client_of, json_reply

if TYPE_CHECKING:
    from tests.http.scripted_server import Answer

TIMES = {"read_timeout": 0.4, "reply_timeout": 0.6, "total_timeout": 0.8}
MOST = 3.0
WHOLE = json_reply({"text": "x" * 400})
HEAD, _, BODY = WHOLE.partition(b"\r\n\r\n")
CHUNKED = (
    b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"".join(b"1\r\n%c\r\n" % byte for byte in BODY)
)


def trickling(start: bytes, rest: bytes) -> Answer:
    """Send the start at once, and the rest byte by byte, each within the read timeout."""

    def answer(_: object, peer: socket.socket) -> bool:
        peer.sendall(start)
        for index in range(len(rest)):
            peer.sendall(rest[index : index + 1])
            time.sleep(0.05)
        return False

    return answer


SLOW = {
    "status line": (b"", WHOLE),
    "headers": (b"HTTP/1.1 200 X\r\nX-Long: ", b"y" * 5000),
    "body": (HEAD + b"\r\n\r\n", BODY),
    "chunks": (CHUNKED[:90], CHUNKED[90:]),
    "chunk size": (CHUNKED[:85], b"0" * 5000),
}


@pytest.mark.parametrize("what", SLOW)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_reply_that_trickles_is_given_up(what: str, method: str) -> None:
    with ScriptedServer(trickling(*SLOW[what])) as server:
        began = time.monotonic()
        with pytest.raises(BackendError) as caught:
            client_of(server.url, **TIMES).send(Request(method, "/roles"))
        took = time.monotonic() - began
    assert took < MOST
    assert f"{method} {server.url}/roles" in str(caught.value)
    if method == "POST":
        assert isinstance(caught.value, LostReply)


@pytest.mark.parametrize("start", [b"", HEAD, HEAD + b"\r\n\r\n", WHOLE[:-1], CHUNKED[:120]])
def test_a_server_that_falls_silent_is_given_up(start: bytes) -> None:
    def answer(_: object, peer) -> bool:
        peer.sendall(start)
        server.closing.wait(10)
        return False

    with ScriptedServer(answer) as server:
        began = time.monotonic()
        with pytest.raises(LostReply, match=r"0\.4 s"):
            client_of(server.url, **TIMES).send(Request("POST", "/roles"))
        took = time.monotonic() - began
    assert took < MOST


def test_a_slow_reply_that_is_whole_in_time_counts() -> None:
    def answer(_: object, peer) -> None:
        for start in range(0, len(WHOLE), 100):
            peer.sendall(WHOLE[start : start + 100])
            time.sleep(0.05)

    with ScriptedServer(answer) as server:
        assert client_of(server.url, **TIMES).send(Request("GET", "/roles")).status == 200


def test_a_server_that_does_not_read_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(LostReply):
            client_of(url, **TIMES).send(Request("POST", "/x", body="x" * 20_000_000))
        assert time.monotonic() - began < MOST
