"""What can be wrong with a JSON text, in words, and where all of it stands.

The slow half of ``strict_json``: it goes through what the decoder has refused.
"""

from __future__ import annotations

import json
import math
import re
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import Struct

from provisioner.diagnostics import Diagnostic
from provisioner.printable import is_safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHOWN_FLAWS: Final = 50
# What 64 bits hold: some servers number their objects beyond the 2**53 of RFC 7493.
_LEAST, _LARGEST = -(2**63), 2**63 - 1
_MOST_DIGITS: Final = 20
# Up to here every whole number is exact as a float as well.
_EXACT: Final = 2**53
_SHOWN: Final = 80


class Flaw(Struct, frozen=True):
    """One thing that is wrong. ``line`` and ``column`` are 1-based, 0 where it has no place.

    ``pointer`` is the JSON Pointer (RFC 6901) of the value or member; None where there is none.
    """

    id: str
    message: str
    remedy: str
    line: int = 0
    column: int = 0
    pointer: str | None = None

    def __str__(self) -> str:
        if not self.line:
            return self.message
        inside = f" ({_short(self.pointer)})" if self.pointer else ""
        return f"line {self.line}, column {self.column}{inside}: {self.message}"


class Unsound(ValueError):
    """It is no JSON, or none that is read in one way only. The message tells the first flaw.

    ``flaws`` are at most ``SHOWN_FLAWS``; ``more`` is how many were found beyond those.
    """

    def __init__(self, flaws: Iterable[Flaw], more: int = 0) -> None:
        self.flaws = tuple(flaws)
        self.more = more
        rest = len(self.flaws) - 1 + more
        super().__init__(str(self.flaws[0]) + (f" (and {rest} more)" if rest else ""))

    def diagnostics(self, id: str, file: str, saying: str, remedy: str) -> tuple[Diagnostic, ...]:
        """All flaws as findings about a file that nobody corrects by hand.

        ``saying`` comes before what is wrong; ``remedy`` is what to do about the file.
        """
        told = [str(flaw) for flaw in self.flaws]
        told += [f"and {self.more} more of such"] if self.more else []
        return tuple(Diagnostic(id, f"{saying}: {what}", file, remedy) for what in told)


def whole(text: str) -> int:
    """Return the whole number; raise ``ValueError`` for one beyond 64 bits."""
    if len(text) > _MOST_DIGITS or not _LEAST <= (number := int(text)) <= _LARGEST:
        raise ValueError(_too_large(text))
    return number


def fraction(text: str) -> float | int:
    """Return the number, as ``int`` if it is whole; raise ``ValueError`` beyond a double."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(_too_large(text))
    if number.is_integer() and abs(number) <= _EXACT:
        return int(number)
    return number


def no_number(text: str) -> float:
    """Raise ``ValueError``: NaN and Infinity are no JSON."""
    raise ValueError(_no_constant(text))


# What each flaw is called, and what would be right.
_HALF_TEXT: Final = "the text holds half of a surrogate pair, which is no character"
_REMEDIES: Final = {
    "json-duplicate-key": "keep one of them",
    "json-number": "write a number that 64 bits hold, or a text in quotes",
    "json-half-character": "write the whole character",
    "json-too-deep": "nest less",
    "json-syntax": "correct it there, or make it anew; it may have been cut off",
    "json-unsound": "correct it, or make it anew",
}


# What the decoder says (a part of it), in plain words.
_SYNTAX: Final = (
    ("Expecting property name", "a key in double quotes is missing here"),
    ("Expecting ','", "a comma or a closing bracket is missing here"),
    ("Expecting ':'", "a colon is missing here"),
    ("Expecting value", "a value is missing here"),
    ("trailing comma", "the last comma is one too many"),
    ("Extra data", "something follows after the end"),
    ("Unterminated string", "the text that starts here has no end"),
    ("control character", "a control character stands in a text"),
    ("escape", "JSON has no such escape"),
)


def twice(key: str) -> str:
    """What is said of a key that stands twice."""
    return f"the key `{_short(key)}` stands twice in one object"


def _too_large(text: str) -> str:
    return f"{_short(text)} is a larger number than programs agree on"


def _no_constant(text: str) -> str:
    return f"{text} is no JSON number"


def too_deep(most: int) -> str:
    """What is said of too deep a nesting."""
    return f"it is nested deeper than {most} levels"


def explained(text: str, error: Exception, depth: int, searched: int) -> Unsound:
    """All that is wrong up to where the syntax breaks; without a place where none is found."""
    broken = syntax_error(text)
    stack: list[_Open] = []
    end = broken.pos if broken else len(text)
    tokens = islice(re.compile(_PIECE).finditer(text, 0, end), searched)
    found = _search(tokens, depth, stack)
    shown = [flaw.shown(text, stack) for flaw in islice(found, SHOWN_FLAWS)]
    more = sum(1 for _ in found)
    if broken:
        what = next((ours for theirs, ours in _SYNTAX if theirs in broken.msg), broken.msg)
        place = broken.lineno, broken.colno
        shown.append(Flaw("json-syntax", what, _REMEDIES["json-syntax"], *place))
    elif not shown:
        id, what = _unplaced(error, depth)
        shown.append(Flaw(id, what, _REMEDIES[id]))
    return Unsound(shown, more)


def syntax_error(text: str) -> json.JSONDecodeError | None:
    """Where the text stops being JSON, whatever else is wrong with it."""
    try:
        json.JSONDecoder(parse_int=str, parse_float=str).decode(text)
    except json.JSONDecodeError as error:
        return error
    except RecursionError:
        return None
    return None


def _unplaced(error: Exception, depth: int) -> tuple[str, str]:
    if isinstance(error, RecursionError):
        return "json-too-deep", too_deep(depth)
    if isinstance(error, UnicodeError):
        return "json-half-character", _HALF_TEXT
    return "json-unsound", str(error)


_PIECE: Final = r"""(?sx)
      (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<mark>[\[\]{},])
    | (?P<atom>[^\s\[\]{},:"]+)
    | (?P<cut>".*)
    """
_HALF_LEFT: Final = "[\ud800-\udfff]"
_NUMBER: Final = r"-?[0-9]+(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][-+]?[0-9]+)?"
_CONSTANTS: Final = frozenset({"NaN", "Infinity", "-Infinity"})


class _Open:
    """An object (``keys``: where each stands) or an array that is being gone through."""

    __slots__ = ("awaits_key", "keys", "step")

    def __init__(self, *, is_object: bool) -> None:
        self.keys: dict[str, int] | None = {} if is_object else None
        self.awaits_key = is_object
        self.step: str | int = 0

    def move_on(self) -> None:
        """Go to the next member or item."""
        if self.keys is not None:
            self.awaits_key = True
        elif isinstance(self.step, int):
            self.step += 1


class _Found(NamedTuple):
    """A flaw, before it is known whether it will be shown. ``first``: where the same key stands."""

    id: str
    message: str
    position: int
    first: int | None = None

    def shown(self, text: str, stack: Iterable[_Open]) -> Flaw:
        message = self.message
        if self.first is not None:
            line, column = position_of(text, self.first)
            message += f"; the first is at line {line}, column {column}"
        place = position_of(text, self.position)
        return Flaw(self.id, message, _REMEDIES[self.id], *place, _pointer(stack))


def _search(tokens: Iterable[re.Match[str]], depth: int, stack: list[_Open]) -> Iterator[_Found]:
    """Yield each flaw among the tokens; ``stack`` holds what is open there.

    Syntax is taken for granted: the decoder has judged it.
    """
    for token in tokens:
        found, position = token[0], token.start()
        match token.lastgroup:
            case "mark" if found in "[{" and len(stack) >= depth:
                yield _Found("json-too-deep", too_deep(depth), position)
                return
            case "mark":
                _follow(found, stack)
            case "string":
                yield from _text_flaws(found, position, stack)
            case "atom" if (flaw := _number_flaw(found)) is not None:
                yield _Found("json-number", flaw, position)


def _follow(mark: str, stack: list[_Open]) -> None:
    if mark in "[{":
        stack.append(_Open(is_object=mark == "{"))
    elif stack and mark in "]}":
        stack.pop()
    elif stack:
        stack[-1].move_on()


def _text_flaws(string: str, position: int, stack: list[_Open]) -> Iterator[_Found]:
    value = _unescaped(string)
    innermost = stack[-1] if stack else None
    if innermost is not None and innermost.awaits_key and innermost.keys is not None:
        innermost.awaits_key = False
        innermost.step = value
        first = innermost.keys.setdefault(value, position)
        if first != position:
            yield _Found("json-duplicate-key", twice(value), position, first)
    if re.search(_HALF_LEFT, value):
        yield _Found("json-half-character", _HALF_TEXT, position)


def _number_flaw(atom: str) -> str | None:
    if atom in _CONSTANTS:
        return _no_constant(atom)
    number = re.fullmatch(_NUMBER, atom)
    try:
        if number:
            (fraction if number["fraction"] or number["exponent"] else whole)(atom)
    except ValueError as error:
        return str(error)
    return None


def _unescaped(string: str) -> str:
    return str(json.loads(string)) if "\\" in string else string[1:-1]


def _pointer(stack: Iterable[_Open]) -> str:
    steps = (str(each.step).replace("~", "~0").replace("/", "~1") for each in stack)
    return "".join(f"/{step}" for step in steps)


def position_of(text: str, index: int) -> tuple[int, int]:
    """The 1-based line and column of what stands at an index."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def _short(text: str) -> str:
    """The beginning of a foreign text, without what could disturb a terminal."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return shown if is_safe(shown) else json.dumps(shown)[1:-1]
