"""Tables for people."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from provisioner.reports.text.ceilings import ROWS, WHOLE_OR_JSON
from provisioner.reports.text.style import Style, page, paragraph, safe, whole, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    # A text that may be broken into lines, or names that may not.
    Cell = str | tuple[str, ...]

_GAP: Final = 2
_NARROWEST: Final = 12


def table_text(
    columns: Sequence[str], rows: Sequence[Sequence[Cell]], style: Style, *, last: bool = False
) -> str:
    """Rows under their headings, wrapped where the width asks for it.

    Of too many rows the first are shown, or the ``last``, and the others counted.
    """
    most = style.most(ROWS)
    kept = rows if most is None or len(rows) <= most else rows[-most:] if last else rows[:most]
    shown = [[_words(cell, style) for cell in row] for row in kept]
    widths = _widths(columns, shown, style.width)
    lines = [_line(columns, widths), "-" * (sum(widths) + _GAP * (len(widths) - 1))]
    if style.color:
        lines[0] = style.paint(lines[0], "bold")
    rest = []
    if len(kept) < len(rows):
        where = "earlier" if last else "more"
        text = f"Not shown: {len(rows) - len(kept):,} {where} ({WHOLE_OR_JSON})."
        rest = [style.paint(line, "yellow") for line in paragraph(text, style)]
    for row in shown:
        lines += _row(row, widths)
    return page([*rest, *lines] if last else [*lines, *rest])


def _words(cell: Cell, style: Style) -> str:
    """What a cell shows: names are words that stay whole."""
    if isinstance(cell, str):
        return safe(cell)
    return style.names(cell) if len(cell) != 1 else whole(cell[0])


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """How wide each column is; the widest are made narrower, as far as their words allow."""
    cells = [[column, *(row[index] for row in rows)] for index, column in enumerate(columns)]
    widths = [max(map(_width, column)) for column in cells]
    least = [
        max(min(_NARROWEST, widths[index]), *map(_longest, column))
        for index, column in enumerate(cells)
    ]
    too_much = sum(widths) + _GAP * (len(widths) - 1) - width
    while too_much > 0:
        can = [index for index in range(len(widths)) if widths[index] > least[index]]
        if not can:
            break
        widest = max(can, key=widths.__getitem__)
        widths[widest] -= 1
        too_much -= 1
    return widths


def _row(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    folded = [wrapped(cell, width) or [""] for cell, width in zip(cells, widths, strict=True)]
    for number in range(max(map(len, folded))):
        parts = [lines[number] if number < len(lines) else "" for lines in folded]
        yield _line(parts, widths)


def _line(parts: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        part + " " * (width - _width(part)) for part, width in zip(parts, widths, strict=True)
    )
    return (" " * _GAP).join(padded).rstrip()


def _longest(text: str) -> int:
    return max(map(_width, text.split(" ")), default=0)


def _width(text: str) -> int:
    """How many columns of a terminal a text takes (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
