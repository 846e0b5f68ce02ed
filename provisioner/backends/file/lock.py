"""The two locks of a state file, both flock(2) on a file of their own, by way of filelock.

``CourtesyLock`` is the one that people see: held through a whole run, naming its owner, taken away
by ``unlock --force``. ``exclusive`` is the one that guarantees: held for the moment of a commit.
They are not the same lock because the first may be taken from a living holder.

The kernel frees both when their holder dies, so a lock file that lies about blocks nobody.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from provisioner import strict_json
from provisioner.backends.attribution import now, this_host, this_user
from provisioner.backends.base import LockOwner
from provisioner.backends.file.store import make_folder, read_file, reported
from provisioner.diagnostics import Diagnostic
from provisioner.errors import BackendError, LockHeld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from filelock import BaseFileLock

_UNCHANGED = "nothing was changed"
_COMMIT_POLL = 0.002


@contextmanager
def exclusive(path: Path, shown: str, timeout: float) -> Iterator[None]:
    """Keep every other process and handle out of the block; wait up to ``timeout`` seconds.

    A file of its own rather than the folder, since NFS locks files only; filelock rather than
    bare flock, since it notices when the file was unlinked while it waited (``git clean``).

    Raises:
        LockHeld: Somebody is still writing after that time.
        BackendError: The file system fails or has no locks.
    """
    import filelock

    with reported("lock", shown, _UNCHANGED):
        make_folder(path.parent)
        lock = _file_lock(path)
        try:
            lock.acquire(timeout=timeout, poll_interval=_COMMIT_POLL)
        except filelock.Timeout:
            message = f"{shown} is being written by another process for more than {timeout:g} s"
            raise LockHeld(
                Diagnostic("commit-lock-held", message, shown, "run again when it is done")
            ) from None
    try:
        yield
    finally:
        with reported("unlock", shown, "what was written stays"):
            lock.release()


class CourtesyLock:
    """The lock of a run. ``shown`` is the state file's path in messages."""

    def __init__(self, path: Path, shown: str) -> None:
        self._path = path
        self._shown = shown

    @contextmanager
    def hold(self, operation: str, timeout: float) -> Iterator[None]:
        """Hold the lock for the block; see ``Backend.lock``. Creates its folder and file."""
        import filelock

        held: list[int] = []

        def sign(fd: int) -> None:
            held.append(fd)
            os.ftruncate(fd, 0)
            os.pwrite(fd, _signature(operation), 0)

        with reported("lock", self._shown, _UNCHANGED):
            make_folder(self._path.parent)
            lock = _file_lock(self._path, sign)
            try:
                lock.acquire(timeout=max(timeout, 0.0))
            except filelock.Timeout:
                raise self._held(_WAIT) from None
        try:
            yield
        finally:
            # A signature that stays is harmless: it names an owner that holds nothing.
            with suppress(OSError):
                os.ftruncate(held[-1], 0)
            with reported("unlock", self._shown, "what was written stays"):
                lock.release()

    def owner(self) -> LockOwner | None:
        """Return whose signature is in the lock file; see ``Backend.owner``."""
        with reported("read the lock of", self._shown, _UNCHANGED):
            data = read_file(self._path)
        try:
            signed = strict_json.parse(data or b"null", strict_json.NOTE)
            host, by, pid = str(signed["host"]), str(signed["by"]), int(signed["pid"])
            operation, since = str(signed["operation"]), str(signed["since"])
        except (ValueError, TypeError, KeyError):
            return None
        return LockOwner(by, pid, operation, since, _is_alive(host, pid))

    def unlock(self, *, force: bool) -> LockOwner | None:
        """Clear away what a dead run left; see ``Backend.unlock``.

        Whether the holder lives is asked of the kernel, by trying the lock: process numbers are
        used again, and mean nothing to other hosts.
        """
        import filelock

        owner = self.owner()
        with reported("unlock", self._shown, _UNCHANGED):
            if not self._path.exists():
                return None
            try:
                with _file_lock(self._path, lambda fd: os.ftruncate(fd, 0)).acquire(timeout=0):
                    return owner
            except filelock.Timeout:
                if not force:
                    raise self._held(_STOP) from None
            with suppress(FileNotFoundError):
                os.unlink(self._path)
        return owner

    def _held(self, remedy: str) -> LockHeld:
        owner = self.owner()
        by = "another process"
        if owner:
            by = f"{owner.by} (process {owner.pid}, {owner.operation}) since {owner.since}"
        message = f"{self._shown} is locked by {by}"
        return LockHeld(Diagnostic("lock-held", message, self._shown, remedy))


_WAIT = (
    "wait for it with `--lock-timeout SECONDS`; the lock of a run that died goes with it, and "
    "`provisioner unlock` takes away what is left"
)
_STOP = "stop that run first; `provisioner unlock --force` takes the lock from a living one"


def _file_lock(path: Path, on_acquired: Callable[[int], None] | None = None) -> BaseFileLock:
    import filelock

    if path.is_symlink():
        message = f"{path} is a symbolic link, and a lock must be a file of its own"
        raise BackendError(Diagnostic("lock-is-link", message, str(path), "remove the link"))
    # No soft locks: those outlive their holder, and are no lock at all to a process with flock.
    return filelock.FileLock(path, mode=0o600, fallback_to_soft=False, on_acquired=on_acquired)


def _signature(operation: str) -> bytes:
    owner = {
        "by": this_user(),
        "pid": os.getpid(),
        "operation": operation,
        "since": now(),
        "host": this_host(),
    }
    return json.dumps(owner).encode()


def _is_alive(host: str, pid: int) -> bool | None:
    if host != this_host() or pid <= 0:
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
