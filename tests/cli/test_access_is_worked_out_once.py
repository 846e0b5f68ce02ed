"""Who holds what is worked out once for each state of a run, however much asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioner.cli.app import run
from provisioner.engine.access.effective import AccessTable, EffectiveAccess

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.model import State

# Impact, what is kept, the lockout and the ceiling, policies of each kind, access tests.
PROJECT = """\
version: 1
sources: [roles.yaml]
targets:
  default: {backend: file, path: state.json, self: root@example.com, ceiling: Full Access}
"""
SOURCES = """\
version: 1
roles:
  Clerk: {privileges: [ARDOCS_VIEW, ARDOCS_CREATE]}
  Chief: {privileges: [ACCOUNTS_MODIFY_TERMS], includes: [Clerk]}
users:
  root@example.com: {roles: [Full Access]}
  ada: {roles: [Chief]}
  bob: {roles: [Clerk, {role: Chief, until: 2099-01-01, reason: cover}]}
policies:
  - {name: apart, separation_of_duty: [ARDOCS_CREATE, CONFIG_SECURITY], except: [Full Access]}
  - {name: chiefs, restrict: {roles: [Chief], max_users: 5}}
  - {name: never, deny: [CONFIG_SECURITY], except: [Full Access]}
tests:
  - {role: Chief, can: [ARDOCS_VIEW], cannot: [CONFIG_SECURITY]}
  - {privilege: ACCOUNTS_MODIFY_TERMS, max_holders: 3}
"""
# Renames, narrows, and takes: two states under two sets of names.
CHANGED = (
    SOURCES.replace(
        "  Clerk: {privileges: [ARDOCS_VIEW, ", "  Desk: {renamed_from: Clerk, privileges: ["
    )
    .replace("includes: [Clerk]", "includes: [Desk]")
    .replace("roles: [Clerk, {", "roles: [{")
    .replace("can: [ARDOCS_VIEW]", "can: [ARDOCS_CREATE]")
)


@pytest.fixture
def states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[State]:
    """The states whose access is worked out from now on, each as often as it is."""
    found: list[State] = []
    for kind in (EffectiveAccess, AccessTable):
        init = kind.__init__

        def counted(self: object, state: State, init=init) -> None:
            found.append(state)
            init(self, state)

        monkeypatch.setattr(kind, "__init__", counted)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "provisioner.yaml").write_text(PROJECT)
    (tmp_path / "roles.yaml").write_text(SOURCES)
    return found


def test_a_plan_asks_once_for_each_of_its_two_states(states: list[State]) -> None:
    assert run(["plan"]) == 0
    before, after = states
    assert before.assignments.keys() < after.assignments.keys()


def test_an_apply_asks_once_more_for_each_under_the_lock(states: list[State]) -> None:
    assert run(["apply", "--auto-approve"]) == 0
    planned, checked = states[:2], states[2:]
    assert [state.assignments for state in planned] == [state.assignments for state in checked]


def test_renames_and_revocations_ask_no_more(states: list[State], tmp_path: Path) -> None:
    assert run(["apply", "--auto-approve"]) == 0
    (tmp_path / "roles.yaml").write_text(CHANGED)
    states.clear()
    assert run(["plan", "--out", "saved"]) == 0
    before, after = states
    assert {"Desk", "Chief"} <= before.roles.keys() & after.roles.keys()
    states.clear()
    assert run(["apply", "--plan", "saved"]) == 0
    assert len(states) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("validate",),
        ("test",),
        ("lint",),
        ("access",),
        ("access", "--by", "role"),
        ("explain", "user", "ada", "CONFIG_SECURITY"),
        ("explain", "role", "Chief"),
        ("roles",),
        ("users",),
    ],
    ids=" ".join,
)
def test_a_question_about_one_state_asks_once(states: list[State], words: tuple[str, ...]) -> None:
    assert run(words) == 0
    assert len(states) == 1
