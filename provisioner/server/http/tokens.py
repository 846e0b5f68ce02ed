"""Who may ask: tokens, known by their SHA-256 only.

The token file has one token per line, ``sha256:<hex> <read|write> <login>``; ``#`` begins a
comment. It is read again whenever it changes, so a line taken out revokes its token at once.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
import stat
import threading
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput
from provisioner.model import Place
from provisioner.names import flaw

if TYPE_CHECKING:
    from pathlib import Path

MIN_LENGTH: Final = 16
_LARGEST: Final = 16 * 1024 * 1024
_SHOWN: Final = 50
_LINE: Final = re.compile(r"sha256:([0-9a-f]{64})[ \t]+(read|write)[ \t]+(\S.*)")
_log = logging.getLogger("provisioner.server")


class Subject(Struct, frozen=True):
    """Who a token stands for. ``token`` is the token's SHA-256 in hex."""

    token: str
    login: str | None
    may_write: bool


class _Read(Struct, frozen=True):
    """What a token file held when it was looked at."""

    stamp: tuple[int, ...]
    subjects: Mapping[str, Subject]


def digest(token: str) -> str:
    """Return what a token is known by."""
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


class Tokens:
    """The tokens of a file, and one that was given directly.

    Raises:
        InvalidInput: The file is missing or broken, the token too short, or the login can't be one.
    """

    def __init__(
        self, file: Path | None = None, token: str | None = None, login: str | None = None
    ) -> None:
        self._file = file
        self._guard = threading.Lock()
        self._given: dict[str, Subject] = {}
        if token is not None:
            if len(token) < MIN_LENGTH:
                message = f"PROVISIONER_SERVE_TOKEN is shorter than {MIN_LENGTH} characters"
                raise InvalidInput(Diagnostic("token-short", message, None, "use a random one"))
            if login is not None:
                _require_login(login)
            known = digest(token)
            self._given[known] = Subject(known, login, may_write=True)
        self._read = _Read((), {})
        if file is not None:
            stamp = _file_version(file)
            self._read = _Read(stamp, _read_subjects(file))

    def __len__(self) -> int:
        return len(self._given) + len(self._read.subjects)

    def subject(self, token: str) -> Subject | None:
        """Return who a token stands for; None for one that is not known (any more)."""
        self._refresh()
        known = digest(token)
        return self._given.get(known) or self._read.subjects.get(known)

    def _refresh(self) -> None:
        """Read the file again if it changed. A broken one keeps the former tokens."""
        if self._file is None:
            return
        stamp = _file_version(self._file)
        if stamp == self._read.stamp:
            return
        with self._guard:
            if stamp == self._read.stamp:
                return
            try:
                self._read = _Read(stamp, _read_subjects(self._file))
            except InvalidInput as error:
                told = "; ".join(f"{d.place}: {d.message}" for d in error.diagnostics)
                _log.error("the token file is broken, the former tokens stay: %s", told)
                self._read = _Read(stamp, self._read.subjects)
            else:
                _log.info("the token file was read again: %d tokens", len(self._read.subjects))


def append_token(file: Path, login: str, *, may_write: bool) -> str:
    """Make a token, append its line to a token file (mode 0600), and return it.

    Only a token file is written to, an empty file or a new one; a link is not followed.

    Raises:
        InvalidInput: The login can't be one, the file is another one, or can't be written.
    """
    _require_login(login)
    token = secrets.token_urlsafe(32)
    line = f"sha256:{digest(token)} {'write' if may_write else 'read'} {login}\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "a+b", opener=_open_to_append) as opened:
            opened.seek(0)
            before = opened.read(_LARGEST + 1)
            _require_tokens(before, file)
            os.fchmod(opened.fileno(), 0o600)
            # A last line without its end would swallow the new one.
            if before and not before.endswith(b"\n"):
                line = f"\n{line}"
            opened.write(line.encode())
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        is_link = error.errno == errno.ELOOP
        why = "it is a link" if is_link else error.strerror or str(error)
        remedy = "name the file that it leads to" if is_link else None
        what = f"can't write the token file: {why}"
        raise InvalidInput(Diagnostic("unwritable", what, str(file), remedy)) from error
    return token


def _open_to_append(path: str, flags: int) -> int:
    return _regular(os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600))


def _open_to_read(path: str, flags: int) -> int:
    return _regular(os.open(path, flags | os.O_NONBLOCK))


def _regular(fd: int) -> int:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return fd


def _require_tokens(content: bytes, file: Path) -> None:
    try:
        _parsed(content, file)
    except InvalidInput as error:
        what = "this is not a token file, so nothing was written to it"
        remedy = "name a token file, or one that is not there yet"
        raise InvalidInput(Diagnostic("not-tokens", what, str(file), remedy)) from error


def _require_login(login: str) -> None:
    if problem := flaw(login):
        what = f"the login {problem[0]}"
        raise InvalidInput(Diagnostic("bad-login", what, None, problem[1]))


def _file_version(file: Path) -> tuple[int, ...]:
    """What changes when a file does; empty where there is none."""
    try:
        found = file.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


def _read_subjects(file: Path) -> dict[str, Subject]:
    try:
        with open(file, "rb", opener=_open_to_read) as opened:
            return _parsed(opened.read(_LARGEST + 1), file)
    except OSError as error:
        what = f"can't read the token file: {error.strerror}"
        remedy = "`provisioner serve --tokens FILE --new-token LOGIN` makes one"
        raise InvalidInput(Diagnostic("unreadable", what, str(file), remedy)) from error


def _parsed(content: bytes, file: Path) -> dict[str, Subject]:
    if len(content) > _LARGEST:
        what = f"is larger than a token file can be ({_LARGEST} bytes)"
        raise InvalidInput(Diagnostic("too-large", what, str(file)))
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(Diagnostic("not-utf-8", "is not UTF-8", str(file))) from error
    found: dict[str, Subject] = {}
    problems = []
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        # The line itself is not shown: somebody may have written the token in it.
        if match is None or flaw(match[3]):
            remedy = "write `sha256:<64 hex digits> <read|write> <login>`"
            place = Place(str(file), number, 1)
            problems.append(Diagnostic("token-line", "is no line for a token", place, remedy))
        else:
            found[match[1]] = Subject(match[1], match[3], may_write=match[2] == "write")
    if len(problems) > _SHOWN:
        more = f"{len(problems) - _SHOWN} more lines are none for a token"
        problems = [*problems[:_SHOWN], Diagnostic("token-line", more, str(file))]
    if problems:
        raise InvalidInput(problems)
    return found
