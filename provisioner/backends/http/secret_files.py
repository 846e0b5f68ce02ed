"""Files that hold one secret: read to their end, and never further than a secret goes."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

LONGEST: Final = 65_536


def held_by(path: Path) -> bytes:
    """Return what a file or a pipe holds.

    Raises:
        OSError: It can't be read, is another thing (some have no end), or holds more than a secret.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        kind = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
            raise OSError(errno.EINVAL, "it is neither a file nor a pipe")
        # Who writes into a pipe may take his time. Some files of the kernel wait for ever.
        os.set_blocking(descriptor, stat.S_ISFIFO(kind))
        data: bytes | None = stream.read(LONGEST + 1)
    if data is not None and len(data) > LONGEST:
        raise OSError(errno.EFBIG, "it is too long for a secret")
    return data or b""
