"""Colour, lines, and names that stay whole; all text of a renderer goes through here."""

from __future__ import annotations

import json
import re
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from provisioner.printable import disarmed, is_safe, is_unsafe, shown
from provisioner.reports.text.ceilings import NAMES, WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
# Stands for a blank within a name until lines are broken. Names that hold it themselves are shown
# with an escape, for it is of private use.
GLUE: Final = "\ue000"
# Messages put names, and commands to be copied, in backquotes.
_QUOTED: Final = re.compile(r"`[^`\n]{1,200}`")


class Style(Struct, frozen=True):
    """How to write for one stream: in colour or not, how wide.

    With ``every``, nothing is cut; with ``brief``, of a plan there is only the sum and what forbids
    it.
    """

    color: bool = False
    width: int = 80
    every: bool = False
    brief: bool = False

    def paint(self, text: str, *names: str) -> str:
        """The text in these colours, or as it is where there are none."""
        if not self.color or not names:
            return text
        codes = ";".join(_CODES[name] for name in names)
        return f"\x1b[{codes}m{text}\x1b[0m"

    def symbol(self, symbol: str) -> str:
        """``+``, ``~`` or ``-`` in the colour that people know from other tools."""
        return self.paint(symbol, {"+": "green", "-": "red"}.get(symbol, "yellow"))

    def most(self, limit: int) -> int | None:
        """The limit, or None where nothing is to be cut."""
        return None if self.every else limit

    def names(self, names: Sequence[str], limit: int = NAMES) -> str:
        """``A, B, C``, or ``A, B and 1,234 more (-v shows them all)``; each stays whole."""
        return listed([whole(each) for each in names[: self.most(limit)]], len(names))


def listed(parts: Sequence[str], total: int) -> str:
    """Parts of a list that are shown, and how many it has besides."""
    more = total - len(parts)
    return ", ".join(parts) + (f" and {more:,} more ({WHOLE})" if more else "")


def safe(text: str) -> str:
    """Show control, invisible and direction-changing characters as escapes, the rest as it is.

    Names and descriptions come from files and servers; none of them may move the cursor, hide
    itself or write the plan's next line.
    """
    return shown(text)


def whole(text: str) -> str:
    """The same, for what shall never be broken into lines: names of roles, users and files."""
    return shown(text).replace(" ", GLUE)


def page(lines: Iterable[str]) -> str:
    """Lines as the text that a renderer returns."""
    return "".join(f"{line}\n" for line in lines).replace(GLUE, " ")


def wrapped(text: str, width: int, *, first: str = "", rest: str = "") -> list[str]:
    """Break text at blanks into lines of a width; words, names and what is quoted stay whole.

    ``first`` begins the first line, ``rest`` the others.
    """
    lines = wrap(
        _QUOTED.sub(lambda found: found[0].replace(" ", GLUE), text),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(GLUE, " ") for line in lines]


def paragraph(text: str, style: Style, indent: int = 0) -> list[str]:
    """Break text at blanks into lines that all begin with so many blanks."""
    margin = " " * indent
    return wrapped(text, style.width, first=margin, rest=margin)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """A value as JSON with sorted keys, readable, and such that nobody obeys it."""
    return harmless_json(json.dumps(value, ensure_ascii=False, indent=indent, sort_keys=True))


def harmless_json(text: str) -> str:
    """The same JSON text, such that nobody obeys it."""
    # What CI runners obey stands in strings: there is none in the layout.
    text = disarmed(text, lambda character: f"\\u{ord(character):04x}")
    # A line break in the text is one of the layout: those of strings are escaped already.
    return "\n".join(line if is_safe(line) else _safe_json(line) for line in text.split("\n"))


def ascii_json(text: str) -> str:
    """The same JSON text in ASCII, for streams that hold no more."""
    return (
        text if text.isascii() else "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in text)
    )


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


def signed(symbol: str, text: str, style: Style) -> Iterator[str]:
    """Text behind its sign, wrapped; nothing for no text."""
    if text:
        first, *rest = at_blanks(text, style.width - 8)
        yield f"      {style.symbol(symbol)} {first}"
        yield from indented(rest, 8)


def signed_names(
    label: str, added: tuple[str, ...], removed: tuple[str, ...], style: Style
) -> Iterator[str]:
    """Names with their sign, as many on a line as fit."""
    start = f"{label} " if label else ""
    for symbol, names in (("+", added), ("-", removed)):
        if names:
            yield from signed(symbol, start + style.names(names), style)


def at_blanks(text: str, width: int) -> list[str]:
    """Text broken at blanks, at least one line, however narrow it gets."""
    return wrapped(text, max(width, 20)) or [text]


def indented(lines: Iterable[str], by: int) -> Iterator[str]:
    """Lines behind so many blanks."""
    return (" " * by + line for line in lines)
