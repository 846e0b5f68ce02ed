"""Comments in YAML sources that switch findings off: ``# provisioner: ignore[id, id2] reason``.

YAML's events carry no comments. A comment of ours is found by its text, line by line, and counts
unless it lies within a scalar: so one that is quoted, or part of a block of text, is text. The
scanner's tokens, which say where scalars start and end, are asked for only where a file has such a
text at all.

A comment that has a line above the first key (``version:``) to itself speaks for the whole file,
any other for its own line.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import yaml
from yaml._yaml import CParser

from provisioner.engine.rules.ignores import Ignore
from provisioner.model import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKER: Final = b"provisioner:"
_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#[ \t]*provisioner:[ \t]*ignore\b(?:\[([^\]\n]*)\])?")

# A line and a column, both counted from 0, as the scanner does.
_Position = tuple[int, int]


def find_ignores(data: bytes, file: str) -> tuple[Ignore, ...]:
    """Return the comments that ignore findings, in a file that is sound YAML and UTF-8."""
    if _MARKER not in data:
        return ()
    # These are the line breaks of YAML 1.1, which the scanner counts, too.
    lines = data.decode("utf-8").splitlines()
    found = [(n, matches) for n, line in enumerate(lines) if (matches := _matches(line))]
    if not found:
        return ()
    scalars = list(_scalars(data))
    first_line = scalars[0][0][0] if scalars else len(lines)
    ignores = []
    for number, matches in found:
        comment = next((m for m in matches if not _within((number, m.start()), scalars)), None)
        if comment is None:
            continue
        is_alone = not lines[number][: comment.start()].strip()
        ids = tuple(dict.fromkeys(filter(None, map(str.strip, (comment[1] or "").split(",")))))
        reach: Any = "file" if is_alone and number < first_line else "line"
        place = Place(file, number + 1, comment.start() + 1)
        ignores.append(Ignore(ids, place, reach))
    return tuple(ignores)


def _matches(line: str) -> list[re.Match[str]]:
    return list(_COMMENT.finditer(line)) if "provisioner:" in line else []


def _within(position: _Position, scalars: list[tuple[_Position, _Position]]) -> bool:
    index = bisect_right(scalars, position, key=itemgetter(0)) - 1
    return index >= 0 and position < scalars[index][1]


def _scalars(data: bytes) -> Iterator[tuple[_Position, _Position]]:
    """Where each scalar starts, and where it ends."""
    parser: Any = CParser(data)
    while parser.check_token():
        token = parser.get_token()
        if type(token) is yaml.ScalarToken:
            start, end = token.start_mark, token.end_mark
            yield (start.line, start.column), (end.line, end.column)
