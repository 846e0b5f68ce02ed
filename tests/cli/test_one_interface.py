"""The same words mean the same for every command, and the spellings of before still work."""

from __future__ import annotations

import re
import shlex
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from provisioner import __version__, schemas

if TYPE_CHECKING:
    from tests.cli.conftest import Answer, Shell

# A role and a user each called like a word of the former spellings, and one name for both.
ROLES = """\
version: 1
roles:
  Clerk: {privileges: [ARDOCS_VIEW]}
  role: {includes: [Clerk]}
  twin: {privileges: [ARDOCS_CREATE]}
users:
  ada@example.com: {roles: [Clerk]}
  user: {roles: [role]}
  Twin: {roles: [Clerk]}
tests:
  - {user: ada@example.com, cannot: [ARDOCS_CREATE]}
"""
MORE = "version: 1\nroles:\n  More: {privileges: [ARDOCS_VIEW]}\n"
DAY = ("--as-of", "2026-11-27")
COLOR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def here(shell: Shell) -> Shell:
    """A folder with two sources and no project."""
    shell.write("roles.yaml", ROLES)
    shell.write("more.yaml", MORE)
    return shell


@pytest.fixture
def project(here: Shell) -> Shell:
    """The same with a project, applied."""
    here.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    assert here("apply", "-y", "-q").code == 0
    return here


@pytest.mark.parametrize(
    "command", ["validate", "plan", "lint", "access --by role", "test -v", "doctor"]
)
def test_sources_are_arguments_or_options_or_both(here: Shell, command: str) -> None:
    """What is named in both ways adds up, whichever comes first."""

    def said(*sources: str) -> tuple[int, str, str]:
        answer = here(*command.split(), *sources)
        return answer.code, answer.out, answer.err

    both = said("roles.yaml", "more.yaml")
    assert both[0] == 0
    assert said("roles.yaml", "--source", "more.yaml") == both
    assert said("--source", "more.yaml", "roles.yaml") == both
    assert said("--source", "roles.yaml", "--source", "more.yaml") == both
    assert said("--source", "roles.yaml") == said("roles.yaml") != both


def test_apply_takes_both(here: Shell) -> None:
    assert here("apply", "-y", "roles.yaml", "--source", "more.yaml").code == 0
    assert here.role("More")
    assert here.role("Clerk")


def test_what_the_line_names_counts_more_than_the_variable(here: Shell) -> None:
    env = {"PROVISIONER_SOURCE": "more.yaml"}
    assert "read roles.yaml" not in here("validate", "-v", env=env).err
    assert "read more.yaml" not in here("validate", "-v", "roles.yaml", env=env).err


def test_a_saved_plan_goes_with_neither(here: Shell) -> None:
    assert here("plan", "roles.yaml", "-o", "plan.json").code == 0
    for sources, named in ((("roles.yaml",), "SOURCE"), (("--source", "x"), "--source")):
        answer = here("apply", "--plan", "plan.json", *sources)
        assert answer.code == 1
        assert f"error: {named} can't go with --plan" in answer.err
    assert here("apply", "--plan", "plan.json").code == 0


def test_an_option_of_the_sources_is_one_of_results_too(here: Shell) -> None:
    """No result takes the place of a source, however that is named."""
    answer = here("lint", "--source", "roles.yaml", "--format", "json=roles.yaml")
    assert answer.code == 1
    assert here.files()["roles.yaml"] == ROLES.encode()


@pytest.mark.parametrize("words", ["access", "explain ada@example.com", "revoke user ARDOCS_VIEW"])
def test_every_answer_about_access_is_of_the_sources_or_current(project: Shell, words: str) -> None:
    project.edit("roles.yaml", "{roles: [role]}", "{roles: [twin]}")
    asked, now = project(*words.split()), project(*words.split(), "--current")
    assert asked.out.startswith("What the sources ask for (roles.yaml), as of ")
    assert now.out.startswith("What target embedded holds now:\n")
    for options, of in (((), "sources"), (("--current",), "current")):
        document = project(*words.split(), *options, "--format", "json").document
        assert document["of"] == of
        assert schemas.valid("results", document)
    both = project(*words.split(), "--current", "--source", "roles.yaml")
    assert (both.code, both.out) == (1, "")
    assert "--current and --source exclude each other" in both.err


def test_current_and_a_named_source_exclude_each_other(project: Shell) -> None:
    answer = project("access", "roles.yaml", "--current")
    assert "error: --current and SOURCE exclude each other" in answer.err


def test_with_current_the_tests_judge_what_is_stored(project: Shell) -> None:
    """After an incident: the sources are right, and the panel is not."""
    assert project("test", "--current").code == 0
    project.write("wrong.yaml", ROLES.replace("[ARDOCS_VIEW]", "[ARDOCS_VIEW, ARDOCS_CREATE]"))
    assert project("apply", "wrong.yaml", "--only-these", "-y", "-q").code == 0
    assert project("test").code == 0
    now = project("test", "--current", "-v")
    assert now.code == 1
    assert now.out.startswith("What target embedded holds now:\nfailed  roles.yaml:11: ")
    assert "user ada@example.com: ARDOCS_CREATE through Clerk; the" in " ".join(now.out.split())
    document = project("test", "--current", "--format", "json").document
    assert (document["of"], document["failed"]) == ("current", 1)
    assert schemas.valid("results", document)
    assert project("test", "--format", "json").document["of"] == "sources"


def test_the_tests_call_stored_roles_by_the_names_of_the_sources(project: Shell) -> None:
    renamed = ROLES.replace("  Clerk: {", "  Teller: {renamed_from: Clerk, ")
    renamed = renamed.replace("[Clerk]", "[Teller]") + "  - {role: Teller, can: [ARDOCS_VIEW]}\n"
    project.write("roles.yaml", renamed)
    assert project("test", "--current").code == 0
    assert project("test", "--current", "more.yaml", "roles.yaml").code == 0


def test_explain_finds_out_of_which_kind_a_name_is(project: Shell) -> None:
    for words, subject in (
        (("ADA@example.com",), ("user", "ada@example.com")),
        (("clerk",), ("role", "Clerk")),
        (("ada@example.com", "ARDOCS_VIEW"), ("user", "ada@example.com")),
        (("--user", "user"), ("user", "user")),
        (("user",), ("user", "user")),
        (("role",), ("role", "role")),
        (("role", "--current"), ("role", "role")),
        (("--user", "user", "ARDOCS_VIEW"), ("user", "user")),
        (("role", "ARDOCS_VIEW", "--role"), ("role", "role")),
        (("twin", "--role"), ("role", "twin")),
        (("twin", "--user"), ("user", "Twin")),
    ):
        answer = project("explain", *words, "--format", "json")
        assert (answer.code, answer.err) == (0, ""), words
        found = answer.document["subject"]
        assert (found["kind"], found["name"]) == subject


def test_a_name_of_both_kinds_is_not_guessed(project: Shell) -> None:
    (error,) = project.refused("explain", "twin")
    assert error.id == "ambiguous-name"
    assert error.message == "`twin` is the name of a user and of a role"
    assert error.remedy == "say which is meant: repeat with --user, or with --role"
    both = project("explain", "--user", "--role", "twin")
    assert "--user and --role exclude each other" in both.err


def test_near_names_of_both_kinds_are_named(project: Shell) -> None:
    (error,) = project.refused("explain", "Twim")
    assert (error.id, error.message) == (
        "unknown-user-or-role",
        "there is no user and no role `Twim`",
    )
    assert error.remedy == "did you mean Twin?"
    (error,) = project.refused("explain", "cl")
    assert error.remedy == "did you mean Clerk?"
    (error,) = project.refused("explain", "zzzzz")
    users, roles = "`provisioner access --by user`", "`provisioner access --by role`"
    assert error.remedy == f"{users} and {roles} list those of the sources"
    (error,) = project.refused("explain", "zzzzz", "--current")
    assert error.remedy == "`provisioner users` and `provisioner roles` list the stored ones"
    (error,) = project.refused("explain", "--role", "ada@example.com")
    assert error.message == "there is no role `ada@example.com`"


def test_the_globs_of_access_do_not_reach_explain(project: Shell) -> None:
    """PROVISIONER_USER is the glob of `access --user`."""
    assert project("explain", "Clerk", env={"PROVISIONER_USER": "ada*"}).code == 0


FORMER = [
    ("explain user ada@example.com", "explain --user ada@example.com"),
    ("explain user ada@example.com ARDOCS_VIEW", "explain --user ada@example.com ARDOCS_VIEW"),
    ("explain user --current user", "explain --user --current user"),
    ("explain role Clerk", "explain --role Clerk"),
    ("explain role twin ARDOCS_CREATE", "explain --role twin ARDOCS_CREATE"),
    ("access revoke user ARDOCS_VIEW", "revoke user ARDOCS_VIEW"),
    ("access revoke --current user ARDOCS_VIEW", "revoke --current user ARDOCS_VIEW"),
]


@pytest.mark.parametrize(("former", "now"), FORMER)
def test_a_former_spelling_answers_and_names_the_new_one(
    project: Shell, former: str, now: str
) -> None:
    answer = project(*former.split())
    assert answer.code == 0
    note, name = answer.err.rstrip("\n"), " ".join(former.split()[:2])
    assert note == f"`{name}` is spelled differently now: provisioner {now}"
    assert same(answer, project(*now.split()))
    assert same(project(*former.split(), "-q"), project(*now.split(), "-q"))
    assert project(*former.split(), "-q").err == ""
    document = project(*former.split(), "--format", "json").document
    assert schemas.valid("results", document)


def same(one: Answer, other: Answer) -> bool:
    """Whether two runs gave the same answer."""
    return (one.code, one.out) == (other.code, other.out)


def test_the_note_of_a_former_spelling_has_the_options_in_front(project: Shell) -> None:
    answer = project("--config", "provisioner.yaml", "access", "revoke", "user", "ARDOCS_VIEW")
    now = "provisioner revoke --config provisioner.yaml user ARDOCS_VIEW"
    assert answer.err == f"`access revoke` is spelled differently now: {now}\n"
    assert answer.code == 0


def test_a_former_spelling_that_is_incomplete_says_how_it_is_spelled(project: Shell) -> None:
    answer = project("access", "revoke", "user")
    assert answer.code == 1
    assert "now: provisioner revoke user\nerror: Missing argument 'PRIVILEGE'" in answer.err
    assert project("access", "revoke", "--help").out == project("revoke", "--help").out
    assert project("explain", "user", "--help").out == project("explain", "--help").out


def test_a_source_that_is_called_revoke_is_never_passed_over_in_silence(project: Shell) -> None:
    project.write("revoke/all.yaml", ROLES)
    read = project("access", "./revoke", "-v")
    assert "read ./revoke/all.yaml" in read.err
    assert "spelled" not in read.err
    command = project("access", "revoke", "user", "ARDOCS_VIEW", "-q")
    assert command.code == 0
    assert command.err == (
        "warning: `revoke` is read as the command, not as the source of that name\n"
        "    `provisioner access ./revoke` reads the source\n"
    )
    assert project("access", "--by", "role", "revoke").code == 0
    assert "not as the source" in project("access", "revoke").err


@pytest.mark.parametrize("command", ["plan", "import", "privileges"])
def test_o_is_short_for_out(project: Shell, command: str) -> None:
    assert project(command, "-o", "one").code == project(command, "--out", "other").code == 0
    assert project.files()["one"] == project.files()["other"]
    assert "-o, --out FILE" in project(command, "--help").out


def test_y_is_short_for_auto_approve(here: Shell) -> None:
    assert here("apply", "roles.yaml").code == 1
    assert here("apply", "-y", "roles.yaml").code == 0
    assert here("rollback", "0", "-y", "--allow-lockout", "--max-change-percent", "100").code == 0
    assert here("apply", "roles.yaml", env={"PROVISIONER_AUTO_APPROVE": "1"}).code == 0
    for command in ("apply", "rollback"):
        assert "-y, --auto-approve" in here(command, "--help").out


FORCED = {"FORCE_COLOR": "1"}


def test_force_color_colours_pipes_too(project: Shell) -> None:
    """On both streams, any value, 80 columns wide; https://force-color.org."""
    plain = project("explain", "user")
    for value in ("1", "0", "no"):
        forced = project("explain", "user", env={"FORCE_COLOR": value})
        assert COLOR.search(forced.out)
        assert COLOR.sub("", forced.out) == plain.out
    failed = project("plan", "gone.yaml", env=FORCED)
    assert COLOR.search(failed.err)
    assert COLOR.sub("", failed.err) == project("plan", "gone.yaml").err
    wide = project("explain", "user", env=FORCED | {"COLUMNS": "200"})
    assert COLOR.sub("", wide.out) == plain.out


@pytest.mark.parametrize(
    ("words", "env"),
    [
        ((), {"FORCE_COLOR": ""}),
        ((), FORCED | {"NO_COLOR": "1"}),
        (("--no-color",), FORCED),
        ((), FORCED | {"PROVISIONER_NO_COLOR": "1"}),
        (("--format", "json"), FORCED),
    ],
)
def test_what_wins_over_force_color(
    project: Shell, words: tuple[str, ...], env: dict[str, str]
) -> None:
    answer = project("explain", "user", *words, env=env)
    assert answer.code == 0
    assert not COLOR.search(answer.out + answer.err)


def test_force_color_on_a_dumb_terminal_and_with_an_empty_no_color(project: Shell) -> None:
    for env in (FORCED | {"TERM": "dumb"}, FORCED | {"NO_COLOR": ""}):
        assert COLOR.search(project("explain", "user", env=env).out)


def test_files_are_never_coloured(project: Shell) -> None:
    assert project("explain", "user", "--format", "text=x.txt", env=FORCED).code == 0
    assert b"\x1b" not in project.files()["x.txt"]
    assert project("plan", "-o", "x.json", env=FORCED).code == 0
    assert b"\x1b" not in project.files()["x.json"]


def test_the_version_is_one_line(shell: Shell) -> None:
    answer = shell("--version")
    assert (answer.code, answer.out, answer.err) == (0, f"provisioner {__version__}\n", "")


@pytest.mark.parametrize("words", ["--version -v", "-v --version", "--verbose --version"])
def test_the_version_in_full_is_what_a_report_needs(shell: Shell, words: str) -> None:
    answer = shell(*words.split())
    assert (answer.code, answer.err) == (0, "")
    first, python, _, place, *libraries = answer.out.splitlines()
    assert first == f"provisioner {__version__}"
    assert python.startswith(f"Python {sys.version.split()[0]} (")
    assert place.startswith("installed in /")
    assert place.endswith("/provisioner")
    for name in ("click", "PyYAML", "jsonschema", "jsonschema-rs", "deepdiff", "rich", "urllib3"):
        assert f"{name} {metadata.version(name)}".casefold() in map(str.casefold, libraries)


def test_v_alone_stands_behind_the_command(shell: Shell) -> None:
    assert "error: put -v behind `plan`" in shell("-v", "plan").err
    assert "error: Missing command" in shell("-v").err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("rev", "revoke"),
        ("explain --us", "--user"),
        ("explain --cur", "--current"),
        ("test --cur", "--current"),
        ("plan --sou", "--source"),
        ("revoke --sou", "--source"),
        ("explain user --cur", "--current"),
        ("access revoke --cur", "--current"),
    ],
)
def test_completion_knows_the_new_words(shell: Shell, words: str, expected: str) -> None:
    line = f"provisioner {words}"
    env = {
        "_PROVISIONER_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(shlex.split(line)) - 1),
    }
    assert f"plain,{expected}" in shell(env=env).out.splitlines()


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("validate", "[OPTIONS] [SOURCE]..."),
        ("plan", "[OPTIONS] [SOURCE]..."),
        ("apply", "[OPTIONS] [SOURCE]..."),
        ("lint", "[OPTIONS] [SOURCE]..."),
        ("test", "[OPTIONS] [SOURCE]..."),
        ("access", "[OPTIONS] [SOURCE]..."),
        ("doctor", "[OPTIONS] [SOURCE]..."),
        ("explain", "[OPTIONS] NAME [PRIVILEGE]"),
        ("revoke", "[OPTIONS] USER PRIVILEGE"),
    ],
)
def test_help_shows_where_sources_go(shell: Shell, command: str, usage: str) -> None:
    shown = shell(command, "--help").out
    assert shown.startswith(f"Usage: provisioner {command} {usage}\n")
    assert "  --source PATH " in shown
