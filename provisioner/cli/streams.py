"""Standard output and error, to which nobody has to be listening.

Writing to them never raises: what a closed, full or broken stream does not take is lost, ``lost``
says why, and the run goes on to its end. While changes are made, writing does not wait either, so
that a reader who has fallen asleep can't hold a run halfway: threads hand over what is written.
Everything that prints goes through here, for it stands behind ``sys.stdout`` and ``sys.stderr``.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
import threading
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_WAITING: Final = 100_000  # pieces, for a progress line each; what comes after them is dropped
PATIENCE: Final = 1.0  # seconds that are waited for a reader, after waiting was broken off


class Stream(io.RawIOBase):
    """A file descriptor to write to. Takes everything; ``lost`` says why some did not arrive."""

    def __init__(self, name: str, descriptor: int) -> None:
        super().__init__()
        self.name = name
        self.lost: OSError | None = None
        self.is_closed = False  # since before the process began
        self.may_wait = True
        self.is_hurried = False
        self._descriptor = descriptor
        self._courier: threading.Thread | None = None
        self._waiting: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        self._dropped = 0

    def writable(self) -> bool:
        """Yes."""
        return True

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal, and one that is still there."""
        return os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        """Write everything, as far as it can be written; never raises."""
        piece = bytes(data)
        if self._courier is None:
            self._deliver(piece)
        elif not self.may_wait and self._waiting.qsize() >= MOST_WAITING:
            self._dropped += 1
        else:
            if self._dropped:
                self._waiting.put(b"(%d lines left out: nobody was reading)\n" % self._dropped)
                self._dropped = 0
            # No lock here: a signal can come in between, and its handler writes as well.
            self._waiting.put(piece)
            if self.may_wait:
                self.settle()
        return len(piece)

    def no_longer_wait(self) -> None:
        """Return from ``write`` at once from now on; a thread writes."""
        self.may_wait = False
        if self._courier is None:
            self._courier = threading.Thread(target=self._carry, daemon=True)
            self._courier.start()

    def settle(self) -> None:
        """Wait until everything that was written has arrived, or is lost."""
        if self._courier is None:
            return
        arrived = threading.Event()
        self._waiting.put(arrived)
        while self.lost is None and not arrived.wait(PATIENCE):
            if self.is_hurried:
                self.lost = TimeoutError(errno.ETIMEDOUT, "nobody reads it")

    def _carry(self) -> None:
        while True:
            piece = self._waiting.get()
            if isinstance(piece, bytes):
                self._deliver(piece)
            else:
                piece.set()

    def _deliver(self, piece: bytes) -> None:
        rest = memoryview(piece)
        try:
            while rest and self.lost is None:
                rest = rest[self._taken(rest) :]
        except OSError as error:
            self.lost = error

    def _taken(self, data: memoryview) -> int:
        if self.is_closed:
            raise OSError(errno.EBADF, "standard output is closed")
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            # Another process that has it open made it so; it is no reason to lose anything.
            ready = select.poll()
            ready.register(self._descriptor, select.POLLOUT)
            ready.poll()
            return 0


OUT: Final = Stream("<stdout>", 1)
ERR: Final = Stream("<stderr>", 2)


def open_standard() -> None:
    """Put the streams behind ``sys.stdout`` and ``sys.stderr``. At the start of a process, once."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # Else the next file to be opened would take its place, and be written to as output.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = _text(OUT, sys.stdout)
    sys.stderr = _text(ERR, sys.stderr)


def _text(stream: Stream, found: Any) -> io.TextIOWrapper:
    # Python has no stream at all for a descriptor that was closed when the process began.
    stream.is_closed = found is None
    encoding = "utf-8" if found is None else found.encoding
    # A character that the terminal's encoding lacks may not be the end of a run either.
    return io.TextIOWrapper(stream, encoding, "backslashreplace", write_through=True)


@contextmanager
def without_waiting() -> Iterator[None]:
    """Never wait for a reader in the block; what is not read in time arrives later, or never."""
    for stream in (OUT, ERR):
        stream.no_longer_wait()
    try:
        yield
    finally:
        for stream in (OUT, ERR):
            stream.may_wait = True
        if _are_one():
            settle()


def _are_one() -> bool:
    """Whether both are the same file, in which what is said first shall stand first."""
    try:
        return os.path.sameopenfile(OUT.fileno(), ERR.fileno())
    except OSError:
        return False


def hurry() -> None:
    """Wait for no reader much longer: somebody wants the run to end. For signal handlers too."""
    for stream in (OUT, ERR):
        stream.is_hurried = True


def settle() -> None:
    """Wait until everything has arrived, or is lost."""
    for stream in (OUT, ERR):
        stream.settle()


def failure() -> str | None:
    """Why something that was to be read did not arrive, as a message; None where all did.

    Not where who listened went away, as ``head`` does when it has enough, nor where standard error
    was closed from the start: both are meant.
    """
    for stream, name in ((OUT, "output"), (ERR, "messages")):
        is_meant = isinstance(stream.lost, BrokenPipeError | ConnectionResetError)
        is_meant = is_meant or (stream is ERR and stream.is_closed)
        if stream.lost is not None and not is_meant:
            return f"can't write the {name}: {stream.lost.strerror}"
    return None
