"""Through a proxy, with and without encryption, and with its own password."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from provisioner.backends.http.transport.messages import NotSent, Request
from provisioner.backends.http.transport.settings import Secret
from provisioner.errors import BackendError
from tests.http.forward_proxy import ForwardProxy
from tests.http.scripted_server import (
    Endless,
    ScriptedServer,
    client_of,
    json_reply,
    sending,
    unused_port,
)
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GET = Request("GET", "/roles")
PUT = Request("PUT", "/roles/1", body={"a": 1})
OK = json_reply({"ok": True})
PASSWORD = "p@ss/w:rd"  # noqa: S105 - for tests
ENCODED = "p%40ss%2Fw%3Ard"


@pytest.fixture(params=["http", "https"])
def target(request, tmp_path: Path) -> Iterator[tuple[ScriptedServer, dict]]:
    if request.param == "http":
        with ScriptedServer(sending(OK)) as server:
            yield server, {}
        return
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with ScriptedServer(sending(OK), tls=tls) as server:
        yield server, {"ca_file": tmp_path / "ca.pem"}


def via(proxy: str, login: str = "") -> Secret:
    return Secret(proxy.replace("://", f"://{login}@") if login else proxy)


def test_a_request_goes_through_the_proxy(target) -> None:
    server, more = target
    with ForwardProxy() as proxy:
        client = client_of(server.url, proxy=via(proxy.url), **more)
        assert client.send(GET).body == {"ok": True}
        assert client.send(PUT).status == 200
        client.close()
    assert [sent.method for sent in server.requests] == ["GET", "PUT"]
    methods = {sent.method for sent in proxy.requests}
    assert methods == ({"CONNECT"} if more else {"GET", "PUT"})


@pytest.mark.parametrize(("password", "encoded"), [(PASSWORD, ENCODED), ("πß", "%CF%80%C3%9F")])
def test_the_proxys_password_goes_to_the_proxy_only(target, password, encoded) -> None:
    server, more = target
    with ForwardProxy(f"me:{password}") as proxy:
        client = client_of(server.url, proxy=via(proxy.url, f"me:{encoded}"), **more)
        assert client.send(GET).status == 200
        client.close()
    if more:
        assert all("proxy-authorization" not in sent.headers for sent in server.requests)
        assert all("authorization" not in sent.headers for sent in proxy.requests)


@pytest.mark.parametrize("login", ["", "me:wrong-password"])
@pytest.mark.parametrize("request_", [GET, PUT])
def test_a_refusal_of_the_proxy_is_named_as_the_proxys(target, login, request_) -> None:
    server, more = target
    waits: list[float] = []
    with ForwardProxy(f"me:{PASSWORD}") as proxy:
        secret = via(proxy.url, login)
        client = client_of(server.url, proxy=secret, sleep=waits.append, **more)
        with pytest.raises(BackendError) as caught:
            client.send(request_)
    assert "proxy" in str(caught.value)
    assert "407" in str(caught.value)
    assert "wrong-password" not in str(caught.value)
    assert not server.requests
    assert not waits
    if request_ is PUT:
        assert isinstance(caught.value, NotSent)


def test_a_proxy_that_is_not_there_is_named(target) -> None:
    server, more = target
    gone = via(f"http://127.0.0.1:{unused_port()}", "me:my-password")
    with pytest.raises(NotSent, match="proxy") as caught:
        client_of(server.url, proxy=gone, sleep=lambda _: None, **more).send(PUT)
    assert "my-password" not in str(caught.value)


def test_a_proxy_that_makes_no_tunnel_is_named(target) -> None:
    server, more = target
    if not more:
        return
    with ForwardProxy(refuses=403) as proxy, pytest.raises(NotSent, match=r"proxy.*403"):
        client_of(server.url, proxy=via(proxy.url), sleep=lambda _: None, **more).send(PUT)


def test_a_proxy_that_trickles_is_given_up(target) -> None:
    server, more = target

    trickle = Endless(b"HTTP/1.1 200 OK\r\nX: ")
    times = {"connect_timeout": 0.5, "reply_timeout": 0.6, "total_timeout": 1.0}
    with ScriptedServer(trickle) as proxy:
        with pytest.raises(BackendError):
            client_of(server.url, proxy=via(proxy.url), **times, **more).send(GET)
        assert trickle.left.wait(PATIENCE)
    assert not server.requests


def test_an_encrypted_proxy_is_held_against_the_same_authorities(target, tmp_path: Path) -> None:
    server, more = target
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    both = tmp_path / "both.pem"
    pem = authority.cert_pem.bytes()
    both.write_bytes(pem + (more["ca_file"].read_bytes() if more else b""))
    with ForwardProxy() as proxy:
        proxy._tls = tls
        client = client_of(server.url, proxy=via(proxy.url), ca_file=both)
        assert client.send(GET).status == 200
        client.close()
