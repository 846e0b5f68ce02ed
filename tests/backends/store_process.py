"""A process of its own for test_file_durability: it commits, and dies, fails or races meanwhile.

    python store_process.py crash  FLAW TEMPLATE OUT      one child per system call, killed at it
    python store_process.py fail   FLAW TEMPLATE OUT      the same, but the call fails: disk full
    python store_process.py trace  FLAW FOLDER            the system calls of one commit, as JSON
    python store_process.py race   FLAW FOLDER NAME RUNS  that many commits, again when beaten
    python store_process.py limit  FLAW FOLDER BYTES      a commit under a limit on file sizes
    python store_process.py hold   FLAW FOLDER            takes the lock and waits for its stdin

FLAW names a deliberately broken backend, or is ``sound``. The state file is FOLDER/state.json.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from provisioner.backends.base import Run
from provisioner.backends.committed_state import with_ids
from provisioner.backends.file import FileBackend
from provisioner.engine.writes import CreateRole, replay
from provisioner.errors import BackendError, StateMoved
from provisioner.model import Base, Role, State

if TYPE_CHECKING:
    from collections.abc import Callable

INITIAL = State({"Full Access": Role("Full Access", privileges=frozenset({"CONFIG_SECURITY"}))})
RUN = Run("2026-01-01T00:00:00Z", "child@test", "apply", "one role")
CALLS = (
    *("open", "write", "pwrite", "fsync", "close", "ftruncate"),
    *("replace", "rename", "link", "unlink", "mkdir", "listdir"),
)
# How a child ends: at its step; well, whatever failed; the same, as it has no such step; with an
# error that says that nothing was changed, or that the new state is in place; with any other.
KILLED, DONE, UNTOUCHED, UNCHANGED, IN_PLACE, UNEXPECTED = 9, 0, 1, 3, 4, 5


class InPlace(FileBackend):
    """Broken: writes over the file instead of replacing it."""

    def _replace(self, data: bytes) -> None:
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(fd, data)
        os.fsync(fd)
        os.close(fd)


class Unsynced(FileBackend):
    """Broken: the new name may reach the disk before the new content."""

    def _replace(self, data: bytes) -> None:
        temporary = self._path.with_name(f".{self._path.name}.{'0' * 16}.tmp")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(fd, data)
        os.close(fd)
        temporary.replace(self._path)


class NoCompare(FileBackend):
    """Broken: writes what it was told, whatever the file holds by now."""

    def _require_base(self, current: Any, base: Base) -> None:
        pass

    def _carried_out(self, state: State, writes: Any, after: State) -> State:
        return with_ids(after)


BACKENDS = {
    "sound": FileBackend,
    "in-place": InPlace,
    "unsynced": Unsynced,
    "no-compare": NoCompare,
}


def create(backend: FileBackend, role: Role) -> None:
    """Commit one new role."""
    read = backend.read()
    writes = (CreateRole(role),)
    backend.commit(read.base, writes, replay(read.state, writes), RUN)


def wrap(act: Callable[[str, tuple[Any, ...], Callable[..., Any]], Any]) -> None:
    """Send every system call that changes something through ``act(name, arguments, call)``."""

    def wrapped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **named: act(name, arguments, lambda *a: call(*a, **named))

    for name in CALLS:
        setattr(os, name, wrapped(name, getattr(os, name)))
    fcntl.flock = wrapped("flock", fcntl.flock)


def interfere(kind: str, step: int) -> Callable[[], bool]:
    """Kill this process at its system call of that number, or let the call fail.

    Return a function that tells whether it came to that.
    """
    count = 0

    def act(name: str, arguments: tuple[Any, ...], call: Callable[..., Any]) -> Any:
        nonlocal count
        count += 1
        if count != step:
            return call(*arguments)
        if kind == "fail":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if name == "write":
            call(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
        os._exit(KILLED)

    wrap(act)
    return lambda: count >= step


def child(kind: str, flaw: str, folder: Path, step: int) -> int:
    """Fork; in the child, commit with an interference at that step. Return its exit code."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = UNEXPECTED
    try:
        backend = BACKENDS[flaw](folder / "state.json", INITIAL)
        interfered = interfere(kind, step)
        create(backend, Role("New"))
        code = DONE if interfered() else UNTOUCHED
    except BackendError as error:
        code = UNCHANGED if "nothing was changed" in str(error) else IN_PLACE
    finally:
        os._exit(code)


def every_step(kind: str, flaw: str, template: Path, out: Path) -> None:
    """Run a child for every step, each on its own copy of the template; tell the exit codes."""
    codes: list[int] = []
    while UNTOUCHED not in codes:
        folder = out / str(len(codes))
        shutil.copytree(template, folder)
        codes.append(child(kind, flaw, folder, len(codes) + 1))
    sys.stdout.write(json.dumps(codes))


def trace(flaw: str, folder: Path) -> None:
    """Tell the system calls of a commit, each with the paths it is about."""
    backend = BACKENDS[flaw](folder / "state.json", INITIAL)
    calls: list[list[str]] = []
    paths: dict[int, str] = {}

    def act(name: str, arguments: tuple[Any, ...], call: Callable[..., Any]) -> Any:
        result = call(*arguments)
        if name == "open":
            paths[result] = str(arguments[0])
        about = [paths.get(a, "") if isinstance(a, int) else str(a) for a in arguments[:2]]
        calls.append([name, *(about if name in {"replace", "rename"} else about[:1])])
        return result

    wrap(act)
    create(backend, Role("Traced"))
    sys.stdout.write(json.dumps(calls))


def race(flaw: str, folder: Path, name: str, runs: int) -> None:
    """Commit that many roles against others; the first from a version that all have read."""
    backend = BACKENDS[flaw](folder / "state.json", INITIAL)
    stale = backend.read()
    (folder / f"ready-{name}").touch()
    while not (folder / "go").exists():
        time.sleep(0.002)
    beaten = 0
    for number in range(runs):
        writes = (CreateRole(Role(f"{name} {number}")),)
        while True:
            try:
                after = replay(stale.state, writes)
                backend.commit(stale.base, writes, after, replace(RUN, by=name))
                break
            except StateMoved:
                beaten += 1
                stale = backend.read()
        stale = backend.read()
    sys.stdout.write(json.dumps(beaten))


def limit(flaw: str, folder: Path, size: int) -> None:
    """Commit more than fits, and tell the error."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        create(BACKENDS[flaw](folder / "state.json", INITIAL), Role("Large", "x" * size))
    except BackendError as error:
        sys.stdout.write(json.dumps(str(error)))


def hold(flaw: str, folder: Path) -> None:
    """Hold the lock until standard input ends."""
    with BACKENDS[flaw](folder / "state.json", INITIAL).lock("apply", 0.0):
        sys.stdout.write("held\n")
        sys.stdout.flush()
        sys.stdin.read()


def main(command: str, flaw: str, folder: str, *rest: str) -> None:
    """Do what the first argument says."""
    match command, rest:
        case (("crash" | "fail"), (out,)):
            every_step(command, flaw, Path(folder), Path(out))
        case "trace", ():
            trace(flaw, Path(folder))
        case "race", (name, runs):
            race(flaw, Path(folder), name, int(runs))
        case "limit", (size,):
            limit(flaw, Path(folder), int(size))
        case "hold", ():
            hold(flaw, Path(folder))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
