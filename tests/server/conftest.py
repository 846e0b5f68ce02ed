"""A gateway on each of its databases, and a client that speaks to it."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.server.app import create_app
from tests.postgresql import postgresql_server, schema  # noqa: F401 - a fixture
from tests.server.client import Client
from tests.server.running import WRITER, serving, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send


class Proxy:
    """Many applications on one port, each below a path of its own, as a proxy would show them.

    A server that starts and stops for each test costs more than most of the tests.
    """

    def __init__(self) -> None:
        self.url = ""
        self._apps: dict[str, ASGIApp] = {}
        self._numbers = itertools.count(1)

    def add(self, app: ASGIApp) -> str:
        """Serve one more; return its URL."""
        prefix = f"/panel-{next(self._numbers)}"
        self._apps[prefix] = app
        return self.url + prefix

    def remove(self, url: str) -> None:
        """Forget one that is closed."""
        del self._apps[url.removeprefix(self.url)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            prefix = scope["path"][1:].partition("/")[0]
            size = len(prefix) + 1
            paths = {"path": scope["path"][size:], "raw_path": scope["raw_path"][size:]}
            await self._apps[f"/{prefix}"]({**scope, **paths}, receive, send)


@pytest.fixture(scope="session")
def proxy() -> Iterator[Proxy]:
    """A port that the gateways of all tests are reached by."""
    found = Proxy()
    with serving(found) as url:
        found.url = url
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where an empty database is: each test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        yield str(tmp_path / "gateway.sqlite")
        return
    with schema(request.getfixturevalue("postgresql_server")) as url:
        yield url


@pytest.fixture
def open_gateway(database: str, proxy: Proxy) -> Iterator[Callable[..., Client]]:
    """``open_gateway(**settings)``: another server on the same database, and its client."""
    with ExitStack() as open_ones:

        def opened(**more: Any) -> Client:
            app = create_app(settings(database, **more))
            open_ones.callback(app.state.gateway.close)
            return open_ones.enter_context(Client(proxy.add(app), WRITER, app))

        yield opened


@pytest.fixture
def gateway(open_gateway: Callable[..., Client]) -> Client:
    """A gateway with nothing but the shipped default roles, and a client that may write."""
    return open_gateway()
