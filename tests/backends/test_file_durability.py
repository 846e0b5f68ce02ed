"""Kills, full disks and races, with real processes and real files.

Each check is run against broken variants of the store as well, and must catch them: a check that
can't fail proves nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from provisioner.backends.file import FileBackend
from provisioner.engine.writes import CreateRole
from provisioner.errors import ProvisionerError
from provisioner.model import Role, State
from provisioner.testing.contract import carry_out, without_ids

SCRIPT = Path(__file__).with_name("store_process.py")
INITIAL = State({"Full Access": Role("Full Access", privileges=frozenset({"CONFIG_SECURITY"}))})
KILLED, DONE, UNTOUCHED, UNCHANGED, IN_PLACE, UNEXPECTED = 9, 0, 1, 3, 4, 5


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start store_process.py."""
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)


def answer(process: subprocess.Popen[str]) -> Any:
    """Wait for a process; return what it told."""
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, "the process failed"
    return json.loads(output)


def store(folder: Path) -> FileBackend:
    """Return a sound backend for the state file in the folder."""
    return FileBackend(folder / "state.json", INITIAL)


def commit(backend: FileBackend, *names: str) -> None:
    """Commit new roles, one run each."""
    for name in names:
        carry_out(backend, CreateRole(Role(name)))


def roles(folder: Path) -> set[str]:
    """Return the names of the roles that are stored in the folder."""
    return set(store(folder).read().state.roles)


def temporary_files(folder: Path) -> list[Path]:
    """Return what commits have left unfinished."""
    return [path for path in folder.rglob("*.tmp") if path.is_file()]


@pytest.fixture(params=["first", "second"])
def template(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a folder in which the next commit is the first, or the second."""
    folder = tmp_path / "template"
    folder.mkdir()
    if request.param == "second":
        commit(store(folder), "Old")
    return folder


# The checks


def check_survives(kind: str, flaw: str, template: Path, out: Path) -> None:
    """A commit that is killed, or fails, at any system call leaves the old state or the new one."""
    old = without_ids(store(template).read().state)
    new = State({**old.roles, "New": Role("New")})
    codes = answer(start(kind, flaw, template, out))
    assert codes[-1] == UNTOUCHED
    assert len(codes) > 20, "too few system calls to be a commit"
    assert UNEXPECTED not in codes
    for step, code in enumerate(codes):
        check_outcome(out / str(step), code, old, new)


def check_outcome(folder: Path, code: int, old: State, new: State) -> None:
    """What a child left is whole, fits how it ended, and the next commit works as ever."""
    backend = store(folder)
    before = backend.read()
    allowed = {KILLED: (old, new), UNCHANGED: (old,)}.get(code, (new,))
    assert without_ids(before.state) in allowed, f"{folder.name}: ended with {code}"
    commit(backend, "Next")
    after = store(folder).read()
    assert "Next" in after.state.roles
    assert after.base.serial == before.base.serial + 1
    assert before.base.lineage in (None, after.base.lineage)
    assert [entry.number for entry in backend.history()] == list(range(after.base.serial + 1))
    assert without_ids(backend.state_after(before.base.serial)) == without_ids(before.state)
    assert not temporary_files(folder)


def check_synced(flaw: str, folder: Path) -> None:
    """A power failure finds nothing half done: content reaches the disk before its name does.

    Each file is synced before it is renamed, its folder afterwards, and the history entry is
    complete before the state file is touched.
    """
    calls = [tuple(call) for call in answer(start("trace", flaw, folder))]
    renames = [call for call in calls if call[0] == "replace"]
    assert [Path(call[2]).name for call in renames[:2]] == ["000001.json", "state.json"]
    for rename in renames:
        at = calls.index(rename)
        written = max(n for n, call in enumerate(calls[:at]) if call == ("write", rename[1]))
        assert ("fsync", rename[1]) in calls[written:at], f"{rename[2]}: content not synced"
        following = calls.index(renames[-1]) if rename is renames[0] else len(calls)
        synced = ("fsync", str(Path(rename[2]).parent))
        assert synced in calls[at:following], f"{rename[2]}: name not synced"


def check_race(flaw: str, folder: Path, racers: int, runs: int) -> None:
    """Processes that commit at the same time lose nothing: every commit counts, once."""
    names = [f"racer {number}" for number in range(racers)]
    processes = [start("race", flaw, folder, name, runs) for name in names]
    while not all((folder / f"ready-{name}").exists() for name in names):
        assert all(process.poll() is None for process in processes)
    (folder / "go").touch()
    beaten = sum(answer(process) for process in processes)
    assert store(folder).read().base.serial == racers * runs
    expected = {f"{name} {number}" for name in names for number in range(runs)}
    assert roles(folder) == {"Full Access"} | expected
    assert beaten >= racers - 1, "they did not meet"


# Crashes and full disks


def test_a_kill_at_any_system_call_leaves_the_old_state_or_the_new(
    template: Path, tmp_path: Path
) -> None:
    """Half-written files included; the next run goes on as if nothing had been."""
    check_survives("crash", "sound", template, tmp_path / "out")


def test_a_failure_of_any_system_call_is_reported_as_what_it_did(
    template: Path, tmp_path: Path
) -> None:
    """The error says whether anything was changed, and it is right; none is a traceback."""
    check_survives("fail", "sound", template, tmp_path / "out")


@pytest.mark.parametrize("kind", ["crash", "fail"])
def test_writing_in_place_would_be_caught(kind: str, tmp_path: Path) -> None:
    """The check above fails for a store that overwrites its file."""
    folder = tmp_path / "template"
    folder.mkdir()
    commit(store(folder), "Old")
    with pytest.raises((AssertionError, ProvisionerError)):
        check_survives(kind, "in-place", folder, tmp_path / "out")


def test_content_reaches_the_disk_before_its_name(tmp_path: Path) -> None:
    """What a power failure may find is told by the order of the system calls."""
    check_synced("sound", tmp_path)


def test_a_rename_without_sync_would_be_caught(tmp_path: Path) -> None:
    """The check above fails for a store that leaves the syncing to chance."""
    with pytest.raises(AssertionError, match="content not synced"):
        check_synced("unsynced", tmp_path)


def test_a_file_that_grows_too_large_is_reported(tmp_path: Path) -> None:
    """A write that ends half-way changes nothing, leaves nothing, and says so."""
    commit(store(tmp_path), "Old")
    before = (tmp_path / "state.json").read_bytes()
    message = answer(start("limit", "sound", tmp_path, 4096))
    assert message.startswith("cannot write ")
    assert message.endswith("File too large; nothing was changed")
    assert (tmp_path / "state.json").read_bytes() == before
    assert not temporary_files(tmp_path)


# Races


def test_racing_processes_lose_no_update(tmp_path: Path) -> None:
    """Eight processes with ten commits each make serial 80 and eighty roles."""
    check_race("sound", tmp_path, racers=8, runs=10)


def test_a_lost_update_would_be_caught(tmp_path: Path) -> None:
    """The check above fails for a store that does not compare before it writes."""
    with pytest.raises(AssertionError):
        check_race("no-compare", tmp_path, racers=4, runs=2)
