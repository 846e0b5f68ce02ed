"""An apply that changed more than it was about says so, though every write of its own was made."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from tests.http.small_api import Answer, Asked, JsonServer
from tests.http.small_panel import PROFILE, SmallPanel, last_role_by_remove

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Shell

ADA, GRACE = 1, 2


def project(folder: Path, url: str, profile: dict[str, Any], sources: str) -> None:
    (folder / "small.yaml").write_text(json.dumps(profile))
    (folder / "roles.yaml").write_text(f"version: 1\n{sources}\n")
    (folder / "provisioner.yaml").write_text(
        "version: 1\nsources: [roles.yaml]\nmanage: declared\nadopted: [roles, users]\n"
        f'targets: {{desk: {{backend: http, url: "{url}", profile: small.yaml}}}}\n'
    )


def panel(meddle: Callable[[SmallPanel, Asked, Callable[[], Answer]], Answer | None]) -> SmallPanel:
    made = SmallPanel()
    made.add("Base", 1)
    made.add("Spare", 2)
    made.meddle = lambda asked, act: meddle(made, asked, act)
    return made


def forgetful(panel: SmallPanel, asked: Asked, act: Callable[[], Answer]) -> Answer | None:
    """When who holds a role is written anew, Grace does not hold it any more."""
    if asked.method != "PUT" or not asked.path.endswith("/people"):
        return None
    answer = act()
    panel.people[GRACE]["roles"] = []
    return answer


def test_who_lost_a_role_besides_is_named_though_the_write_was_made(
    shell: Shell, tmp_path: Path
) -> None:
    held = panel(forgetful)
    for person in held.people.values():
        person["roles"] = [1]
    with JsonServer(held) as server:
        sources = "users: {ada@example.com: {roles: []}}"
        project(tmp_path, server.url, last_role_by_remove(), sources)
        answer = shell("apply", "--auto-approve")
    assert answer.code == 1
    assert "All 1 writes were made, but something else changed with them" in answer.out
    assert "do not hold them any more: grace@example.com (Base)" in answer.err


def test_what_follows_is_not_tried(shell: Shell, tmp_path: Path) -> None:
    held = panel(forgetful)
    held.people[ADA]["roles"] = held.people[GRACE]["roles"] = [1]
    with JsonServer(held) as server:
        # Base gains something only when Ada, who must not have it, holds it no more.
        sources = "roles: {Base: {privileges: [SEE, EDIT]}}\nusers: {ada@example.com: {roles: []}}"
        project(tmp_path, server.url, last_role_by_remove(), sources)
        answer = shell("apply", "--auto-approve", "--format", "json")
    assert (answer.code, answer.document["complete"]) == (1, False)
    assert answer.document["applied"] == ["user ada@example.com: -Base"]
    assert answer.document["not_tried"] == ['update role "Base": +EDIT']
    assert [error["id"] for error in answer.document["errors"]] == ["others-affected"]


@pytest.mark.parametrize("true", [True, False])
def test_an_answer_about_somebody_else_is_told_though_the_write_was_made(
    shell: Shell, tmp_path: Path, *, true: bool
) -> None:
    def meddle(panel: SmallPanel, asked: Asked, act: Callable[[], Answer]) -> Answer | None:
        if asked.method != "PUT":
            return None
        act()
        return Answer(200, panel.person(panel.people[GRACE])[0])

    profile = deepcopy(PROFILE) | {"replies_are_true": true}
    profile["users"]["assign"]["item"] = "@"
    with JsonServer(panel(meddle)) as server:
        sources = "roles: {Spare: {privileges: [EDIT]}}\nusers: {ada@example.com: {roles: [Spare]}}"
        project(tmp_path, server.url, profile, sources)
        answer = shell("apply", "--auto-approve")
    assert answer.code == 1
    assert "id: shows 2, and this was about 1" in answer.err


def test_a_new_role_answered_with_an_old_one_is_told(shell: Shell, tmp_path: Path) -> None:
    def meddle(panel: SmallPanel, asked: Asked, act: Callable[[], Answer]) -> Answer | None:
        if asked.method != "POST":
            return None
        act()
        return Answer(201, panel.shown(panel.roles[1]))

    profile = deepcopy(PROFILE)
    del profile["roles"]["create"]["id"]
    profile["roles"]["create"]["item"] = "@"
    with JsonServer(panel(meddle)) as server:
        project(tmp_path, server.url, profile, "roles: {New: {privileges: [SEE]}}")
        answer = shell("apply", "--auto-approve")
    assert answer.code == 1
    assert "shows role Base (id 1), which was there before" in answer.err
