"""Rules for names of roles, and names that only look alike.

Look-alikes follow Unicode Technical Standard 39 (https://www.unicode.org/reports/tr39/): two names
are confusable when replacing each character by its prototype makes them equal.
"""

from __future__ import annotations

import unicodedata
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING

from provisioner.printable import is_blank

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_ROLE_NAME = 128
_FORBIDDEN_CLASSES = {
    "Cc": "control character",
    "Cf": "invisible character",
    "Zl": "line separator",
    "Zp": "paragraph separator",
    "Cs": "half of a surrogate pair",
}


def flaw(name: str) -> tuple[str, str] | None:  # noqa: PLR0911 - one for each rule
    """Return what makes a text unfit as a role's name or a login, and the remedy; or None."""
    plain = name.isascii() and name.isprintable() and name == name.strip()
    if plain and 0 < len(name) <= MAX_ROLE_NAME:
        return None
    if not name:
        return "is empty", "give it a name"
    if len(name) > MAX_ROLE_NAME:
        return f"has {len(name)} characters", f"use at most {MAX_ROLE_NAME}"
    for character in name:
        kind = _FORBIDDEN_CLASSES.get(unicodedata.category(character))
        if kind is None and is_blank(character):
            kind = "invisible character"
        if kind:
            return f"holds the {kind} U+{ord(character):04X}", "remove it"
    if name != name.strip():
        return "starts or ends with a blank", "remove it"
    normal = unicodedata.normalize("NFC", name)
    if name != normal:
        return "is not in Unicode normal form C", f'write it as "{normal}" in composed characters'
    return None


def look_alikes(names: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """Return, for each of the names that can be mistaken for one of the others, that other one.

    Only names of different scripts count: ``Sales`` and ``Saies`` are the reader's business, a
    Cyrillic letter in ``Sales`` is not. Equal names (case-folded) are no look-alikes.
    """
    names, others = list(names), list(others)
    if all(map(str.isascii, names)) and all(map(str.isascii, others)):
        return {}
    by_skeleton: dict[str, list[str]] = {}
    for other in sorted(others):
        by_skeleton.setdefault(skeleton(other), []).append(other)
    found = {}
    for name in names:
        for other in by_skeleton.get(skeleton(name), ()):
            if other.casefold() != name.casefold() and _scripts(name) != _scripts(other):
                found[name] = other
                break
    return found


@lru_cache(maxsize=4096)
def skeleton(name: str) -> str:
    """Return the name with every character replaced by the Latin or common one it looks like."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    if folded.isascii():
        return folded
    from confusable_homoglyphs import confusables

    return "".join(
        character if character.isascii() else _prototype(character, confusables.confusables_data)
        for character in unicodedata.normalize("NFKD", folded)
    ).casefold()


def _prototype(character: str, data: dict[str, list[dict[str, str]]]) -> str:
    if unicodedata.combining(character):
        return ""
    for candidate in data.get(character, ()):
        if candidate["c"].isascii():
            return candidate["c"]
    upper = character.upper()
    for candidate in data.get(upper, ()) if upper != character else ():
        if candidate["c"].isascii():
            return candidate["c"]
    return character


def _scripts(name: str) -> frozenset[str]:
    """The scripts of the name's letters, by the first word of their Unicode names."""
    letters = (c for c in name if c.isalpha())
    return frozenset(unicodedata.name(c, "UNKNOWN").split()[0] for c in letters)


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """Return up to ``limit`` known names that the given one may have been meant to be."""
    by_folded: dict[str, str] = {}
    for candidate in sorted(known):
        by_folded.setdefault(candidate.casefold(), candidate)
    return [by_folded[f] for f in get_close_matches(name.casefold(), by_folded, limit, cutoff=0.6)]


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return "did you mean A, B?" for an unknown name, or None where nothing is near."""
    found = nearest(name, known)
    return f"did you mean {', '.join(found)}?" if found else None
