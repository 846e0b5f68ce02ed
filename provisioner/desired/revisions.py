"""Sources as they were at a git revision, read without touching the working tree.

Git is asked for a commit's number first, with everything after ``--end-of-options``; from then on
only numbers and repository paths reach it, never a shell. It runs at the top level of the working
tree, never below it, where the files of a bare repository may lie among the sources and answer in
its place. Nothing that a repository's settings or the environment could make git run or fetch takes
part in reading a tree or a blob, and what replaces objects under their numbers is left aside.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from provisioner.desired import merge, resolve
from provisioner.desired.files import STANDARD_INPUT, git_top, is_hidden, is_source_name
from provisioner.desired.load import Loaded, checked_document
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provisioner.desired.surroundings import Surroundings

_FILE_MODES: Final = (b"100644", b"100755")
_LINK: Final = b"120000"
_REPOSITORY: Final = b"160000"
_TIMEOUT: Final = 60.0
# Bare repositories are not looked for, no program of a repository's settings is run, nothing is
# fetched, and an object is what its number says.
_SAFELY: Final = (
    "--no-pager",
    "--no-replace-objects",
    "--no-optional-locks",
    *("-c", "safe.bareRepository=explicit"),
    *("-c", "core.fsmonitor=false"),
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", "protocol.allow=never"),
)
# Paths mean themselves, nothing is fetched, nothing is asked, messages are in one language.
_SETTINGS: Final = {
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
# What the machine's owner says about git's settings (a trusted folder, say) is heard; where the
# repository lies, and what else variables can change, is not theirs to say here.
_HEARD: Final = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
_HEARD_NUMBERED: Final = ("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")


def load_revision(
    revision: str,
    sources: Iterable[str],
    surroundings: Surroundings,
    *,
    without: Path | None = None,
    top: str | None = None,
) -> Loaded:
    """Read, check, merge and resolve the sources as they were at a revision.

    Paths are those of today; a source that did not exist then declares nothing. Places name files
    as ``REVISION:path``. ``without`` is left out (the project file). With ``top`` everything is
    looked for in that repository, as written: links and repositories of today lead nowhere else.

    Raises:
        InvalidInput: Git is missing, this is no repository, there is no such revision or nothing of
            the sources in it, or the sources were wrong.
    """
    sources = list(sources)
    if STANDARD_INPUT in sources:
        raise _refused("standard input has no earlier revision", "name the files it came from")
    commit = find_commit(revision, Path(top) if top else _folder(sources[0]) if sources else Path())
    blobs: dict[tuple[str, str], str] = {}
    for source in sources:
        found, path = (top, as_written(source, top)) if top else _followed(source)
        skipped = without and (
            as_written(without, found) if top else os.path.relpath(os.path.realpath(without), found)
        )
        for name, blob in _blobs(found, commit, path):
            if name != skipped:
                blobs[found, name] = blob
    if not blobs:
        message = f"revision `{revision}` has no YAML file of these sources"
        raise _refused(message, "name a later revision, or --source as it was called then")
    documents = []
    for found in sorted({found for found, _ in blobs}):
        names = sorted(name for folder, name in blobs if folder == found)
        contents = _contents(found, [blobs[found, name] for name in names])
        documents += [
            checked_document(data, f"{revision}:{name}", "roles")
            for name, data in zip(names, contents, strict=True)
        ]
    merged = merge.merge(document for document in documents if document.root is not None)
    problems = [*merged.diagnostics, *(d for document in documents for d in document.diagnostics)]
    resolved = resolve.resolve(
        merged, surroundings, complete=all(document.is_whole for document in documents)
    )
    errors = [d for d in (*problems, *resolved.diagnostics) if d.severity == "error"]
    if errors:
        raise InvalidInput(resolved.hints.given(errors))
    warnings = tuple(d for d in resolved.diagnostics if d.severity == "warning")
    return Loaded(resolved.desired, warnings)


def read_at_revision(revision: str, path: str, top: str) -> bytes:
    """Return the bytes that a file had at a revision. The path is that of today, as written.

    Raises:
        InvalidInput: Git is missing, this is no repository, there is no such revision, or no
            regular file of that path in it.
    """
    data = find_at_revision(revision, path, top)
    if data is None:
        remedy = (
            "name a later revision, or leave --rules-from out for the change that brings the file"
        )
        raise _refused(f"revision `{revision}` has no file `{path}`", remedy)
    return data


def find_at_revision(revision: str, path: str, top: str) -> bytes | None:
    """Return the bytes that a file had at a revision, or None where there was none.

    Raises:
        InvalidInput: As ``read_at_revision``.
    """
    commit, inside = find_commit(revision, Path(top)), as_written(path, top)
    for name, blob in _blobs(top, commit, inside):
        if name == inside:
            (data,) = _contents(top, [blob])
            return data
    return None


def repository_of(path: str | Path) -> str:
    """Return the top level of the repository that a file belongs to, as its path is written.

    That of the working directory, if the file lies below it: a repository that a change puts
    somewhere below does not answer in its place.

    Raises:
        InvalidInput: Git is missing, or there is none.
    """
    with suppress(InvalidInput):
        top = _top(Path.cwd())
        if _is_below(path, Path(top)):
            return top
    return _top(_folder(os.fspath(_whole(path).parent)))


def as_written(path: str | Path, top: str) -> str:
    """Return a path in a repository without following a link inside of it.

    Raises:
        InvalidInput: It does not lie in the repository.
    """
    whole = _whole(path)
    for folder in reversed((whole, *whole.parents)):
        real = os.path.realpath(folder)
        if os.path.commonpath((real, top)) == top:
            return os.path.relpath(Path(real, whole.relative_to(folder)), top)
    raise _refused(f"`{path}` does not lie in the repository {top}", None)


def _is_below(path: str | Path, folder: Path) -> bool:
    return _whole(path).is_relative_to(folder)


def _whole(path: str | Path) -> Path:
    return Path(os.path.normpath(Path(path).absolute()))


def _followed(source: str) -> tuple[str, str]:
    top = _top(_folder(source))
    return top, os.path.relpath(os.path.realpath(source), top)


def find_commit(revision: str, folder: Path) -> str:
    """Return the number of the commit that a revision names.

    Raises:
        InvalidInput: There is none, this is no repository, or git is missing.
    """
    if revision.startswith("-") or not revision.isprintable() or not revision:
        raise _refused(f"`{revision}` is no revision", "name a branch, a tag or a commit")
    top = Path(_top(folder))
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    done = _git(top, asked)
    number = done.stdout.decode("ascii", "replace").strip()
    if done.returncode or not number:
        message = f"there is no file and no git revision `{revision}`"
        raise _refused(message, "`git log --oneline` lists revisions")
    return number


def _folder(source: str) -> Path:
    """The nearest folder that exists today, for a source may have been moved since."""
    path = Path(os.path.realpath(source))
    while not path.is_dir():
        path = path.parent
    return path


def _top(folder: Path) -> str:
    top = git_top(folder)
    if top is None:
        message = f"{folder} is not in a git repository, so there is no revision to compare with"
        raise _refused(message, "name an earlier CSV, or a file or folder of roles")
    done = _git(Path(top), ("rev-parse", "--show-toplevel"))
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise _refused(f"git can't read {top}: {said[0] if said else 'no reason given'}", None)
    found = os.path.realpath(os.fsdecode(done.stdout.removesuffix(b"\n")))
    if found != top:
        message = f"git takes {found} for the top level of {top}"
        raise _refused(
            message, "remove the setting `core.worktree`, or compare in a plain checkout"
        )
    return top


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
        number = blob.decode("ascii")
        if shown == path or _is_read(shown, path):
            if mode not in _FILE_MODES:
                raise _refused(f"`{shown}` was no regular file at {commit[:12]}", None)
            yield shown, number
        elif not _is_hidden(shown, path):
            _require_no_folder(top, commit, shown, mode, number)


def _require_no_folder(top: str, commit: str, name: str, mode: bytes, number: str) -> None:
    """Refuse what would be read as a folder today: a link to one, a repository of its own."""
    is_folder = mode == _REPOSITORY
    if mode == _LINK:
        (target,) = _contents(top, [number])
        end = os.path.normpath(os.path.join(os.path.dirname(name), os.fsdecode(target)))
        done = _git(Path(top), ("cat-file", "-t", f"{commit}:{end}"))
        is_folder = done.stdout.strip() == b"tree"
    if is_folder:
        what = "a link to a folder" if mode == _LINK else "a repository of its own"
        message = f"`{name}` was {what} at {commit[:12]}, and what it held can't be read from there"
        raise _refused(message, "name another revision, or --source without it")


def _is_read(name: str, source: str) -> bool:
    """Whether a file below a source counts: a YAML file, and nothing on the way to it is hidden."""
    return is_source_name(name) and not _is_hidden(name, source)


def _is_hidden(name: str, source: str) -> bool:
    return any(map(is_hidden, Path(os.path.relpath(name, source)).parts))


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
    try:
        return subprocess.run(  # noqa: S603 - no shell; see the docstring of the module
            [program, "-C", os.fspath(folder), *_SAFELY, *words],
            input=given,
            capture_output=True,
            check=False,
            env=_environment(),
            timeout=_TIMEOUT,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise _refused(f"git did not answer: {error}", None) from error


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name in _HEARD or name.startswith(_HEARD_NUMBERED)
    }
    return kept | _SETTINGS


def _refused(message: str, remedy: str | None) -> InvalidInput:
    return InvalidInput(Diagnostic("no-revision", message, None, remedy))
