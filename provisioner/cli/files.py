"""Files that commands write: whole or not at all, readable by their owner only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput


def write_file(path: str, data: bytes, *, replace: bool = True) -> None:
    """Write a file through a temporary one beside it.

    Raises:
        InvalidInput: It can't be written, or is there already and ``replace`` is False.
    """
    if not replace and os.path.lexists(path):
        remedy = "name another file, or move this one away"
        raise InvalidInput(Diagnostic("file-exists", "the file exists already", path, remedy))
    temporary = None
    shown, path = path, os.path.realpath(path)
    if os.path.lexists(path) and not Path(path).is_file():
        what = "can't write it: it is not a regular file"
        raise InvalidInput(Diagnostic("unwritable", what, shown, "name a file"))
    try:
        folder = Path(path).parent
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".provisioner-")
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        what = f"can't write it: {error.strerror or error}"
        raise InvalidInput(Diagnostic("unwritable", what, shown)) from error
