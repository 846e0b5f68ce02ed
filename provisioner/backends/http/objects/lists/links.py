"""The header ``Link`` (RFC 8288), as far as paging needs it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST: Final = 8192
# A parameter's value may be quoted and hold anything; without quotes it is a token, or nearly one.
_PARAMETER: Final = re.compile(
    r"""\s*;\s*([\w!#$&+.^`|~*-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"'<>]+)))?"""
)
_TARGET: Final = re.compile(r"\s*<([^<>]*)>")
_BETWEEN: Final = re.compile(r"[\s;]*(?:,[\s,]*|$)")


def next_link(header: str) -> str | None:
    """Return the target of the link with the relation ``next``; None if there is none.

    Raises:
        ValueError: The header is longer than any that serves paging, or not a list of links: what
            it says of further pages would be lost.
    """
    if len(header) > MOST:
        raise ValueError(f"is longer than {MOST} characters")
    found = None
    for target, relations in _links(header):
        if found is None and "next" in relations.lower().split():
            found = target
    return found


def _links(header: str) -> Iterator[tuple[str, str]]:
    """Each target, with its relations."""
    header = header.strip().lstrip(", ")
    start = 0
    while start < len(header):
        target = _matched(_TARGET, header, start)
        start = target.end()
        relations: str | None = None
        while parameter := _PARAMETER.match(header, start):
            start = parameter.end()
            name, quoted, plain = parameter.groups()
            # Only the first `rel` counts (RFC 8288, 3.3); it may hold several relations.
            if name.lower() == "rel" and relations is None:
                relations = quoted or plain or ""
        start = _matched(_BETWEEN, header, start).end()
        yield target[1], relations or ""


def _matched(pattern: re.Pattern[str], header: str, start: int) -> re.Match[str]:
    if found := pattern.match(header, start):
        return found
    raise ValueError(f"is no list of links from {header[start : start + 40]!r} on")
