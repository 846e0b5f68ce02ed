"""The kept states of a state file: one full copy per run, in a folder beside it.

Entry N is the state file as run N left it, entry 0 the state before any run. An entry is written
before the state file is, so an entry above the state file's serial is what a crash left: nobody
ever saw that state, and the next commit overwrites it.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.backends.base import HistoryEntry
from provisioner.backends.file import store
from provisioner.diagnostics import Diagnostic
from provisioner.documents import damage
from provisioner.documents import state as statefile
from provisioner.errors import BackendError, StateDamaged

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.documents.state import Document, Header

KEPT = 50
_ENTRY = re.compile(r"(\d{6,18})\.json")
_UNCHANGED = "nothing was changed"
_OTHER_RUN = "restore it from a backup, or go back to another run: `provisioner history` lists them"


class History:
    """The folder of kept states. ``shown`` is its path in messages."""

    def __init__(self, folder: Path, shown: str) -> None:
        self.folder = folder
        self.shown = shown

    def numbers(self) -> tuple[int, ...]:
        """Return the numbers that have an entry, sound or not, in ascending order."""
        with store.reported("list", self.shown, _UNCHANGED):
            try:
                names = os.listdir(self.folder)
            except FileNotFoundError:
                return ()
        found = (_ENTRY.fullmatch(name) for name in names)
        return tuple(sorted(int(match[1]) for match in found if match))

    def document(self, number: int, lineage: str | None = None) -> Document:
        """Return an entry, checked like the state file itself.

        Raises:
            StateDamaged: The entry is not sound, or not of that lineage.
            BackendError: There is no such entry, or it can't be read.
        """
        data = self._data(number)
        if data is None:
            raise self.not_kept(number)
        try:
            kept = statefile.decode(data, self._shown(number))
            self._require_fit(kept.header, number, lineage)
        except StateDamaged as error:
            raise StateDamaged(map(_of_entry, error.diagnostics)) from error
        return kept

    def header(self, number: int, lineage: str | None = None) -> Header | None:
        """Return who made an entry; None if it is not sound or fitting. Reads no roles."""
        try:
            data = self._data(number)
            header = statefile.read_header(data, self._shown(number)) if data is not None else None
            if header:
                self._require_fit(header, number, lineage)
        except BackendError:
            return None
        return header

    def entries(self, lineage: str | None = None) -> tuple[HistoryEntry, ...]:
        """Return all entries in order; one that is not sound, or not of that lineage, says so."""
        return tuple(self._entry(number, lineage) for number in self.numbers())

    def entries_of(self, current: Header) -> tuple[HistoryEntry, ...]:
        """Return the entries up to the state file's own, which is always there, as is 0."""
        found = {entry.number: entry for entry in self.entries(current.lineage)}
        found.setdefault(0, HistoryEntry(0, None))
        found[current.serial] = HistoryEntry(current.serial, current.run, digest=current.digest)
        return tuple(found[number] for number in sorted(found) if number <= current.serial)

    def newest(self, claimed: tuple[str, int] | None) -> Document:
        """Return the newest sound entry; before it, the one a damaged file claims to be."""
        numbers = sorted(self.numbers(), reverse=True)
        if claimed and claimed[1] in numbers:
            numbers.insert(0, claimed[1])
        for number in numbers:
            with suppress(StateDamaged):
                return self.document(number)
        message = f"{self.shown} holds no sound state to go back to; {_UNCHANGED}"
        remedy = "restore the state file from a backup"
        raise BackendError(Diagnostic("history-empty", message, self.shown, remedy))

    def keep(self, number: int, data: bytes) -> None:
        """Write an entry durably. Raises ``OSError``."""
        store.make_folder(self.folder)
        store.remove_leftovers(self.folder)
        store.replace_file(self._path(number), data)
        store.sync_folder(self.folder)

    def drop(self, number: int) -> None:
        """Take back an entry whose state was not written after all. Never fails."""
        with suppress(OSError):
            os.unlink(self._path(number))

    def prune(self, serial: int) -> None:
        """Drop all but the newest entries up to the serial; 0 stays. Never fails."""
        with suppress(OSError, BackendError):
            for number in self.numbers():
                if 0 < number <= serial - KEPT:
                    os.unlink(self._path(number))

    def not_kept(self, number: int) -> BackendError:
        """Return the error for a state that is not kept (any more)."""
        message = f"the state after run {number} is not kept in {self.shown}"
        remedy = "choose a number that `provisioner history` lists with a state"
        return BackendError(Diagnostic("history-not-kept", message, self.shown, remedy))

    def _entry(self, number: int, lineage: str | None) -> HistoryEntry:
        header = self.header(number, lineage)
        if header is None:
            return HistoryEntry(number, None, has_snapshot=False)
        return HistoryEntry(number, header.run, digest=header.digest)

    def _require_fit(self, header: Header, number: int, lineage: str | None) -> None:
        where = self._shown(number)
        what = None
        if header.serial != number:
            what = f"the state after run {header.serial}"
        elif lineage not in (None, header.lineage):
            what = "a state of another store"
        if what:
            message = f"{where} holds {what}"
            raise StateDamaged(Diagnostic("history-misplaced", message, where, "remove the file"))

    def _data(self, number: int) -> bytes | None:
        with store.reported("read", self._shown(number), _UNCHANGED):
            return store.read_file(self._path(number))

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"

    def _shown(self, number: int) -> str:
        return f"{self.shown}/{number:06d}.json"


def _of_entry(found: Diagnostic) -> Diagnostic:
    """What is wrong with an entry: nothing has to take the place of the state file for it."""
    return replace(found, remedy=_OTHER_RUN) if found.remedy == damage.RECOVER else found
