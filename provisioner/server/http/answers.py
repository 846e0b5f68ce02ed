"""What a route gives back, before it becomes HTTP; and what `If-Match` says to an ETag."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from provisioner.server.http.problems import Problem

_TAG: Final = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_ETAG: Final = re.compile(_TAG)
# RFC 9110, 5.6.1: elements of a list may be empty.
_ETAGS: Final = re.compile(rf"[ \t,]*(?:{_TAG}[ \t]*(?:,[ \t,]*|$))*")


class Answer(Struct, frozen=True):
    """A reply that is no problem. The body is JSON, unless the headers say otherwise."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def require_match(if_match: str | None, etag: str) -> None:
    """Let pass a request whose `If-Match` fits the ETag (RFC 9110, 13.1.1: strong comparison).

    Raises:
        Problem: It does not fit, or is missing. What is no list of ETags fits nothing.
    """
    if if_match is None:
        detail = "say by If-Match which version the change was made from"
        raise Problem("precondition-required", detail)
    if if_match.strip() == "*":
        return
    if etag not in _tags(if_match):
        raise Problem("precondition-failed", "it has changed since it was read; read it again")


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names the ETag (RFC 9110, 13.1.2: weak comparison)."""
    if if_none_match is None:
        return False
    known = [tag.removeprefix("W/") for tag in _tags(if_none_match)]
    return if_none_match.strip() == "*" or etag in known


def _tags(header: str) -> list[str]:
    """The ETags of a list, the weak ones with their mark; none of what is no such list."""
    return _ETAG.findall(header) if _ETAGS.fullmatch(header) else []
