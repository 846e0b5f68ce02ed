"""Files that are either old or new, never in between: reading, replacing, and telling failures.

``replace_file`` writes a temporary file in the same folder, syncs it, and renames it into place;
``sync_folder`` makes the rename last. What a kill or a power failure leaves behind is the old file
or the new one, and maybe a temporary file, which ``remove_leftovers`` clears away.

All paths here are real ones: a symbolic link is resolved by the caller, so that the file it points
to is replaced and not the link.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from provisioner.diagnostics import Diagnostic
from provisioner.errors import BackendError
from provisioner.strict_json import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{16}\.tmp")
# Some network and FUSE file systems can't sync a folder and say so; there is nothing to wait for.
_UNSYNCABLE = (errno.EINVAL, errno.ENOTSUP)

_REMEDIES = {
    errno.ENOSPC: "free some space on its disk, then run again",
    errno.EDQUOT: "free some of the disk quota, then run again",
    errno.EFBIG: "raise the limit on file sizes (`ulimit -f`), then run again",
    errno.EACCES: "make the file and its folder readable and writable for the user who runs this",
    errno.EPERM: "make the file and its folder readable and writable for the user who runs this",
    errno.EROFS: "use a path on a file system that is mounted writable",
    errno.EINVAL: "let the path name a file",
    errno.EISDIR: "let the path name a file, not a folder",
    errno.ENOTDIR: "let the path lead through folders only",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "remove the symbolic links that lead in a circle",
    errno.ENOSYS: "use a path on a file system that has locks (flock)",
    errno.ENOLCK: "use a path on a file system that has locks (flock)",
}


@contextmanager
def reported(doing: str, path: str, outcome: str) -> Iterator[None]:
    """Turn an ``OSError`` of the block into a ``BackendError``: "cannot <doing> <path>: …"."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = _REMEDIES.get(error.errno or 0)
        message = f"cannot {doing} {path}: {reason}; {outcome}"
        raise BackendError(Diagnostic("state-io", message, path, remedy)) from error


def read_file(path: Path) -> bytes | None:
    """Return the bytes of a regular file; None if there is nothing of that name."""
    try:
        # O_NONBLOCK: opening a named pipe must not wait for a writer that never comes.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        mode = status.st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        if status.st_size > FILE.size:
            raise OSError(None, f"it has more than {FILE.size} bytes", str(path))
        return file.read()


def replace_file(path: Path, data: bytes) -> None:
    """Give the path new content, at once and with mode 0600, or leave it as it was.

    Durable against a crash of this process; against one of the machine after ``sync_folder``.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")
    fd = os.open(temporary, _NEW_FILE, 0o600)
    try:
        try:
            _write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def sync_folder(folder: Path) -> None:
    """Make the renames and new names in a folder last."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _UNSYNCABLE:
            raise
    finally:
        os.close(fd)


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, each with mode 0700, durably."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    for new in reversed(missing):
        with suppress(FileExistsError):
            os.mkdir(new, 0o700)
        sync_folder(new.parent)


def remove_leftovers(folder: Path, name: str | None = None) -> None:
    """Remove temporary files that dead runs left for that file name, or for any.

    Only for the holder of the commit lock: any temporary file is then nobody's.
    """
    with suppress(OSError):
        for entry in os.listdir(folder):
            found = _TEMPORARY.fullmatch(entry)
            if found and name in (None, found[1]):
                os.unlink(folder / entry)


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
