"""What changes need is looked for by `plan`, `apply` and `doctor`, before the first write."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.http.small_api import Answer, Asked, JsonServer
from tests.http.small_panel import (
    PROFILE,
    SmallPanel,
    apart,
    last_role_by_remove,
    versioned,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROJECT = """\
version: 1
sources: [roles.yaml]
manage: all
adopted: [roles, users]
safety: {{max_change_percent: 100, max_deletes: 9}}
targets:
  panel: {{backend: http, url: "{url}", profile: small.yaml}}
"""
ROLES = """\
version: 1
roles:
  Base: {privileges: [SEE, EDIT]}
  New: {privileges: [BILL]}
users:
  ada@example.com: {roles: [Base]}
"""


class Desk:
    """A project on a small panel that holds Base (SEE) and Spare; ada holds Spare, grace Base."""

    def __init__(self, folder: Path, server: JsonServer, panel: SmallPanel) -> None:
        self.folder, self.server, self.panel = folder, server, panel
        panel.add("Base", 1)
        panel.add("Spare", 3)
        panel.people[1]["roles"], panel.people[2]["roles"] = [2], [1]
        (folder / "provisioner.yaml").write_text(PROJECT.format(url=server.url))
        (folder / "roles.yaml").write_text(ROLES)
        self.speaks(PROFILE)

    def speaks(self, profile: dict[str, Any]) -> None:
        (self.folder / "small.yaml").write_text(json.dumps(profile, indent=1))

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command; return its exit code, and what it said on one line."""
        self.server.asked.clear()
        command = [str(Path(sys.executable).with_name("provisioner")), *words]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    @property
    def changes(self) -> list[str]:
        """What was asked that changes something."""
        safe = ("GET", "OPTIONS")
        return [f"{a.method} {a.path}" for a in self.server.asked if a.method not in safe]


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    panel = SmallPanel(**getattr(request, "param", {}))
    with JsonServer(panel) as server:
        yield Desk(tmp_path, server, panel)


def with_etags(kind: str = "roles") -> Any:
    return pytest.mark.parametrize("desk", [{"etags": True}], indirect=True, ids=[kind])


ALLOWED = {
    r"/roles": "GET, POST",
    r"/roles/\d+": "GET, PUT, PATCH, DELETE",
    r"/people": "GET",
    r"/people/\d+": "GET, PUT",
}


def telling(allowed: dict[str, str]) -> Callable[[Asked, Callable[[], Answer]], Answer | None]:
    """A meddling: OPTIONS tells what is allowed, and 404 for an address that there is not."""

    def meddle(asked: Asked, _: Callable[[], Answer]) -> Answer | None:
        if asked.method != "OPTIONS":
            return None
        for path, methods in allowed.items():
            if re.fullmatch(path, asked.path):
                return Answer(204, None, {"Allow": methods})
        return Answer(404, {"message": "no such route"})

    return meddle


def test_an_api_that_has_everything_is_not_in_the_way(desk: Desk) -> None:
    desk.panel.meddle = telling(ALLOWED)
    code, said = desk.run("doctor")
    assert "the API has all that the profile's changes need" in said
    assert (code, desk.changes) == (0, [])
    assert desk.run("apply", "--auto-approve")[0] == 0
    assert [role["title"] for role in desk.panel.roles.values()] == ["Base", "New"]


def test_an_api_that_tells_nothing_is_not_in_the_way(desk: Desk) -> None:
    code, said = desk.run("doctor")
    assert "the changes themselves only a change shows" in said
    assert code == 0
    assert desk.run("apply", "--auto-approve")[0] == 0


LACKING = {
    "no address for one role": (
        {**ALLOWED, r"/roles/\d+": ""},
        "PUT /roles/{id}",
    ),
    "no change of a role": (
        {**ALLOWED, r"/roles/\d+": "GET, PATCH, DELETE"},
        "to change roles takes PUT /roles/{id}, and the API takes DELETE, GET, PATCH there only",
    ),
    "no new roles": (
        {**ALLOWED, r"/roles": "GET"},
        "to make roles takes POST /roles, and the API takes GET there only",
    ),
    "no assignments": (
        {**ALLOWED, r"/people/\d+": "GET"},
        "to assign roles takes PUT /people/{id}, and the API takes GET there only",
    ),
}


@pytest.mark.parametrize("case", [*LACKING][1:])
@pytest.mark.parametrize("command", ["plan", "apply", "doctor"])
def test_a_request_that_the_api_does_not_have_is_found_before_the_first_write(
    desk: Desk, case: str, command: str
) -> None:
    allowed, message = LACKING[case]
    desk.panel.meddle = telling(allowed)
    words = [command, "--auto-approve"] if command == "apply" else [command]
    code, said = desk.run(*words)
    assert message in said
    assert "see whether the profile is for this version of the API" in said
    assert (code, desk.changes) == (1 if command == "doctor" else 3, [])


def test_options_count_only_where_they_tell_the_truth(desk: Desk) -> None:
    """An API that denies with OPTIONS what it has certainly denies other things wrongly, too."""
    desk.panel.meddle = telling(LACKING["no address for one role"][0])
    assert desk.run("plan")[0] == 0


@pytest.mark.parametrize("desk", [{"apart": True}], indirect=True)
def test_an_address_of_its_own_for_privileges_is_looked_for(desk: Desk) -> None:
    desk.speaks(apart())
    more = {r"/people/\d+/roles/\d+": "POST, DELETE", r"/roles/\d+/perms/\d+": "POST, DELETE"}
    desk.panel.meddle = telling({**ALLOWED, **more})
    assert desk.run("plan")[0] == 0
    desk.panel.meddle = telling({**ALLOWED, r"/people/\d+/roles/\d+": "POST, DELETE"})
    code, said = desk.run("plan")
    assert "POST /roles/{id}/perms/{privilege_id}, and the API has no such address" in said
    assert code == 3


@pytest.mark.parametrize("command", ["plan", "apply", "doctor"])
def test_a_list_that_the_api_does_not_have_is_found_before_the_first_write(
    desk: Desk, command: str
) -> None:
    profile = deepcopy(PROFILE)
    profile["roles"]["used_by"] = [{"path": "/groups", "items": "data", "ids": "roles"}]
    desk.speaks(profile)
    words = [command, "--auto-approve"] if command == "apply" else [command]
    code, said = desk.run(*words)
    assert "to delete roles takes GET /groups, and the API answers 405" in said
    assert (code, desk.changes) == (1 if command == "doctor" else 3, [])


def test_what_no_change_needs_is_not_in_the_way_of_a_plan(desk: Desk) -> None:
    profile = deepcopy(PROFILE)
    profile["roles"]["used_by"] = [{"path": "/groups", "items": "data", "ids": "roles"}]
    desk.speaks(profile)
    (desk.folder / "roles.yaml").write_text(ROLES.replace("  New:", "  Spare: {}\n  New:"))
    assert desk.run("plan")[0] == 0


def weak(part: str) -> Callable[[Asked, Callable[[], Answer]], Answer | None]:
    def meddle(asked: Asked, act: Callable[[], Answer]) -> Answer | None:
        if asked.method != "GET":
            return None
        answer = act()
        if part == "people" and "ETag" in answer.headers:
            return Answer(200, answer.body, {"ETag": f"W/{answer.headers['ETag']}"})
        if part == "roles" and asked.path == "/roles":
            data = [{**role, "etag": f"W/{role['etag']}"} for role in answer.body["data"]]
            return Answer(200, {"data": data})
        return None

    return meddle


@with_etags()
@pytest.mark.parametrize(("part", "named"), [("people", "user ada"), ("roles", "role Base")])
@pytest.mark.parametrize("command", ["plan", "apply", "doctor"])
def test_weak_etags_are_found_before_the_first_write(
    desk: Desk, part: str, named: str, command: str
) -> None:
    desk.speaks(versioned())
    desk.panel.meddle = weak(part)
    words = [command, "--auto-approve"] if command == "apply" else [command]
    code, said = desk.run(*words)
    assert f"of {named}" in said
    assert "the API gives the weak W/" in said
    assert (code, desk.changes) == (1 if command == "doctor" else 3, [])


@with_etags()
def test_a_saved_plan_is_looked_at_again(desk: Desk) -> None:
    desk.speaks(versioned())
    assert desk.run("plan", "--out", "plan.json")[0] == 0
    desk.panel.meddle = weak("people")
    code, said = desk.run("apply", "--plan", "plan.json", "--auto-approve")
    assert "the API gives the weak W/" in said
    assert (code, desk.changes) == (3, [])


def by_login() -> dict[str, Any]:
    profile = deepcopy(PROFILE)
    del profile["users"]["id"]
    profile["users"]["get"] = {"path": "/people/{login}"}
    profile["users"]["assign"]["path"] = "/people/{login}"
    return profile


def test_a_login_that_no_address_can_hold_is_found_before_the_first_write(desk: Desk) -> None:
    desk.speaks(by_login())
    desk.panel.people[1]["mail"] = ".."
    (desk.folder / "roles.yaml").write_text(ROLES.replace("ada@example.com", '".."'))
    for command in (["plan"], ["apply", "--auto-approve"]):
        code, said = desk.run(*command)
        assert "user .. can't be asked for: `..` can't be a segment of the path" in said
        assert (code, desk.changes) == (3, [])
    code, said = desk.run("doctor")
    assert "warning users: user .. can't be asked for" in said
    assert code == 0


def test_a_name_that_is_too_long_is_found_before_the_first_write(desk: Desk) -> None:
    profile = deepcopy(PROFILE)
    profile["roles"]["max_name"] = 4
    desk.speaks(profile)
    (desk.folder / "roles.yaml").write_text(ROLES.replace("  New:", "  Newer:"))
    code, said = desk.run("plan")
    assert "role Newer has a name of 5 characters; the API takes 4" in said
    assert code == 3


def test_what_else_taking_a_role_does_is_said_in_the_plan(desk: Desk) -> None:
    nobody = ROLES.replace("ada@example.com: {roles: [Base]}", "ada@example.com: {roles: []}")
    (desk.folder / "roles.yaml").write_text(nobody)
    desk.speaks(last_role_by_remove())
    code, said = desk.run("plan")
    assert "the list of all who hold each of them is written anew" in said
    assert "ada@example.com, grace@example.com" in said
    assert code == 0
    profile = deepcopy(PROFILE)
    profile["users"]["last_role_by_detour"] = True
    desk.speaks(profile)
    code, said = desk.run("plan")
    assert "a temporary role without privileges takes the place of the last role of" in said
    assert code == 0


def test_a_plan_without_changes_looks_for_nothing(desk: Desk) -> None:
    assert desk.run("apply", "--auto-approve")[0] == 0
    assert desk.run("plan")[0] == 0
    assert {asked.method for asked in desk.server.asked} == {"GET"}
    assert len(desk.server.asked) == 3
