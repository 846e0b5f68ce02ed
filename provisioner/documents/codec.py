"""Values to JSON and back: the one codec of all documents.

A document is a structure (``msgspec.Struct``) whose fields say what it holds. Bytes are read by
``strict_json`` and judged by a schema first; ``typed`` makes values of what these let through, and
finds what no schema sees, such as a 31st of February. Nothing here reads bytes.
"""

from __future__ import annotations

import re
from sys import intern
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")
_encoder: Final = msgspec.json.Encoder()
_sorting: Final = msgspec.json.Encoder(order="sorted")
_NO_DATE: Final = "Invalid RFC3339 encoded date"


class Misfit(ValueError):
    """A document does not have the form that is asked for. The message names the field."""


def plain(value: object) -> Any:
    """The value as text, numbers, lists, tuples and mappings. Sets become sorted lists."""
    return msgspec.to_builtins(value, order="deterministic")


def compact(value: object) -> str:
    """The value as JSON without blanks, its fields in their order."""
    return _encoder.encode(value).decode()


def line(value: object) -> str:
    """The value as JSON in one line as people write it, its fields in their order."""
    return msgspec.json.format(_encoder.encode(value), indent=0).decode()


def sorted_line(value: object) -> str:
    """The same, with sorted keys."""
    return msgspec.json.format(_sorting.encode(value), indent=0).decode()


def canonical(value: object) -> bytes:
    """What digests are made over: JSON in ASCII, without blanks and with sorted keys."""
    text = _sorting.encode(value).decode()
    # Of what is ASCII and no control character, DEL alone is not escaped.
    if not text.isascii() or "\x7f" in text:
        text = _NOT_PLAIN.sub(_escaped, text)
    return text.encode()


def typed(document: object, kind: type[T]) -> T:
    """The value of that kind that plain data stands for; keys that it has no field for are left.

    Raises:
        Misfit: It stands for none.
    """
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        said = "there is no such date" if what == _NO_DATE else f"it has another form ({what})"
        raise Misfit(f"{where.strip('.`') or 'all of it'}: {said}") from None


def share(items: Iterable[dict[str, Any]], *lists: str) -> None:
    """Let equal names in these lists be one: a few hundred fill thousands of roles.

    Sets of identical objects compare by identity.
    """
    for item in items:
        for key in lists:
            item[key] = list(map(intern, item[key]))


_NOT_PLAIN: Final = re.compile(r"[^ -~]")


def _escaped(found: re.Match[str]) -> str:
    """A character as ``json.dumps`` writes it in ASCII: two numbers above U+FFFF."""
    units = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
