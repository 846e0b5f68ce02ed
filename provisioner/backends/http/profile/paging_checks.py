"""What a profile can get wrong about the pages of its lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from provisioner.backends.http.profile.known_requests import at, lists_in, named
from provisioner.backends.http.profile.template import placeholders

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from provisioner.backends.http.profile.known_requests import Finding, Path

_FIELD: Final = re.compile(r"[A-Za-z_]\w*")
_BY_STYLE: Final = {"page": "page", "offset": "offset", "cursor": "cursor"}
# What a style makes use of; anything else there would be believed to work.
_ALWAYS: Final = frozenset({"style", "query", "size", "total", "version"})
KEYS_OF_STYLE: Final[Mapping[str, frozenset[str]]] = {
    "none": _ALWAYS,
    "page": _ALWAYS | {"first", "next", "explicit"},
    "offset": _ALWAYS | {"next", "explicit"},
    "cursor": _ALWAYS | {"next", "explicit"},
    "link": _ALWAYS,
}
ALL_PAGING_KEYS: Final = frozenset[str]().union(*KEYS_OF_STYLE.values())
_SAY_PAGING: Final = (
    "add `paging:` to it, or to the whole profile; `paging: {style: none}` where one answer is all"
)


def paging_problems(root: Any) -> Iterator[Finding]:
    """Yield what is wrong with how lists are paged, shared or of their own."""
    shared = at(root, "paging")
    inherited: set[str] = set()
    for path, found, _ in lists_in(root):
        own = isinstance(at(found, "paging"), dict)
        if not own and not isinstance(shared, dict):
            yield path, f"{named(path)}: nothing says how this list is paged", _SAY_PAGING
            continue
        query = {**(at(found["paging"] if own else shared, "query") or {})}
        query |= at(found, "query") or {}
        used = placeholders(query) | placeholders(at(found, "path"))
        place = (*path, "paging") if own else ("paging",)
        yield from _paged(named(path), place, found["paging"] if own else shared, used)
        if own:
            yield from _own_keys(named((*path, "paging")), place, found["paging"], used)
        else:
            inherited |= used
    if isinstance(shared, dict):
        yield from _own_keys("paging", ("paging",), shared, inherited)


def _paged(name: str, place: Path, paging: Any, used: frozenset[str]) -> Iterator[Finding]:
    """What a list with this paging lacks; ``used`` are the placeholders in its request."""
    style = str(at(paging, "style"))
    if style not in KEYS_OF_STYLE:
        return
    counter = _BY_STYLE.get(style)
    if counter and counter not in used:
        message = f"{name}: paging by {style} needs {{{counter}}} in a query"
        yield place, message, f"put {{{counter}}} into `query:`"
    for other in sorted(used & set(_BY_STYLE.values()) - {counter}):
        message = f"{name}: {{{other}}} is used, and the paging style `{style}` does not count that"
        yield place, message, f"take it out, or set `style: {other}`"
    if style == "cursor" and at(paging, "next") is None:
        yield place, "paging by cursor needs `next`", "say where the next cursor stands"
    if "size" in used and at(paging, "size") is None:
        yield place, f"{name}: {{size}} is used, and `size` is missing", "add `size:`"


def _own_keys(name: str, place: Path, paging: Any, used: Collection[str]) -> Iterator[Finding]:
    """The keys that do nothing; ``used`` are the placeholders of all lists paged so."""
    style = str(at(paging, "style"))
    known = KEYS_OF_STYLE.get(style)
    if known is None:
        return
    for key in sorted(set(paging) & ALL_PAGING_KEYS - known):
        styles = ", ".join(f"`{each}`" for each, keys in KEYS_OF_STYLE.items() if key in keys)
        message = f"{name}: `{key}` does nothing in the paging style `{style}`"
        yield (*place, key), message, f"take it out; it is for {styles}"
    is_field = _FIELD.fullmatch(str(at(paging, "next")))
    if "explicit" in known and at(paging, "explicit") and not is_field:
        message = f"{name}: `explicit` needs the name of a field in `next`"
        yield place, message, "leave `explicit` out, or say where the next cursor stands"
    if "size" in paging and "size" not in used:
        message = f"{name}: `size` does nothing: no request of these lists holds {{size}}"
        yield (*place, "size"), message, "put {size} into `query:`, or take `size` out"
