"""Addresses, and which ones lie below which.

What an address means is decided by whoever reads it, and readers differ: about user names, about
backslashes, about what is decoded when. So only addresses that all read alike count as addresses
here, by one expression; anything else lies below nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

_PORTS: Final = {"http": 80, "https": 443}
# RFC 3986 without percent-encoding and `;`: servers disagree on both.
_PLAIN: Final = re.compile(
    r"""(?P<scheme>https?)://
        (?P<host>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])
        (?::(?P<port>[0-9]{1,5}))?
        (?P<path>(?:/[a-z0-9._~!$&'()*+,=:@-]+)*)/?""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_DOTS: Final = (".", "..")


class Unclear(ValueError):
    """An address that not everybody reads alike; the message says why, and repeats none of it."""


class Address(Struct, frozen=True):
    """Where an API is. Scheme and host are in lower case, ``port`` is never left open."""

    scheme: str
    host: str
    port: int
    segments: tuple[str, ...] = ()

    def covers(self, other: Address) -> bool:
        """Whether the other is this address, or lies below it by whole segments of its path."""
        return self.origin == other.origin and (
            other.segments[: len(self.segments)] == self.segments
        )

    @property
    def origin(self) -> tuple[str, str, int]:
        """What has to be equal for two addresses to be of one server."""
        return self.scheme, self.host, self.port

    def __str__(self) -> str:
        """The address as it is best written."""
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}/{''.join(f'{s}/' for s in self.segments)}"


def address(text: str) -> Address:
    """Return what a text says.

    Raises:
        Unclear: It is no address, or one that could be taken for another.
    """
    found = _PLAIN.fullmatch(text)
    if found is None:
        raise Unclear(_why_unclear(text))
    scheme = found["scheme"].lower()
    port = int(found["port"]) if found["port"] else _PORTS[scheme]
    if not 0 < port < 65_536:
        raise Unclear("its port is no number from 1 to 65535")
    segments = tuple(found["path"].split("/")[1:])
    if any(segment in _DOTS for segment in segments):
        raise Unclear("it has `.` or `..` in its path")
    return Address(scheme, found["host"].lower(), port, segments)


def leads_below(listed: Iterable[Address], url: str) -> bool:
    """Whether the URL of a request lies below one of the addresses, however it is decoded.

    Unlike an address, it may have percent-encoded segments and a query.
    """
    try:
        parts = urlsplit(url)
        origin = address(f"{parts.scheme}://{parts.netloc}").origin
    except ValueError:
        return False
    segments = tuple(parts.path.split("/")[1:])
    decoded = re.split(r"[/\\]", unquote(unquote(parts.path)))
    if any(part.partition(";")[0] in _DOTS for part in decoded):
        return False
    return any(
        each.origin == origin and segments[: len(each.segments)] == each.segments for each in listed
    )


# In this order: the first that applies is said.
_REASONS: Final = (
    (r"[\x21-\x7e]*[^\x21-\x7e]", "it has a blank, or a character that is not ASCII"),
    (r"(?!https?://)", "it does not begin with https:// or http://"),
    (r"[^/]*//[^/]*@", "it has a user name or password in it"),
    (r"[^?#]*[?#]", "it has a `?` or `#`"),
    (r"[^%;\\]*[%;\\]", "it has a `%`, `;` or backslash, which servers read in different ways"),
    (r"[^/]*//[^/]*\*", "it has a pattern in place of a host"),
    (r"[^/]*//(?:.*//|/)", "it has an empty part"),
)


def _why_unclear(text: str) -> str:
    for pattern, why in _REASONS:
        if re.match(pattern, text, re.IGNORECASE | re.DOTALL):
            return why
    return "its host or port is not one"
