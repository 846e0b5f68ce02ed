"""Files that commands write: whole or not at all, readable by their owner only.

``--out`` and ``--format NAME=FILE`` may name what is new or empty, a stream, or an earlier result
of the same kind. They never take the place of what provisioner reads or keeps, nor of what somebody
may have edited since it was written, and are never led elsewhere by a symbolic link.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from provisioner.cli import output
from provisioner.desired.files import STANDARD_INPUT, find, is_source_name
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput
from provisioner.plain_files import read_plain
from provisioner.project.search import FILE_NAME
from provisioner.reports.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioner.project.settings import Project
    from provisioner.reports.formats import Format
    from provisioner.reports.report import Report

STANDARD_OUTPUT: Final = STANDARD_INPUT
# Names of the process's own open files; they are links, and mean what they lead to.
_OWN_STREAMS: Final = {STANDARD_OUTPUT: 1, "/dev/stdout": 1, "/dev/stderr": 2}
_OWN_FILE: Final = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,4})")
_ENOUGH: Final = 64 * 1024 * 1024
# Beside a state file lie its history, its locks, and copies that are being written.
_SIDE_FILE: Final = r"(\.(history|lock|commit|broken-[0-9]+)(/.*)?)?"


class Kind(Struct, frozen=True):
    """A kind of file that is written.

    ``replaces`` tells whether earlier content may go, which is then called ``name``; ``is_source``
    says that a new file of the kind may lie where sources are read from.
    """

    replaces: Callable[[bytes], bool] = lambda _: False
    is_source: bool = False
    name: str | None = None


def result_kind(form: Format, reports: Sequence[type[Report]]) -> Kind:
    """Reports of these types in a format: an earlier one may go."""
    return Kind(
        lambda data: form.renderer.is_earlier(data, reports), name=f"{form.name} of this command"
    )


def _is_plan(data: bytes) -> bool:
    from provisioner.reports.plan import PlanReport

    return FORMATS["json"].renderer.is_earlier(data, (PlanReport,))


PLAN: Final = Kind(_is_plan, name="saved plan")
SOURCES: Final = Kind(is_source=True)
CATALOGUE: Final = Kind()


class Outlet(Struct, frozen=True):
    """A place for a result, found fit for it before the work began.

    ``number`` is that of a file which the process has open; ``stream`` is a pipe or a device.
    """

    path: str
    kind: Kind
    number: int | None = None
    stream: RawIOBase | None = None

    def write(self, data: bytes) -> None:
        """Write a result, whole or not at all where it is a file.

        Raises:
            InvalidInput: It can't be written, or something else has come there meanwhile.
        """
        if self.number is not None:
            _write_own(self.path, self.number, data)
        elif self.stream is not None or _is_stream(self.path):
            _write_stream(self.path, self.stream or _opened(self.path), data)
        else:
            _check_content(self.path, self.kind)
            _replace(self.path, data)


def open_outlet(
    out: str, kind: Kind, project: Project, sources: tuple[str, ...], read: Sequence[str] = ()
) -> Outlet:
    """Check a place for a result; open it where that is a stream, which may wait for its reader.

    ``sources`` are those that the command line names, ``read`` what else of it may name a file.

    Raises:
        InvalidInput: Nothing can be written there, or must not be.
    """
    if (number := own_stream(out)) is not None:
        return Outlet(out, kind, number)
    if _is_stream(out):
        return Outlet(out, kind, stream=_opened(out))
    if taken := _what_it_is(out, kind, project, sources):
        raise _refused(out, f"this is {taken}", "name another file")
    if os.path.realpath(out) in map(os.path.realpath, read):
        raise _refused(out, "this is what the command reads", "name another file")
    _check_content(out, kind)
    folder = os.path.dirname(out) or "."
    if not os.path.isdir(folder):
        raise _unwritable(out, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unwritable(out, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    return Outlet(out, kind)


def write_out(
    out: str, data: bytes, kind: Kind, project: Project, sources: tuple[str, ...]
) -> None:
    """Write what ``--out`` names, at once; ``-`` is standard output.

    Raises:
        InvalidInput: As for ``open_outlet`` and ``Outlet.write``.
    """
    open_outlet(out, kind, project, sources).write(data)


def _is_stream(out: str) -> bool:
    """Whether a pipe or a device is there; False for a regular file and for nothing.

    Raises:
        InvalidInput: Something else is there.
    """
    found = _status(out)
    if found is None or stat.S_ISREG(found.st_mode):
        return False
    if stat.S_ISLNK(found.st_mode):
        raise _refused(out, "this is a symbolic link, which is not followed", "name a file")
    if stat.S_ISFIFO(found.st_mode) or stat.S_ISCHR(found.st_mode):
        return True
    what = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
    raise _refused(out, f"this is {what}", "name a file")


def _check_content(out: str, kind: Kind) -> None:
    """Check that what a file holds may go, if it is there.

    Raises:
        InvalidInput: It may be somebody's work.
    """
    found = _status(out)
    if found is not None and found.st_size and not kind.replaces(_content(out)):
        besides = f", and is no {kind.name}" if kind.name else ""
        raise _exists(out, f"the file exists already{besides}")


def write_new_file(path: str, data: bytes) -> None:
    """Write a file that is not there yet.

    Raises:
        InvalidInput: It can't be written, or something of that name is there.
    """
    if os.path.lexists(path):
        raise _exists(path, "the file exists already")
    _replace(path, data)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error


def _content(path: str) -> bytes:
    try:
        return read_plain(path, _ENOUGH)
    except OSError as error:
        raise _unwritable(path, error) from error


def _what_it_is(out: str, kind: Kind, project: Project, sources: tuple[str, ...]) -> str | None:
    """What a path is to provisioner, if no result must take the place of that."""
    real = os.path.realpath(out)
    for path, what in _kept(project):
        if real == os.path.realpath(path):
            return what
    for path in _states(project):
        whole = re.escape(os.path.realpath(path))
        folder, name = os.path.split(os.path.realpath(path))
        temporary = rf"{re.escape(folder)}/\.{re.escape(name)}\.[0-9a-f]+\.tmp"
        if re.fullmatch(whole + _SIDE_FILE, real) or re.fullmatch(temporary, real):
            return "a state file, or belongs to one"
    both = (*sources, *project.sources)
    chosen = tuple(source for source in both if source != STANDARD_INPUT)
    if real in {os.path.realpath(file) for file in find(chosen, without=project.file).paths}:
        return "one of the sources"
    is_read = is_source_name(out) and any(_lies_below(real, source) for source in chosen)
    if is_read and not kind.is_source:
        return "where sources are read from, and would be taken for one"
    return None


def _lies_below(real: str, folder: str) -> bool:
    return Path(folder).is_dir() and Path(real).is_relative_to(os.path.realpath(folder))


def _kept(project: Project) -> Iterator[tuple[str | Path, str]]:
    """Files that the project file names, and itself."""
    yield project.file or FILE_NAME, "the project file"
    yield project.folder / FILE_NAME, "the project file"
    if project.catalogue is not None:
        yield project.folder / project.catalogue, "the catalogue"
    for target in project.targets.values():
        if target.catalogue is not None:
            yield project.folder / target.catalogue, "a catalogue"
        for key, value in target.options.items():
            if isinstance(value, str) and (key == "profile" or key.endswith(_FILE_KEYS)):
                yield project.folder / value, f"what `{key}` of target `{target.name}` names"


_FILE_KEYS: Final = ("_file", "client_cert", "client_key")


def _states(project: Project) -> Iterator[Path]:
    for target in project.targets.values():
        if target.backend == "file" and isinstance(target.options.get("path"), str):
            yield project.folder / target.options["path"]


def own_stream(out: str) -> int | None:
    """The number of the process's own open file that a path means, if it means one."""
    found = _OWN_FILE.fullmatch(out)
    return int(found[1]) if found else _OWN_STREAMS.get(out)


def _write_own(out: str, number: int, data: bytes) -> None:
    """Write into a file that is open already, behind what is there: opening it would begin anew."""
    if number == 1:
        output.leave(data.decode())
        return
    try:
        with os.fdopen(os.dup(number), "wb") as stream:
            stream.write(data)
    except OSError as error:
        raise _unwritable(out, error) from error


def _opened(path: str) -> RawIOBase:
    """Open a pipe or a device; waits for a pipe's reader."""
    try:
        return open(path, "wb", buffering=0)
    except OSError as error:
        raise _unwritable(path, error) from error


def _write_stream(path: str, stream: RawIOBase, data: bytes) -> None:
    """Write all; once that is broken off nothing is kept back, which would be waited for."""
    rest = memoryview(data)
    try:
        with stream:
            while rest:
                rest = rest[stream.write(rest) or 0 :]
    except OSError as error:
        raise _unwritable(path, error) from error


def _replace(path: str, data: bytes) -> None:
    """Put a new file in the place of the path, through a temporary one beside it."""
    import tempfile

    temporary = None
    try:
        folder = os.path.dirname(path) or "."
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".provisioner-")
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def _unwritable(path: str, error: Exception) -> InvalidInput:
    reason, remedy = getattr(error, "strerror", None) or error, None
    if isinstance(error, FileNotFoundError):
        reason, remedy = "its folder is not there", "make the folder first, or name another file"
    return InvalidInput(Diagnostic("unwritable", f"can't write it: {reason}", path, remedy))


def _exists(path: str, what: str) -> InvalidInput:
    remedy = "name another file, or move this one away"
    return InvalidInput(Diagnostic("file-exists", what, path, remedy))


def _refused(path: str, what: str, remedy: str) -> InvalidInput:
    return InvalidInput(Diagnostic("out-not-replaced", f"can't write it: {what}", path, remedy))
