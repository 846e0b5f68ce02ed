"""Certificates and proxies, each of them real."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import pytest
import trustme

from provisioner.backends.http.transport.client import Client
from provisioner.backends.http.transport.messages import NotSent, Request
from provisioner.backends.http.transport.settings import HttpSettings, Secret
from provisioner.errors import BackendError, InvalidInput
from tests.http.raw_server import RawServer, reply

if TYPE_CHECKING:
    from pathlib import Path

GET, PUT = Request("GET", "/roles"), Request("PUT", "/roles/1", body={})
GOOD = reply('{"ok": true}')


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


def shown_by(authority: trustme.CA, *names: str, **more: Any) -> ssl.SSLContext:
    """What a server with a certificate for these names needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **more).configure_cert(context)
    return context


def asked(url: str, **more: Any) -> Any:
    client = Client(HttpSettings(url, Secret("token"), **more), sleep=lambda _: None)
    return client.send(GET).body


def test_a_certificate_of_an_authority_of_ones_own(authority: trustme.CA, ca_file: Path) -> None:
    with RawServer(GOOD, tls=shown_by(authority, "localhost")) as server:
        assert asked(server.url, ca_file=ca_file) == {"ok": True}


def test_an_unknown_authority(authority: trustme.CA) -> None:
    with RawServer(GOOD, tls=shown_by(authority, "localhost")) as server:
        with pytest.raises(BackendError, match="the server's certificate is not trusted") as error:
            asked(server.url)
        assert "ca_file" in (error.value.diagnostics[0].remedy or "")
        assert "attempts" not in str(error.value), "a wrong certificate does not mend itself"
    assert server.asked == []


def test_a_certificate_for_another_name(authority: trustme.CA, ca_file: Path) -> None:
    tls = shown_by(authority, "other.example")
    with RawServer(GOOD, tls=tls) as server, pytest.raises(BackendError, match="not valid for"):
        asked(server.url, ca_file=ca_file)


def test_a_certificate_that_has_ended(authority: trustme.CA, ca_file: Path) -> None:
    past = datetime.now(UTC) - timedelta(days=2)
    tls = shown_by(authority, "localhost", not_before=past - timedelta(days=9), not_after=past)
    with RawServer(GOOD, tls=tls) as server, pytest.raises(BackendError, match="has expired"):
        asked(server.url, ca_file=ca_file)


def test_a_client_certificate(authority: trustme.CA, ca_file: Path, tmp_path: Path) -> None:
    tls = shown_by(authority, "localhost")
    tls.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(tls)
    mine = authority.issue_cert("ci@example.com")
    certificate, key = tmp_path / "me.pem", tmp_path / "me.key"
    mine.cert_chain_pems[0].write_to_path(str(certificate))
    mine.private_key_pem.write_to_path(str(key))
    with RawServer(GOOD, tls=tls) as server:
        shown = {"client_cert": certificate, "client_key": key}
        assert asked(server.url, ca_file=ca_file, **shown) == {"ok": True}
        with pytest.raises(BackendError):
            asked(server.url, ca_file=ca_file)


@pytest.mark.parametrize("option", ["ca_file", "client_cert"])
def test_a_file_that_is_no_certificate(tmp_path: Path, option: str) -> None:
    (tmp_path / "odd.pem").write_text("hello")
    with pytest.raises(InvalidInput, match=r"can't use the certificate file .*odd\.pem"):
        asked("https://localhost:9", **{option: tmp_path / "odd.pem"})


def test_a_server_that_speaks_no_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with listener.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(reply("Speak HTTP", 400, "text/plain"))

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(BackendError, match="TLS failed: "):
            asked(f"https://127.0.0.1:{listener.getsockname()[1]}")


class Proxy:
    """A forward proxy: CONNECT for https, whole addresses for http; with a password if asked."""

    def __init__(self, login: str | None = None) -> None:
        self.login = login
        self.seen: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += connection.recv(1)
            self.seen.append(head.decode())
            wanted = base64.b64encode((self.login or "").encode()).decode()
            if self.login and f"Basic {wanted}" not in head.decode():
                connection.sendall(reply("{}", 407))
                return
            method, target, _ = head.split(b"\r\n")[0].decode().split()
            host = target if method == "CONNECT" else target.split("/")[2]
            with socket.create_connection((host.split(":")[0], int(host.split(":")[1]))) as there:
                if method == "CONNECT":
                    connection.sendall(b"HTTP/1.1 200 X\r\n\r\n")
                else:
                    path = "/" + target.split("/", 3)[3]
                    there.sendall(head.replace(target.encode(), path.encode(), 1))
                back = threading.Thread(target=_pump, args=(there, connection), daemon=True)
                back.start()
                _pump(connection, there)
                back.join(5)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def test_https_goes_through_a_tunnel(authority: trustme.CA, ca_file: Path) -> None:
    """The proxy sees where to, and its own password; not the token."""
    tls = shown_by(authority, "localhost")
    with RawServer(GOOD, tls=tls) as server, Proxy("ada:pass") as proxy:
        through = Secret(f"http://ada:pass@{proxy.address}")
        assert asked(server.url, ca_file=ca_file, proxy=through) == {"ok": True}
    assert proxy.seen[0].startswith(f"CONNECT {server.url.removeprefix('https://')} ")
    assert "Bearer" not in "".join(proxy.seen)
    assert "proxy-authorization" not in server.asked[0].headers


def test_http_goes_to_the_proxy_with_its_whole_address() -> None:
    with RawServer(GOOD) as server, Proxy("ada:pass") as proxy:
        through = Secret(f"http://ada:pass@{proxy.address}")
        assert asked(f"{server.url}/base", proxy=through) == {"ok": True}
    assert proxy.seen[0].startswith(f"GET {server.url}/base/roles ")
    assert server.asked[0].headers["host"] == server.address


def test_a_proxy_that_wants_a_password(authority: trustme.CA, ca_file: Path) -> None:
    tls = shown_by(authority, "localhost")
    with RawServer(GOOD, tls=tls) as server, Proxy("ada:pass") as proxy:
        through = Secret(f"http://ada:wrong@{proxy.address}")
        with pytest.raises(BackendError, match=r"the proxy wants a user name and password") as e:
            asked(server.url, ca_file=ca_file, proxy=through)
    assert "wrong" not in str(e.value)


def test_a_proxy_that_is_not_there() -> None:
    with Proxy() as proxy:
        gone = Secret(f"http://{proxy.address}")
    client = Client(HttpSettings("https://roles.example", proxy=gone), sleep=lambda _: None)
    with pytest.raises(NotSent, match="the proxy: no connection"):
        client.send(PUT)
