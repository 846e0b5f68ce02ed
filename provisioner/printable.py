"""What came from outside, as text that nobody obeys.

Names, descriptions and messages come from sources, panels, servers, file names and the
environment. Printed, they are read by more than people: a terminal obeys escape sequences, a CI
runner obeys lines, a spreadsheet obeys cells. Each language that is printed has its function:

- Text and logs: ``shown`` keeps what came from outside on its line, ``harmless`` is for all that is
  printed.
- JSON: ``reports.text.style.json_text``.
- CSV: ``cell``, and back again ``uncell``.
- YAML: ``desired.writer``.

What CI runners obey, and where they look for it:

- GitHub (``actions/runner``, ActionCommand.cs): ``::command::`` where a line starts, blanks left
  aside; ``##[command]`` anywhere.
- Azure Pipelines (``azure-pipelines-agent``, Command.cs): ``##vso[`` and ``##[`` anywhere.
- TeamCity: ``##teamcity[`` anywhere.
- GitLab: ``section_start:1:name`` before a carriage return. Travis: ``travis_fold:start:name``.
- Buildkite: ``---``, ``+++``, ``~~~`` and ``^^^ +++`` where a line starts.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_UNSAFE: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


# Blank or not drawn at all, though letters, marks or symbols by their category: what Unicode calls
# Default_Ignorable_Code_Point (DerivedCoreProperties.txt), and the blank of Braille.
_BLANK: Final = frozenset(
    chr(code)
    for first, last in (
        *((0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800)),
        *((0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF)),
    )
    for code in range(first, last + 1)
)

# The colours that `reports.text.style` paints with; no other sequence is let through, not even the
# one that hides text.
PAINT: Final = re.compile(r"\x1b\[(?:0|1|2|31|32|33|36)(?:;(?:1|2|31|32|33|36))*m")

# One character of each of these is spelled: that behind the blanks, or the first.
_OBEYED: Final = re.compile(
    r"#(?=#[\w.-]*\[)"
    r"|(?:(?<=travis_fold)|(?<=travis_time)|(?<=section_start)|(?<=section_end)):"
)
# Without one of these there is no need to look; looking takes long.
_SIGNALS: Final = ("##", "travis_", "section_")
_OBEYED_AT_START: Final = re.compile(
    rf"^((?:[^\S\n]|{PAINT.pattern})*)(?:(:)(?=:)|([-+~^])(?=\3\3(?:\s|$)))", re.MULTILINE
)
_LAYOUT: Final = re.compile(rf"({PAINT.pattern}|[\n\t])")
# For cells, and compiled where there are any.
_LOOKS_SPELLED: Final = r"\\(?=x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"
_SPELLED: Final = r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))"
# What a spreadsheet calculates at the start of a cell, and full-width forms that it takes for the
# same (OWASP, "CSV Injection").
_SIGNS: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_FORMULA: Final = rf"'*\s*[{_SIGNS}\t\r]"
# Where the list separator is a semicolon, spreadsheets split a line of commas there.
_SPLIT_FORMULA: Final = rf";(?=[\s\"']*[{_SIGNS}])"


def is_blank(character: str) -> bool:
    """Whether nothing is seen of it, though it is no space and no control character."""
    return character in _BLANK


def is_unsafe(character: str) -> bool:
    """Whether it controls a terminal, is invisible or changes the direction of text."""
    return unicodedata.category(character) in _UNSAFE or is_blank(character)


def is_safe(text: str) -> bool:
    """Whether all of a text may be shown as it is."""
    return (text.isascii() and text.isprintable()) or not any(map(is_unsafe, set(text)))


def is_obeyed(text: str) -> bool:
    """Whether a CI runner would obey this text, anywhere in a line or at its start."""
    return bool(_OBEYED.search(text) or _OBEYED_AT_START.search(text))


def disarmed(text: str, spell: Callable[[str], str]) -> str:
    """The text with one character spelled of everything that is obeyed anywhere in a line."""
    if not any(signal in text for signal in _SIGNALS):
        return text
    return _OBEYED.sub(lambda found: spell(found[0]), text)


def shown(text: str) -> str:
    r"""Show control, invisible and direction-changing characters as escapes, the rest as it is.

    The text stays on its line: a line break is shown as ``\n``. What CI runners obey anywhere in a
    line is spelled here already, so that columns are as wide as what they hold.
    """
    if not is_safe(text):
        text = "".join(_escape(c) if is_unsafe(c) else c for c in text)
    return disarmed(text, _spell)


def harmless(page: str) -> str:
    """Return a page of text so that nobody obeys a line of it.

    It is for everything that is printed, as the last thing that happens to it: only then is it
    known where lines start. Text of our own is left as it is.
    """
    if any(map(is_unsafe, set(page) - {"\n", "\t"})):
        parts = _LAYOUT.split(page)
        parts[::2] = map(shown, parts[::2])
        page = "".join(parts)
    return _OBEYED_AT_START.sub(_spell_at_start, disarmed(page, _spell))


def spelled(text: str, encoding: str) -> str:
    """Spell the characters that an encoding can't hold; nothing is lost and nothing fails.

    In an encoding other than UTF-8 a character counts as held where none of its bytes could be
    taken for ASCII or a control character: a reader that thinks of another encoding sees wrong
    letters, but nothing that it obeys.
    """
    if text.isascii() or is_utf8(encoding):
        return text
    return "".join(c if c.isascii() or _is_held(c, encoding) else _spell(c) for c in text)


def is_utf8(encoding: str) -> bool:
    """Whether that is a name of UTF-8, which holds everything."""
    return encoding.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig", "cp65001"}


def cell(text: str) -> str:
    r"""Return a text as a cell of a sheet, such that ``uncell`` gives the same text again.

    Unsafe characters are spelled as ``\x1b``, ``\u202e`` or ``\U000e0041``; so is a backslash that
    would be read as one of those. What a spreadsheet would calculate gets an apostrophe in front.
    """
    is_formula = re.match(_FORMULA, text)
    text = re.sub(_LOOKS_SPELLED, _spell_match, text)
    if not is_safe(text):
        text = "".join(_spell(c) if is_unsafe(c) else c for c in text)
    text = re.sub(_SPLIT_FORMULA, _spell_match, disarmed(text, _spell))
    return f"'{text}" if is_formula else _OBEYED_AT_START.sub(_spell_at_start, text)


def uncell(text: str) -> str:
    """Return the text that was written as this cell."""
    text = re.sub(_SPELLED, lambda found: _unspelled(found[1] or found[2] or found[3]), text)
    return text[1:] if text.startswith("'") and re.match(_FORMULA, text) else text


def _unspelled(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if number <= 0x10FFFF else f"\\U{digits}"


def _is_held(character: str, encoding: str) -> bool:
    try:
        return min(character.encode(encoding)) >= 0xA0
    except (UnicodeError, LookupError):
        return False


def _spell_match(found: re.Match[str]) -> str:
    return _spell(found[0])


def _spell_at_start(found: re.Match[str]) -> str:
    return found[1] + _spell(found[2] or found[3])


def _escape(character: str) -> str:
    """As Python writes it: short for line breaks and tabs."""
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def _spell(character: str) -> str:
    """By number."""
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
