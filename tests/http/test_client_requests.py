"""What a client sends, over which connections, and what it gives back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from provisioner import __version__
from provisioner.backends.http.transport.messages import NotSent, Request
from provisioner.errors import BackendError
from tests.http.scripted_server import TOKEN, ScriptedServer, client_of, json_reply, reply, sending
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    import socket

OK = json_reply({"ok": True})


def test_a_read_gives_status_headers_and_the_parsed_body() -> None:
    with ScriptedServer(sending(json_reply({"name": "Ünï"}, ETag='"1"'))) as server:
        found = client_of(f"{server.url}/us-na").send(Request("GET", "/roles", (("limit", "5 &"),)))
    assert (found.status, found.body, found.perhaps_repeated) == (200, {"name": "Ünï"}, False)
    assert found.headers["etag"] == found.headers["ETag"] == '"1"'
    assert found.url == f"{server.url}/us-na/roles?limit=5%20%26"
    assert server.requests[0].target == "/us-na/roles?limit=5%20%26"


def test_the_token_and_the_version_go_along() -> None:
    with ScriptedServer(sending(OK)) as server:
        client_of(server.url).send(Request("GET", "/roles"))
    headers = server.requests[0].headers
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["user-agent"] == f"provisioner/{__version__}"
    assert headers["accept-encoding"] == "identity"
    assert headers["host"] == f"127.0.0.1:{server.port}"


def test_without_a_token_there_is_no_authorization() -> None:
    with ScriptedServer(sending(OK)) as server:
        client_of(server.url, token=None).send(Request("GET", "/roles"))
    assert "authorization" not in server.requests[0].headers


def test_a_write_carries_its_body_and_key() -> None:
    with ScriptedServer(sending(json_reply({}, 201))) as server:
        request = Request("POST", "/roles", body={"name": "Billing é"}, key="k-1")
        client_of(server.url).send(request)
    (sent,) = server.requests
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["idempotency-key"] == "k-1"
    assert b"Billing" in sent.body


def test_an_encoded_path_arrives_as_it_was_encoded() -> None:
    with ScriptedServer(sending(OK)) as server:
        client_of(server.url).send(Request("GET", "/users/a%2Fb%20%25%C3%A9%3Fx"))
    assert server.requests[0].target == "/users/a%2Fb%20%25%C3%A9%3Fx"


@pytest.mark.parametrize(
    "path", ["/users/..", "/users/%2E%2E", "/users/.%2e/x", "/users/%2e", "/a%2F..%2Fb"]
)
def test_a_path_that_could_lead_elsewhere_is_not_sent(path: str) -> None:
    with ScriptedServer(sending(OK)) as server, pytest.raises(NotSent):
        client_of(server.url).send(Request("DELETE", path))
    assert not server.requests


@pytest.mark.parametrize("status", [204, 304])
def test_a_reply_without_a_body_has_none(status: int) -> None:
    bare = f"HTTP/1.1 {status} X\r\n\r\n".encode()
    with ScriptedServer(sending(bare)) as server:
        found = client_of(server.url).send(Request("GET", "/state"))
    assert (found.status, found.body) == (status, None)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422, 428])
def test_a_refusal_is_a_reply_and_is_not_repeated(status: int) -> None:
    with ScriptedServer(sending(json_reply({"detail": "no"}, status))) as server:
        found = client_of(server.url).send(Request("PUT", "/roles/1", body={}))
    assert (found.status, found.body) == (status, {"detail": "no"})
    assert len(server.requests) == 1


def test_a_refusal_may_be_prose() -> None:
    page = reply(404, b"<h1>Not here</h1>", Content_Type="text/html")
    with ScriptedServer(sending(page)) as server:
        found = client_of(server.url).send(Request("GET", "/roles"))
    assert found.status == 404
    assert "Not here" in found.body


def test_one_connection_serves_many_requests() -> None:
    with ScriptedServer(sending(OK)) as server:
        client = client_of(server.url)
        for _ in range(20):
            client.send(Request("GET", "/roles"))
        client.close()
    assert server.connections == 1


def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    def close_after_each(_: object, peer: socket.socket) -> bool:
        peer.sendall(OK)
        return False

    with ScriptedServer(close_after_each) as server:
        client = client_of(server.url)
        for method in ("GET", "PUT", "POST", "POST"):
            assert client.send(Request(method, "/roles", body=None)).status == 200
            until(lambda: server.closed == server.connections)
    assert server.connections == 4


def test_many_threads_share_a_client() -> None:
    def echo(request, peer) -> None:
        peer.sendall(json_reply({"path": request.target}))

    with ScriptedServer(echo) as server:
        client = client_of(server.url, concurrency=8)
        paths = [f"/users/{n}" for n in range(400)]
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda path: client.send(Request("GET", path)).body, paths))
        client.close()
    assert found == [{"path": path} for path in paths]
    assert server.connections <= 16


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "€", "\x00"])
def test_a_header_that_would_break_the_request_is_an_error(value: str) -> None:
    with ScriptedServer(sending(OK)) as server, pytest.raises(BackendError):
        client_of(server.url).send(Request("PUT", "/x", headers={"If-Match": value}))
    assert all("x-evil" not in request.headers for request in server.requests)


def test_closing_wakes_those_who_wait_and_makes_them_fail() -> None:
    with ScriptedServer(sending(reply(503, Retry_After="3600"))) as server:
        client = client_of(server.url, total_timeout=7200.0)
        failed: list[BaseException] = []

        def ask() -> None:
            try:
                client.send(Request("GET", "/roles"))
            except BackendError as error:
                failed.append(error)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        until(lambda: server.requests)
        client.close()
        thread.join(PATIENCE)
    assert len(failed) == 1
    assert len(server.requests) == 1


def test_a_closed_client_sends_nothing() -> None:
    with ScriptedServer(sending(OK)) as server:
        client = client_of(server.url)
        client.close()
        with pytest.raises(BackendError):
            client.send(Request("GET", "/roles"))
    assert not server.requests


def test_the_token_is_in_no_representation() -> None:
    client = client_of("https://roles.example.com")
    assert TOKEN not in repr(client) + str(vars(client)) + client.url("/roles")
