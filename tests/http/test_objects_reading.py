"""Reading a panel through a profile: all of it checked, mistakes named by request and field."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.errors import BackendError
from provisioner.model import Assignment, Role
from tests.http.small_api import Answer, Asked, JsonServer
from tests.http.small_panel import PERMS, PROFILE, SmallPanel, apart, opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def filled_panel(**kind: bool) -> SmallPanel:
    panel = SmallPanel(**kind)
    base = panel.add("Base", 1, 2, text="the base")
    panel.add("Wide", 3, inner=(base,))
    panel.people[1]["roles"] = [base]
    return panel


def test_a_panel_is_read_whole(tmp_path: Path) -> None:
    with JsonServer(filled_panel()) as server:
        snapshot = opened(server, PROFILE, tmp_path).read()
    assert snapshot.state.roles == {
        "Base": Role("Base", "the base", frozenset({"SEE", "EDIT"}), id="1"),
        "Wide": Role("Wide", "", frozenset({"DELETE"}), frozenset({"Base"}), id="2"),
    }
    held = Assignment("ada@example.com", frozenset({"Base"}))
    assert snapshot.state.assignments == {"ada@example.com": held}
    assert snapshot.users == frozenset({"ada@example.com", "grace@example.com"})
    assert snapshot.catalogue is not None
    assert set(snapshot.catalogue.privileges) == set(PERMS.values())


def test_what_is_listed_apart_is_read_too(tmp_path: Path) -> None:
    with JsonServer(filled_panel(apart=True)) as server:
        roles = opened(server, apart(), tmp_path).read().state.roles
        assert roles["Base"].privileges == {"SEE", "EDIT"}
        assert {asked.path for asked in server.asked} >= {"/roles/1/perms", "/roles/2/perms"}


def test_without_users_and_catalogue_only_roles_are_read(tmp_path: Path) -> None:
    profile = deepcopy(PROFILE)
    del profile["users"], profile["privileges"]
    profile["roles"]["privileges"] = {"names": "perms"}
    for call in ("create", "update"):
        profile["roles"][call]["body"]["perms"] = "{privileges}"
    panel = filled_panel()
    for role in panel.roles.values():
        role["perms"] = [PERMS[perm] for perm in role["perms"]]
    with JsonServer(panel) as server:
        snapshot = opened(server, profile, tmp_path).read()
        assert (snapshot.catalogue, snapshot.users) == (None, None)
        assert snapshot.state.roles["Base"].privileges == {"SEE", "EDIT"}
        assert {asked.path for asked in server.asked} == {"/roles"}


def test_default_roles_belong_to_the_catalogue(tmp_path: Path) -> None:
    profile = deepcopy(PROFILE)
    profile["roles"]["default"] = "starts_with(title, 'B')"
    with JsonServer(filled_panel()) as server:
        catalogue = opened(server, profile, tmp_path).read().catalogue
    assert catalogue is not None
    assert [role.name for role in catalogue.default_roles] == ["Base"]


def change(
    path: str, *steps: Any, to: Any
) -> Callable[[Asked, Callable[[], Answer]], Answer | None]:
    """A meddling: the answer to a list has another value at that place."""

    def meddle(asked: Asked, act: Callable[[], Answer]) -> Answer | None:
        if asked.path != path:
            return None
        answer = deepcopy(act())
        node = answer.body
        for step in steps[:-1]:
            node = node[step]
        node[steps[-1]] = to
        return answer

    return meddle


WRONG = {
    "no name": (
        ("/roles", "data", 1, "title"),
        None,
        "data[1].title: is missing or null; it should be a text",
    ),
    "a name that is a number": (("/roles", "data", 1, "title"), 7, "data[1].title: is a number"),
    "an empty name": (("/roles", "data", 0, "title"), "", "data[0].title: is empty"),
    "two names that differ in case": (
        ("/roles", "data", 1, "title"),
        "BASE",
        "data[1].title: BASE differs from Base only in case",
    ),
    "no id": (("/roles", "data", 1, "id"), None, "data[1].id: is missing or null"),
    "an id that is none": (("/roles", "data", 1, "id"), True, "data[1].id: is true or false"),
    "an id twice, once as text": (("/roles", "data", 1, "id"), "1", "data[1]: 1 is there twice"),
    "a user's id twice": (("/people", "data", 1, "id"), "1", "data[1]: 1 is there twice"),
    "a privilege's id twice": (("/perms", "data", 1, "id"), "1", "data[1]: 1 is there twice"),
    "an id twice": (("/roles", "data", 1, "id"), 1, "data[1]: 1 is there twice"),
    "a description that is a list": (("/roles", "data", 0, "text"), [], "data[0].text: is a list"),
    "privileges that are no list": (
        ("/roles", "data", 0, "perms"),
        "SEE",
        "data[0].perms: is a text",
    ),
    "a privilege that is an object": (
        ("/roles", "data", 0, "perms"),
        [{"id": 1}],
        "data[0].perms: is an object",
    ),
    "a privilege that nobody knows": (
        ("/roles", "data", 0, "perms"),
        [99],
        "data[0]: no privilege has the id 99",
    ),
    "an include that nobody knows": (
        ("/roles", "data", 1, "inner"),
        [9],
        "data[1].inner: no role has the id 9",
    ),
    "an item that is no object": (("/roles", "data", 1), "Wide", "data[1].id: is missing or null"),
    "a user's role that nobody knows": (
        ("/people", "data", 1, "roles"),
        [9],
        "data[1].roles: no role has the id 9",
    ),
    "a login twice": (
        ("/people", "data", 1, "mail"),
        "ADA@example.com",
        "data[1].mail: ADA@example.com differs from ada@example.com only in case",
    ),
    "a privilege twice": (("/perms", "data", 1, "code"), "SEE", "data[1].code: SEE is there twice"),
}


@pytest.mark.parametrize(("place", "value", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_by_request_and_field(
    tmp_path: Path, place: tuple[Any, ...], value: object, message: str
) -> None:
    panel = filled_panel()
    panel.meddle = change(*place, to=value)
    with JsonServer(panel) as server:
        with pytest.raises(BackendError) as caught:
            opened(server, PROFILE, tmp_path).read()
        assert f"GET {server.url}{place[0]}: {message}" in str(caught.value)


@pytest.mark.parametrize(
    "name", [" padded ", "tab\there", "line\nbreak", "\u202eevil", "x" * 500, "e\u0301", "null"]
)
def test_names_that_sources_could_not_declare_are_read_all_the_same(
    tmp_path: Path, name: str
) -> None:
    panel = filled_panel()
    panel.roles[2]["title"] = name
    with JsonServer(panel) as server:
        assert opened(server, PROFILE, tmp_path).read().state.roles[name].id == "2"


def test_null_is_no_description(tmp_path: Path) -> None:
    panel = filled_panel()
    panel.roles[1]["text"] = None
    with JsonServer(panel) as server:
        assert opened(server, PROFILE, tmp_path).read().state.roles["Base"].description == ""


def test_a_role_made_between_two_lists_is_no_contradiction(tmp_path: Path) -> None:
    """Somebody makes a role and assigns it, after the roles and before the users were listed."""
    panel = filled_panel()

    def meddle(asked: Asked, _: Callable[[], Answer]) -> None:
        if asked.path == "/people" and len(panel.roles) == 2:
            panel.people[2]["roles"] = [panel.add("New", 4)]

    panel.meddle = meddle
    with JsonServer(panel) as server:
        state = opened(server, PROFILE, tmp_path).read().state
    assert state.assignments["grace@example.com"].roles == {"New"}


def test_a_role_deleted_between_two_lists_is_no_contradiction(tmp_path: Path) -> None:
    panel = filled_panel(apart=True)

    def meddle(asked: Asked, _: Callable[[], Answer]) -> None:
        if asked.path.endswith("/perms") and asked.path != "/perms":
            panel.roles.pop(2, None)

    panel.meddle = meddle
    with JsonServer(panel) as server:
        assert set(opened(server, apart(), tmp_path).read().state.roles) == {"Base"}


def test_a_role_that_is_listed_and_never_found_is_named_by_both_requests(tmp_path: Path) -> None:
    panel = filled_panel(apart=True)
    panel.meddle = change("/roles", "data", 1, "id", to=9)
    with JsonServer(panel) as server, pytest.raises(BackendError) as caught:
        opened(server, apart(), tmp_path).read()
    (found,) = caught.value.diagnostics
    assert f"GET {server.url}/roles: data[1]: role Wide is listed, but" in found.message
    assert f"{server.url}/roles/9/perms" in found.message


@pytest.mark.parametrize("path", ["/perms", "/roles", "/people", "/roles/2/perms"])
def test_a_list_that_fails_fails_the_read(tmp_path: Path, path: str) -> None:
    panel = filled_panel(apart=True)
    panel.meddle = lambda asked, _: (
        Answer(403, {"message": "not for you"}) if asked.path == path else None
    )
    with JsonServer(panel) as server:
        with pytest.raises(BackendError, match="not for you") as caught:
            opened(server, apart(), tmp_path).read()
        assert path in str(caught.value)


@pytest.mark.parametrize("roles", [[{"id": 1}, {"name": "Wide"}], [{"id": 1}, None]])
def test_an_item_without_its_reference_is_an_error_and_not_left_out(
    tmp_path: Path, roles: list[Any]
) -> None:
    profile = deepcopy(PROFILE)
    profile["users"]["roles"] = {"ids": "roles[].id"}
    panel = filled_panel()
    panel.people[1]["roles"] = []
    panel.meddle = change("/people", "data", 0, "roles", to=roles)
    with JsonServer(panel) as server, pytest.raises(BackendError) as caught:
        opened(server, profile, tmp_path).read()
    assert "data[0].roles[].id: is missing in item 1" in str(caught.value)


def versions(profile: dict[str, Any], *parts: str) -> dict[str, Any]:
    profile = deepcopy(profile)
    for part in parts:
        profile[part]["list"]["paging"] = {"style": "none", "version": "v"}
    return profile


@pytest.mark.parametrize("parts", [("roles", "users"), ("privileges", "roles")])
@pytest.mark.parametrize("rounds", [0, 1, 2, 9])
def test_lists_of_different_versions_are_read_again(
    tmp_path: Path, parts: tuple[str, ...], rounds: int
) -> None:
    panel = filled_panel()
    last = {"users": "/people", "roles": "/roles"}[parts[1]]
    read = []

    def meddle(asked: Asked, act: Callable[[], Answer]) -> Answer:
        answer = act()
        if asked.path == last:
            read.append(asked)
        changed = asked.path == last and len(read) <= rounds
        return Answer(200, {**answer.body, "v": 2 if changed else 1})

    panel.meddle = meddle
    with JsonServer(panel) as server:
        backend = opened(server, versions(PROFILE, *parts), tmp_path)
        if rounds < 3:
            assert set(backend.read().state.roles) == {"Base", "Wide"}
        else:
            place = f"GET {server.url}{last}: the version of the {parts[1]}"
            with pytest.raises(BackendError, match=rf"3 readings: {re.escape(place)}"):
                backend.read()
    assert len(read) == min(rounds + 1, 3)


def test_a_reference_to_what_was_deleted_is_said_for_what_it_is(tmp_path: Path) -> None:
    """Not as a list that keeps changing: that would stay so for ever."""
    panel = filled_panel()
    panel.people[1]["roles"] = [9]
    with JsonServer(panel) as server, pytest.raises(BackendError) as caught:
        opened(server, PROFILE, tmp_path).read()
    (found,) = caught.value.diagnostics
    assert "data[0].roles: no role has the id 9" in found.message
    assert "changed" not in found.message
    assert found.remedy is not None
    assert "Take the reference away in the panel" in found.remedy


@pytest.mark.parametrize("path", ["/perms", "/roles", "/people", "/roles/1/perms"])
@pytest.mark.parametrize("status", [203, 206, 299])
def test_a_part_of_the_state_is_no_state(tmp_path: Path, path: str, status: int) -> None:
    panel = filled_panel(apart=True)
    panel.meddle = lambda asked, act: Answer(status, act().body) if asked.path == path else None
    why = f"{path}: .*answers {status}"
    with JsonServer(panel) as server, pytest.raises(BackendError, match=why):
        opened(server, apart(), tmp_path).read()


def test_users_whose_next_page_nobody_asks_for_are_not_gone(tmp_path: Path) -> None:
    panel = filled_panel()
    panel.meddle = change("/people", "next", to="/people?page=2")
    with JsonServer(panel) as server, pytest.raises(BackendError, match="`next` shows more"):
        opened(server, PROFILE, tmp_path).read()
