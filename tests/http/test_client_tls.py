"""Encrypted connections: whom the client trusts, and what it says when it does not."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import trustme

from provisioner.backends.http.transport.messages import NotSent, Request
from provisioner.errors import BackendError, InvalidInput
from tests.http.scripted_server import Endless, ScriptedServer, client_of, json_reply, sending
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

GET = Request("GET", "/roles")
PUT = Request("PUT", "/roles/1", body={})
OK = json_reply({"ok": True})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def identity(authority: trustme.CA, *names: str, **more) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("127.0.0.1",)), **more).configure_cert(context)
    return context


def test_a_certificate_of_a_trusted_authority_is_enough(authority, trusted) -> None:
    with ScriptedServer(sending(OK), tls=identity(authority)) as server:
        client = client_of(server.url, ca_file=trusted)
        assert [client.send(GET).status for _ in range(5)] == [200] * 5
        client.close()
    assert server.connections == 1


def test_a_name_counts_as_much_as_an_address(authority, trusted) -> None:
    tls = identity(authority, "localhost")
    with ScriptedServer(sending(OK), tls=tls, host="localhost") as server:
        assert client_of(server.url, ca_file=trusted).send(GET).status == 200


def certificate_problem(tls: ssl.SSLContext, request: Request = GET, **more) -> tuple[str, str]:
    waits: list[float] = []
    with ScriptedServer(sending(OK), tls=tls) as server, pytest.raises(BackendError) as caught:
        client_of(server.url, sleep=waits.append, **more).send(request)
    assert not server.requests
    assert not waits, "trying again does not mend a certificate"
    if request is PUT:
        assert isinstance(caught.value, NotSent)
    (found,) = caught.value.diagnostics
    return found.message, found.remedy or ""


@pytest.mark.parametrize("request_", [GET, PUT])
def test_an_unknown_authority_is_not_trusted(authority, request_: Request) -> None:
    message, remedy = certificate_problem(identity(authority), request_)
    assert "certificate" in message
    assert "ca_file" in remedy


def test_a_certificate_for_another_name_is_not_trusted(authority, trusted) -> None:
    tls = identity(authority, "other.example.com")
    message, remedy = certificate_problem(tls, ca_file=trusted)
    assert "127.0.0.1" in message
    assert "ca_file" not in remedy


def test_an_expired_certificate_is_not_trusted(authority, trusted) -> None:
    tls = identity(authority, not_after=datetime.now(UTC) - timedelta(days=1))
    message, remedy = certificate_problem(tls, ca_file=trusted)
    assert "expired" in message
    assert "ca_file" not in remedy


def demanding(authority: trustme.CA) -> ssl.SSLContext:
    context = identity(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    return context


def test_a_client_shows_its_certificate(authority, trusted, tmp_path: Path) -> None:
    mine = authority.issue_cert("client@example.com")
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    mine.cert_chain_pems[0].write_to_path(certificate)
    mine.private_key_pem.write_to_path(key)
    files = {"ca_file": trusted, "client_cert": certificate, "client_key": key}
    with ScriptedServer(sending(OK), tls=demanding(authority)) as server:
        assert client_of(server.url, **files).send(GET).status == 200


@pytest.mark.parametrize("request_", [GET, PUT])
def test_a_missing_client_certificate_is_named(authority, trusted, request_: Request) -> None:
    # With TLS 1.3 the server says so only after the client believes that all is well.
    tls = demanding(authority)
    message, remedy = certificate_problem(tls, request_, ca_file=trusted)
    assert "certificate" in message
    assert "client_cert" in remedy


def test_old_versions_of_tls_are_refused(authority, trusted) -> None:
    tls = identity(authority)
    tls.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        tls.maximum_version = ssl.TLSVersion.TLSv1_1
    message, _ = certificate_problem(tls, ca_file=trusted)
    assert "TLS" in message


def test_a_handshake_that_breaks_off_is_tried_again(trusted) -> None:
    waits: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"

        def hang_up() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(100)

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(NotSent):
            client_of(url, sleep=waits.append, ca_file=trusted).send(PUT)
        listener.shutdown(socket.SHUT_RDWR)
    assert 2 <= len(waits) <= 4


def test_a_handshake_that_never_ends_is_given_up(trusted) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        times = {"connect_timeout": 0.3, "total_timeout": 1.0}
        client = client_of(url, ca_file=trusted, **times)
        with pytest.raises(BackendError):
            client.send(GET)


def test_a_reply_over_tls_has_its_deadline_too(authority, trusted) -> None:
    trickle = Endless(b"HTTP/1.1 200 X\r\nX: ")
    with ScriptedServer(trickle, tls=identity(authority)) as server:
        times = {"reply_timeout": 0.6, "total_timeout": 1.0}
        client = client_of(server.url, ca_file=trusted, **times)
        with pytest.raises(BackendError):
            client.send(GET)
        assert trickle.left.wait(PATIENCE)


def test_a_reply_cut_off_inside_tls_is_noticed(authority, trusted) -> None:
    def cut(_: object, peer) -> bool:
        peer.sendall(OK[:-3])
        return False

    tls = identity(authority)
    with ScriptedServer(cut, tls=tls) as server, pytest.raises(BackendError, match="cut off"):
        client_of(server.url, ca_file=trusted, sleep=lambda _: None).send(GET)


@pytest.mark.parametrize("what", ["ca_file", "client_cert"])
def test_a_file_that_holds_no_certificate_is_an_error(what: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.pem"
    path.write_text("no certificate")
    with pytest.raises(InvalidInput, match=r"wrong\.pem"):
        client_of("https://roles.example.com", **{what: path})


def test_a_locked_key_asks_nobody(authority, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    mine = authority.issue_cert("client@example.com")
    key = serialization.load_pem_private_key(mine.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (tmp_path / "k.pem").write_bytes(locked)
    mine.cert_chain_pems[0].write_to_path(tmp_path / "c.pem")
    files = {"client_cert": tmp_path / "c.pem", "client_key": tmp_path / "k.pem"}
    with pytest.raises(InvalidInput):
        client_of("https://roles.example.com", **files)
