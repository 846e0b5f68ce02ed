"""A gateway whose output goes nowhere, and the signals that end it."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import Shell
from tests.cli.nobody import DEAF, full_pipe, run, started, with_signal
from tests.server.client import Client
from tests.server.running import LOGIN, WRITER
from tests.waiting import rests, until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Answer

ENV = {"PROVISIONER_SERVE_TOKEN": WRITER, "PROVISIONER_SERVE_LOGIN": LOGIN}


@contextmanager
def unheard(
    folder: Path, **how: Any
) -> Iterator[tuple[Client, subprocess.Popen[bytes], Callable[[], Answer]]]:
    """A gateway that may be unable to say where it listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    words = ("serve", "--port", str(port), "-v")
    with started(Shell(folder), *words, env=ENV, **how) as (process, ended):

        def listens() -> bool:
            assert process.poll() is None, ended()
            with socket.socket() as connection:
                return connection.connect_ex(("127.0.0.1", port)) == 0

        until(listens)
        with Client(f"http://127.0.0.1:{port}", WRITER) as client:
            yield client, process, ended


def check_it_serves(client: Client) -> None:
    """Ask it something, and change something."""
    for _ in range(5):
        assert client.get("/whoami").json()["login"] == LOGIN
        assert client.get("/roles/none").status_code == 404


@pytest.mark.parametrize("kind", DEAF)
def test_it_serves_whoever_listens(tmp_path: Path, kind: str) -> None:
    """Neither its first line nor its log is a reason to refuse anybody."""
    with unheard(tmp_path, out=kind, err=kind) as (client, process, ended):
        check_it_serves(client)
        process.send_signal(signal.SIGTERM)
        assert ended().code == 0


def test_a_log_that_nobody_reads_holds_nobody_up(tmp_path: Path) -> None:
    """Behind a pager, say. It is not waited for in the end either."""
    reader, writer = full_pipe()
    with unheard(tmp_path, err=writer) as (client, process, ended):
        check_it_serves(client)
        process.send_signal(signal.SIGTERM)
        assert ended().code == 0
    for descriptor in (reader, writer):
        os.close(descriptor)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_each_signal_that_asks_to_stop_ends_it_in_order(tmp_path: Path, name: str) -> None:
    """Exit code 0: it was asked to."""
    with unheard(tmp_path) as (client, process, ended):
        check_it_serves(client)
        process.send_signal(getattr(signal, name))
        assert ended().code == 0


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_signals_that_were_ignored_at_the_start_stay_ignored(tmp_path: Path, name: str) -> None:
    """As nohup does it, and the `&` of a script."""
    with unheard(tmp_path, before=with_signal(name, "SIG_IGN")) as (client, process, ended):
        process.send_signal(getattr(signal, name))
        until(lambda: rests(process.pid))
        assert process.poll() is None
        check_it_serves(client)
        process.send_signal(signal.SIGTERM)
        assert ended().code == 0


def test_a_token_that_could_not_be_shown_is_an_error(tmp_path: Path) -> None:
    """It is shown this once; nor is it put where nobody asked for it."""
    words = ("serve", "--tokens", "tokens", "--new-token", "ada@example.com")
    for kind in DEAF:
        made = run(Shell(tmp_path), *words, out=kind)
        assert made.code == 1
        assert "the token could not be shown" in made.err
        assert made.err.count("\n") == 2
