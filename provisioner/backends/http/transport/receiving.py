"""A reply as it comes in: all of it, as JSON, or why it is of no use."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec.structs import replace

from provisioner import strict_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    import urllib3

    from provisioner.backends.http.transport.redaction import Redaction

Certainty = Literal["not-sent", "final", "lost", "lost-for-good"]

_PIECE: Final = 1 << 16
_SHOWN: Final = 200
_DIGITS: Final = 20
_MAY_BE_EMPTY: Final = frozenset({"HEAD", "OPTIONS", "DELETE", "PUT", "POST"})
_LOOKED_THROUGH: Final = 1 << 16
# `max_reply` bounds the size; an answer in time is worth more than all that is wrong in one.
_REPLY: Final = replace(strict_json.FILE, size=sys.maxsize, searched=200_000)


@dataclass(frozen=True, slots=True)
class Raw:
    """A whole reply. ``body`` is parsed JSON; None where there was none, or none is due."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Failed(Exception):
    """There is no usable reply; the message says why.

    ``certainty``: "not-sent" if the server certainly never saw the request, "final" if it did not
    and trying again would change nothing; "lost" if it may have acted on it,
    "lost-for-good" if it may, and would answer the same again.
    """

    def __init__(self, why: str, certainty: Certainty, remedy: str | None = None) -> None:
        super().__init__(why)
        self.certainty = certainty
        self.remedy = remedy


def received(reply: urllib3.BaseHTTPResponse, most: int) -> bytes:
    """Return the body, unpacked.

    Raises:
        Failed: It is cut off, or has more than ``most`` bytes.
    """
    length = reply.headers.get("Content-Length", "")
    plain = not {"Content-Encoding", "Transfer-Encoding"} & reply.headers.keys()
    if length.isdecimal() and len(length) > _DIGITS:
        # Python refuses to read thousands of digits; then nobody knows where the reply ends.
        raise Failed(f"the reply's length is no number of bytes ({length[:_DIGITS]}...)", "lost")
    if plain and length.isdecimal() and int(length) <= most:
        return reply.read(decode_content=False)
    pieces: list[bytes] = []
    size = 0
    for piece in reply.stream(_PIECE, decode_content=True):
        size += len(piece)
        if size > most:
            why = f"the reply is larger than {most / 1_000_000:g} MB"
            raise Failed(why, "lost-for-good", "if that is right, raise `max_reply_mb`")
        pieces.append(piece)
    return b"".join(pieces)


def parsed(
    status: int, headers: Mapping[str, str], data: bytes, method: str, redaction: Redaction
) -> Raw:
    """Read the body as JSON. Only a good reply must have one; what refuses may say it in prose.

    What is not a good reply may be shown, and may repeat what was sent.

    Raises:
        Failed: A good reply has no JSON.
    """
    is_good = 200 <= status < 300
    if not data:
        if is_good and status not in (204, 205) and method not in _MAY_BE_EMPTY:
            raise Failed("the reply is empty", "lost")
        return Raw(status, headers, None)
    if not _is_json(headers):
        if is_good:
            kind = on_one_line(redaction.message(_kind(headers))) or "no type"
            raise Failed(f"the reply is not JSON ({kind}: {_start(data, redaction)})", "lost")
        return Raw(status, headers, _start(data, redaction))
    try:
        document = strict_json.parse(data, _REPLY)
        return Raw(status, headers, document if is_good else redaction.cleaned(document))
    except strict_json.Unsound as error:
        if is_good:
            why = on_one_line(redaction.message(str(error)))
            raise Failed(f"the reply is not JSON: {why}", "lost") from error
        return Raw(status, headers, _start(data, redaction))


def _kind(headers: Mapping[str, str]) -> str:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _is_json(headers: Mapping[str, str]) -> bool:
    kind = _kind(headers)
    return kind == "application/json" or kind.endswith("+json")


def _start(data: bytes, redaction: Redaction) -> str:
    """The beginning of a text from a server, on one line, for a message."""
    # Pages of HTML may write any character as a number.
    text = unescape(data[:_LOOKED_THROUGH].decode("utf-8", "replace"))
    return on_one_line(redaction.cleaned(text)[: 4 * _SHOWN])


def on_one_line(text: str) -> str:
    """The beginning of a foreign text, without anything that could disturb a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_SHOWN]
