"""Which characters may be shown as they are."""

from __future__ import annotations

import unicodedata
from typing import Final

_UNSAFE: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def is_unsafe(character: str) -> bool:
    """Whether it controls a terminal, is invisible or changes the direction of text."""
    return unicodedata.category(character) in _UNSAFE
