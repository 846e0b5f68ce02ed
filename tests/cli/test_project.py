"""The project file at work: sources, targets, what is managed and what is left alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from provisioner.documents import state as document

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

ROLES = """\
version: 1
roles:
  Viewer:
    privileges: [ARDOCS_VIEW]
users:
  ada@example.com:
    roles: [Viewer]
"""
TWO_TARGETS = """\
version: 1
sources: [roles.yaml]
targets:
  sandbox: {backend: file, path: state/sandbox.json}
  us-na: {backend: file, path: state/us-na.json, self: ci@example.com}
"""


@pytest.fixture
def managed(shell: Shell) -> Shell:
    """A panel with a role of one's own, held by ada."""
    shell.write("roles.yaml", ROLES)
    shell.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    assert shell("apply", "--auto-approve", "-q").code == 0
    return shell


def test_init_then_plan(shell: Shell) -> None:
    """A new project plans at once, and init never overwrites."""
    answer = shell("init")
    assert answer.code == 0
    assert "Wrote provisioner.yaml" in answer.out
    assert shell("validate").code == 0
    planned = shell("plan", "--detailed-exitcode")
    assert planned.code == 2
    assert '+ role "Account Viewer"' in planned.out
    before = shell.files()
    again = shell("init")
    assert again.code == 1
    assert "there is a project in this folder already" in again.err
    assert shell.files() == before


def test_init_leaves_roles_that_are_there(shell: Shell) -> None:
    """Only the project file is added to them."""
    shell.write("roles/mine.yml", ROLES)
    assert shell("init").code == 0
    assert set(shell.files()) == {"provisioner.yaml", "roles/mine.yml"}


def test_sources_come_from_the_project_file(managed: Shell) -> None:
    """Named on the command line, other sources take their place."""
    assert managed("plan", "--detailed-exitcode").code == 0
    managed.write("more.yaml", "version: 1\nroles: {Clerk: {privileges: [ORDERS_PROCESS]}}\n")
    answer = managed("plan", "more.yaml")
    assert "Read 1 file" in answer.out
    assert '+ role "Clerk"' in answer.out


def test_sources_are_relative_to_the_project_file(shell: Shell) -> None:
    """And so is the state; one may stand anywhere."""
    shell.write("billing/roles/viewer.yaml", ROLES)
    shell.write("billing/provisioner.yaml", TWO_TARGETS.replace("roles.yaml", "roles/"))
    words = ("--config", "billing/provisioner.yaml", "--target", "sandbox")
    answer = shell("apply", "--auto-approve", *words)
    assert answer.code == 0
    assert "billing/roles/viewer.yaml:3" in answer.out
    assert (shell.folder / "billing" / "state" / "sandbox.json").exists()


def test_the_project_file_is_no_source(shell: Shell) -> None:
    """Even if the sources are the folder that it lies in."""
    shell.write("roles.yaml", ROLES)
    shell.write("provisioner.yaml", "version: 1\nsources: [.]\n")
    assert "Read 1 file;" in shell("plan").out


def test_several_files_make_one_desired_state(shell: Shell) -> None:
    """A folder is read to its depths, sorted; other files are not looked at."""
    shell.write("roles/a.yaml", "version: 1\nroles: {A: {includes: [B]}}\n")
    shell.write("roles/sub/b.yml", "version: 1\nroles: {B: {sets: [s]}}\n")
    shell.write("roles/sub/c.yaml", "version: 1\nprivilege_sets: {s: [ARDOCS_VIEW]}\n")
    shell.write("roles/notes.txt", "not: yaml: at all")
    answer = shell("validate", "roles", "--format", "json")
    assert answer.document["files"] == ["roles/a.yaml", "roles/sub/b.yml", "roles/sub/c.yaml"]
    assert answer.document["roles"] == 2


def test_several_targets_ask_for_a_choice(shell: Shell) -> None:
    """A sole one is the default; each has a state of its own."""
    shell.write("roles.yaml", ROLES)
    shell.write("provisioner.yaml", TWO_TARGETS)
    (error,) = shell.errors("plan")
    assert error.text == (
        "error: there are several targets: sandbox, us-na\n    choose with --target NAME"
    )
    assert shell("apply", "--auto-approve", "--target", "sandbox").code == 0
    assert shell("plan", "--detailed-exitcode", "--target", "sandbox").code == 0
    assert shell("plan", "--detailed-exitcode", "--target", "us-na").code == 2


def test_validate_needs_no_target(shell: Shell) -> None:
    """It checks the sources for each of them."""
    shell.write("roles.yaml", ROLES)
    shell.write("provisioner.yaml", TWO_TARGETS)
    assert shell("validate").code == 0


def test_manage_all_removes_what_is_not_listed(managed: Shell) -> None:
    """Custom roles and users; the default roles stay."""
    managed.write("roles.yaml", "version: 1\nroles: {}\nusers: {}\n")
    assert managed("apply", "--auto-approve").code == 0
    names = {role["name"] for role in managed.state()["roles"]}
    assert names == {"Full Access", "Customer Full Access", "Service Desk Only"}
    assert managed.holds("ada@example.com") == []


def test_manage_declared_leaves_what_is_not_listed(managed: Shell) -> None:
    """But a listed user holds exactly what is listed."""
    managed.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\nmanage: declared\n")
    managed.write("roles.yaml", "version: 1\nroles: {Clerk: {}}\nusers: {bob: {roles: [Clerk]}}\n")
    assert managed("apply", "--auto-approve").code == 0
    assert managed.holds("ada@example.com") == ["Viewer"]
    assert managed.role("Viewer")
    managed.write("roles.yaml", "version: 1\nusers: {ada@example.com: {roles: []}}\n")
    assert managed("apply", "--auto-approve").code == 0
    assert managed.holds("ada@example.com") == []
    assert managed.holds("bob") == ["Clerk"]


def test_ignored_roles_stay_and_are_counted(managed: Shell) -> None:
    """Globs without regard to case; the plan says how many were left alone, and by which rule."""
    managed.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\nignore: ['VIEW*']\n")
    managed.write("roles.yaml", "version: 1\nroles: {}\nusers: {}\n")
    answer = managed("plan", "--detailed-exitcode")
    assert answer.code == 0
    assert 'Left alone: 1 role (ignore "VIEW*": 1).' in " ".join(answer.out.split())


def test_nothing_may_refer_to_an_ignored_role(managed: Shell) -> None:
    """Declared or assigned, it is an error at its place."""
    managed.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\nignore: [viewer]\n")
    errors = managed.errors("plan")
    assert [(error.id, error.place) for error in errors] == [
        ("ignored-role", "roles.yaml:3:3"),
        ("ignored-role", "roles.yaml:7:13"),
    ]


def test_an_external_role_is_assigned_and_left_alone(managed: Shell) -> None:
    """Its assignments are managed; it is not."""
    managed.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\nexternal: [Viewer]\n")
    before = managed.role("Viewer")
    managed.write("roles.yaml", "version: 1\nroles: {}\nusers: {bob: {roles: [Viewer]}}\n")
    assert managed("apply", "--auto-approve").code == 0
    assert managed.holds("bob") == ["Viewer"]
    assert managed.holds("ada@example.com") == []
    assert managed.role("Viewer") == before


def test_an_external_role_is_never_deleted(managed: Shell) -> None:
    """Not even where nobody holds it, and `manage: all` removes what is not listed."""
    managed.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\nexternal: [Viewer]\n")
    managed.write("roles.yaml", "version: 1\nroles: {}\nusers: {}\n")
    assert managed("apply", "--auto-approve").code == 0
    assert managed.role("Viewer")


@pytest.mark.parametrize(
    ("safety", "words", "way_round"),
    [
        ("max_deletes: 0", "1 role deleted, at most 0 allowed", ("--max-deletes", "1")),
        ("max_users_losing: 0", "1 user losing access, at most 0 allowed", None),
        ("max_changes: 1", "2 changes, at most 1 allowed", None),
    ],
)
def test_safety_limits_block_a_plan(
    managed: Shell, safety: str, words: str, way_round: tuple[str, ...] | None
) -> None:
    """With the numbers, and what would allow it."""
    project = "version: 1\nsources: [roles.yaml]\n"
    managed.write("provisioner.yaml", f"{project}safety: {{{safety}}}\n")
    managed.write("roles.yaml", "version: 1\nroles: {}\nusers: {}\n")
    answer = managed("plan")
    assert answer.code == 3
    told = " ".join(answer.out.split())
    assert words in told
    assert f"raise `safety: {safety.partition(':')[0]}`" in told
    if way_round:
        assert f"repeat with {' '.join(way_round)}" in told
        assert managed("apply", "--auto-approve", *way_round).code == 0


@pytest.mark.parametrize("words", ["roles", "users", "access", "explain user ada"])
def test_a_question_in_a_folder_without_a_panel_says_so(shell: Shell, words: str) -> None:
    """Whoever stands in the wrong folder would take the answer for that of the right one."""
    told = "No provisioner.yaml here, and no .provisioner/state.json: this is a new panel"
    assert told in shell(*words.split()).err
    assert told not in shell(*words.split(), "-q").err
    shell.write("provisioner.yaml", "version: 1\n")
    assert told not in shell(*words.split()).err


def test_adoption_blocks_until_it_is_confirmed(managed: Shell) -> None:
    """A panel that others filled is not emptied by accident: exit code 3 until --adopt."""
    state = managed.folder / ".provisioner" / "state.json"
    stored = document.decode(state.read_bytes(), "state")
    header, unrecorded = stored.header, replace(stored.state, recorded=frozenset())
    state.write_bytes(document.encode(header.lineage, header.serial, header.run, unrecorded))
    managed.write("roles.yaml", "version: 1\nroles: {}\nusers: {}\n")
    answer = managed("plan")
    assert answer.code == 3
    told = " ".join(answer.out.split())
    assert "roles are not under management yet, and this plan would delete Viewer" in told
    assert "this plan would take roles from ada@example.com" in told
    assert "repeat with --adopt" in told
    assert managed("apply", "--auto-approve", "--adopt").code == 0
    assert managed.state()["recorded"] == ["roles", "users"]


def test_recording_alone_is_no_pending_change(managed: Shell) -> None:
    """A target that matches the sources has nothing to adopt."""
    managed.write("roles.yaml", ROLES.partition("users:")[0])
    assert managed("plan", "--detailed-exitcode", "--adopt").code == 0


def test_the_run_keeps_its_own_administrator(shell: Shell) -> None:
    """`self:` in the target names the login that must not lock itself out."""
    shell.write("provisioner.yaml", TWO_TARGETS)
    shell.write(
        "roles.yaml",
        "version: 1\nusers:\n  CI@example.com: {roles: [Full Access]}\n"
        "  ada: {roles: [Full Access]}\n",
    )
    assert shell("apply", "--auto-approve", "--target", "us-na").code == 0
    shell.write("roles.yaml", "version: 1\nusers: {ada: {roles: [Full Access]}}\n")
    answer = shell("apply", "--auto-approve", "--target", "us-na")
    assert answer.code == 3
    assert "ci@example.com, who runs this, would lose administrative access" in answer.out
    assert "--allow-lockout" in answer.out


def test_a_catalogue_of_ones_own_takes_the_place_of_the_shipped_one(shell: Shell) -> None:
    """For names, globs and default roles alike."""
    shell.write(
        "panel.yaml",
        "version: 1\nname: our panel\n"
        "privileges: [{name: BILLS_VIEW}, {name: BILLS_PAY}, {name: ROOT, internal: true}]\n"
        "default_roles: [{name: Owner, privileges: ['*']}]\n",
    )
    shell.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\ncatalogue: panel.yaml\n")
    shell.write("roles.yaml", "version: 1\nroles: {Payer: {privileges: [BILLS_*]}}\n")
    assert shell("apply", "--auto-approve").code == 0
    assert shell.role("Payer")["privileges"] == ["BILLS_PAY", "BILLS_VIEW"]
    assert shell.role("Owner")["privileges"] == ["BILLS_PAY", "BILLS_VIEW"]
    names = [p["name"] for p in shell("privileges", "--format", "json").document["privileges"]]
    assert names == ["BILLS_PAY", "BILLS_VIEW", "ROOT"]
    shell.write("roles.yaml", "version: 1\nroles: {Payer: {privileges: [ARDOCS_VIEW]}}\n")
    (error,) = shell.errors("validate")
    assert error.id == "unknown-privilege"


def test_a_target_may_have_its_own_catalogue(shell: Shell) -> None:
    """`validate` then checks the sources against each."""
    shell.write("panel.json", json.dumps({"version": 1, "privileges": [{"name": "BILLS_VIEW"}]}))
    shell.write(
        "provisioner.yaml", TWO_TARGETS.replace("us-na.json", "us-na.json, catalogue: panel.json")
    )
    shell.write("roles.yaml", ROLES)
    assert shell("validate", "--target", "sandbox").code == 0
    (error,) = shell.errors("validate")
    assert error.message == "there is no privilege `ARDOCS_VIEW` in the catalogue"


def test_options_come_from_the_environment_too(shell: Shell) -> None:
    """Each as PROVISIONER_ and its name."""
    shell.write("roles.yaml", ROLES)
    shell.write("billing.yaml", TWO_TARGETS)
    env = {
        "PROVISIONER_CONFIG": "billing.yaml",
        "PROVISIONER_TARGET": "sandbox",
        "PROVISIONER_FORMAT": "json",
        "PROVISIONER_AS_OF": "2026-01-01",
        "PROVISIONER_DETAILED_EXITCODE": "1",
        "PROVISIONER_OUT": "plan.json",
    }
    answer = shell("plan", env=env)
    assert answer.code == 2
    assert answer.document["as_of"] == "2026-01-01"
    assert answer.document["target"]["name"] == "sandbox"
    assert (shell.folder / "plan.json").exists()
    del env["PROVISIONER_OUT"]
    answer = shell("apply", env={**env, "PROVISIONER_AUTO_APPROVE": "1", "PROVISIONER_QUIET": "1"})
    assert (answer.code, answer.err) == (0, "")
    assert answer.document["format"] == "provisioner-apply"


def test_an_option_goes_before_the_environment(shell: Shell) -> None:
    """What is typed was meant."""
    shell.write("roles.yaml", ROLES)
    answer = shell("plan", "roles.yaml", "--format", "text", env={"PROVISIONER_FORMAT": "json"})
    assert answer.out.startswith("Target embedded")


def test_a_bad_value_in_the_environment_is_a_usage_error(shell: Shell) -> None:
    """Exit code 1, and the message names the option."""
    shell.write("roles.yaml", ROLES)
    answer = shell("plan", "roles.yaml", env={"PROVISIONER_AS_OF": "yesterday"})
    assert answer.code == 1
    assert "`yesterday` is no date; write YYYY-MM-DD" in answer.err


def test_a_plan_for_a_new_panel_says_that_no_project_file_was_found(shell: Shell) -> None:
    """Whoever stands in the folder of the sources, and not in the project's, reads it in time."""
    shell.write("provisioner.yaml", "version: 1\nsources: [roles]\n")
    shell.write("roles/a.yaml", "version: 1\nroles: {}\n")
    told = "No provisioner.yaml here, and no .provisioner/state.json: this is a new panel"
    (shell.folder / "elsewhere").mkdir()
    inside = type(shell)(shell.folder / "roles")
    assert told in inside("plan", ".").err
    assert told not in shell("plan").err


def test_a_date_is_a_day_of_a_month(shell: Shell) -> None:
    """Python's own reading takes weeks, too."""
    shell.write("a.yaml", "version: 1\nroles: {}\n")
    for text in ("2026-W48-1", "20261127", "2026-02-30", "\uff12026-11-27"):
        assert "is no date; write YYYY-MM-DD" in shell("plan", "a.yaml", "--as-of", text).err


def test_a_lock_that_is_a_link_is_named(shell: Shell) -> None:
    """Both locks of a state file."""
    shell.write("a.yaml", "version: 1\nroles: {A: {}}\n")
    for lock in ("lock", "commit"):
        link = shell.folder / f".provisioner/state.json.{lock}"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to("/nowhere")
        (error,) = shell.errors("apply", "--auto-approve", "a.yaml")
        assert "is a symbolic link, and a lock must be a file of its own" in error.message
        link.unlink()


def test_a_wrong_name_of_a_target_is_told_in_words(shell: Shell) -> None:
    """Not as a pattern."""
    shell.write("provisioner.yaml", 'version: 1\ntargets: {"e u": {backend: file, path: x.json}}\n')
    (error,) = shell.refused("plan")
    assert error.message == "`e u` can't be a name in `targets`"
    assert "letters, digits" in (error.remedy or "")


def test_an_empty_name_is_said_to_be_one(shell: Shell) -> None:
    """Not as a pair of empty quotes."""
    shell.write("provisioner.yaml", 'version: 1\nactors: {"": null}\n')
    (error,) = shell.refused("plan")
    assert error.message == "a name in `actors` is empty"
