"""Sources as they were at a git revision, read without touching the working tree.

Git is asked for a commit's number first, with everything after ``--end-of-options``; from then on
only numbers and repository paths reach it, never a shell. Nothing that a repository's settings
could make git run takes part in reading a tree or a blob.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from provisioner.desired import conformity, merge, reader, resolve
from provisioner.desired.files import STANDARD_INPUT
from provisioner.desired.load import Loaded
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provisioner.desired.load import Surroundings

_SUFFIXES: Final = (b".yaml", b".yml")
_FILE_MODES: Final = (b"100644", b"100755")
_TIMEOUT: Final = 60.0


def load_revision(
    revision: str,
    sources: Iterable[str],
    surroundings: Surroundings,
    *,
    without: Path | None = None,
) -> Loaded:
    """Read, check, merge and resolve the sources as they were at a revision.

    Paths are those of today; a source that did not exist then declares nothing. Places name files
    as ``REVISION:path``. ``without`` is left out (the project file).

    Raises:
        InvalidInput: Git is missing, this is no repository, there is no such revision or nothing of
            the sources in it, or the sources were wrong.
    """
    sources = list(sources)
    if STANDARD_INPUT in sources:
        raise _refused("standard input has no earlier revision", "name the files it came from")
    commit = find_commit(revision, _folder(sources[0]) if sources else Path())
    blobs: dict[tuple[str, str], str] = {}
    for source in sources:
        top = _top(_folder(source))
        path = os.path.relpath(os.path.realpath(source), top)
        skipped = os.path.relpath(os.path.realpath(without), top) if without else None
        for name, blob in _blobs(top, commit, path):
            if name != skipped:
                blobs[top, name] = blob
    if not blobs:
        message = f"revision `{revision}` has no YAML file of these sources"
        raise _refused(message, "name a later revision, or --source as it was called then")
    documents = []
    for top in sorted({top for top, _ in blobs}):
        names = sorted(name for folder, name in blobs if folder == top)
        contents = _contents(top, [blobs[top, name] for name in names])
        documents += [
            _document(data, f"{revision}:{name}")
            for name, data in zip(names, contents, strict=True)
        ]
    merged = merge.merge(document for document in documents if document.root is not None)
    problems = [*merged.diagnostics, *(d for document in documents for d in document.diagnostics)]
    resolved = resolve.resolve(
        merged, surroundings, complete=all(document.is_whole for document in documents)
    )
    errors = [d for d in (*problems, *resolved.diagnostics) if d.severity == "error"]
    if errors:
        raise InvalidInput(errors)
    warnings = tuple(d for d in resolved.diagnostics if d.severity == "warning")
    return Loaded(resolved.desired, warnings)


def read_at_revision(revision: str, path: str) -> bytes:
    """Return the bytes that a file had at a revision. The path is that of today.

    Raises:
        InvalidInput: Git is missing, this is no repository, there is no such revision, or no
            regular file of that path in it.
    """
    folder = _folder(path)
    commit, top = find_commit(revision, folder), _top(folder)
    inside = os.path.relpath(os.path.realpath(path), top)
    for name, blob in _blobs(top, commit, inside):
        if name == inside:
            (data,) = _contents(top, [blob])
            return data
    remedy = "name a later revision, or leave --rules-from out for the change that brings the file"
    raise _refused(f"revision `{revision}` has no file `{path}`", remedy)


def find_commit(revision: str, folder: Path) -> str:
    """Return the number of the commit that a revision names.

    Raises:
        InvalidInput: There is none, this is no repository, or git is missing.
    """
    if revision.startswith("-") or not revision.isprintable() or not revision:
        raise _refused(f"`{revision}` is no revision", "name a branch, a tag or a commit")
    _top(folder)
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    done = _git(folder, asked)
    number = done.stdout.decode("ascii", "replace").strip()
    if done.returncode or not number:
        message = f"there is no file and no git revision `{revision}`"
        raise _refused(message, "`git log --oneline` lists revisions")
    return number


def _document(data: bytes, name: str) -> reader.Document:
    document = reader.read(data, name)
    if document.is_whole:
        conformity.check(document, "roles")
    return document


def _folder(source: str) -> Path:
    """The nearest folder that exists today, for a source may have been moved since."""
    path = Path(os.path.realpath(source))
    while not path.is_dir():
        path = path.parent
    return path


def _top(folder: Path) -> str:
    done = _git(folder, ("rev-parse", "--show-toplevel"))
    if done.returncode:
        message = f"{folder} is not in a git repository, so there is no revision to compare with"
        said = done.stderr.decode(errors="replace").strip().splitlines()
        if said and "not a git repository" not in said[0]:
            message = f"git can't read {folder}: {said[0]}"
        raise _refused(message, "name an earlier CSV, or a file or folder of roles")
    return os.path.realpath(os.fsdecode(done.stdout.removesuffix(b"\n")))


def _blobs(top: str, commit: str, path: str) -> Iterable[tuple[str, str]]:
    """The YAML files at a path, as path and number; a file itself may be called anything."""
    inside = [] if path == "." else [path]
    done = _git(Path(top), ("ls-tree", "-r", "-z", "--full-tree", commit, "--", *inside))
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise _refused(f"git can't list `{path}` at {commit[:12]}: {said}", None)
    for entry in done.stdout.split(b"\0"):
        if not entry:
            continue
        about, _, name = entry.partition(b"\t")
        mode, _, blob = about.split(b" ")
        shown = os.fsdecode(name)
        if mode not in _FILE_MODES:
            if name.endswith(_SUFFIXES):
                raise _refused(f"`{shown}` was no regular file at {commit[:12]}", None)
        elif name.endswith(_SUFFIXES) or shown == path:
            yield shown, blob.decode("ascii")


def _contents(top: str, blobs: Sequence[str]) -> Iterable[bytes]:
    done = _git(Path(top), ("cat-file", "--batch"), "".join(f"{blob}\n" for blob in blobs).encode())
    data, found = done.stdout, []
    for blob in blobs:
        head, _, data = data.partition(b"\n")
        words = head.split(b" ")
        if done.returncode or len(words) != 3 or words[1] != b"blob":
            raise _refused(f"git can't read the object {blob[:12]}", None)
        size = int(words[2])
        found.append(data[:size])
        data = data[size + 1 :]
    return found


def _git(
    folder: Path, words: Iterable[str], given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("git")
    if program is None:
        raise _refused("git is not installed", "install it, or name an earlier CSV or folder")
    # Paths mean themselves, nothing is fetched, nothing is asked, messages are in one language.
    settings = {
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    try:
        return subprocess.run(  # noqa: S603 - no shell; see the docstring of the module
            [program, "-C", os.fspath(folder), *words],
            input=given,
            capture_output=True,
            check=False,
            env={**os.environ, **settings},
            timeout=_TIMEOUT,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise _refused(f"git did not answer: {error}", None) from error


def _refused(message: str, remedy: str | None) -> InvalidInput:
    return InvalidInput(Diagnostic("no-revision", message, None, remedy))
