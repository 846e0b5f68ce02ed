"""Colour, and text that can't play tricks on a terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

from provisioner.printable import is_safe, is_unsafe

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODES: Final = {
    "green": "32",
    "red": "31",
    "yellow": "33",
    "cyan": "36",
    "bold": "1",
    "dim": "2",
}


@dataclass(frozen=True, slots=True)
class Style:
    """How to write for one stream: with or without colour, and how wide."""

    color: bool = False
    width: int = 80

    def paint(self, text: str, *names: str) -> str:
        """The text in these colours, or as it is where there are none."""
        if not self.color or not names:
            return text
        codes = ";".join(_CODES[name] for name in names)
        return f"\x1b[{codes}m{text}\x1b[0m"

    def symbol(self, symbol: str) -> str:
        """``+``, ``~`` or ``-`` in the colour that people know from other tools."""
        return self.paint(symbol, {"+": "green", "-": "red"}.get(symbol, "yellow"))


def wrapped(text: str, width: int, *, first: str = "", rest: str = "") -> list[str]:
    """Break text at blanks into lines of a width, words kept whole.

    ``first`` begins the first line, ``rest`` the others.
    """
    return wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def paragraph(text: str, style: Style, indent: int = 0) -> list[str]:
    """Break text at blanks into lines that all begin with so many blanks."""
    margin = " " * indent
    return wrapped(text, style.width, first=margin, rest=margin)


def safe(text: str) -> str:
    """Show control, invisible and direction-changing characters as escapes, the rest as it is.

    Names and descriptions come from files and servers; none of them may move the cursor, hide
    itself or write the plan's next line.
    """
    if is_safe(text):
        return text
    return "".join(_escaped(c) if is_unsafe(c) else c for c in text)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """A value as JSON with sorted keys, readable, and safe in the manner of ``safe``."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, sort_keys=True)
    # A line break in the text is one of the layout: those of strings are escaped already.
    return "\n".join(line if is_safe(line) else _safe_json(line) for line in text.split("\n"))


def _safe_json(line: str) -> str:
    # Above U+FFFF JSON takes two numbers. DEL is the one that `json` leaves as it is.
    return "".join(
        json.dumps(c)[1:-1].replace("\x7f", "\\u007f") if is_unsafe(c) else c for c in line
    )


def with_place(head: str, width: int, place: str, style: Style) -> Iterator[str]:
    """A line with its place at the right; on a line of its own where there is no room.

    ``width`` is that of the head as it is seen, without its colours.
    """
    gap = style.width - width - len(place)
    shown = style.paint(place, "dim")
    if not place:
        yield head
    elif gap >= 2:
        yield f"{head}{' ' * gap}{shown}"
    else:
        yield head
        yield f"      {shown}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
