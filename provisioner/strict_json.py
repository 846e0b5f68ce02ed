"""JSON from outside, read in the one way in which every program reads it, or refused.

RFC 8259 leaves open what a key that stands twice means, how large a number may be and what half of
a surrogate pair is; programs differ, so what one of them judged, another may not carry out. Here
all of that is refused, as RFC 7493 (I-JSON) asks, and so is what would take too much to read: by
bytes, by members and items, by depth. Nothing else in provisioner parses JSON.

Reading is the C decoder of the standard library with a few hooks. Only what is refused is gone
through again, slowly, to tell all that is wrong and where.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from typing import Any, Final

from msgspec import Struct

from provisioner import json_flaws
from provisioner.json_flaws import Flaw, Unsound

__all__ = ["FILE", "MAX_DEPTH", "NOTE", "Flaw", "Limits", "Unsound", "is_json", "parse"]

MAX_DEPTH: Final = 64


class Limits(Struct, frozen=True):
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
        raise json_flaws.explained(text, error, limits.depth, limits.searched) from None
    return value


def is_json(data: bytes) -> bool:
    """Whether it is JSON by its syntax, sound or not."""
    try:
        return json_flaws.syntax_error(data.decode()) is None
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
        raise Unsound(
            [Flaw("json-encoding", what, remedy, *json_flaws.position_of(good, len(good)))]
        ) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(json_flaws.twice(key))
            seen.add(key)
    return found


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_int=json_flaws.whole,
    parse_float=json_flaws.fraction,
    parse_constant=json_flaws.no_number,
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
    raise ValueError(json_flaws.too_deep(most))
