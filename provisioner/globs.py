"""Globs that know only ``*``: any run of characters, the empty one included."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@lru_cache(maxsize=1024)
def pattern(glob: str) -> re.Pattern[str]:
    """Return a pattern whose ``fullmatch`` says whether a name matches the glob.

    Repeated stars mean one star. Each star is possessive up to the next literal part where it can
    be, so that hostile globs do not make matching slow.
    """
    first, *rest = re.sub(r"\*+", "*", glob).split("*")
    if not rest:
        text = re.escape(first)
    else:
        *middle, last = rest
        text = re.escape(first)
        for part in middle:
            # The shortest way to the next part is always good enough: the group never backtracks.
            text += f"(?>.*?{re.escape(part)})"
        text += f".*{re.escape(last)}"
    return re.compile(text, re.DOTALL)


def matches(glob: str, name: str) -> bool:
    """Whether a privilege name matches; case matters."""
    return pattern(glob).fullmatch(name) is not None


def matches_caseless(glob: str, name: str) -> bool:
    """Whether a role name or a login matches, without regard to case."""
    return pattern(glob.casefold()).fullmatch(name.casefold()) is not None


def first_caseless(globs: Iterable[str], name: str) -> str | None:
    """The first of the globs that a role name or a login matches, without regard to case."""
    return next((glob for glob in globs if matches_caseless(glob, name)), None)
