"""The header ``Link`` (RFC 8288), as far as paging needs it."""

from __future__ import annotations

import re
from typing import Final

MOST: Final = 8192
# A target in angle brackets, then parameters whose values may be quoted and hold anything.
_LINK: Final = re.compile(r"""<([^<>]*)>((?:[^<",]|"(?:[^"\\]|\\.)*")*)""")
_PARAMETER: Final = re.compile(
    r""";\s*([\w!#$&+.^`|~*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+))"""
)


def next_link(header: str) -> str | None:
    """Return the target of the link with the relation ``next``; None if there is none.

    Raises:
        ValueError: The header is longer than any that serves paging.
    """
    if len(header) > MOST:
        raise ValueError(f"is longer than {MOST} characters")
    for target, rest in _LINK.findall(header):
        for name, quoted, plain in _PARAMETER.findall(rest):
            # Only the first `rel` counts (RFC 8288, 3.3); it may hold several relations.
            if name.lower() == "rel":
                if "next" in (quoted or plain).lower().split():
                    return str(target)
                break
    return None
