"""Where files really are: which lie in a checkout, and which below a path that was listed.

Whoever writes a branch also writes the links in it. So what a project file names is looked for
where it leads to, and what a trust file lists inside the checkout is taken as it is written.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MOST_LINKS: Final = 40


def checkout(folder: Path) -> Path:
    """The checkout that a folder is in: git's top level, or the folder itself without git."""
    return next(_tops(folder), Path(os.path.realpath(folder)))


def widest_checkout(folder: Path) -> Path | None:
    """The outermost of the checkouts that a folder is in (a submodule lies in two); or None."""
    return next(iter([*_tops(folder)][-1:]), None)


def _tops(folder: Path) -> Iterator[Path]:
    real = Path(os.path.realpath(folder))
    return (each for each in (real, *real.parents) if os.path.lexists(each / ".git"))


def passes_through(path: str, folders: Iterable[Path]) -> Path | None:
    """The folder that a path ends in, or goes through by a link that lies there; or None.

    ``folders`` are real paths.
    """
    return next(
        (folder for place in _way_to(path) for folder in folders if folder in place.parents), None
    )


def _way_to(path: str) -> Iterator[Path]:
    """The links on the way to a file, and where it is in the end."""
    rest = deque(Path(os.path.realpath(Path.cwd()), path).parts)
    here, links = Path(rest.popleft()), 0
    while rest:
        part = rest.popleft()
        step = here.parent if part == ".." else here / part
        if step.is_symlink() and links < _MOST_LINKS:
            yield step
            links += 1
            rest.extendleft(reversed(step.readlink().parts))
        else:
            here = step
    yield here


def real_places(folder: Path, path: str) -> frozenset[Path]:
    """Where a path leads to; after a link, ``..`` means one thing to the system and another here.

    ``folder`` is what the path is relative to.
    """
    joined = folder / path
    return frozenset({Path(os.path.realpath(joined)), Path(os.path.realpath(_normal(joined)))})


def listed_place(folder: Path, listed: str, top: Path) -> Path:
    """The place that a trust file lists, links followed up to the checkout ``top``, not in it.

    ``folder`` is a real path, and what a relative one is relative to.
    """
    whole = _normal(folder / listed)
    for parent in (*reversed(whole.parents), whole):
        if Path(os.path.realpath(parent)) == top:
            return top / whole.relative_to(parent)
    return Path(os.path.realpath(whole))


def is_at_or_below(place: Path, listed: Path) -> bool:
    """Whether a real path is another one, or lies below it."""
    return listed == place or listed in place.parents


def _normal(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps `..`
