"""What a server says when it refuses is shown, in whichever way it says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from provisioner.backends.http.transport.messages import Reply, Request
from provisioner.backends.http.transport.refusals import refusal
from provisioner.engine.writes import SetAssignment, UpdateRole
from provisioner.errors import BackendError, ProvisionerError, StateMoved
from tests.http.small_api import Answer, Asked, JsonServer
from tests.http.small_panel import PROFILE, SmallPanel, opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SAID: dict[str, tuple[Any, str]] = {
    "Directus": (
        {"errors": [{"message": "Value has to be unique.", "extensions": {"code": "X"}}]},
        "Value has to be unique.",
    ),
    "Django REST framework": (
        {"name": ["group with this name already exists."], "non_field_errors": ["no"]},
        "name: group with this name already exists.; non_field_errors: no",
    ),
    "Django REST framework, nested": (
        {"user": {"groups": ["Invalid pk"]}},
        "user: groups: Invalid pk",
    ),
    "a list of texts": (["first", "second"], "first; second"),
    "Laravel": (
        {"message": "The data was invalid.", "errors": {"name": ["is taken"]}},
        "The data was invalid.; name: is taken",
    ),
    "Flask-AppBuilder": ({"message": {"roles": ["Not found."]}}, "roles: Not found."),
    "FastAPI": (
        {"detail": [{"loc": ["body", "name"], "msg": "field required", "type": "x"}]},
        "body, name: field required",
    ),
    "a problem document": (
        {"title": "Bad", "detail": "no", "errors": [{"pointer": "/a", "detail": "why"}]},
        "no; /a: why",
    ),
    "SCIM": ({"schemas": ["urn:x"], "detail": "taken", "status": "409"}, "taken"),
    "texts in errors": ({"errors": ["one", "two"]}, "one; two"),
    "many": ({"errors": [{"message": str(n)} for n in range(9)]}, "0; 1; 2; and 6 more"),
    "GraphQL with a path": (
        {"errors": [{"message": "denied", "path": ["roles", 0]}]},
        "roles, 0: denied",
    ),
    "nothing": ({}, ""),
    "numbers only": ({"code": 7}, ""),
}


def error_for(body: Any, status: int = 400, **headers: str) -> ProvisionerError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return refusal(Reply("http://x/y", status, named, body), "do it")


@pytest.mark.parametrize(("body", "said"), SAID.values(), ids=SAID)
def test_what_a_server_says_is_shown(body: Any, said: str) -> None:
    message = error_for(body).diagnostics[0].message
    answer = "http://x/y: could not do it: the server answers 400"
    assert (message == answer) if not said else message.startswith(f"{answer}: ")
    assert said in message


@pytest.mark.parametrize(
    ("challenge", "shown"),
    [
        ("Token", "wants the scheme `Token` (its"),
        ('Basic realm="x, y"', "wants the scheme `Basic` (its"),
        ('Negotiate, Basic realm="x"', "wants the scheme `Negotiate`, `Basic` (its"),
        ('Bearer realm="api"', "token_env"),
        ('Basic realm="x", Bearer error="invalid_token"', "token_env"),
        ("", "token_env"),
    ],
)
def test_a_scheme_that_is_not_ours_is_named(challenge: str, shown: str) -> None:
    headers = {"WWW_Authenticate": challenge} if challenge else {}
    remedy = error_for({"detail": "no"}, 401, **headers).diagnostics[0].remedy
    assert remedy is not None
    assert shown in remedy


def test_a_slash_that_lacks_at_the_end_is_said() -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(301, None, {"Location": f"{asked.path}/"})

    with JsonServer(answer) as server, pytest.raises(BackendError) as caught:
        server.client().send(Request("POST", "/roles", body={}))
    found = caught.value.diagnostics[0].remedy
    assert found == "write the path of this request in the profile with a slash at its end"


@pytest.fixture
def panel() -> SmallPanel:
    panel = SmallPanel()
    panel.add("Base", 1)
    return panel


def refusing(method: str, path: str, answer: Answer) -> Callable[..., Answer | None]:
    return lambda asked, _: answer if (asked.method, asked.path) == (method, path) else None


def test_an_address_that_the_api_does_not_have_is_no_change(
    panel: SmallPanel, tmp_path: Path
) -> None:
    panel.meddle = refusing("PUT", "/roles/1", Answer(404, {"message": "no such route"}))
    with JsonServer(panel) as server:
        backend = opened(server, PROFILE, tmp_path)
        base = backend.read().state.roles["Base"]
        with pytest.raises(BackendError, match="the API has no PUT at this address") as caught:
            backend.write(UpdateRole(base, replace(base, description="x")))
    assert not isinstance(caught.value, StateMoved)
    found = caught.value.diagnostics[0]
    assert "no such route" in found.message
    assert found.remedy is not None
    assert "correct the path in the profile" in found.remedy


def test_an_object_that_is_gone_is_a_change(panel: SmallPanel, tmp_path: Path) -> None:
    def meddle(asked: Asked, _: Callable[[], Answer]) -> None:
        if asked.method == "PUT":
            panel.roles.clear()

    panel.meddle = meddle
    with JsonServer(panel) as server:
        backend = opened(server, PROFILE, tmp_path)
        base = backend.read().state.roles["Base"]
        with pytest.raises(StateMoved, match="it changed since it was read"):
            backend.write(UpdateRole(base, replace(base, description="x")))


@pytest.mark.parametrize(("path", "what"), [("/roles/1", "role Base"), ("/people/1", "user ada")])
def test_what_is_listed_and_not_found_by_itself_is_no_change(
    panel: SmallPanel, tmp_path: Path, path: str, what: str
) -> None:
    panel.meddle = refusing("GET", path, Answer(404, {"message": "no such route"}))
    with JsonServer(panel) as server:
        backend = opened(server, PROFILE, tmp_path)
        base = backend.read().state.roles["Base"]
        write = (
            UpdateRole(base, replace(base, description="x"))
            if "roles" in path
            else SetAssignment("ada@example.com", frozenset(), frozenset({"Base"}))
        )
        with pytest.raises(BackendError, match=f"{what}.* is listed, but GET .* not find it"):
            backend.write(write)


def test_a_list_of_references_that_is_null_comes_with_a_way_out(
    panel: SmallPanel, tmp_path: Path
) -> None:
    panel.meddle = lambda asked, act: (
        Answer(200, {"data": [{**act().body["data"][0], "roles": None}]})
        if asked.path == "/people"
        else None
    )
    with JsonServer(panel) as server:
        with pytest.raises(BackendError) as caught:
            opened(server, PROFILE, tmp_path).read()
        assert "write: roles || `[]`" in str(caught.value.diagnostics[0].remedy)
        profile = PROFILE | {"users": PROFILE["users"] | {"roles": {"ids": "roles || `[]`"}}}
        assert opened(server, profile, tmp_path).read().state.assignments == {}


def test_items_in_another_place_come_with_the_places_there_are(
    panel: SmallPanel, tmp_path: Path
) -> None:
    panel.meddle = lambda asked, act: (
        Answer(200, {"results": act().body["data"], "count": 1}) if asked.path == "/roles" else None
    )
    with JsonServer(panel) as server, pytest.raises(BackendError) as caught:
        opened(server, PROFILE, tmp_path).read()
    found = caught.value.diagnostics[0]
    assert "data is missing or null, not a list" in found.message
    assert "it holds results, count: say in `items:` where the list stands" in str(found.remedy)


def test_a_list_that_is_null_is_not_sought_where_it_was(panel: SmallPanel, tmp_path: Path) -> None:
    panel.meddle = lambda asked, _: Answer(200, {"data": None}) if asked.path == "/roles" else None
    with JsonServer(panel) as server, pytest.raises(BackendError) as caught:
        opened(server, PROFILE, tmp_path).read()
    found = caught.value.diagnostics[0]
    assert "data is missing or null, not a list" in found.message
    assert "say in `items:`" not in str(found.remedy)
