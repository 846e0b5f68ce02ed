"""Applies over bad networks: 500 against a real gateway, 150 against an API that is not ours.

What has to hold is in ``faulty_runs``.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from msgspec.structs import replace

from provisioner import catalogue
from provisioner.backends.http import backend_over
from provisioner.backends.http.objects.backend import ObjectBackend
from provisioner.backends.http.profile.loading import load_profile
from provisioner.backends.opening import Opening
from provisioner.desired.load import read_document
from provisioner.engine.writes import replay
from provisioner.model import Catalogue, Privilege, State
from provisioner.server.app import create_app
from tests.http.faulty_runs import RUN, check_runs, reached
from tests.http.small_api import Answer, Asked, JsonServer
from tests.http.small_panel import PERMS, PROFILE, SmallPanel, by_names, versioned
from tests.server.running import WRITER, bearer, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.backends.base import Backend
    from provisioner.backends.http.transport.client import Client
    from provisioner.backends.http.transport.settings import HttpSettings
    from provisioner.engine.writes import Write
    from tests.server.conftest import Proxy

# `make soak` takes more of them, and other ones.
FIRST = int(os.environ.get("PROVISIONER_SOAK_FROM", "0"))
RUNS = int(os.environ.get("PROVISIONER_SOAK_RUNS", "500"))
IN_ONE_TEST = 25
SHIPPED = catalogue.shipped()
SMALL = Catalogue("small", {code: Privilege(code) for code in PERMS.values()})
USERS = tuple(f"user-{number}@example.com" for number in range(6))


@dataclass
class Gateway:
    """A reference gateway."""

    url: str
    catalogue: Catalogue = SHIPPED
    users: tuple[str, ...] = USERS

    def reached(self, client: Client, told: HttpSettings) -> Backend:
        return backend_over(client, told, Opening({}, Path(), State(), None, read_document))

    def fill(self, writes: tuple[Write, ...]) -> None:
        with reached(self) as backend:
            read = backend.read()
            after = replace(replay(read.state, writes), recorded=frozenset({"roles", "users"}))
            backend.commit(read.base, writes, after, RUN)

    def check_nothing_twice(self) -> None:
        """The gateway's own record of what was done shows each new role once."""
        made: Counter[str] = Counter()
        cursor: str | None = ""
        while cursor is not None:
            asked = {"limit": "1000", **({"cursor": cursor} if cursor else {})}
            answer = requests.get(f"{self.url}/audit", asked, headers=bearer(WRITER), timeout=10)
            page = answer.json()
            made.update(i["after"]["name"] for i in page["items"] if i["action"] == "create_role")
            # A name is free again once its role was deleted or renamed.
            for item in page["items"]:
                if item["action"] in ("delete_role", "rename_role"):
                    made[item["before"]["name"]] -= 1
            cursor = page["next"]
        assert made
        assert max(made.values()) <= 1, made


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gateway's database that nobody has written to; copies of it are quicker than new ones."""
    path = tmp_path_factory.mktemp("gateway") / "empty.sqlite"
    create_app(settings(path)).state.gateway.close()
    return path


@pytest.fixture
def gateways(proxy: Proxy, empty: Path, tmp_path: Path) -> Iterator[Callable[[], Gateway]]:
    """Makes gateways; all of them are closed in the end."""
    opened: dict[str, Any] = {}

    def fresh() -> Gateway:
        copy = tmp_path / f"gateway-{len(opened)}.sqlite"
        shutil.copy(empty, copy)
        app = create_app(settings(copy))
        url = proxy.add(app)
        opened[url] = app.state.gateway
        return Gateway(url)

    yield fresh
    for url, gateway in opened.items():
        gateway.close()
        proxy.remove(url)


@pytest.mark.parametrize("first", range(FIRST, FIRST + RUNS, IN_ONE_TEST))
def test_a_gateway(first: int, gateways: Callable[[], Gateway]) -> None:
    check_runs(range(first, first + IN_ONE_TEST), gateways)


class Careless(SmallPanel):
    """A panel that takes the same title twice, so that nothing but the client prevents it."""

    def act(self, asked: Asked) -> Answer:
        if (asked.method, *asked.steps) == ("POST", "roles"):
            made = self.add("")
            self.roles[made] |= self.kept(asked.body)
            return Answer(201, {"id": made})
        return super().act(asked)


@dataclass
class Small:
    """A small API of another kind."""

    panel: SmallPanel
    url: str
    profile: Path
    catalogue: Catalogue = SMALL
    users: tuple[str, ...] = USERS

    def reached(self, client: Client, told: HttpSettings) -> Backend:
        loaded = load_profile(self.profile.name, self.profile.parent, read_document)
        return ObjectBackend(client, loaded, told)

    def fill(self, writes: tuple[Write, ...]) -> None:
        for number, user in enumerate(self.users, 1):
            self.panel.people[number] = {"id": number, "mail": user, "roles": [], "version": 1}
        with reached(self) as backend:
            backend.read()
            for write in writes:
                backend.write(write)

    def check_nothing_twice(self) -> None:
        titles = Counter(role["title"] for role in self.panel.roles.values())
        assert not titles or max(titles.values()) == 1, titles


@pytest.mark.parametrize("first", range(FIRST, FIRST + RUNS // 10, IN_ONE_TEST))
@pytest.mark.parametrize("kind", ["plain", "versioned", "by names"])
def test_an_api_that_is_not_ours(kind: str, first: int, tmp_path: Path) -> None:
    """Without versions, or keys: an object is read again before and after, a lost answer too."""
    profile = {"plain": PROFILE, "versioned": versioned(), "by names": by_names()}[kind]
    profile["roles"]["create"].pop("key", None)  # this panel does not know what was asked before
    (tmp_path / "small.yaml").write_text(json.dumps(profile))
    with ExitStack() as servers:

        def fresh() -> Small:
            panel = Careless(etags=kind == "versioned", names=kind == "by names")
            server = servers.enter_context(JsonServer(panel))
            return Small(panel, server.url, tmp_path / "small.yaml")

        check_runs(range(first, first + IN_ONE_TEST), fresh)
