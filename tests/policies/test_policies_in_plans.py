"""Policies where people meet them: in plans, in validate, and in what an apply refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROVISIONER = Path(sys.executable).with_name("provisioner")

ROLES = """\
version: 1
roles:
  Accountant:
    privileges: [ARDOCS_CREATE]
  Sales:
    privileges: [ACCOUNTS_MODIFY_TERMS, ARDOCS_VIEW]
users:
  ada:
    roles: [Accountant]
  bob:
    roles: [Sales]
policies:
  - name: memos and terms
    separation_of_duty: [ARDOCS_CREATE, ACCOUNTS_MODIFY_TERMS]
    except: [Full Access]
"""
BROKEN = ROLES.replace("    roles: [Accountant]\n", "    roles: [Accountant, Sales]\n")


@pytest.fixture
def at(tmp_path: Path) -> Path:
    (tmp_path / "roles.yaml").write_text(ROLES)
    (tmp_path / "broken.yaml").write_text(BROKEN)
    return tmp_path


def provisioner(at: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROVISIONER, *words], cwd=at, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_break_is_blocked_with_its_witness(at: Path) -> None:
    """Exit 3, and the chain with the line of each grant."""
    done = provisioner(at, "plan", "broken.yaml", "--out", "plan.json")
    assert done.returncode == 3
    text = " ".join(done.stdout.split())
    assert "user ada: ACCOUNTS_MODIFY_TERMS through Sales at broken.yaml:6" in text
    assert "ARDOCS_CREATE through Accountant at broken.yaml:4 (at most 1 of 2)" in text
    assert "this change brings it" in text
    saved = json.loads((at / "plan.json").read_text())
    assert saved["applyable"] is False
    assert provisioner(at, "apply", "--plan", "plan.json").returncode == 3
    assert provisioner(at, "apply", "broken.yaml", "--auto-approve").returncode == 3
    assert not (at / ".provisioner").exists()


def test_validate_finds_it_without_the_state(at: Path) -> None:
    """Exit 3, at the policy's place, told without the state: so not told apart."""
    assert provisioner(at, "validate", "roles.yaml").returncode == 0
    done = provisioner(at, "validate", "broken.yaml")
    assert done.returncode == 3
    assert done.stderr.startswith("broken.yaml:13:5: error: policy `memos and terms`: user ada: ")
    assert "this change" not in done.stderr


def test_a_warning_does_not_block(at: Path) -> None:
    """``severity: warning`` is printed, and the plan can be applied."""
    (at / "broken.yaml").write_text(BROKEN + "    severity: warning\n")
    done = provisioner(at, "apply", "broken.yaml", "--auto-approve")
    assert done.returncode == 0
    assert "warning: policy `memos and terms`" in done.stdout


def test_new_only_lets_pass_what_was_there_before(at: Path) -> None:
    """A policy that arrives late must not stop every other change; a new break still does."""
    before = BROKEN[: BROKEN.index("policies:")]
    (at / "before.yaml").write_text(before)
    assert provisioner(at, "apply", "before.yaml", "--auto-approve").returncode == 0
    done = provisioner(at, "plan", "broken.yaml")
    assert done.returncode == 3
    assert "it is there already" in " ".join(done.stdout.split())
    assert provisioner(at, "plan", "broken.yaml", "--new-only").returncode == 0
    worse = BROKEN.replace("    roles: [Sales]\n", "    roles: [Sales, Accountant]\n")
    (at / "worse.yaml").write_text(worse)
    done = provisioner(at, "plan", "worse.yaml", "--new-only")
    assert done.returncode == 3
    assert "user bob: " in " ".join(done.stdout.split())


def test_a_policy_can_name_only_what_exists(at: Path) -> None:
    """Unknown privileges and roles are errors in the sources, with near names."""
    wrong = ROLES.replace("[ARDOCS_CREATE, ACC", "[ARDOC_CREATE, ACC").replace("Full", "Fulll")
    (at / "roles.yaml").write_text(wrong)
    done = provisioner(at, "validate", "roles.yaml")
    assert done.returncode == 1
    assert "roles.yaml:14:26: error: there is no privilege `ARDOC_CREATE`" in done.stderr
    assert "did you mean ARDOCS_CREATE" in done.stderr
    assert "roles.yaml:15:14: error: there is no role `Fulll Access`" in done.stderr


def test_a_moved_privilege_shows_who_gains_and_who_loses_it(at: Path) -> None:
    """One privilege from one role to another: two people, one line each."""
    assert provisioner(at, "apply", "roles.yaml", "--auto-approve").returncode == 0
    moved = ROLES.replace(", ARDOCS_VIEW]", "]").replace(
        "_CREATE]\n  S", "_CREATE, ARDOCS_VIEW]\n  S"
    )
    (at / "roles.yaml").write_text(moved)
    done = provisioner(at, "plan", "roles.yaml", "--format", "json")
    assert json.loads(done.stdout)["impact"] == [
        {"user": "ada", "gained": ["ARDOCS_VIEW"], "lost": []},
        {"user": "bob", "gained": [], "lost": ["ARDOCS_VIEW"]},
    ]


def test_a_role_split_in_two_changes_nobodys_access(at: Path) -> None:
    """A pure refactoring says so."""
    assert provisioner(at, "apply", "roles.yaml", "--auto-approve").returncode == 0
    split = ROLES.replace(
        "    privileges: [ACCOUNTS_MODIFY_TERMS, ARDOCS_VIEW]\n",
        "    privileges: [ACCOUNTS_MODIFY_TERMS]\n  Viewer:\n    privileges: [ARDOCS_VIEW]\n",
    ).replace("    roles: [Sales]\n", "    roles: [Sales, Viewer]\n")
    (at / "roles.yaml").write_text(split)
    done = provisioner(at, "plan", "roles.yaml")
    assert "Nobody's effective access changes." in done.stdout
    assert "Access: nobody gains or loses any." in done.stdout


def test_what_is_kept_another_way_is_said(at: Path) -> None:
    """Taking a role away is no revocation while another role gives the same."""
    both = ROLES.replace("[ARDOCS_CREATE]", "[ARDOCS_CREATE, ARDOCS_VIEW]", 1)
    both = both[: both.index("policies:")].replace(
        "roles: [Accountant]", "roles: [Accountant, Sales]"
    )
    (at / "roles.yaml").write_text(both)
    assert provisioner(at, "apply", "roles.yaml", "--auto-approve").returncode == 0
    (at / "roles.yaml").write_text(both.replace("[Accountant, Sales]", "[Accountant]"))
    done = provisioner(at, "plan", "roles.yaml")
    assert "ada keeps ARDOCS_VIEW through Accountant (was also Sales)" in done.stdout


def test_nothing_goes_beyond_the_ceiling(at: Path) -> None:
    """With ``ceiling`` a role that carries more than that role is blocked at its place."""
    (at / "provisioner.yaml").write_text(
        "version: 1\ntargets:\n  t: {backend: file, path: s.json, ceiling: Customer Full Access}\n"
    )
    assert provisioner(at, "plan", "roles.yaml").returncode == 0
    (at / "roles.yaml").write_text(ROLES.replace("ARDOCS_CREATE]\n  S", "CONFIG_SECURITY]\n  S"))
    done = provisioner(at, "plan", "roles.yaml")
    assert done.returncode == 3
    assert (
        "roles.yaml:3:3: error: role `Accountant` goes beyond `Customer Full Access`"
        in " ".join(done.stdout.split())
    )


PEOPLE = """\
version: 1
users:
  ada: {roles: [Accountant]}
  bob: {roles: [Sales]}
"""


def test_a_break_stands_at_the_line_that_brings_it(at: Path) -> None:
    """Whoever mends it has to look at people.yaml, not at the policy."""
    (at / "people.yaml").write_text(PEOPLE)
    (at / "roles.yaml").write_text(
        ROLES[: ROLES.index("users:")] + ROLES[ROLES.index("policies:") :]
    )
    assert provisioner(at, "apply", "roles.yaml", "people.yaml", "--auto-approve").returncode == 0
    (at / "people.yaml").write_text(PEOPLE.replace("[Sales]", "[Sales, Accountant]"))
    done = provisioner(at, "plan", "roles.yaml", "people.yaml", "--out", "plan.json")
    assert done.returncode == 3
    text = " ".join(done.stdout.split())
    assert "people.yaml:4:24: error: policy `memos and terms`: user bob: ACC" in text
    (saved,) = json.loads((at / "plan.json").read_text())["violations"]
    assert (saved["place"]["file"], saved["place"]["line"]) == ("roles.yaml", 8)
    assert saved["brought_at"] == {"file": "people.yaml", "line": 4, "column": 24}


def test_a_role_that_is_widened_stands_at_its_new_line(at: Path) -> None:
    """Not the user's line, not the policy's: the grant is what this change brought."""
    assert provisioner(at, "apply", "roles.yaml", "--auto-approve").returncode == 0
    (at / "roles.yaml").write_text(ROLES.replace("ARDOCS_VIEW]", "ARDOCS_VIEW, ARDOCS_CREATE]"))
    done = provisioner(at, "plan", "roles.yaml")
    assert "roles.yaml:6:54: error: policy `memos and terms`: role Sales:" in done.stdout


def test_new_only_finds_a_new_holder_of_a_role_that_was_guilty_already(at: Path) -> None:
    """The role that breaks the policy is old, so it must not hide whom it is given to."""
    both = ROLES.replace("  ada:\n", "  eve:\n    roles: []\n  ada:\n").replace(
        "[ARDOCS_CREATE]", "[ARDOCS_CREATE, ACCOUNTS_MODIFY_TERMS]", 1
    )
    (at / "roles.yaml").write_text(both[: both.index("policies:")])
    assert provisioner(at, "apply", "roles.yaml", "--auto-approve").returncode == 0
    (at / "roles.yaml").write_text(both)
    assert provisioner(at, "plan", "roles.yaml", "--new-only").returncode == 0
    (at / "roles.yaml").write_text(both.replace("roles: []", "roles: [Accountant]"))
    done = provisioner(at, "plan", "roles.yaml", "--new-only")
    assert done.returncode == 3
    assert "policy `memos and terms`: user eve: " in " ".join(done.stdout.split())


def test_new_only_lets_pass_who_only_loses_access(at: Path) -> None:
    """Two roles broke the policy, one is left: nothing is new, though she is named herself now."""
    held = BROKEN.replace("except: [Full Access]", "at_most: 1").replace(
        "roles: [Accountant, Sales]", "roles: [Accountant, Sales, Full Access]"
    )
    (at / "roles.yaml").write_text(held[: held.index("policies:")])
    assert provisioner(at, "apply", "roles.yaml", "--auto-approve").returncode == 0
    (at / "roles.yaml").write_text(held.replace("[Accountant, Sales, Full", "[Full"))
    done = provisioner(at, "plan", "roles.yaml", "--new-only")
    assert (done.returncode, "it is there already" in " ".join(done.stdout.split())) == (0, True)


def test_a_dated_policy_can_be_introduced_with_new_only(at: Path) -> None:
    """What is held without an end date stays; to give somebody more without one is refused."""
    assert provisioner(at, "apply", "roles.yaml", "--auto-approve").returncode == 0
    rule = "  - {name: dates, dated: {roles: [Accountant]}}\n"
    (at / "roles.yaml").write_text(ROLES + rule)
    assert provisioner(at, "plan", "roles.yaml").returncode == 3
    assert provisioner(at, "plan", "roles.yaml", "--new-only").returncode == 0
    more = (ROLES + rule).replace("  bob:\n    roles: [Sales]", "  bob:\n    roles: [Accountant]")
    (at / "roles.yaml").write_text(more)
    done = provisioner(at, "plan", "roles.yaml", "--new-only")
    assert done.returncode == 3
    assert "roles.yaml:11:13: error: policy `dates`: user bob: Accountant has no end" in " ".join(
        done.stdout.split()
    )


CLASSES = ROLES.replace(
    "[ARDOCS_CREATE, ACCOUNTS_MODIFY_TERMS]\n", "[[ARDOCS_*], [ACCOUNTS_MODIFY_*]]\n"
)


def test_classes_allow_several_of_one_class_and_no_two_classes(at: Path) -> None:
    """Globs stand for what they match; two kinds of memos are no break."""
    (at / "roles.yaml").write_text(
        CLASSES.replace("[ARDOCS_CREATE]", "[ARDOCS_CREATE, ARDOCS_VIEW]", 1).replace(
            "TERMS, ARDOCS_VIEW]", "TERMS]"
        )
    )
    assert provisioner(at, "validate", "roles.yaml").returncode == 0
    assert provisioner(at, "apply", "roles.yaml", "--auto-approve").returncode == 0
    (at / "roles.yaml").write_text(CLASSES)
    done = provisioner(at, "plan", "roles.yaml")
    assert done.returncode == 3
    assert (
        "role Sales: ACCOUNTS_MODIFY_TERMS through Sales at roles.yaml:6, ARDOCS_VIEW through "
        "Sales at roles.yaml:6 (at most 1 of 2 classes: [ARDOCS_CREATE, ARDOCS_REBUILD, "
        "ARDOCS_VIEW], [ACCOUNTS_MODIFY_TERMS]); this change brings it"
    ) in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "[[ARDOCS_CREATE], ARDOCS_VIEW]",
            (
                "14:43: error: `ARDOCS_VIEW` stands beside lists, and is none itself\n"
                "    make it a class of its own: [ARDOCS_VIEW]"
            ),
        ),
        (
            "[[ARDOCS_CREATE, ARDOCS_VIEW]]",
            "14:26: error: a single class keeps nothing apart",
        ),
        (
            "[[ARDOCS_CREATE], [ARDOCS_*]]",
            "14:44: error: `ARDOCS_CREATE` stands in class 1 already",
        ),
        ("[[], [ARDOCS_CREATE]]", "14:26: error: an item of `separation_of_duty` is empty"),
        (
            "{roles: [[Sales], [Acountant]]}",
            "14:44: error: there is no role `Acountant`\n    did you mean Accountant?",
        ),
        ("{roles: [[Sales], Accountant]}", "14:43: error: `Accountant` stands beside lists"),
    ],
)
def test_what_is_wrong_with_classes_is_said_at_its_place(at: Path, written: str, said: str) -> None:
    """Names, or lists, and not both; nothing in two of them."""
    (at / "roles.yaml").write_text(ROLES.replace("[ARDOCS_CREATE, ACCOUNTS_MODIFY_TERMS]", written))
    done = provisioner(at, "validate", "roles.yaml")
    assert done.returncode == 1
    assert f"roles.yaml:{said}" in done.stderr
