"""JSON from outside, read in the one way in which every program reads it, or refused.

RFC 8259 leaves open what a key that stands twice means, how large a number may be and what half of
a surrogate pair is; programs differ, so what one of them judged another may not carry out. Here
all of that is refused, as RFC 7493 (I-JSON) asks, and so is what would take too much to read: by
bytes, by members and items, by depth. Nothing else in provisioner parses JSON.

Reading is the C decoder of the standard library with a few hooks. Only what is refused is gone
through again, slowly, to tell all that is wrong and where.
"""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from provisioner.diagnostics import Diagnostic
from provisioner.printable import is_safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_DEPTH: Final = 64
SHOWN_FLAWS: Final = 50
# What 64 bits hold: some servers number their objects beyond the 2**53 of RFC 7493.
_LEAST, _LARGEST = -(2**63), 2**63 - 1
_MOST_DIGITS: Final = 20
# Up to here every whole number is exact as a float as well.
_EXACT: Final = 2**53
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read.

    ``size`` is in bytes, ``parts`` counts members and items, ``depth`` levels of nesting.
    ``searched`` is how many tokens are gone through to find all that is wrong in what is refused.
    """

    size: int = 512 * 1024 * 1024
    parts: int = 30_000_000
    depth: int = MAX_DEPTH
    searched: int = 4_000_000


FILE: Final = Limits()
# A signature, a cursor, a few headers: what fits a page.
NOTE: Final = Limits(size=64 * 1024, parts=1000, searched=10_000)


@dataclass(frozen=True, slots=True)
class Flaw:
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


def parse(data: bytes | str, limits: Limits = FILE) -> Any:
    """Return the value that a JSON text is.

    A number without a fraction is an ``int``, however it is written: 1.0 and 1e0 are 1.

    Raises:
        Unsound: With all that is wrong with it, as far as it could be gone through.
    """
    text = _text(data, limits)
    try:
        value = _decoder.decode(text)
        if not (isinstance(data, bytes) and _is_flat(data, limits.depth)):
            _require_flat(value, limits.depth)
        if "\\u" in text and _HALF.search(text):
            _ENCODER.encode(value).encode()
    except (ValueError, RecursionError) as error:
        # UnicodeEncodeError is a ValueError too.
        raise _explained(text, limits, error) from None
    return value


def is_json(data: bytes) -> bool:
    """Whether it is JSON by its syntax, sound or not."""
    try:
        return _syntax_error(data.decode()) is None
    except UnicodeDecodeError:
        return False


def _text(data: bytes | str, limits: Limits) -> str:
    if len(data) > limits.size:
        what = f"it has more than {limits.size} bytes"
        raise Unsound([Flaw("json-too-large", what, "send or keep less in one piece")])
    text = data if isinstance(data, str) else _decoded(data)
    # There are never more parts than bytes, and looking for them costs a third of reading them.
    if len(text) > limits.parts and sum(map(text.count, ",[{")) > limits.parts:
        what = f"it has more than {limits.parts} members and items"
        raise Unsound([Flaw("json-too-large", what, "send or keep less in one piece")])
    return text


def _decoded(data: bytes) -> str:
    remedy = "save it as UTF-8 without a byte order mark"
    if data.startswith(BOM_UTF8):
        raise Unsound([Flaw("json-encoding", "it begins with a byte order mark", remedy, 1, 1)])
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        good = data[: error.start].decode()
        what = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise Unsound([Flaw("json-encoding", what, remedy, *_position(good, len(good)))]) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(_twice(key))
            seen.add(key)
    return found


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS or not _LEAST <= (number := int(text)) <= _LARGEST:
        raise ValueError(_too_large(text))
    return number


def _fraction(text: str) -> float | int:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(_too_large(text))
    if number.is_integer() and abs(number) <= _EXACT:
        return int(number)
    return number


def _no_number(text: str) -> float:
    raise ValueError(_no_constant(text))


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_int=_whole,
    parse_float=_fraction,
    parse_constant=_no_number,
)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, check_circular=False)
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")
_NO_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{}"\\'))
_NESTING: Final = frozenset({dict, list})


def _is_flat(data: bytes, most: int) -> bool:
    """Whether the brackets alone show that no more are open at a time; they do in most files.

    A text without brackets leaves two quotes side by side. If any other is in the way, some quote
    is left over, for the first of them has an odd number of quotes before its bracket.
    """
    brackets = data.translate(None, _NO_STRUCTURE).replace(b'""', b"")
    if b'"' in brackets or b"\\" in brackets:
        return False
    for _ in range(most // 2):
        if not brackets:
            break
        # Two levels at most: an array, and the object that held nothing else.
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    return not brackets


def _require_flat(value: Any, most: int) -> None:
    """What follows goes through a value by recursion."""
    level = [value] if type(value) in _NESTING else []
    for _ in range(most):
        # Most of what a state holds is text: what that is asked for first decides the speed.
        level = [
            child
            for item in level
            for child in (item.values() if type(item) is dict else item)
            if type(child) is not str and type(child) in _NESTING
        ]
        if not level:
            return
    raise ValueError(_too_deep(most))


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


def _twice(key: str) -> str:
    return f"the key `{_short(key)}` stands twice in one object"


def _too_large(text: str) -> str:
    return f"{_short(text)} is a larger number than programs agree on"


def _no_constant(text: str) -> str:
    return f"{text} is no JSON number"


def _too_deep(most: int) -> str:
    return f"it is nested deeper than {most} levels"


def _explained(text: str, limits: Limits, error: Exception) -> Unsound:
    """All that is wrong up to where the syntax breaks; without a place where none is found."""
    broken = _syntax_error(text)
    stack: list[_Open] = []
    found = _search(text, broken.pos if broken else len(text), limits, stack)
    shown = [flaw.shown(text, stack) for flaw in islice(found, SHOWN_FLAWS)]
    more = sum(1 for _ in found)
    if broken:
        what = next((ours for theirs, ours in _SYNTAX if theirs in broken.msg), broken.msg)
        place = broken.lineno, broken.colno
        shown.append(Flaw("json-syntax", what, _REMEDIES["json-syntax"], *place))
    elif not shown:
        id, what = _unplaced(error, limits)
        shown.append(Flaw(id, what, _REMEDIES[id]))
    return Unsound(shown, more)


def _syntax_error(text: str) -> json.JSONDecodeError | None:
    """Where the text stops being JSON, whatever else is wrong with it."""
    try:
        json.JSONDecoder(parse_int=str, parse_float=str).decode(text)
    except json.JSONDecodeError as error:
        return error
    except RecursionError:
        return None
    return None


def _unplaced(error: Exception, limits: Limits) -> tuple[str, str]:
    if isinstance(error, RecursionError):
        return "json-too-deep", _too_deep(limits.depth)
    if isinstance(error, UnicodeError):
        return "json-half-character", _HALF_TEXT
    return "json-unsound", str(error)


_TOKEN: Final = re.compile(
    r"""
      (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<mark>[\[\]{},])
    | (?P<atom>[^\s\[\]{},:"]+)
    | (?P<cut>".*)
    """,
    re.DOTALL | re.VERBOSE,
)
_HALF_LEFT: Final = re.compile("[\ud800-\udfff]")
_NUMBER: Final = re.compile(r"-?[0-9]+(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][-+]?[0-9]+)?")
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
            line, column = _position(text, self.first)
            message += f"; the first is at line {line}, column {column}"
        place = _position(text, self.position)
        return Flaw(self.id, message, _REMEDIES[self.id], *place, _pointer(stack))


def _search(text: str, end: int, limits: Limits, stack: list[_Open]) -> Iterator[_Found]:
    """Yield each flaw up to the end; ``stack`` holds what is open there.

    Syntax is taken for granted: the decoder has judged it.
    """
    for token in islice(_TOKEN.finditer(text, 0, end), limits.searched):
        found, position = token[0], token.start()
        match token.lastgroup:
            case "mark" if found in "[{" and len(stack) >= limits.depth:
                yield _Found("json-too-deep", _too_deep(limits.depth), position)
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
            yield _Found("json-duplicate-key", _twice(value), position, first)
    if _HALF_LEFT.search(value):
        yield _Found("json-half-character", _HALF_TEXT, position)


def _number_flaw(atom: str) -> str | None:
    if atom in _CONSTANTS:
        return _no_constant(atom)
    number = _NUMBER.fullmatch(atom)
    try:
        if number:
            (_fraction if number["fraction"] or number["exponent"] else _whole)(atom)
    except ValueError as error:
        return str(error)
    return None


def _unescaped(string: str) -> str:
    return str(json.loads(string)) if "\\" in string else string[1:-1]


def _pointer(stack: Iterable[_Open]) -> str:
    steps = (str(each.step).replace("~", "~0").replace("/", "~1") for each in stack)
    return "".join(f"/{step}" for step in steps)


def _position(text: str, index: int) -> tuple[int, int]:
    """The 1-based line and column of what stands at an index."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def _short(text: str) -> str:
    """The beginning of a foreign text, without what could disturb a terminal."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return shown if is_safe(shown) else json.dumps(shown)[1:-1]
