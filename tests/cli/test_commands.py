"""Help, lists, schemas, the doctor and the exit codes: the same manners for every command."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from provisioner import schemas
from provisioner.cli.app import COMMANDS

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

FIRST = "examples/roles.yaml"


def test_help_lists_every_command(shell: Shell) -> None:
    """With a line of explanation each."""
    answer = shell("--help")
    assert answer.code == 0
    listed = answer.out[answer.out.index("Commands:") :].splitlines()[1:]
    assert [line.split()[0] for line in listed] == list(COMMANDS)
    assert all(len(line.split()) > 2 for line in listed)
    assert shell("-h").out == answer.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(shell: Shell, command: str) -> None:
    """A usage line, what it does, and every option with its meaning, within 80 columns."""
    answer = shell(command, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"Usage: provisioner {command} ")
    assert max(map(len, answer.out.splitlines())) <= 80
    assert "--help" in answer.out
    if "COMMAND [ARGS]" not in answer.out:
        for option in ("--no-color", "--verbose", "--quiet"):
            assert option in answer.out


def test_no_command_shows_the_help(shell: Shell) -> None:
    """As a text to read, and exit code 1."""
    answer = shell()
    assert answer.code == 1
    shown = answer.out + answer.err
    assert "\\n" not in shown
    assert "\nCommands:\n" in shown


def test_the_version(shell: Shell) -> None:
    """Name and number."""
    assert shell("--version").out.split()[0] == "provisioner"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("paln",), "there is no command `paln`; did you mean plan?"),
        (("plan", "--ot", "x"), "No such option '--ot'"),
        (("plan", "--as-of", "2026-02-30", "x"), "`2026-02-30` is no date; write YYYY-MM-DD"),
        (("plan", "--format", "xml"), "'xml' is not one of 'text', 'json'"),
        (("plan", "--max-deletes", "-1"), "--max-deletes"),
        (("apply", "--auto-approve", "--lock-timeout", "nan", "x"), "--lock-timeout"),
        (("--target",), "a command is missing behind `--target`"),
        (("--target", "x", "--", "plan"), "a command is missing behind `--target x`"),
        (("--target", "x", "--nope", "plan"), "No such option '--nope'"),
        (("--target", "x", "schema", "roles"), "No such option '--target'"),
        (("rollback",), "Missing argument 'RUN'"),
        (("rollback", "first"), "`first` names no run"),
        (("show",), "Missing argument 'PLAN'"),
        (("completion", "tcsh"), "'tcsh' is not one of"),
        (("schema", "role"), "there is no schema `role`"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_usage_is_an_error(shell: Shell, words: tuple[str, ...], message: str) -> None:
    """Exit code 1, since 2 means changes; a message and where help is."""
    answer = shell(*words)
    assert (answer.code, answer.out) == (1, "")
    assert message in answer.err
    assert "internal error" not in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    "words",
    [
        ("--target", "other", "roles"),
        ("--target=other", "roles"),
        ("--config", "project.yaml", "--target", "other", "roles"),
        ("--target", "nowhere", "roles", "--target", "other"),
    ],
    ids=" ".join,
)
def test_the_target_may_stand_before_the_command(shell: Shell, words: tuple[str, ...]) -> None:
    """As in many tools; what stands behind the command counts more."""
    shell.write(
        "provisioner.yaml", "version: 1\ntargets: {other: {backend: file, path: other.json}}\n"
    )
    shell.write("project.yaml", "version: 1\ntargets: {other: {backend: file, path: other.json}}\n")
    answer = shell(*words)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == shell("roles", "--target", "other").out
    assert shell("--target", "other", "--help").out == shell("--help").out
    assert "there is no target `nowhere`" in shell("--target", "nowhere", "roles").err


def test_bad_usage_is_json_where_json_was_asked_for(shell: Shell) -> None:
    """Even though the command line could not be read."""
    for words in (
        ("plan", "--format", "json", "--nope"),
        ("plan", "--nope", "--format=json"),
        ("paln", "--format", "json"),
    ):
        answer = shell(*words)
        assert (answer.code, answer.err) == (1, "")
        assert answer.document["errors"][0]["id"] == "usage"
        assert schemas.valid("results", answer.document)


@pytest.mark.parametrize(
    "words",
    [
        ("validate", FIRST),
        ("roles",),
        ("privileges",),
        ("users",),
        ("history",),
        ("doctor",),
        ("validate", "gone.yaml"),
    ],
    ids=" ".join,
)
def test_json_results_fit_their_schema(first_run: Shell, words: tuple[str, ...]) -> None:
    """One document on standard output, versioned, with the format's name."""
    answer = first_run(*words, "--format", "json")
    assert answer.err == ""
    assert answer.code == first_run(*words).code
    assert answer.document["version"] == 1
    assert schemas.valid("results", answer.document)


def test_an_apply_reports_in_json(first_run: Shell) -> None:
    """What was done, in order; progress stays off standard output."""
    answer = first_run("apply", "--auto-approve", "--format", "json", "examples/second-run")
    assert answer.code == 0
    assert schemas.valid("results", answer.document)
    assert answer.document["complete"] is True
    assert len(answer.document["applied"]) == 4


def test_validate_says_what_it_read(first_run: Shell) -> None:
    """In text and JSON; it needs no state, not even a sound one."""
    first_run.write(".provisioner/state.json", "damaged")
    answer = first_run("validate", FIRST)
    assert answer.out == "Valid: 1 file, 7 roles, 6 users.\n"
    document = first_run("validate", FIRST, "--format", "json").document
    assert document["valid"] is True
    assert document["files"] == [FIRST]


def test_validate_counts_in_good_english(shell: Shell) -> None:
    """One role is no plural."""
    shell.write("roles.yaml", "version: 1\nroles: {A: {}}\nusers: {ada: {roles: [A]}}\n")
    assert shell("validate", "roles.yaml").out == "Valid: 1 file, 1 role, 1 user.\n"


def test_roles_are_listed(first_run: Shell) -> None:
    """What they carry, includes counted in, and how many hold them."""
    rows = first_run("roles", "--format", "json").document["roles"]
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    accountant = next(row for row in rows if row["name"] == "Accountant")
    assert accountant["includes"] == ["Account Viewer"]
    assert "ACCOUNTS_VIEW_DET" not in accountant["privileges"]
    assert "ACCOUNTS_VIEW_DET" in accountant["effective"]
    assert accountant["holders"] == 1
    assert accountant["default"] is False


def test_users_are_listed(first_run: Shell) -> None:
    """The roles they hold, and the privileges those add up to."""
    rows = first_run("users", "--format", "json").document["users"]
    alan = next(row for row in rows if row["user"] == "alan@example.com")
    assert alan["roles"] == ["Credit Controller", "Helpdesk"]
    assert "ARDOCS_VIEW" in alan["privileges"]


@pytest.mark.parametrize(
    ("words", "shown", "hidden"),
    [
        (("roles", "--search", "helpDESK"), "Helpdesk", "Accountant"),
        (("roles", "--search", "holds for those"), "Accountant", "Helpdesk"),
        (("privileges", "--search", "ardocs"), "ARDOCS_REBUILD", "ACCOUNTS_CANCEL"),
        (("privileges", "--search", "credit memos"), "ARDOCS_CREATE", "ACCOUNTS_CANCEL"),
        (("users", "--search", "ADA"), "ada@example.com", "alan@example.com"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_lists_are_searched(
    first_run: Shell, words: tuple[str, ...], shown: str, hidden: str
) -> None:
    """By name and description, without regard to case."""
    answer = first_run(*words)
    assert answer.code == 0
    assert shown in answer.out
    assert hidden not in answer.out


def test_users_are_searched_by_role(first_run: Shell) -> None:
    """Who holds the accountant's role?"""
    answer = first_run("users", "--search", "accountant", "--format", "json")
    assert [row["user"] for row in answer.document["users"]] == ["ada@example.com"]


def test_a_search_without_result_says_so(first_run: Shell) -> None:
    """On standard error; in JSON it is an empty list."""
    answer = first_run("roles", "--search", "zzz")
    assert (answer.code, answer.out) == (0, "")
    assert "No roles contain `zzz`" in answer.err
    assert first_run("roles", "--search", "zzz", "--format", "json").document["roles"] == []


def test_the_lists_of_a_fresh_panel(shell: Shell) -> None:
    """The default roles, and nobody."""
    rows = shell("roles", "--format", "json").document["roles"]
    assert {row["name"] for row in rows if row["default"]} == {
        "Full Access",
        "Customer Full Access",
        "Service Desk Only",
    }
    assert shell("users").code == 0
    assert not shell.files()


def test_schemas_are_printed(shell: Shell) -> None:
    """Each one is a valid JSON Schema, and the example conforms to its own."""
    names = shell("schema").out.split()
    assert {"roles", "project", "plan", "state", "catalogue"} <= set(names)
    for name in names:
        answer = shell("schema", name)
        assert answer.code == 0
        Draft202012Validator.check_schema(answer.document)


def test_the_doctor_finds_a_healthy_project_healthy(first_run: Shell) -> None:
    """Exit code 0, and nothing is changed by looking."""
    first_run.write("provisioner.yaml", f"version: 1\nsources: [{FIRST}]\n")
    before = first_run.files()
    answer = first_run("doctor")
    assert answer.code == 0
    assert "error" not in answer.out
    assert "ok       sources: 1 file, " in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    assert first_run.files() == before


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("provisioner.yaml", "version: 1\nsource: []\n", "unknown key `source`"),
        ("examples/roles.yaml", "version: 1\nrolls: {}\n", "unknown key `rolls`"),
        (".provisioner/state.json", "{}", "is not a state file"),
    ],
)
def test_the_doctor_finds_what_is_wrong(
    first_run: Shell, file: str, content: str, complaint: str
) -> None:
    """Exit code 1, with the message that every other command would give."""
    first_run.write("provisioner.yaml", f"version: 1\nsources: [{FIRST}]\n")
    first_run.write(file, content)
    answer = first_run("doctor")
    assert answer.code == 1
    assert complaint in " ".join(answer.out.split())


def test_the_doctor_sees_a_held_lock(first_run: Shell) -> None:
    """It is worth knowing, and no fault."""
    with first_run.lock_held() as holder:
        answer = first_run("doctor")
    assert answer.code == 0
    assert f"process {holder.pid}" in " ".join(answer.out.split())


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: Shell, name: str) -> None:
    """Printed for each shell, and accepted by it where it is installed."""
    answer = shell("completion", name)
    assert answer.code == 0
    assert "_PROVISIONER_COMPLETE" in answer.out
    if shutil.which(name):
        shell.write("script", answer.out)
        checked = subprocess.run(
            [name, "-n", "script"], cwd=shell.folder, capture_output=True, check=False
        )
        assert checked.returncode == 0


def test_completion_completes(shell: Shell) -> None:
    """Commands by their beginning, options within a command."""
    for words, index, expected in (
        ("provisioner va", 1, "validate"),
        ("provisioner plan --detail", 2, "--detailed-exitcode"),
    ):
        env = {
            "_PROVISIONER_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(index),
        }
        assert f"plain,{expected}" in shell(env=env).out.splitlines()


def test_quiet_says_only_what_was_asked_for(first_run: Shell) -> None:
    """The last lines of a plan, nothing on standard error."""
    answer = first_run("plan", "-q", "examples/second-run", "--out", "plan.json")
    assert answer.err == ""
    assert answer.out.splitlines() == [
        "Plan: 0 to add, 1 to change, 1 to rename, 1 to delete; 1 user to reassign.",
        "Access: 0 users gaining, 1 user losing.",
    ]


def test_verbose_says_which_files_were_read(first_run: Shell) -> None:
    """On standard error, so that JSON stays JSON."""
    answer = first_run("plan", "-v", FIRST, "--format", "json")
    assert f"read {FIRST}" in answer.err
    assert json.loads(answer.out)["coverage"]["files"] == [FIRST]


def test_policies_are_part_of_validate(shell: Shell) -> None:
    """What the desired state alone shows to break a policy exits with 3."""
    shell.write(
        "roles.yaml",
        "version: 1\nroles: {Clerk: {privileges: [ARDOCS_REBUILD]}}\n"
        "policies: [{name: nobody rebuilds, deny: [ARDOCS_REBUILD]}]\n",
    )
    assert shell("validate", "roles.yaml").code == 3


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--config", ""),
        ("plan", "--out", ""),
        ("apply", "--plan", ""),
        ("access", "--source", ""),
        ("import", "--out="),
        ("serve", "--database", ""),
    ],
    ids=" ".join,
)
def test_an_option_that_is_empty_is_an_error(shell: Shell, words: tuple[str, ...]) -> None:
    """A script's unset variable must not mean another file, or a defect."""
    answer = shell(*words)
    assert answer.code == 1
    assert "it is empty; give it a value, or leave it out" in answer.err


def test_a_variable_that_is_empty_is_not_set(shell: Shell) -> None:
    """Those of guards excepted."""
    shell.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    shell.write("roles.yaml", "version: 1\nroles: {}\n")
    assert shell("plan", env={"PROVISIONER_CONFIG": "", "PROVISIONER_OUT": ""}).code == 0
