"""What a plan looks like, to the character (`make golden` refreshes it: read the difference)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from provisioner.backends.base import Run
from provisioner.documents import state as document
from provisioner.model import Assignment, Role, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Shell

PLANS = Path(__file__).parents[1] / "golden" / "plans"
WIDTH = 80
# What can't be broken: one word, and the line that names a role.
UNBREAKABLE = re.compile(r' *([-+~] )?(user )?\S+| +[-+~] role ".*"( → ".*")?(  \(.*\))?')
# Clears the screen, rings, hides text, turns the line around, begins new lines, changes colour.
HOSTILE = '\x1b[2J\x07\u200b\u202e\n  - role "X"\r\u2028\x9b1m'


def store(shell: Shell, roles: list[Role], users: dict[str, list[str]]) -> None:
    """Write a state as another program may have left it, under full management."""
    state = State(
        {role.name: role for role in roles},
        {user: Assignment(user, frozenset(held)) for user, held in users.items()},
        frozenset({"roles", "users"}),
    )
    run = Run("2026-01-01T00:00:00Z", "ada@desk", "apply", "by another program")
    data = document.encode("0a1b2c3d-0000-4000-8000-000000000000", 1, run, state)
    shell.write(".provisioner/state.json", data)


def planned(shell: Shell, *words: str, code: int = 0) -> str:
    """The text of a plan as of a fixed day."""
    answer = shell("plan", "--as-of", "2026-03-01", *words)
    assert answer.code == code
    return answer.out


def test_the_first_run(first_run: Shell, golden: Callable[[str, str], None]) -> None:
    """A fresh panel: roles and first assignments."""
    for path in (first_run.folder / ".provisioner").rglob("*.json"):
        path.unlink()
    golden("plans/first-run.txt", planned(first_run, "examples/roles.yaml"))


def test_the_second_run(first_run: Shell, golden: Callable[[str, str], None]) -> None:
    """A rename, an update, an unassignment, a deletion."""
    golden("plans/second-run.txt", planned(first_run, "examples/second-run/roles.yaml"))


def test_no_changes(first_run: Shell, golden: Callable[[str, str], None]) -> None:
    """What was compared, and that nothing is left to do."""
    golden("plans/no-changes.txt", planned(first_run, "examples/roles.yaml"))


def test_a_blocked_plan(shell: Shell, golden: Callable[[str, str], None]) -> None:
    """Everything that stands against it, each with its way round."""
    roles = [Role(f"Role {n:02}", "", frozenset({"ARDOCS_VIEW"}), id=f"r-{n}") for n in range(12)]
    roles.append(Role("Keeper", "", frozenset({"ARDOCS_VIEW"}), protected=True, id="r-keeper"))
    users = {f"user{n:02}@example.com": [f"Role {n:02}"] for n in range(12)}
    store(shell, roles, users)
    kept = document.decode((shell.folder / ".provisioner" / "state.json").read_bytes(), "state")
    unrecorded = State(kept.state.roles, kept.state.assignments, frozenset())
    header = kept.header
    shell.write(
        ".provisioner/state.json",
        document.encode(header.lineage, header.serial, header.run, unrecorded),
    )
    shell.write(
        "roles.yaml",
        "version: 1\nroles:\n  Role 00: {privileges: [ARDOCS_VIEW]}\n"
        "users:\n  user00@example.com: {roles: [Role 00]}\n",
    )
    golden("plans/blocked.txt", planned(shell, "roles.yaml", code=3))


POOR = """\
version: 1
sources: [roles.yaml]
targets:
  poor:
    backend: panel
    lacks: [includes, descriptions, protection, renames, recording, versions]
    roles: {Helpdesk: [ARDOCS_VIEW], Clerk: [ARDOCS_VIEW]}
    holds: {ada@example.com: [Clerk]}
"""


def test_a_plan_for_a_store_that_lacks_much(
    panel: Shell, golden: Callable[[str, str], None]
) -> None:
    """What was planned instead, a note for each kind."""
    panel.write("provisioner.yaml", POOR)
    viewers = "".join(
        f"  Viewer {n}: {{description: Looks at {n}, privileges: [ARDOCS_VIEW]}}\n"
        for n in range(7)
    )
    panel.write(
        "roles.yaml",
        "version: 1\nroles:\n"
        "  Support: {renamed_from: Helpdesk, privileges: [ARDOCS_VIEW]}\n"
        "  Clerk: {includes: [Viewer 0], privileges: [ARDOCS_CREATE], protected: true}\n"
        f"{viewers}",
    )
    golden("plans/adapted.txt", planned(panel, "--adopt"))


def test_hostile_texts(shell: Shell, golden: Callable[[str, str], None]) -> None:
    """Nothing that is stored or declared can move the cursor, hide, or write a line of its own."""
    stored = [
        Role(f"Old{HOSTILE}", HOSTILE, frozenset({f"A{HOSTILE}"}), id="r-1"),
        Role("Viewer", HOSTILE, frozenset({"ARDOCS_VIEW"}), id="r-2"),
    ]
    store(shell, stored, {f"ada{HOSTILE}": ["Viewer"]})
    quoted = json.dumps(HOSTILE)
    shell.write(
        "roles.yaml",
        "version: 1\nroles:\n"
        f"  Viewer: {{description: {json.dumps(HOSTILE[::-1])}, privileges: [ARDOCS_VIEW]}}\n"
        f"  Clerk: {{description: {quoted}}}\n"
        "users:\n"
        f"  bob: {{roles: [{{role: Clerk, reason: {quoted}, until: 2099-12-31}}]}}\n",
    )
    text = planned(shell, "roles.yaml")
    assert text.replace("\n", "").isprintable()
    golden("plans/hostile-texts.txt", text)


def test_hostile_paths(shell: Shell) -> None:
    """Nor can the name of a file."""
    name = 'a\x1b[2J\n  - role "Full Access".yaml'
    shell.write(name, "version: 1\nroles: {Viewer: {privileges: [ARDOCS_VIEW]}}\n")
    text = shell("plan", name).out
    assert text.replace("\n", "").isprintable()
    assert not any(line.startswith("  - role") for line in text.splitlines())


LONG_FOLDER = "a-folder-with-a-long-name/and-another-one-below-it"
LONG_ROLE = "A Role Whose Name Is As Long As The Names Of Roles Can Be, And Then A Little Longer"


@pytest.fixture
def long_lists(shell: Shell) -> Shell:
    """Many roles, many users, and everything with a name that is too long for a line."""
    includes = [f"Included Role {n:02}" for n in range(12)]
    users = [f"someone.{n:02}@branch.example.com" for n in range(9)]
    document = {
        "roles": {
            **{name: {} for name in includes},
            LONG_ROLE: {"privileges": ["ARDOCS_VIEW"]},
            "Boss": {
                "description": "All that there is to see and to do, " * 6 + "and more",
                "includes": includes,
                "privileges": ["*"],
            },
        },
        "users": {
            **{user: {"roles": ["Boss"]} for user in users},
            f"{'x' * 90}@example.com": {"roles": ["Included Role 00"]},
        },
    }
    shell.write(f"{LONG_FOLDER}/roles.yaml", "version: 1\n" + yaml.safe_dump(document))
    return shell


def test_long_lists(long_lists: Shell, golden: Callable[[str, str], None]) -> None:
    """Lists are wrapped; long paths leave the names their place."""
    golden("plans/long-lists.txt", planned(long_lists, LONG_FOLDER))


def test_names_are_kept_whole(long_lists: Shell) -> None:
    """A role's name is never broken over two lines, so that it can be read, found and copied."""
    lines = planned(long_lists, LONG_FOLDER).splitlines()
    start = next(n for n, line in enumerate(lines) if "+ includes" in line)
    listed = "\n".join(lines[start : start + 5])
    assert all(f"Included Role {n:02}" in listed for n in range(12))


@pytest.mark.parametrize(
    "name",
    [
        "first-run",
        "second-run",
        "no-changes",
        "blocked",
        "adapted",
        "hostile-texts",
        "long-lists",
    ],
)
def test_no_line_is_wider_than_it_must_be(name: str) -> None:
    """80 columns, where there is no terminal that says otherwise."""
    lines = (PLANS / f"{name}.txt").read_text().splitlines()
    wide = [line for line in lines if len(line) > WIDTH and not UNBREAKABLE.fullmatch(line)]
    assert wide == []


@pytest.mark.parametrize("columns", [60, 100])
def test_a_plan_fits_its_terminal(first_run: Shell, columns: int) -> None:
    """As wide as the window, whatever that is."""
    answer = first_run.on_a_terminal(
        "plan", "--no-color", "examples/second-run", env={"COLUMNS": str(columns)}
    )
    widest = max(map(len, answer.out.splitlines()))
    assert columns - 20 < widest <= columns
