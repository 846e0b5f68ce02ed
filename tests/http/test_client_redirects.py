"""Reads follow redirects on the same origin; nothing else does, and no token leaves its origin."""

from __future__ import annotations

import pytest

from provisioner.backends.http.transport.messages import LostReply, NotSent, Request
from provisioner.errors import BackendError
from tests.http.scripted_server import ScriptedServer, client_of, json_reply, reply, sending

GET = Request("GET", "/roles")
OK = json_reply({"ok": True})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/us-na/roles/", "roles/", "{origin}/us-na/roles/"])
def test_a_read_follows_on_the_same_origin(status: int, location: str) -> None:
    def answer(request, peer) -> None:
        to = location.format(origin=server.url)
        peer.sendall(OK if request.target.endswith("/") else reply(status, Location=to))

    with ScriptedServer(answer) as server:
        found = client_of(f"{server.url}/us-na").send(GET)
    assert found.body == {"ok": True}
    assert found.url == f"{server.url}/us-na/roles/"
    assert [sent.target for sent in server.requests] == ["/us-na/roles", "/us-na/roles/"]


def test_five_are_followed_and_no_more() -> None:
    def answer(request, peer) -> None:
        peer.sendall(reply(302, Location=f"/{request.number}"))

    with ScriptedServer(answer) as server, pytest.raises(BackendError, match=f"{server.url}/"):
        client_of(server.url).send(GET)
    assert len(server.requests) == 6


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_other_server_sees_the_token(method: str) -> None:
    with ScriptedServer(sending(OK)) as other:
        there = f"{other.url}/roles"
        sent_on = sending(reply(302, Location=there))
        with ScriptedServer(sent_on) as server, pytest.raises(BackendError) as caught:
            client_of(server.url).send(Request(method, "/roles"))
    assert not other.requests
    assert f"{server.url}/roles" in str(caught.value)
    assert there in str(caught.value)


@pytest.mark.parametrize(
    "location", ["https://127.0.0.1:{port}/roles", "http://localhost:{port}/x", "//evil.invalid/"]
)
def test_another_scheme_or_name_is_another_origin(location: str) -> None:
    def answer(_: object, peer) -> None:
        peer.sendall(reply(302, Location=location.format(port=server.port)))

    with ScriptedServer(answer) as server, pytest.raises(BackendError, match="sends it on"):
        client_of(server.url).send(GET)
    assert len(server.requests) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [(301, NotSent), (302, LostReply), (303, LostReply), (307, NotSent), (308, NotSent)],
)
def test_a_write_is_not_sent_on(method: str, status: int, kind: type[BackendError]) -> None:
    # 302 and 303 are also how a server says: done, now look there.
    sent_on = sending(reply(status, Location="/elsewhere"))
    with ScriptedServer(sent_on) as server, pytest.raises(kind) as caught:
        client_of(server.url).send(Request(method, "/roles"))
    assert len(server.requests) == 1
    assert f"{method} {server.url}/roles" in str(caught.value)
    assert f"{server.url}/elsewhere" in str(caught.value)


@pytest.mark.parametrize("location", ["", "/a/%2e%2e/b", "http://[", "http://x:y/", "/\x1b[31m"])
def test_a_location_that_leads_nowhere_is_an_error(location: str) -> None:
    sent_on = sending(reply(302, Location=location))
    with ScriptedServer(sent_on) as server, pytest.raises(BackendError) as caught:
        client_of(server.url).send(GET)
    assert len(server.requests) == 1
    assert str(caught.value).isprintable()
