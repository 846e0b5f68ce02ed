"""Rules for names of roles, and names that only look alike.

Blanks and hyphens of every kind look like the plain ones, and a run of blanks like one. For other
characters look-alikes follow Unicode Technical Standard 39 (https://www.unicode.org/reports/tr39/):
two names are confusable when replacing each character by its prototype makes them equal. That is
asked only where one of them is not ASCII: ``Sales`` and ``Saies`` are the reader's business.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from posixpath import commonprefix
from typing import TYPE_CHECKING

from provisioner.printable import is_blank

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_ROLE_NAME = 128
# Longer texts are no names, and comparing takes the square of the length.
_LONGEST_COMPARED = 512
# Of more names than this, only those that begin and end most like the one in question are compared.
_MOST_COMPARED = 200
# Every blank of Unicode's class Zs; every dash of class Pd, minus signs, and what is drawn as one.
# Compiled where a name is not plain: few are.
_BLANKS = "[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+"
_HYPHENS = (
    "[\u058a\u05be\u1400\u1806\u2010-\u2015\u2043\u207b\u208b\u2212\u2796\u2e17\u2e1a\u2e3a\u2e3b"
    "\u2e40\u301c\u3030\u30a0\ufe31\ufe32\ufe58\ufe63\uff0d]"
)
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

    Equal names (case-folded) are no look-alikes.
    """
    names, others = list(names), list(others)
    if all(map(is_plain, names)) and all(map(is_plain, others)):
        return {}
    by_skeleton: dict[str, list[str]] = {}
    for other in sorted(others):
        for form in _forms(other):
            by_skeleton.setdefault(form, []).append(other)
    found = {}
    for name in names:
        alike = [other for form in _forms(name) for other in by_skeleton.get(form, ())]
        for other in alike:
            if other.casefold() != name.casefold():
                found[name] = other
                break
    return found


def _forms(name: str) -> tuple[str, ...]:
    """What a name looks like; a hyphen that is not the plain one may be taken for a blank too."""
    with_blanks = re.sub(_HYPHENS, " ", name)
    if with_blanks == name:
        return (skeleton(name),)
    return skeleton(name), skeleton(with_blanks)


def oddity(name: str) -> str:
    """Name what a reader does not see in a name that looks like another one."""
    if name.isascii():
        return "several blanks in a row" if "  " in name else "other letters"
    strange = next(character for character in name if not character.isascii())
    called = unicodedata.name(strange, "a character without a name")
    return f"U+{ord(strange):04X} {called}"


def is_same_in_other_letters(name: str, other: str) -> bool:
    """Whether two names are equal without regard to case, but not by their letters' cases alone.

    So are ``straße`` and ``strasse``: one user, and yet not what a reader expects.
    """
    return name.casefold() == other.casefold() and name.lower() != other.lower()


def is_plain(name: str) -> bool:
    """Whether it can't be mistaken for another name of which the same is true."""
    return name.isascii() and "  " not in name


@lru_cache(maxsize=4096)
def skeleton(name: str) -> str:
    """Return the name with every character replaced by the plain one it looks like."""
    plain = re.sub(_BLANKS, " ", re.sub(_HYPHENS, "-", name))
    folded = unicodedata.normalize("NFKC", plain).casefold()
    if folded.isascii():
        return folded
    from confusable_homoglyphs import confusables

    data = confusables.confusables_data
    return "".join(
        character if character.isascii() else _prototype(character, data) for character in folded
    ).casefold()


def _prototype(character: str, data: dict[str, list[dict[str, str]]]) -> str:
    """The ASCII text that a character looks like, else itself."""
    upper = character.upper()
    for looked_up in (character,) if upper == character else (character, upper):
        for candidate in data.get(looked_up, ()):
            if candidate["c"].isascii():
                return candidate["c"]
    return character


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """Return up to ``limit`` known names that the given one may have been meant to be."""
    if len(name) > _LONGEST_COMPARED:
        return []
    by_folded: dict[str, str] = {}
    for candidate in sorted(known):
        by_folded.setdefault(candidate.casefold(), candidate)
    folded = name.casefold()
    compared: Iterable[str] = by_folded
    if len(by_folded) > _MOST_COMPARED:
        from heapq import nlargest

        compared = nlargest(_MOST_COMPARED, by_folded, key=lambda other: _in_common(folded, other))
    from difflib import get_close_matches

    return [by_folded[f] for f in get_close_matches(folded, compared, limit, cutoff=0.6)]


def _in_common(name: str, other: str) -> int:
    """How many characters two names share at their start and at their end: quick to find."""
    return len(commonprefix((name, other))) + len(commonprefix((name[::-1], other[::-1])))


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return "did you mean A, B?" for an unknown name, or None where nothing is near."""
    found = nearest(name, known)
    return f"did you mean {', '.join(found)}?" if found else None
