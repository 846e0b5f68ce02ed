"""Templates of requests: text with ``{placeholders}`` in paths, queries and JSON bodies.

In a body, text that is exactly one placeholder becomes the value itself (a list, a number, true or
false); anywhere else the value becomes part of the text. In a path it is percent-encoded whole, so
that it is one segment, or a part of one, whatever it holds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_]\w*)\}")
# Lists have a form of their own only where they stand alone in a body.
LISTS: Final = frozenset(
    {
        "include_ids",
        "includes",
        "other_user_ids",
        "privilege_ids",
        "privileges",
        "role_ids",
        "roles",
    }
)


class Unfillable(ValueError):
    """A value can't stand where the template puts it; the message says why."""


def placeholders(template: object) -> frozenset[str]:
    """Return the names of all placeholders in a template, at any depth."""
    return frozenset(name for text in _texts(template) for name in _PLACEHOLDER.findall(text))


def embedded_lists(template: object, *, alone: bool = True) -> frozenset[str]:
    """Return the lists that stand within text; without ``alone``, those that are all of it too."""
    found: set[str] = set()
    for text in _texts(template):
        if not (alone and _PLACEHOLDER.fullmatch(text)):
            found |= LISTS.intersection(_PLACEHOLDER.findall(text))
    return frozenset(found)


def filled(template: Any, values: Mapping[str, object]) -> Any:
    """Return a body with its placeholders filled."""
    match template:
        case str():
            if alone := _PLACEHOLDER.fullmatch(template):
                return values[alone[1]]
            return filled_text(template, values)
        case dict():
            return {key: filled(value, values) for key, value in template.items()}
        case list():
            return [filled(value, values) for value in template]
        case _:
            return template


def filled_text(template: str, values: Mapping[str, object]) -> str:
    """Return a text with its placeholders filled."""
    return _PLACEHOLDER.sub(lambda found: _text(values[found[1]]), template)


def filled_path(template: str, values: Mapping[str, object]) -> str:
    """Return a path with its placeholders filled and percent-encoded.

    Raises:
        Unfillable: The path would lead to another place: a segment would be empty, ``.`` or ``..``.
    """
    segments = []
    for segment in template.split("/"):
        # Percent-encoding does not help against dots: servers and proxies decode before they look.
        plain = filled_text(segment, values)
        if plain != segment and plain in {"", ".", ".."}:
            raise Unfillable(f"`{plain}` can't be a segment of the path {template}")
        segments.append(
            _PLACEHOLDER.sub(lambda found: quote(_text(values[found[1]]), safe=""), segment)
        )
    return "/".join(segments)


def _texts(template: object) -> Iterator[str]:
    match template:
        case str():
            yield template
        case dict():
            for value in template.values():
                yield from _texts(value)
        case list():
            for value in template:
                yield from _texts(value)


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)
