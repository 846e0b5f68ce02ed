"""Stores to make changes in, and a gateway that can be held in the middle of them."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from provisioner.server.app import create_app
from tests.server.running import WRITER, settings
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.cli.conftest import Answer, Shell
    from tests.server.conftest import Proxy

ENV = {"PANEL_TOKEN": WRITER}
PANEL = """\
version: 1
sources: [roles.yaml]
safety: {{max_change_percent: 100}}
targets:
  panel: {{backend: http, url: "{url}", token_env: PANEL_TOKEN, concurrency: 1{more}}}
"""
FILE = """\
version: 1
sources: [roles.yaml]
safety: {max_change_percent: 100}
"""
POLICY = "policies: [{name: p, restrict: {roles: [B], only_users: [zoe@example.com]}}]\n"
USERS = ("kim", "lee", "max", "ned")
STREAMS = (("out",), ("err",), ("out", "err"))
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
APPLY = ("apply", "--auto-approve")


def sources(role: str, users: tuple[str, ...] = USERS) -> str:
    """Sources in which every user holds one role."""
    held = "".join(f"  {user}@example.com: {{roles: [{role}]}}\n" for user in users)
    both = "roles:\n  A: {privileges: [ARDOCS_VIEW]}\n  B: {privileges: [ARDOCS_CREATE]}\n"
    return f"version: 1\n{both}users:\n{held}"


class Gate:
    """Holds the n-th request that begins with some words, until it is opened."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.asked: list[str] = []
        self.answered: list[str] = []
        self._words, self._left = "", 0
        self._is_reached, self._is_open = threading.Event(), threading.Event()

    def hold(self, words: str, number: int = 1) -> None:
        """Hold the ``number``-th request from now on that begins so."""
        self._words, self._left = words, number
        self._is_reached.clear()
        self._is_open.clear()

    def reached(self) -> None:
        """Wait until the request is held."""
        assert self._is_reached.wait(PATIENCE), self.asked

    def open(self) -> None:
        """Let it through."""
        self._is_open.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = f"{scope['method']} {scope['path']}" if scope["type"] == "http" else ""
        if asked:
            self.asked.append(asked)
            self._left -= self._words != "" and asked.startswith(self._words)
            if self._words and self._left == 0:
                self._words = ""
                self._is_reached.set()
                await asyncio.to_thread(self._is_open.wait, PATIENCE)
        await self.app(scope, receive, send)
        self.answered.append(asked)


class Store:
    """A folder with a project, the store behind it, and the gate before that where it is one."""

    def __init__(self, shell: Shell, gate: Gate | None = None) -> None:
        self.shell, self.gate = shell, gate

    def __call__(self, *words: str) -> Answer:
        return self.shell(*words, env=ENV)

    def wants(self, role: str, users: tuple[str, ...] = USERS) -> None:
        """Have the sources say that all users hold this role."""
        self.shell.write("roles.yaml", sources(role, users))

    def held(self) -> dict[str, list[str]]:
        """Who holds what, by first names."""
        users = self("users", "--format", "json").document["users"]
        return {user["user"].partition("@")[0]: user["roles"] for user in users}

    def runs(self) -> list[str]:
        """The runs of the history, as operation and summary."""
        runs = self("history", "--format", "json").document["runs"]
        return [f"{run['run']['operation']}: {run['run']['summary']}" for run in runs if run["run"]]


@pytest.fixture
def file_store(shell: Shell) -> Store:
    """A store that commits at once, in a file."""
    shell.write("provisioner.yaml", FILE)
    return Store(shell)


@contextmanager
def gateway(shell: Shell, folder: Path, proxy: Proxy, more: str) -> Iterator[Store]:
    """A store behind a gateway that can be held."""
    app = create_app(settings(folder / "gateway.sqlite"))
    gate = Gate(app)
    shell.write("provisioner.yaml", PANEL.format(url=proxy.add(gate), more=more))
    yield Store(shell, gate)
    app.state.gateway.close()


@pytest.fixture
def commits(shell: Shell, tmp_path: Path, proxy: Proxy) -> Iterator[Store]:
    """A gateway that commits at once."""
    with gateway(shell, tmp_path, proxy, "") as store:
        yield store


@pytest.fixture
def objects(shell: Shell, tmp_path: Path, proxy: Proxy) -> Iterator[Store]:
    """A gateway that is written to object by object: every user loses A, then every user gets B."""
    with gateway(shell, tmp_path, proxy, ", changesets: false") as store:
        yield store


@pytest.fixture
def begun(objects: Store) -> tuple[Store, Gate]:
    """The store without commits, with A held by everybody, and its gate."""
    objects.wants("A")
    assert objects(*APPLY).code == 0
    objects.wants("B")
    assert objects.gate is not None
    return objects, objects.gate


def everybody(role: str) -> dict[str, list[str]]:
    return {user: [role] for user in USERS}


def wait_for_runs(store: Store, count: int) -> None:
    """Wait until the history has so many runs."""
    until(lambda: len(store.runs()) >= count)
