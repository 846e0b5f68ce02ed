"""What proves a write: the object as it is read afterwards, not an answer that may be untrue."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from provisioner.engine.writes import CreateRole, RenameRole, SetAssignment, UpdateRole
from provisioner.errors import BackendError, StateMoved
from provisioner.model import Role
from tests.http.small_api import Answer, Asked, JsonServer
from tests.http.small_panel import PROFILE, SmallPanel, opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provisioner.backends.http.objects.backend import ObjectBackend

NOBODY: frozenset[str] = frozenset()
BASE = frozenset({"Base"})
ADA, GRACE = "ada@example.com", "grace@example.com"


def with_items(*, true: bool) -> dict[str, Any]:
    """The profile, with answers that hold the object."""
    profile = deepcopy(PROFILE) | {"replies_are_true": true}
    for part, calls in (("roles", ("create", "update", "rename")), ("users", ("assign",))):
        for call in calls:
            profile[part][call].pop("id", None)
            profile[part][call]["item"] = "@"
    return profile


class Server:
    """A panel that answers a change with what ``shown`` says, whatever it has stored."""

    def __init__(self, shown: Callable[[Asked, SmallPanel], Any]) -> None:
        self.panel = SmallPanel()
        self.base = self.panel.add("Base", 1)

        def meddle(asked: Asked, act: Callable[[], Answer]) -> Answer | None:
            if asked.method == "GET":
                return None
            act()
            return Answer(200, shown(asked, self.panel))

        self.panel.meddle = meddle


def stored(asked: Asked, panel: SmallPanel) -> Any:
    """The object as it is stored."""
    kind, *id = asked.steps
    if kind == "people":
        return panel.person(panel.people[int(id[0])])[0]
    return panel.shown(panel.roles[int(id[0]) if id else panel.made])


def echoed(asked: Asked, panel: SmallPanel) -> Any:
    """The object with what was sent in place of what is stored."""
    return stored(asked, panel) | (asked.body or {})


def reads(server: JsonServer) -> list[str]:
    return [asked.path for asked in server.asked if asked.method == "GET"]


def write_everything(backend: ObjectBackend, server: JsonServer) -> list[str]:
    """Make, change, rename and assign; return what was read after the first reading."""
    base = backend.read().state.roles["Base"]
    backend.write(CreateRole(Role("New", privileges=frozenset({"SEE"}))))
    server.asked.clear()
    backend.write(CreateRole(Role("Newer", privileges=frozenset({"SEE"}))))
    backend.write(UpdateRole(base, replace(base, description="changed")))
    backend.write(SetAssignment(ADA, NOBODY, BASE))
    backend.write(RenameRole(replace(base, description="changed"), "Ground"))
    return reads(server)


def test_every_object_is_read_again_after_a_change(tmp_path: Path) -> None:
    with JsonServer(Server(stored).panel) as server:
        again = write_everything(opened(server, with_items(true=False), tmp_path), server)
    assert again == ["/roles/3", *["/roles/1"] * 2, *["/people/1"] * 2, *["/roles/1"] * 2]


def test_where_answers_are_true_no_object_is_read_again(tmp_path: Path) -> None:
    with JsonServer(Server(stored).panel) as server:
        again = write_everything(opened(server, with_items(true=True), tmp_path), server)
    # Once before each change: this API compares no versions.
    assert again == ["/roles/1", "/people/1", "/roles/1"]


def test_an_answer_that_repeats_what_it_was_sent_is_no_proof(tmp_path: Path) -> None:
    found = Server(echoed)
    found.panel.drops = {2}
    with JsonServer(found.panel) as server:
        backend = opened(server, with_items(true=False), tmp_path)
        base = backend.read().state.roles["Base"]
        both = frozenset({"SEE", "EDIT"})
        with pytest.raises(BackendError, match="privileges missing: EDIT"):
            backend.write(UpdateRole(base, replace(base, privileges=both)))
        with pytest.raises(BackendError, match="privileges missing: EDIT"):
            backend.write(CreateRole(Role("New", privileges=both)))


def test_an_assignment_that_is_answered_and_not_stored_is_an_error(tmp_path: Path) -> None:
    found = Server(echoed)
    real = found.panel.meddle

    def meddle(asked: Asked, act: Callable[[], Answer]) -> Answer | None:
        answer = real(asked, act)
        if asked.method == "PUT":
            found.panel.people[1]["roles"] = []
        return answer

    found.panel.meddle = meddle
    with JsonServer(found.panel) as server:
        backend = opened(server, with_items(true=False), tmp_path)
        backend.read()
        with pytest.raises(BackendError, match="roles missing: Base"):
            backend.write(SetAssignment(ADA, NOBODY, BASE))


@pytest.mark.parametrize("true", [True, False])
def test_an_answer_about_another_user_is_an_error(tmp_path: Path, *, true: bool) -> None:
    """The API may have changed that one, as it did not find the right one."""
    found = Server(lambda asked, panel: stored(asked, panel) | {"id": 1, "roles": [1]})
    with JsonServer(found.panel) as server:
        backend = opened(server, with_items(true=true), tmp_path)
        backend.read()
        with pytest.raises(BackendError, match="id: shows 1, and this was about 2"):
            backend.write(SetAssignment(GRACE, NOBODY, BASE))


@pytest.mark.parametrize("true", [True, False])
def test_an_answer_about_another_role_is_an_error(tmp_path: Path, *, true: bool) -> None:
    found = Server(lambda asked, panel: stored(asked, panel) | {"id": 1})
    with JsonServer(found.panel) as server:
        backend = opened(server, with_items(true=true), tmp_path)
        backend.read()
        with pytest.raises(BackendError, match=r"shows role Base \(id 1\), which was there before"):
            backend.write(CreateRole(Role("New")))


@pytest.mark.parametrize("true", [True, False])
def test_a_login_that_differs_in_the_answer_is_no_proof(tmp_path: Path, *, true: bool) -> None:
    """With the right id and roles: an API that counts rows anew, or a user with a new login."""
    found = Server(lambda asked, panel: stored(asked, panel) | {"mail": "eve@example.com"})
    with JsonServer(found.panel) as server:
        backend = opened(server, with_items(true=true), tmp_path)
        backend.read()
        write = SetAssignment(ADA, NOBODY, BASE)
        with pytest.raises(BackendError, match=r"eve@example\.com"):
            backend.write(write)


@pytest.mark.parametrize("kind", ["roles", "people"])
def test_an_object_that_is_read_under_the_address_of_another_is_an_error(
    tmp_path: Path, kind: str
) -> None:
    found = Server(stored)
    other = found.panel.add("Other", 2)

    def meddle(asked: Asked, _: Callable[[], Answer]) -> Answer | None:
        if asked.method == "GET" and asked.path == f"/{kind}/2":
            return found.panel.act(replace(asked, path=f"/{kind}/1"))
        return None

    found.panel.meddle = meddle
    with JsonServer(found.panel) as server:
        backend = opened(server, PROFILE, tmp_path)
        role = backend.read().state.roles["Other"]
        assert role.id == str(other)
        write = (
            UpdateRole(role, replace(role, description="x"))
            if kind == "roles"
            else SetAssignment(GRACE, NOBODY, BASE)
        )
        with pytest.raises(BackendError, match="id: shows 1, and this was about 2"):
            backend.write(write)
        assert [asked for asked in server.asked if asked.method == "PUT"] == []


def test_a_user_who_has_another_login_by_now_is_not_assigned_to(tmp_path: Path) -> None:
    found = Server(stored)
    with JsonServer(found.panel) as server:
        backend = opened(server, PROFILE, tmp_path)
        backend.read()
        found.panel.people[1]["mail"] = "eve@example.com"
        with pytest.raises(StateMoved, match=r"the login is 'eve@example\.com'"):
            backend.write(SetAssignment(ADA, NOBODY, BASE))
    assert found.panel.people[1]["roles"] == []
