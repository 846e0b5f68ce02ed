"""The file backend: roles and assignments in one JSON file, safe to share between processes.

See docs/state-file.md for the format and for what the files beside it are.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from provisioner.backends.attribution import now, this_user
from provisioner.backends.base import Description, HistoryEntry, Run
from provisioner.backends.committed_state import committed_state, with_ids, with_initial_ids
from provisioner.backends.file import store
from provisioner.backends.file.history import History
from provisioner.backends.file.lock import CourtesyLock, exclusive
from provisioner.diagnostics import Diagnostic
from provisioner.documents import damage
from provisioner.documents import state as statefile
from provisioner.engine.writes import Unfit, replay
from provisioner.errors import BackendError, InvalidInput, StateDamaged, StateMoved
from provisioner.model import Base, Capabilities, Snapshot, State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from provisioner.backends.base import LockOwner
    from provisioner.documents.state import Document
    from provisioner.engine.writes import Write
    from provisioner.model import Kind

CAPABILITIES = Capabilities(atomic=True, history=True)
COMMIT_WAIT = 30.0
_UNCHANGED = "nothing was changed"


class FileBackend:
    """A store in one file. Implements ``provisioner.backends.base.Backend``.

    ``path`` may be a symbolic link; the file it points to is the store. ``initial`` is the state of
    a store that does not exist yet. ``identity`` defaults to ``file:`` and the path as given, which
    is the same wherever a configuration is checked out.
    """

    def __init__(self, path: Path, initial: State, *, identity: str | None = None) -> None:
        if "\0" in str(path):
            message = "the path of a state file can't hold a NUL character"
            raise InvalidInput(Diagnostic("state-path", message, None, "remove it from `path`"))
        self._shown = str(path)
        self._path = Path(os.path.realpath(path))
        self._initial = with_initial_ids(initial)
        self._identity = identity or f"file:{path.as_posix()}"
        self._history = History(self._beside("history"), f"{self._shown}.history")
        self._lock = CourtesyLock(self._beside("lock"), self._shown)
        self._last: Document | None = None

    def describe(self) -> Description:
        """Say what this is."""
        return Description("file", self._identity, CAPABILITIES, locks=True)

    def read(self) -> Snapshot:
        """Read and check the whole file. A file that is gone, but has a history, is an error."""
        current = self._current()
        if current is None:
            return Snapshot(_copy(self._initial))
        return Snapshot(_copy(current.state), current.header.base)

    def lock(self, operation: str, timeout: float) -> AbstractContextManager[None]:
        """Hold the lock file beside the state file; creates its folder if need be."""
        return self._lock.hold(operation, timeout)

    def commit(self, base: Base, writes: tuple[Write, ...], after: State, run: Run) -> Base:
        """Replace the file by one that holds what the writes make of it.

        Raises:
            StateMoved: The file is no longer at ``base``.
            BackendError: A write does not fit, the writes do not lead to ``after``, or the file
                can't be written; unless it says otherwise, nothing was changed.
        """
        with self._committing():
            current = self._current()
            self._require_base(current, base)
            state = current.state if current else self._initial
            return self._advance(current, self._carried_out(state, writes, after), run)

    def write(self, write: Write) -> None:
        """Carry out one write as a run of its own."""
        with self._committing():
            current = self._current()
            state = current.state if current else self._initial
            try:
                after = replay(state, (write,))
            except Unfit as error:
                raise self._moved(str(error)) from error
            run = Run(now(), this_user(), "write", type(write).__name__)
            self._advance(current, with_ids(after), run)

    def record(
        self, run: Run, recorded: frozenset[Kind], policies: tuple[Mapping[str, Any], ...]
    ) -> None:
        """Remember a run and the kinds it manages, as a commit that writes nothing else."""
        with self._committing():
            current = self._current()
            state = current.state if current else self._initial
            self._advance(current, replace(state, recorded=recorded, policies=policies), run)

    def history(self) -> tuple[HistoryEntry, ...]:
        """Return the runs that are kept. Works on a damaged state file too, to choose from."""
        try:
            data = self._data()
            current = statefile.read_header(data, self._shown) if data is not None else None
        except StateDamaged:
            return self._history.entries()
        if current is None:
            # Without a file there were no runs, unless it was lost and the history remembers them.
            return self._history.entries() if self._was_written() else (HistoryEntry(0, None),)
        return self._history.entries_of(current)

    def state_after(self, number: int) -> State:
        """Return the state after that run, from the history or, for the latest, the file."""
        try:
            current = self._current()
        except StateDamaged:
            return self._history.document(number).state
        serial, lineage = (current.header.serial, current.header.lineage) if current else (0, None)
        if current and number == serial:
            return _copy(current.state)
        if not 0 <= number <= serial:
            raise self._history.not_kept(number)
        # The first commit writes entry 0 last: if it was killed there, the initial state is known.
        if number == 0 and 0 not in self._history.numbers():
            return _copy(self._initial)
        return self._history.document(number, lineage).state

    def owner(self) -> LockOwner | None:
        """Return who holds, or last left behind, the lock."""
        return self._lock.owner()

    def unlock(self, *, force: bool = False) -> LockOwner | None:
        """Clear away the lock of a dead run; with ``force``, of a living one."""
        return self._lock.unlock(force=force)

    def read_newest_snapshot(self) -> Snapshot:
        """Return the newest kept state that is sound, to stand in for a damaged state file.

        That is the state of the serial that the damaged file still claims, if there is one.

        Raises:
            BackendError: The state file is not damaged, or no kept state is sound.
        """
        data = self._broken_data()
        kept = self._history.newest(statefile.claimed_identity(data or b""))
        return Snapshot(_copy(kept.state), kept.header.base)

    def commit_over_broken(self, writes: tuple[Write, ...], after: State, run: Run) -> Base:
        """Replace a damaged state file by what the writes make of ``read_newest_snapshot``.

        The damaged file stays beside it as ``<name>.broken-<serial of the new one>``. The new
        serial is above every kept one, the lineage stays.

        Raises:
            BackendError: The state file is not damaged, or as ``commit``.
        """
        with self._committing():
            data = self._broken_data()
            kept = self._history.newest(statefile.claimed_identity(data or b""))
            serial = max(self._history.numbers()) + 1
            state = self._carried_out(kept.state, writes, after)
            if data is not None:
                aside = self._beside(f"broken-{serial}")
                with store.reported("write", f"{self._shown}.broken-{serial}", _UNCHANGED):
                    store.replace_file(aside, data)
            return self._put(kept.header.lineage, serial, state, run)

    def _committing(self) -> AbstractContextManager[None]:
        return exclusive(self._beside("commit"), self._shown, COMMIT_WAIT)

    def _current(self) -> Document | None:
        """Return the checked content of the file; None if the store does not exist yet."""
        data = self._data()
        if data is None and self._was_written():
            data = self._data()  # Looked again: another process may just have made the store.
            if data is None:
                raise damage.missing(self._shown, self._history.shown)
        if data is None:
            return None
        digest = statefile.checked_digest(data, self._shown)
        if self._last is None or self._last.header.digest != digest:
            self._last = statefile.decode(data, self._shown)
        return self._last

    def _was_written(self) -> bool:
        """Whether there was a file; entry 1 alone is what a killed first commit leaves."""
        numbers = self._history.numbers()
        return 0 in numbers or any(number > 1 for number in numbers)

    def _data(self) -> bytes | None:
        with store.reported("read", self._shown, _UNCHANGED):
            return store.read_file(self._path)

    def _broken_data(self) -> bytes | None:
        """Return the bytes of a file that is certainly damaged; None if it is gone."""
        data = self._data()
        try:
            self._current()
        except StateDamaged as error:
            if any(found.id == damage.NEWER for found in error.diagnostics):
                raise
            return data
        message = f"{self._shown} is not damaged, so it is not replaced"
        remedy = "run `provisioner rollback N` without --replace-broken"
        raise BackendError(Diagnostic("state-not-damaged", message, self._shown, remedy))

    def _require_base(self, current: Document | None, base: Base) -> None:
        actual = current.header.base if current else Base()
        if actual != base:
            now_at = f"it is at serial {actual.serial}, not at {base.serial}"
            if actual.serial == base.serial:
                now_at = f"serial {actual.serial} is not the one that was read"
            run = current.header.run if current else None
            by = f" ({run.operation} by {run.by} at {run.at})" if run else ""
            raise self._moved(f"{now_at}{by}")

    def _moved(self, why: str) -> StateMoved:
        message = f"{self._shown} changed since it was read: {why}; {_UNCHANGED}"
        return StateMoved(Diagnostic("state-moved", message, self._shown, "plan again"))

    def _carried_out(self, state: State, writes: tuple[Write, ...], after: State) -> State:
        try:
            return committed_state(state, writes, after)
        except Unfit as error:
            message = f"the writes do not fit {self._shown}: {error}; {_UNCHANGED}"
            raise BackendError(Diagnostic("writes-unfit", message, self._shown)) from error

    def _advance(self, current: Document | None, state: State, run: Run) -> Base:
        if current:
            header = current.header
            return self._put(header.lineage, header.serial + 1, state, run)
        from uuid import uuid4

        lineage = str(uuid4())
        base = self._put(lineage, 1, state, run)
        # Entry 0 comes after the file: it proves later that there was one. From here on the commit
        # has happened and nothing may fail it any more.
        with suppress(OSError, BackendError):
            self._history.keep(0, self._encoded(lineage, 0, None, self._initial)[0])
        return base

    def _put(self, lineage: str, serial: int, state: State, run: Run) -> Base:
        data, written = self._encoded(lineage, serial, run, state)
        with store.reported("write", self._history.shown, _UNCHANGED):
            self._history.keep(serial, data)
        try:
            with store.reported("write", self._shown, _UNCHANGED):
                store.remove_leftovers(self._path.parent, self._path.name)
                self._replace(data)
        except BackendError:
            self._history.drop(serial)
            raise
        lasting = "the new state is in place, but a power failure could undo it"
        with store.reported("sync the folder of", self._shown, lasting):
            store.sync_folder(self._path.parent)
        self._history.prune(serial)
        self._last = written
        return written.header.base

    def _replace(self, data: bytes) -> None:
        store.replace_file(self._path, data)

    def _encoded(
        self, lineage: str, serial: int, run: Run | None, state: State
    ) -> tuple[bytes, Document]:
        """Encode a state and read it back: what could not be read again is never written."""
        try:
            data = statefile.encode(lineage, serial, run, state)
            return data, statefile.decode(data, "the new state")
        except (UnicodeEncodeError, StateDamaged) as error:
            message = f"cannot write {self._shown}: {error}; {_UNCHANGED}"
            raise BackendError(Diagnostic("state-unwritable", message, self._shown)) from error

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{suffix}")


def _copy(state: State) -> State:
    return replace(state, roles=dict(state.roles), assignments=dict(state.assignments))
