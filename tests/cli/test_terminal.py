"""At a terminal, in a pipe, and where output has nowhere to go."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

FIRST = "examples/roles.yaml"
SECOND = "examples/second-run/roles.yaml"
PROMPT = "Only `yes` is accepted"
COLOR = re.compile("\x1b\\[[0-9;]*m")


def test_apply_asks_and_takes_yes(first_run: Shell) -> None:
    """The plan is shown first; afterwards what was done."""
    answer = first_run.on_a_terminal("apply", SECOND, keys="yes\n", after=PROMPT)
    assert answer.code == 0
    plan, _, report = answer.out.partition(PROMPT)
    assert "to rename" in plan
    assert "Apply complete: 0 added, 1 changed, 1 renamed, 1 deleted" in report
    assert first_run.holds("alan@example.com") == ["Support Engineer"]


@pytest.mark.parametrize("keys", ["no\n", "y\n", "YES\n", "\n", "\x04"])
def test_apply_asks_and_takes_nothing_else_for_yes(first_run: Shell, keys: str) -> None:
    """Neither `y` nor Enter nor the end of input."""
    before = first_run.files()
    answer = first_run.on_a_terminal("apply", SECOND, keys=keys, after=PROMPT)
    assert answer.code == (130 if keys == "\x04" else 1)
    assert first_run.files() == before


def test_ctrl_c_at_the_question_changes_nothing(first_run: Shell) -> None:
    """Exit code 130, as every program that was interrupted."""
    before = first_run.files()
    answer = first_run.on_a_terminal("apply", SECOND, keys="\x03", after=PROMPT)
    assert answer.code == 130
    assert "interrupted; nothing was changed" in answer.out
    assert "Traceback" not in answer.out
    assert first_run.files() == before


def test_the_message_of_ctrl_c_begins_a_line(first_run: Shell) -> None:
    """It does not run on from the question."""
    answer = first_run.on_a_terminal("apply", SECOND, keys="\x03", after=PROMPT)
    assert COLOR.sub("", answer.out).splitlines()[-1].startswith("error: interrupted")


def test_ctrl_c_while_waiting_for_a_lock(first_run: Shell) -> None:
    """The wait ends at once, and nothing is touched."""
    before = first_run.files()
    with first_run.lock_held():
        words = ("apply", "--auto-approve", "--lock-timeout", "60", SECOND)
        answer = first_run.on_a_terminal(*words, keys="\x03", after="1 user losing.")
    assert answer.code == 130
    assert "Traceback" not in answer.out
    assert {name: first_run.files()[name] for name in before} == before


def test_rollback_asks_as_apply_does(first_run: Shell) -> None:
    """It changes as much."""
    first_run("apply", "--auto-approve", SECOND)
    before = first_run.files()
    answer = first_run.on_a_terminal("rollback", "1", keys="no\n", after=PROMPT)
    assert answer.code == 1
    assert first_run.files() == before
    assert first_run.on_a_terminal("rollback", "1", keys="yes\n", after=PROMPT).code == 0
    assert first_run.holds("alan@example.com") == ["Credit Controller", "Helpdesk"]


@pytest.mark.parametrize("words", [("apply", FIRST), ("rollback", "1")])
def test_without_a_terminal_nobody_is_asked(first_run: Shell, words: tuple[str, ...]) -> None:
    """A pipe that says yes is no answer; the ways on are named."""
    first_run("apply", "--auto-approve", SECOND)
    before = first_run.files()
    answer = first_run(*words, stdin="yes\n")
    assert (answer.code, answer.out) == (1, "")
    assert "there is no terminal to ask on" in answer.err
    assert "--auto-approve" in answer.err
    assert first_run.files() == before


def test_what_is_wrong_comes_before_that_nobody_can_be_asked(first_run: Shell) -> None:
    """A saved plan in the place of a source is the reason, not the terminal."""
    assert first_run("plan", SECOND, "--out", "plan.json").code == 0
    answer = first_run("apply", "plan.json")
    assert answer.code == 1
    assert "provisioner apply --plan plan.json" in answer.err
    assert "terminal" not in answer.err


def test_without_a_terminal_there_is_nothing_to_ask_about_no_changes(first_run: Shell) -> None:
    answer = first_run("apply", FIRST)
    assert (answer.code, answer.last_line) == (0, "No changes. The target matches the sources.")


def test_a_closed_standard_input_is_no_terminal(first_run: Shell) -> None:
    """As some schedulers start their jobs."""
    answer = run_by_shell(first_run, f'"$0" apply {SECOND} <&-')
    assert answer.returncode == 1
    assert "there is no terminal to ask on" in answer.stderr


def test_colour_is_for_terminals(first_run: Shell) -> None:
    """Not for pipes, not with NO_COLOR, --no-color or a dumb terminal."""
    assert COLOR.search(first_run.on_a_terminal("plan", SECOND).out)
    assert not COLOR.search(first_run("plan", SECOND).out)
    for words, env in (
        (("plan", SECOND), {"NO_COLOR": "1"}),
        (("plan", SECOND, "--no-color"), {}),
        (("plan", SECOND), {"PROVISIONER_NO_COLOR": "1"}),
    ):
        assert not COLOR.search(first_run.on_a_terminal(*words, env=env).out)


def test_an_empty_no_color_means_colour(first_run: Shell) -> None:
    """As https://no-color.org says."""
    assert COLOR.search(first_run.on_a_terminal("plan", SECOND, env={"NO_COLOR": ""}).out)


def test_colour_changes_no_word(first_run: Shell) -> None:
    """Without its escape sequences the text is the same as in a pipe."""
    for words in (("plan", SECOND), ("roles",), ("history",), ("doctor",)):
        shown = COLOR.sub("", first_run.on_a_terminal(*words).out)
        lines = [line.rstrip() for line in shown.splitlines()]
        assert lines == first_run(*words).out.splitlines()


def run_by_shell(shell: Shell, script: str) -> subprocess.CompletedProcess[str]:
    """Run a line of sh, in which ``$0`` is the program."""
    return subprocess.run(
        ["sh", "-c", script, shell.program],
        cwd=shell.folder,
        env=shell.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("words", [f"plan {SECOND}", "privileges --format json", "schema roles"])
def test_a_reader_that_goes_away_is_no_error_to_shout_about(first_run: Shell, words: str) -> None:
    """`| head -1` prints one line and no traceback."""
    done = run_by_shell(first_run, f'"$0" {words} | head -1')
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_a_reader_that_is_gone_already(first_run: Shell) -> None:
    """`| true`, however much there is to print."""
    done = run_by_shell(first_run, f'{{ sleep 0.2; "$0" plan {SECOND}; }} | true')
    assert done.stderr == ""


@pytest.mark.parametrize(
    "words",
    [
        f"plan {SECOND}",
        f"plan --format json {SECOND}",
        "plan --format json gone.yaml",
        "schema roles",
        "--help",
        "--version",
    ],
)
def test_output_that_cannot_be_written_is_an_error(first_run: Shell, words: str) -> None:
    """Exit code 1 and a word about it: a truncated file must not look like success."""
    done = run_by_shell(first_run, f'"$0" {words} > /dev/full')
    assert done.returncode == 1
    assert "can't write the output: No space left on device" in done.stderr
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [f"plan {SECOND}", f"plan --format json {SECOND}", "--help"])
def test_a_closed_standard_output_is_an_error(first_run: Shell, words: str) -> None:
    """There is nowhere to print to, and that is not provisioner's fault."""
    done = run_by_shell(first_run, f'"$0" {words} >&-')
    assert done.returncode == 1
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_narrow_locale_breaks_nothing(first_run: Shell) -> None:
    """Arrows and names outside of ASCII are printed as UTF-8 where Python takes that for meant."""
    first_run.edit(SECOND, "Support Engineer", "Büro")
    for env in ({"LC_ALL": "POSIX"}, {"LC_ALL": "C"}, {"PYTHONUTF8": "0"}):
        answer = first_run("plan", SECOND, env=env)
        assert (answer.code, answer.err) == (0, "")
        assert '~ role "Helpdesk" → "Büro"' in answer.out
