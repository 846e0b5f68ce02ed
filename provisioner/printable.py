"""Which characters may be shown as they are."""

from __future__ import annotations

import unicodedata
from typing import Final

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


def is_blank(character: str) -> bool:
    """Whether nothing is seen of it, though it is no space and no control character."""
    return character in _BLANK


def is_unsafe(character: str) -> bool:
    """Whether it controls a terminal, is invisible or changes the direction of text."""
    return unicodedata.category(character) in _UNSAFE or is_blank(character)


def is_safe(text: str) -> bool:
    """Whether all of a text may be shown as it is."""
    return (text.isascii() and text.isprintable()) or not any(map(is_unsafe, text))
