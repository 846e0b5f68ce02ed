"""States that can't be trusted, locks that are held, disks that are full: nothing is touched."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Shell

SECOND = "examples/second-run"
STATE = ".provisioner/state.json"
ROLLBACK = "provisioner rollback N --replace-broken"


def truncate(state: Path) -> None:
    state.write_bytes(state.read_bytes()[:700])


def empty(state: Path) -> None:
    state.write_bytes(b"")


def make_newer(state: Path) -> None:
    state.write_text(state.read_text().replace('"version": 1,', '"version": 2,', 1))


def edit(state: Path) -> None:
    state.write_text(state.read_text().replace('"ARDOCS_CREATE"', '"ARDOCS_REBUILD"', 1))


def convert_line_endings(state: Path) -> None:
    state.write_bytes(state.read_bytes().replace(b"\n", b"\r\n"))


def merge(state: Path) -> None:
    text = state.read_text().replace('"users"', '<<<<<<< HEAD\n"users"')
    state.write_text(text)


def replace_by_another_file(state: Path) -> None:
    state.write_text('{"version": 4, "terraform_version": "1.9.0"}\n')


def remove(state: Path) -> None:
    state.unlink()


def replace_by_a_folder(state: Path) -> None:
    state.unlink()
    state.mkdir()


def replace_by_a_pipe(state: Path) -> None:
    state.unlink()
    os.mkfifo(state)


@pytest.mark.parametrize(
    ("harm", "id", "words", "remedy"),
    [
        (truncate, "state-truncated", "is cut off after 700 bytes", ROLLBACK),
        (empty, "state-empty", "is empty", ROLLBACK),
        (make_newer, "state-newer", "newer provisioner: version 2", "upgrade provisioner"),
        (edit, "state-edited", "it was edited by hand", ROLLBACK),
        (convert_line_endings, "state-edited", "its line endings changed", ".gitattributes"),
        (merge, "state-edited", "an unfinished merge", "take one side of the merge"),
        (replace_by_another_file, "state-foreign", "is not a state file of provisioner", ROLLBACK),
        (remove, "state-missing", "is gone, but its history", ROLLBACK),
        (replace_by_a_folder, "state-io", "Is a directory", "name a file"),
        (replace_by_a_pipe, "state-io", "not a regular file", "name a file"),
    ],
)
def test_a_state_that_cannot_be_trusted_is_refused(
    first_run: Shell, harm: Callable[[Path], None], id: str, words: str, remedy: str
) -> None:
    """Neither believed nor replaced; the message says how to go on."""
    harm(first_run.folder / STATE)
    (error,) = first_run.refused("apply", "--auto-approve", SECOND)
    assert (error.id, error.place) == (id, STATE)
    assert words in error.message
    assert remedy in error.remedy


@pytest.mark.parametrize(
    "words", [("plan", SECOND), ("roles",), ("users",), ("rollback", "0", "--auto-approve")]
)
def test_no_command_believes_a_damaged_state(first_run: Shell, words: tuple[str, ...]) -> None:
    """Whatever reads the state refuses it."""
    edit(first_run.folder / STATE)
    (error,) = first_run.errors(*words)
    assert error.id == "state-edited"


def test_import_refuses_a_damaged_state(first_run: Shell) -> None:
    """No half of it becomes a source of truth."""
    truncate(first_run.folder / STATE)
    before = first_run.files()
    answer = first_run("import", "--out", "imported.yaml")
    assert (answer.code, answer.out) == (1, "")
    assert "cut off" in answer.err
    assert first_run.files() == before


def test_a_damaged_state_is_mended_as_the_message_says(first_run: Shell) -> None:
    """`history` still works, `rollback N --replace-broken` puts a kept state in its place."""
    whole = first_run.state()["roles"]
    truncate(first_run.folder / STATE)
    assert "the state before any run" in first_run("history").out
    answer = first_run("rollback", "1", "--replace-broken", "--auto-approve")
    assert (answer.code, answer.err) == (0, "")
    assert first_run.state()["roles"] == whole
    assert (first_run.folder / f"{STATE}.broken-2").stat().st_size == 700
    assert first_run("plan", "--detailed-exitcode", "examples/roles.yaml").code == 0


def test_history_lists_the_runs_of_a_lost_state(first_run: Shell) -> None:
    """The message about the lost file sends people there to choose from."""
    whole = first_run.state()["roles"]
    (first_run.folder / STATE).unlink()
    runs = first_run("history", "--format", "json").document["runs"]
    assert [run["number"] for run in runs] == [0, 1]
    assert first_run("rollback", "1", "--replace-broken", "--auto-approve").code == 0
    assert first_run.state()["roles"] == whole


def test_a_sound_state_is_not_replaced_as_broken(first_run: Shell) -> None:
    """`--replace-broken` is for damage only."""
    (error,) = first_run.refused("rollback", "0", "--replace-broken", "--auto-approve")
    assert error.id == "state-not-damaged"


def test_the_lock_of_a_living_run_is_respected(first_run: Shell) -> None:
    """Exit code 4, the owner named, and how to wait or to take it away."""
    with first_run.lock_held() as holder:
        (error,) = first_run.refused("apply", "--auto-approve", "-q", SECOND, code=4)
        assert error.id == "lock-held"
        assert f"(process {holder.pid}, apply) since 2" in error.message
        assert "--lock-timeout SECONDS" in error.remedy
        assert "provisioner unlock" in error.remedy


def test_planning_needs_no_lock(first_run: Shell) -> None:
    """Reading is always possible."""
    with first_run.lock_held():
        assert first_run("plan", "--detailed-exitcode", SECOND).code == 2


def test_unlock_leaves_a_living_run_alone(first_run: Shell) -> None:
    """Without --force; with it, the run's lock goes and another run can begin."""
    with first_run.lock_held() as holder:
        refused = first_run("unlock")
        assert refused.code == 4
        assert "provisioner unlock --force" in refused.err
        forced = first_run("unlock", "--force")
        assert forced.code == 0
        assert f"process {holder.pid}" in forced.out
        assert first_run("apply", "--auto-approve", "-q", SECOND).code == 0


def test_the_lock_of_a_killed_run_blocks_nobody(first_run: Shell) -> None:
    """The kernel frees it; `unlock` clears away the signature, and tells whose it was."""
    with first_run.lock_held() as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert first_run("apply", "--auto-approve", "-q", SECOND).code == 0
        assert first_run("unlock").code == 0


def test_unlock_says_whose_lock_a_killed_run_left(first_run: Shell) -> None:
    """And the second time that there is none."""
    with first_run.lock_held() as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert f"process {holder.pid}, apply" in first_run("unlock").out
    assert first_run("unlock").out == "There is no lock.\n"


def test_a_run_waits_as_long_as_it_was_told(first_run: Shell) -> None:
    """`--lock-timeout` bounds the wait for a lock that does not come free."""
    with first_run.lock_held():
        answer = first_run("apply", "--auto-approve", "-q", "--lock-timeout", "0.2", SECOND)
    assert answer.code == 4


@pytest.mark.parametrize("size", [0, 100, 2000])
def test_a_full_disk_changes_nothing(first_run: Shell, size: int) -> None:
    """Wherever the space ends: at the lock, in the lock, or half-way through the state."""
    (error,) = first_run.refused("apply", "--auto-approve", "-q", SECOND, largest_file=size)
    assert error.id == "state-io"
    assert "File too large; nothing was changed" in error.message
    assert "ulimit -f" in error.remedy
    assert first_run("plan", "-q", "--detailed-exitcode", SECOND).code == 2


def test_a_full_disk_on_the_first_run(shell: Shell) -> None:
    """No state comes into being, and the next run starts afresh."""
    shell.write("roles.yaml", "version: 1\nroles: {Viewer: {}}\n")
    (error,) = shell.refused("apply", "--auto-approve", "-q", "roles.yaml", largest_file=1000)
    assert error.id == "state-io"
    assert shell("apply", "--auto-approve", "roles.yaml").code == 0


def test_a_full_disk_leaves_no_half_plan(first_run: Shell) -> None:
    """A plan is saved whole, or not at all; the one from before stays."""
    first_run("plan", "examples/roles.yaml", "--out", "plan.json")
    (error,) = first_run.refused("plan", SECOND, "--out", "plan.json", largest_file=100)
    assert (error.id, error.place) == ("unwritable", "plan.json")


def test_a_read_only_folder_changes_nothing(
    first_run: Shell, without_privilege: tuple[str, ...]
) -> None:
    """The state's folder can be read and not be written."""
    folder = first_run.folder / ".provisioner"
    folder.chmod(0o500)
    try:
        (error,) = first_run.refused(
            "apply", "--auto-approve", "-q", SECOND, before=without_privilege
        )
    finally:
        folder.chmod(0o700)
    assert error.id == "state-io"
    assert "Permission denied; nothing was changed" in error.message
    assert "writable for the user who runs this" in error.remedy


def test_a_read_only_folder_on_the_first_run(
    shell: Shell, without_privilege: tuple[str, ...]
) -> None:
    """The state's folder can't be made."""
    shell.write("roles.yaml", "version: 1\nroles: {Viewer: {}}\n")
    shell.folder.chmod(0o500)
    try:
        (error,) = shell.refused(
            "apply", "--auto-approve", "-q", "roles.yaml", before=without_privilege
        )
    finally:
        shell.folder.chmod(0o700)
    assert error.id == "state-io"
    assert "nothing was changed" in error.message


def test_a_state_below_a_file(shell: Shell) -> None:
    """A path that can't become a folder."""
    shell.write("roles.yaml", "version: 1\nroles: {Viewer: {}}\n")
    shell.write(
        "provisioner.yaml",
        "version: 1\ntargets: {sandbox: {backend: file, path: roles.yaml/state.json}}\n",
    )
    (error,) = shell.refused("apply", "--auto-approve", "roles.yaml")
    assert (error.id, error.place) == ("state-io", "roles.yaml/state.json")
    assert "lead through folders" in error.remedy


def test_a_damaged_entry_of_the_history_does_not_ask_for_the_state_file(first_run: Shell) -> None:
    """That one is sound: nothing has to take its place."""
    entry = first_run.folder / ".provisioner/state.json.history/000000.json"
    entry.write_bytes(entry.read_bytes()[:-9])
    (error,) = first_run.refused("rollback", "0")
    assert "go back to another run" in (error.remedy or "")
    assert "--replace-broken" not in (error.remedy or "")
