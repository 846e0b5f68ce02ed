"""Which files a run reads, and their bytes. What can't be read whole is an error, never absent.

A folder stands for the YAML files below it. Hidden ones (``.git``, an editor's leftovers) are not
among them. A symbolic link counts by its own name, and must lead to something within the tree that
the sources belong to: git's top level, else the folder that was named. Otherwise whoever may write
into the sources could have any file of the machine read, and parts of it printed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from provisioner.diagnostics import Diagnostic
from provisioner.plain_files import TooLarge, read_plain, read_up_to

if TYPE_CHECKING:
    from collections.abc import Iterable

STANDARD_INPUT: Final = "-"
MAX_BYTES: Final = 64 * 1024 * 1024
_SUFFIXES: Final = (".yaml", ".yml")
_GIT: Final = ".git"
_MOST_NESTED: Final = 64


class Files(Struct):
    """The files that sources stand for, in reading order, and what was wrong with the sources."""

    paths: list[str] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def is_source_name(name: str) -> bool:
    """Whether a file of this name is read where it lies below a source."""
    return name.casefold().endswith(_SUFFIXES) and not is_hidden(os.path.basename(name))


def is_hidden(name: str) -> bool:
    """Whether files and folders of this name are passed over."""
    return name.startswith(".")


def git_top(folder: str | Path) -> str | None:
    """Return the top level of the git working tree that a folder lies in; None: it lies in none.

    Only a ``.git`` makes a top level. The files of a repository, lying bare in a folder, make none:
    anybody who may write into the sources could put them there.
    """
    real = os.path.realpath(folder)
    while not os.path.lexists(os.path.join(real, _GIT)):
        above = os.path.dirname(real)
        if above == real:
            return None
        real = above
    return real


def find(sources: Iterable[str], *, without: Path | None = None, named: bool = True) -> Files:
    """Expand files and folders to the files to read: every YAML file below a folder, sorted.

    A file that is reached twice is read once. ``without`` is left out (the project file).
    ``named`` says that the command line names the sources: those it names are read whatever they
    are. A link that the project file names must stay in its tree, like one below a source.
    """
    files = Files()
    sources = tuple(sources)
    seen = {os.path.realpath(without)} if without else set()
    for source in sources:
        if source == STANDARD_INPUT:
            if source not in files.paths:
                files.paths.append(source)
        elif not os.path.lexists(source):
            _add(
                files, "missing-source", "there is no such file or folder", source, "check the path"
            )
        elif not named and without is not None and (tree := _left_by_link(source, without)):
            _refuse_link(files, source, tree)
        elif Path(source).is_dir():
            walk = _Walk(files, git_top(source) or os.path.realpath(source))
            found = sorted(walk.below(source, frozenset()))
            if not found and not walk.has_refused:
                what = "no *.yaml or *.yml file below this folder"
                _add(files, "no-yaml", what, source, "name a file, or another folder")
            _extend(files, found, seen)
        else:
            _extend(files, [source], seen)
    if sources and without and not (files.paths or files.diagnostics):
        what = "nothing but the project file is there, which is no roles file"
        _add(files, "no-yaml", what, sources[0], "name a roles file, or a folder that has some")
    return files


def _extend(files: Files, paths: list[str], seen: set[str]) -> None:
    for path in paths:
        real = os.path.realpath(path)
        if real not in seen:
            seen.add(real)
            files.paths.append(path)


class _Walk(Struct):
    """The way through one folder; ``tree`` is what links must not lead out of."""

    files: Files
    tree: str
    has_refused: bool = False

    def below(self, folder: str, open_folders: frozenset[str]) -> Iterable[str]:
        """Yield the YAML files."""
        real = os.path.realpath(folder)
        if real in open_folders:
            what = "this link leads back to a folder above it"
            _add(self.files, "folder-loop", what, folder, "remove it")
            return
        if len(open_folders) >= _MOST_NESTED:
            what = f"folders are nested deeper than {_MOST_NESTED} levels"
            _add(self.files, "too-deep", what, folder, "name folders further down as sources")
            return
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            what = f"can't list the folder: {error.strerror}"
            _add(self.files, "unreadable", what, folder, None)
            return
        for entry in entries:
            is_folder = _is_folder(entry)
            if is_hidden(entry.name) or not (is_folder or is_source_name(entry.name)):
                continue
            if entry.is_symlink() and not _stays(entry.path, self.tree):
                self.has_refused = True
                _refuse_link(self.files, entry.path, self.tree)
            elif is_folder:
                yield from self.below(entry.path, open_folders | {real})
            else:
                yield entry.path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself, say: reading it as a file tells what is wrong


def _stays(path: str, tree: str) -> bool:
    """Whether a path's real end lies in the tree, and not in what git keeps to itself."""
    inside = os.path.relpath(os.path.realpath(path), tree).split(os.sep)
    return inside[0] != os.pardir and _GIT not in map(str.casefold, inside)


def _left_by_link(source: str, project: Path) -> str | None:
    """The project's tree, if a source that is written as lying in it does not; else None.

    A source that is written as lying elsewhere (``../shared``) hides nothing.
    """
    home = os.path.realpath(project.parent)
    tree = git_top(home) or home
    relative = os.path.relpath(os.path.abspath(source), os.path.abspath(project.parent))
    written = os.path.relpath(os.path.normpath(os.path.join(home, relative)), tree)
    is_open = written.split(os.sep)[0] == os.pardir
    return None if is_open or _stays(source, tree) else tree


def _refuse_link(files: Files, path: str, tree: str) -> None:
    what = f"this link leads out of {_shown(tree)}"
    remedy = "remove it, or put a copy in its place; what the command line names is always read"
    _add(files, "link-out", what, path, remedy)


def _shown(tree: str) -> str:
    return os.path.relpath(tree) if tree != os.path.realpath("") else "this folder"


def _add(files: Files, id: str, message: str, path: str, remedy: str | None) -> None:
    files.diagnostics.append(Diagnostic(id, message, path, remedy))


def read_bytes(path: str, *, streams: bool = False) -> bytes | Diagnostic:
    """Return a file's bytes (``-``: standard input), or what keeps it from being read.

    ``streams`` as in ``plain_files.read_plain``: for what the command line names.
    """
    try:
        if path == STANDARD_INPUT:
            if sys.stdin is None:
                return Diagnostic("unreadable", "standard input is closed", path)
            return read_up_to(sys.stdin.fileno(), MAX_BYTES)
        return read_plain(path, MAX_BYTES, streams=streams)
    except TooLarge:
        remedy = f"split it: at most {MAX_BYTES // 2**20} MiB a file"
        return Diagnostic("too-large", "the file is too large", path, remedy)
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        return Diagnostic("unreadable", f"can't read it: {what}", path)
