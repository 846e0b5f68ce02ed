"""Files that somebody made by hand, with a digest that fits: what two programs would read
differently, or contradicts itself, is refused by every command that reads it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.documents import plan

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

STATE = ".provisioner/state.json"
HISTORY = f"{STATE}.history"
CATALOGUE = '{"version": 1, "privileges": [{"name": "A"}], "privileges": [{"name": "B"}]}'


def signed(shell: Shell, path: str, text: str) -> None:
    """Write a state file with the digest of what follows it, as anybody can."""
    body = text.encode()
    digest = hashlib.sha256(body).hexdigest()
    shell.write(path, b'{\n"digest": "sha256:%s",\n%s' % (digest.encode(), body))


def body_of(shell: Shell, path: str) -> str:
    return (shell.folder / path).read_text().split("\n", 2)[2]


@pytest.mark.parametrize("command", [("show", "plan.json"), ("apply", "--plan", "plan.json")])
def test_a_plan_that_shows_one_thing_and_does_another_is_refused(
    planned: Shell, command: tuple[str, ...]
) -> None:
    """Of two keys of one name some programs take the first, others the last."""
    text = (planned.folder / "plan.json").read_text()
    doubled = text.replace('"changes"', '"changes": [], "changes"', 1)
    content = json.loads(doubled)
    old = content["digest"]
    planned.write("plan.json", doubled.replace(old, plan.digest(content)))
    (error,) = planned.errors(*command)
    assert (error.id, error.place) == ("invalid-plan", "plan.json")
    assert "(/changes): the key `changes` stands twice in one object" in error.message
    assert error.remedy.startswith("make the plan again")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("NaN", "(/x): NaN is no JSON number"),
        ("1" + "0" * 30, "is a larger number than programs agree on"),
        ("1e999", "is a larger number than programs agree on"),
        ('"\\ud800"', "half of a surrogate pair"),
        ("[" * 99 + "]" * 99, "nested deeper than 64 levels"),
        ("[" * 100_000, "nested deeper than 64 levels"),
    ],
)
def test_a_plan_that_breaks_parsers_is_refused(planned: Shell, value: str, what: str) -> None:
    planned.edit("plan.json", '{\n "admin_', f'{{\n "x": {value},\n "admin_')
    errors = planned.errors("show", "plan.json")
    assert {error.id for error in errors} == {"invalid-plan"}
    assert what in errors[0].message


@pytest.mark.parametrize(
    "command", [("plan",), ("apply", "--auto-approve"), ("rollback", "1", "--auto-approve")]
)
def test_a_state_with_a_key_twice_is_refused(first_run: Shell, command: tuple[str, ...]) -> None:
    body = body_of(first_run, STATE)
    signed(first_run, STATE, body.replace('"users":', '"users": [],\n"users":', 1))
    (error,) = first_run.errors(*command)
    assert (error.id, error.place) == ("state-json", STATE)
    assert "(/users): the key `users` stands twice in one object" in error.message


def test_all_that_contradicts_in_a_state_is_told(first_run: Shell) -> None:
    content: dict[str, Any] = json.loads((first_run.folder / STATE).read_text())
    del content["digest"]
    user = content["users"][0]
    content["users"] += [user | {"user": user["user"].upper(), "roles": ["Nobody's"]}]
    content["policies"] = [{"name": "p"}]
    signed(first_run, STATE, json.dumps(content)[1:])
    errors = first_run.errors("plan")
    assert {error.id for error in errors} == {"state-inconsistent"}
    fields = [error.message.split(": ")[1].split(" ")[0] for error in errors]
    last = len(content["users"]) - 1
    assert fields == ["policies[0]", f"users[{last}].roles", f"users[{last}].user"]


def test_a_kept_state_is_judged_like_the_newest(first_run: Shell) -> None:
    path = f"{HISTORY}/000000.json"
    body = body_of(first_run, path)
    signed(first_run, path, body.replace('"roles":', '"roles": [],\n"roles":', 1))
    (error,) = first_run.errors("rollback", "0", "--auto-approve")
    assert "(/roles): the key `roles` stands twice in one object" in error.message
    assert error.place == path


def test_a_catalogue_with_a_key_twice_is_refused(shell: Shell) -> None:
    shell.write("catalogue.json", CATALOGUE)
    shell.write("provisioner.yaml", "version: 1\nsources: [r.yaml]\ncatalogue: catalogue.json\n")
    shell.write("r.yaml", "version: 1\nroles: {}\n")
    (error,) = shell.errors("plan")
    assert (error.id, error.place) == ("duplicate-key", "catalogue.json:1:47")
