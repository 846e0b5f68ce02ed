"""What a plain YAML scalar means, where YAML 1.1 and 1.2 agree, and that it is unclear where not.

YAML 1.1 (https://yaml.org/type/) and the core schema of YAML 1.2.2 (section 10.3.2) read some plain
scalars differently: ``no`` is a boolean or a text, ``010`` eight or ten. Whoever writes one may
mean either, so none of them is accepted unquoted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Final

# How deep values may be nested, and the one key whose value may be a bare date.
MAX_DEPTH: Final = 32
BARE_DATE_KEY: Final = "until"

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# What either version reads as something other than text, and the other does not, or differently.
_UNCLEAR = r"""(?x)
      [-+]? 0 [0-9_]+ | 0o [0-7]+                                            # octal, either way
    | [-+]? 0b [01_]+ | [-+]? 0x [0-9a-fA-F_]+                               # binary, hexadecimal
    | [-+]? [0-9][0-9_]* (?: :[0-5]?[0-9] )+ (?: \.[0-9_]* )?                # base 60
    | [-+]? [0-9][0-9_]*                                                     # 1_000
    | [-+]? (?: [0-9][0-9_]* \.? [0-9_]* | \.[0-9][0-9_]* ) (?: [eE][-+]?[0-9]+ )?
    | [-+]? \. (?: inf|Inf|INF ) | \. (?: nan|NaN|NAN )
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2} (?: (?:[Tt]|[ \t]+) [0-9:.]+ .* )?      # 1.1 timestamps
    | = | <<                                                                 # 1.1 value, merge
    """
_LONG = 19
# No plain scalar that is neither text nor one of the words starts otherwise.
_MAY_BE_SPECIAL = frozenset("0123456789+-.=<")


@dataclass(frozen=True, slots=True)
class Unclear:
    """A plain scalar that must be quoted. ``why`` ends a sentence that begins with it."""

    text: str
    why: str = field(default="means different things in YAML 1.1 and 1.2", compare=False)

    @property
    def looks_like_date(self) -> bool:
        """Whether it is written as a date, existing or not."""
        return _DATE.fullmatch(self.text) is not None


Scalar = str | int | float | bool | None | Unclear
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    # Booleans in 1.1.
    **{word: Unclear(word) for word in ("y", "Y", "n", "N", "on", "On", "ON", "off", "Off", "OFF")},
    **{word: Unclear(word) for word in ("yes", "Yes", "YES", "no", "No", "NO")},
}


def resolve_plain(text: str) -> Scalar:
    """Return what an unquoted scalar means, or ``Unclear``."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _MAY_BE_SPECIAL:
        return text
    if _INTEGER.fullmatch(text) or _FLOAT.fullmatch(text):
        # Programs cut absurdly long digit strings off; nobody means those as numbers.
        if len(text) >= _LONG:
            return Unclear(text, f"is a number of {_LONG} characters or more")
        return float(text) if "." in text else int(text)
    if re.fullmatch(_UNCLEAR, text):
        return Unclear(text)
    return text


def iso_date(text: str) -> date | None:
    """Return the date that ``YYYY-MM-DD`` names, or None."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def needs_quotes(text: str) -> bool:
    """Whether this text, written plain, would not be read back as the same text."""
    return not isinstance(resolve_plain(text), str)
