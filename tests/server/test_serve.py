"""``provisioner serve`` as its users start it: real processes, real signals."""

from __future__ import annotations

import gc
import os
import socket
import sqlite3
import subprocess
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
import trustme

from provisioner.cli.app import run as cli_run
from provisioner.server.database.connection import Database
from tests.server.client import Client, new_role
from tests.server.running import LOGIN, PROVISIONER, WRITER, served
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

TOKEN = {"PROVISIONER_SERVE_TOKEN": WRITER}


def run(
    folder: Path, *words: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``provisioner serve`` where it is expected to end by itself."""
    return subprocess.run(
        [PROVISIONER, "serve", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )


def refusal(folder: Path, *words: str, env: Mapping[str, str] | None = None) -> str:
    """What a command that can't start says: an error, and perhaps what to do about it."""
    done = run(folder, *words, env=env)
    assert done.returncode == 1
    assert not done.stdout
    lines = done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert [line for line in lines if "error: " in line] == lines[:1]
    assert all(line.startswith("    ") for line in lines[1:]), done.stderr
    return done.stderr


def test_it_says_where_it_listens_serves_and_ends_well(tmp_path: Path):
    with served(tmp_path) as gateway:
        assert gateway.line == (
            f"provisioner serve: {gateway.url} (panel sandbox, SQLite .provisioner/gateway.sqlite)"
        )
        with Client(gateway.url, WRITER) as client:
            role = client.role("Kept")
            assert client.get("/whoami").json()["login"] == LOGIN
        assert gateway.stop() == 0
        log = gateway.log.read_text()
    assert " POST /roles 201 " in log
    assert WRITER not in log
    database = tmp_path / ".provisioner" / "gateway.sqlite"
    assert database.stat().st_mode & 0o777 == 0o600
    with served(tmp_path, "--panel", "sandbox") as gateway, Client(gateway.url, WRITER) as client:
        assert client.get(f"/roles/{role['id']}").json() == role


def test_a_head_without_end_fills_no_memory(tmp_path: Path):
    """Whoever sends it needs no token."""
    with served(tmp_path) as gateway:
        address = urlsplit(gateway.url)
        peer = socket.create_connection((address.hostname, address.port), PATIENCE)
        with closing(peer), suppress(ConnectionError):
            peer.sendall(b"GET /state HTTP/1.1\r\nX: ")
            for _ in range(1000):
                peer.sendall(b"x" * 1_000_000)
            pytest.fail("a head of 1 GB was taken")
        assert gateway.stop() == 0


def test_a_token_is_made_used_and_revoked(tmp_path: Path):
    made = run(tmp_path, "--tokens", "tokens", "--new-token", "ada@example.com", "--read-only")
    assert made.returncode == 0
    token = made.stdout.strip()
    assert token not in made.stderr + (tmp_path / "tokens").read_text()
    with served(tmp_path, "--tokens", "tokens", env={}) as gateway:
        client = Client(gateway.url, token)
        assert client.get("/whoami").json() == {"login": "ada@example.com", "scopes": ["read"]}
        (tmp_path / "tokens").write_text("")
        assert client.get("/whoami").status_code == 401
        client.session.close()


@pytest.fixture
def in_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., str]]:
    """The same without a process of its own, for the many ways of not even starting."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROVISIONER_SERVE_TOKEN", WRITER)

    def refused(*words: str) -> str:
        assert cli_run(["serve", *words]) == 1
        said = capsys.readouterr()
        assert not said.out
        assert "Traceback" not in said.err
        assert len([line for line in said.err.splitlines() if "error: " in line]) == 1
        return said.err

    yield refused
    gc.enable()


def test_without_a_token_it_says_how_to_make_one(tmp_path: Path):
    said = refusal(tmp_path)
    assert "there is no token" in said
    assert "--new-token LOGIN" in said
    (tmp_path / "tokens").write_text("# nobody yet\n")
    assert "there is no token" in refusal(tmp_path, "--tokens", "tokens")


def test_what_can_t_be_used_is_one_clear_error(
    tmp_path: Path, in_process: Callable[..., str], monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "text").write_text("no database")
    (tmp_path / "tokens").write_text("oops\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = in_process("--port", port)
        assert f"can't listen on 127.0.0.1 port {port}: Address already in use\n" in said
        assert "choose another --port" in said
    said = in_process("--port", "0", "--host", "192.0.2.1")  # for documentation, RFC 5737
    assert said.endswith("--host is an address or a name of this machine\n")
    for words, expected in (
        (("--database", "text"), "file is not a database"),
        (("--database", "postgresql://ada:secret@127.0.0.1:1/x"), "can't open the database"),
        (("--database", "postgresql://u:in@secret@127.0.0.1/x"), "write it as %40 there"),
        (("--database", "mysql://x/y"), "no URL of a SQLite or PostgreSQL database"),
        (("--database", "text/below"), "can't open the database"),
        (("--tokens", "tokens"), "tokens:1:1: error: is no line for a token"),
        (("--tokens", "nowhere"), "can't read the token file"),
        (("--panel", "no/id"), "can't be a panel's id"),
        (("--catalogue", "nowhere"), "nowhere"),
        (("--tls-cert", "text"), "can't use the certificate"),
        (("--tls-key", "text"), "--tls-key goes with --tls-cert"),
        (("--read-only",), "--read-only goes with --new-token"),
        (("--new-token", "ada"), "--new-token needs --tokens FILE"),
    ):
        said = in_process("--port", "0", *words)
        assert expected in said, words
        assert "secret" not in said
    monkeypatch.setenv("PROVISIONER_SERVE_TOKEN", "short")
    assert "shorter than 16 characters" in in_process()


def test_a_database_from_a_newer_version_is_left_alone(tmp_path: Path, database: str):
    opened = Database(database)
    opened.prepare(lambda _: None)
    with opened.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    opened.close()
    said = refusal(tmp_path, "--port", "0", "--database", database, env=TOKEN)
    assert "from a newer version of provisioner" in said


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_does_not_hold_every_name_is_refused(
    tmp_path: Path, postgresql_server: str, encoding: str
):
    psycopg = pytest.importorskip("psycopg")
    name = f"test_{encoding.lower()}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        made = f"CREATE DATABASE {name} ENCODING {encoding} LC_COLLATE 'C' LC_CTYPE 'C'"
        connection.execute(f"{made} TEMPLATE template0")
    try:
        url = sa.make_url(postgresql_server).set(database=name)
        words = ("--port", "0", "--database", url.render_as_string(hide_password=False))
        said = refusal(tmp_path, *words, env=TOKEN)
        assert f"the database's encoding is {encoding}, which does not hold every name" in said
        assert "createdb --encoding=UTF8" in said
    finally:
        with psycopg.connect(postgresql_server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name}")


def test_a_token_is_added_to_no_sources_file(tmp_path: Path):
    (tmp_path / "roles.yaml").write_text("version: 1\nroles: {}\n")
    said = refusal(tmp_path, "--tokens", "roles.yaml", "--new-token", "ada")
    assert said == (
        "roles.yaml: error: this is not a token file, so nothing was written to it\n"
        "    name a token file, or one that is not there yet\n"
    )
    assert (tmp_path / "roles.yaml").read_text() == "version: 1\nroles: {}\n"


def test_a_database_of_another_panel_is_left_alone(tmp_path: Path):
    with served(tmp_path, "--panel", "us-na") as gateway:
        assert "(panel us-na, " in gateway.line
    with served(tmp_path) as gateway:
        assert "(panel us-na, " in gateway.line
    said = refusal(tmp_path, "--port", "0", "--panel", "eu", env=TOKEN)
    assert "the database holds the panel `us-na`, not `eu`" in said


def test_a_catalogue_of_one_s_own_makes_the_panel(tmp_path: Path):
    (tmp_path / "catalogue.yaml").write_text(
        "version: 1\nname: mine\nprivileges: [{name: A}, {name: B, internal: true}]\n"
        "default_roles: [{name: Ünï Chef, privileges: ['*']}]\n"
    )
    words = ("--catalogue", "catalogue.yaml")
    with served(tmp_path, *words) as gateway, Client(gateway.url, WRITER) as client:
        (role,) = client.state()["roles"]
    assert (role["name"], role["privileges"], role["default"]) == ("Ünï Chef", ["A"], True)


def test_https_with_a_certificate(tmp_path: Path):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    with served(tmp_path, "--tls-cert", "server.pem") as gateway:
        assert gateway.url.startswith("https://")
        client = Client(gateway.url, WRITER)
        client.session.verify = str(tmp_path / "ca.pem")
        assert client.get("/whoami").status_code == 200
        client.session.close()


def test_others_are_warned_about_a_network_without_tls(tmp_path: Path):
    with served(tmp_path, "--host", "0.0.0.0") as gateway:  # noqa: S104 - on purpose
        assert gateway.stop() == 0
        assert "warning: tokens travel unencrypted" in gateway.log.read_text()


def test_it_ends_after_the_request_in_flight(tmp_path: Path):
    """The request waits for a lock that is let go only after the server was asked to stop."""
    with served(tmp_path) as gateway:
        lock = sqlite3.connect(tmp_path / ".provisioner/gateway.sqlite", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        client = Client(gateway.url, WRITER)
        answers: list[Any] = []
        asking = threading.Thread(
            target=lambda: answers.append(client.post("/roles", new_role("Late")))
        )
        asking.start()
        asking.join(0.5)
        assert asking.is_alive()
        gateway.process.terminate()
        asking.join(0.5)
        assert asking.is_alive()
        with pytest.raises(OSError):  # noqa: PT011 - nobody listens any more
            socket.create_connection(("127.0.0.1", int(gateway.url.rpartition(":")[2])), 1)
        lock.execute("ROLLBACK")
        lock.close()
        asking.join(PATIENCE)
        assert [answer.status_code for answer in answers] == [201]
        assert gateway.process.wait(PATIENCE) == 0
        client.session.close()


def test_without_the_extra_it_says_what_to_install(tmp_path: Path):
    (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError('no', name='starlette')")
    said = refusal(tmp_path, env={**TOKEN, "PYTHONPATH": str(tmp_path)})
    assert "its extra `server`: pip install '.[server]' in its folder" in said
