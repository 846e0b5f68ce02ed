"""Reading files that may be anything: whole, bounded, and without waiting for what never comes.

A path from a project file or a folder may lead to a device that never ends, to a pipe that nobody
writes into, or to a folder. Each is an ``OSError`` whose ``strerror`` says so in plain words.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

MAX_SECRET: Final = 64 * 1024
MAX_CERTIFICATES: Final = 16 * 1024 * 1024
_PIECE: Final = 1024 * 1024
_KINDS: Final = (
    (stat.S_ISDIR, "it is a folder"),
    (stat.S_ISFIFO, "it is a pipe, not a regular file"),
    (stat.S_ISCHR, "it is a device, not a regular file"),
    (stat.S_ISBLK, "it is a device, not a regular file"),
    (stat.S_ISSOCK, "it is a socket, not a regular file"),
)


class TooLarge(OSError):
    """The file has more bytes than it may have."""


def read_plain(path: str | Path, limit: int, *, streams: bool = False) -> bytes:
    """Return all bytes of a regular file.

    ``streams`` is for what somebody named on the command line: a pipe or a terminal is then read to
    its end, and waited for.

    Raises:
        TooLarge: It has more than ``limit`` bytes.
        OSError: It can't be read, or is something else; ``strerror`` says what.
    """
    mode = os.stat(path).st_mode
    if streams and (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOCTTY)
    else:
        # Opened without waiting, and judged once it is open: it may be another file by then.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        mode = os.fstat(descriptor).st_mode
        for is_kind, what in _KINDS:
            is_stream = streams and (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode))
            if is_kind(mode) and not is_stream:
                raise OSError(None, what, str(path))
        return read_up_to(descriptor, limit)
    finally:
        os.close(descriptor)


def read_up_to(descriptor: int, limit: int) -> bytes:
    """Return what a descriptor gives until its end.

    Raises:
        TooLarge: That is more than ``limit`` bytes.
        OSError: It can't be read.
    """
    pieces: list[bytes] = []
    left = limit + 1
    while left > 0 and (piece := os.read(descriptor, min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
    if left <= 0:
        raise TooLarge(None, "it is too large")
    return b"".join(pieces)
