"""Which files a run reads, and their bytes. What can't be read whole is an error, never absent."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from provisioner.diagnostics import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterable

STANDARD_INPUT: Final = "-"
MAX_BYTES: Final = 64 * 1024 * 1024
_SUFFIXES = (".yaml", ".yml")


@dataclass(slots=True)
class Files:
    """The files that sources stand for, in reading order, and what was wrong with the sources."""

    paths: list[str] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def find(sources: Iterable[str], *, without: Path | None = None) -> Files:
    """Expand files and folders to the files to read: every YAML file below a folder, sorted.

    A file that is reached twice is read once. ``without`` is left out (the project file).
    """
    files = Files()
    seen = {os.path.realpath(without)} if without else set()
    for source in sources:
        if source == STANDARD_INPUT:
            if source not in files.paths:
                files.paths.append(source)
        elif not os.path.lexists(source):
            _add(
                files, "missing-source", "there is no such file or folder", source, "check the path"
            )
        elif Path(source).is_dir():
            found = sorted(_below(source, files, set()))
            if not found:
                what = "no *.yaml or *.yml file below this folder"
                _add(files, "no-yaml", what, source, "name a file, or another folder")
            _extend(files, found, seen)
        else:
            _extend(files, [source], seen)
    return files


def _extend(files: Files, paths: list[str], seen: set[str]) -> None:
    for path in paths:
        real = os.path.realpath(path)
        if real not in seen:
            seen.add(real)
            files.paths.append(path)


def _below(folder: str, files: Files, open_folders: set[str]) -> Iterable[str]:
    real = os.path.realpath(folder)
    if real in open_folders:
        _add(files, "folder-loop", "this link leads back to a folder above it", folder, "remove it")
        return
    try:
        with os.scandir(folder) as listing:
            entries = list(listing)
    except OSError as error:
        _add(files, "unreadable", f"can't list the folder: {error.strerror}", folder, None)
        return
    for entry in entries:
        if _is_folder(entry):
            yield from _below(entry.path, files, open_folders | {real})
        elif entry.name.endswith(_SUFFIXES):
            yield entry.path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself, say: reading it as a file tells what is wrong


def _add(files: Files, id: str, message: str, path: str, remedy: str | None) -> None:
    files.diagnostics.append(Diagnostic(id, message, path, remedy))


def read_bytes(path: str) -> bytes | Diagnostic:
    """Return a file's bytes (``-``: standard input), or what keeps it from being read."""
    try:
        if path == STANDARD_INPUT:
            data = _standard_input().read(MAX_BYTES + 1)
        else:
            with open(path, "rb", opener=_open_regular) as stream:
                data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return Diagnostic("unreadable", f"can't read it: {error.strerror or error}", path)
    if len(data) > MAX_BYTES:
        remedy = f"split it: at most {MAX_BYTES // 2**20} MiB a file"
        return Diagnostic("too-large", "the file is too large", path, remedy)
    return data


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise OSError(None, "standard input is closed")
    return sys.stdin.buffer


def _open_regular(path: str, flags: int) -> int:
    """Open without waiting for a pipe's other end, and only what is a file."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "it is not a regular file")
    return descriptor
