"""Locks between processes, and the places and modes of files."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioner.backends.file import FileBackend
from provisioner.engine.writes import CreateRole
from provisioner.errors import BackendError, LockHeld
from provisioner.model import Role, State
from provisioner.strict_json import FILE
from provisioner.testing.contract import carry_out
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("store_process.py")


def store(folder: Path) -> FileBackend:
    """Return a backend for the state file in the folder."""
    return FileBackend(folder / "state.json", State())


def commit(backend: FileBackend, name: str) -> None:
    """Commit a new role."""
    carry_out(backend, CreateRole(Role(name)))


def roles(folder: Path) -> set[str]:
    """Return the names of the roles that are stored in the folder."""
    return set(store(folder).read().state.roles)


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds the lock."""
    command = [sys.executable, str(SCRIPT), "hold", "sound", str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
    assert process.stdout
    assert process.stdin
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.stdin.close()
        process.wait(PATIENCE)
        process.stdout.close()


def test_the_lock_of_another_process_is_respected(tmp_path: Path) -> None:
    """The refusal names who holds it, since when and for what, and what can be done."""
    backend = store(tmp_path)
    with holder(tmp_path) as process:
        with pytest.raises(LockHeld) as caught, backend.lock("plan", 0.0):
            pytest.fail("two processes hold the lock")
        with pytest.raises(LockHeld):
            backend.unlock()
        owner = backend.owner()
    (found,) = caught.value.diagnostics
    assert owner is not None
    assert (owner.pid, owner.alive, owner.operation) == (process.pid, True, "apply")
    for part in (owner.by, str(owner.pid), owner.operation, owner.since):
        assert part in found.message
    assert found.remedy
    assert "--lock-timeout" in found.remedy
    assert "provisioner unlock" in found.remedy
    assert backend.owner() is None


def test_the_lock_of_a_killed_process_does_not_block(tmp_path: Path) -> None:
    """Its name stays until the next run, or until ``unlock`` clears it away."""
    backend = store(tmp_path)
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
    owner = backend.owner()
    assert owner is not None
    assert (owner.pid, owner.alive) == (process.pid, False)
    assert backend.unlock() == owner
    assert backend.owner() is None
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
    with backend.lock("apply", 0.0):
        owner = backend.owner()
        assert owner is not None
        assert owner.pid == os.getpid()


def test_commits_are_safe_without_the_lock(tmp_path: Path) -> None:
    """The lock is a courtesy: a process that never asks for it can't be stopped, nor do harm."""
    with holder(tmp_path):
        commit(store(tmp_path), "Impolite")
    assert "Impolite" in roles(tmp_path)


def test_an_unreadable_lock_file_is_nobodys(tmp_path: Path) -> None:
    """Whatever stands in the lock file, only the kernel says whether it is held."""
    backend = store(tmp_path)
    for content in (b"", b"{", b"[]", b'{"pid": "x"}', b"\xff\xfe"):
        (tmp_path / "state.json.lock").write_bytes(content)
        assert backend.owner() is None
        assert backend.unlock() is None
        with backend.lock("apply", 0.0):
            pass


# Places and modes


def with_lock(backend: FileBackend) -> None:
    """Take the lock and give it back."""
    with backend.lock("apply", 0.0):
        pass


def mode(path: Path) -> int:
    """Return the permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_written_is_for_the_owner_only(tmp_path: Path) -> None:
    """Files get 0600 and folders 0700, whatever the umask and the mode they had."""
    former = os.umask(0)
    try:
        backend = store(tmp_path / "new" / "folder")
        commit(backend, "One")
        state = tmp_path / "new" / "folder" / "state.json"
        state.chmod(0o666)
        with backend.lock("apply", 0.0):
            commit(backend, "Two")
    finally:
        os.umask(former)
    for path in (tmp_path / "new").rglob("*"):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path
    assert mode(tmp_path / "new") == 0o700


def test_only_its_own_leftovers_are_cleared_away(tmp_path: Path) -> None:
    """Several state files may share a folder; what another commit is writing is not touched."""
    own = tmp_path / f".state.json.{'0' * 16}.tmp"
    others = [tmp_path / f".other.json.{'0' * 16}.tmp", tmp_path / ".state.json.mine.tmp"]
    for path in (own, *others):
        path.touch()
    commit(store(tmp_path), "One")
    assert not own.exists()
    assert all(path.exists() for path in others)


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    """The file it points to is replaced; both paths are the same store, with the same lock."""
    (tmp_path / "real").mkdir()
    commit(store(tmp_path / "real"), "One")
    link = tmp_path / "state.json"
    link.symlink_to(tmp_path / "real" / "state.json")
    commit(store(tmp_path), "Two")
    assert link.is_symlink()
    assert roles(tmp_path / "real") == {"One", "Two"}
    with (
        store(tmp_path).lock("apply", 0.0),
        pytest.raises(LockHeld),
        store(tmp_path / "real").lock("plan", 0.0),
    ):
        pytest.fail("one store has two locks")


def test_a_link_to_nothing_makes_the_file_it_points_to(tmp_path: Path) -> None:
    """A link may be there before the store is."""
    (tmp_path / "state.json").symlink_to("elsewhere.json")
    commit(store(tmp_path), "One")
    assert (tmp_path / "elsewhere.json").is_file()
    assert (tmp_path / "state.json").is_symlink()


def test_a_folder_that_is_read_only_is_an_error(tmp_path: Path) -> None:
    """Reading works; a commit and the lock say what is in the way."""
    commit(store(tmp_path), "One")
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("root may write to read-only folders; the next test is for everybody")
    try:
        assert "One" in roles(tmp_path)
        with pytest.raises(BackendError, match="Permission denied; nothing was changed"):
            commit(store(tmp_path), "Two")
        with pytest.raises(BackendError, match="Permission denied"):
            with_lock(store(tmp_path))
    finally:
        tmp_path.chmod(0o700)


def test_a_path_below_a_file_is_an_error(tmp_path: Path) -> None:
    """What can't be a folder for anyone, root included, gives errors and no traceback."""
    (tmp_path / "file").write_text("")
    backend = store(tmp_path / "file")
    with pytest.raises(BackendError, match="Not a directory"):
        backend.read()
    with pytest.raises(BackendError, match="Not a directory"):
        with_lock(backend)
    with pytest.raises(BackendError):
        backend.history()


def test_a_file_that_no_state_fills_is_not_read(tmp_path: Path) -> None:
    """It would take the memory of the machine."""
    with (tmp_path / "state.json").open("wb") as file:
        file.truncate(FILE.size + 1)
    with pytest.raises(BackendError, match=f"it has more than {FILE.size} bytes"):
        store(tmp_path).read()


def test_a_path_to_no_regular_file_is_an_error(tmp_path: Path) -> None:
    """A folder, a named pipe and links in a circle are refused, without waiting for anything."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "state.json").mkdir()
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "b" / "state.json")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "state.json").symlink_to("state.json")
    for folder, reason in (("a", "directory"), ("b", "regular file"), ("c", "symbolic links")):
        with pytest.raises(BackendError, match=reason):
            store(tmp_path / folder).read()
        with pytest.raises(BackendError, match=reason):
            commit(store(tmp_path / folder), "One")
