"""Many writes side by side on an API whose lists come in pages: none stands in another's way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from provisioner.engine.writes import CreateRole, DeleteRole, RenameRole
from provisioner.errors import BackendError, StateMoved
from provisioner.model import Role
from tests.http.small_api import Answer, JsonServer
from tests.http.small_panel import PROFILE, SmallPanel, by_names, by_pages, cut_into_pages, opened

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from provisioner.backends.http.objects.backend import ObjectBackend
    from provisioner.engine.writes import Write

AT_A_TIME = 16
PAGE = 50


def write_all(backend: ObjectBackend, writes: Iterable[Write]) -> None:
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(backend.write, writes))


def lists(server: JsonServer, path: str = "/roles") -> int:
    """How many times the list was begun."""
    return sum(
        (asked.method, asked.path, asked.query.get("page", "1")) == ("GET", path, "1")
        for asked in server.asked
    )


def paged(panel: SmallPanel, size: int = PAGE) -> SmallPanel:
    panel.meddle = cut_into_pages(size)
    return panel


def test_a_thousand_roles_are_made_with_one_look_at_the_list(tmp_path: Path) -> None:
    with JsonServer(paged(SmallPanel())) as server:
        backend = opened(server, by_pages(PROFILE), tmp_path)
        backend.read()
        server.asked.clear()
        names = [f"Role {number:04}" for number in range(1000)]
        write_all(backend, (CreateRole(Role(name)) for name in names))
        assert lists(server) == 1
        posts = [asked for asked in server.asked if asked.method == "POST"]
        assert len(posts) == 1000
        assert set(backend.read().state.roles) == set(names)


def test_an_api_that_tells_no_id_is_not_disturbed_by_our_own_roles(tmp_path: Path) -> None:
    """Each new role is looked for in the list, which nobody of us changes meanwhile."""
    with JsonServer(paged(SmallPanel(names=True), 10)) as server:
        backend = opened(server, by_pages(by_names()), tmp_path)
        backend.read()
        server.asked.clear()
        names = [f"Role {number:04}" for number in range(160)]
        write_all(backend, (CreateRole(Role(name)) for name in names))
        assert lists(server) <= 1 + len(names)
        assert set(backend.read().state.roles) == set(names)


def test_roles_that_are_deleted_side_by_side_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Whether another role includes one shows in the list, which shrinks meanwhile."""
    panel = SmallPanel()
    for number in range(160):
        panel.add(f"Role {number:04}")
    with JsonServer(paged(panel, 10)) as server:
        backend = opened(server, by_pages(PROFILE), tmp_path)
        roles = backend.read().state.roles
        write_all(backend, map(DeleteRole, roles.values()))
    assert panel.roles == {}


def test_the_kept_names_follow_what_is_written(tmp_path: Path) -> None:
    panel = SmallPanel()
    panel.add("Old")
    with JsonServer(panel) as server:
        backend = opened(server, PROFILE, tmp_path)
        old = backend.read().state.roles["Old"]
        backend.write(CreateRole(Role("Made")))
        with pytest.raises(StateMoved, match="a role named Made exists already"):
            backend.write(CreateRole(Role("MADE")))
        backend.write(RenameRole(old, "New"))
        with pytest.raises(StateMoved, match="a role named New exists already"):
            backend.write(CreateRole(Role("new")))
        backend.write(CreateRole(Role("OLD")))
        capitals = backend.read().state.roles["OLD"]
        backend.write(CreateRole(Role("Last")))
        backend.write(DeleteRole(capitals))
        backend.write(CreateRole(Role("Old")))
        assert set(backend.read().state.roles) == {"Made", "New", "Last", "Old"}


def test_a_name_that_somebody_takes_meanwhile_is_told_by_the_refusal(tmp_path: Path) -> None:
    panel = SmallPanel()
    with JsonServer(panel) as server:
        backend = opened(server, PROFILE, tmp_path)
        backend.read()
        backend.write(CreateRole(Role("First")))
        panel.add("Second")
        with pytest.raises(StateMoved, match="a role named Second exists already") as caught:
            backend.write(CreateRole(Role("Second")))
        assert "the title is taken" in caught.value.diagnostics[1].message
        panel.meddle = lambda asked, _: (
            Answer(400, {"message": "no more roles"}) if asked.method == "POST" else None
        )
        with pytest.raises(BackendError, match="no more roles"):
            backend.write(CreateRole(Role("Third")))
