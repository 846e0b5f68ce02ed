"""What a reply shows of more than was read: the next page, a greater total, further pages.

A profile says how an API's lists go on. What it does not say, or says wrongly, would make the rest
of a list look deleted; so the last reply of each list is searched for what APIs commonly say of
the rest: members and headers by their usual names, whatever their case and punctuation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from provisioner.backends.http.objects.lists.links import next_link

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioner.backends.http.profile.definition import Listing

# Names without their punctuation, in lower case: `next_page`, `nextPage` and `next-page` are one.
_NEXT: Final = frozenset(
    {
        *("next", "nextpage", "nextcursor", "nextpagetoken", "nexttoken", "nextlink", "nexturl"),
        *("nextpageurl", "nexthref", "odatanextlink", "nextrecordsurl", "continue", "nextmarker"),
        *("continuationtoken", "nextoffset", "nextkey", "remainingitemcount"),
    }
)
_FLAGS: Final = frozenset(
    {"hasmore", "hasnext", "hasnextpage", "more", "moreavailable", "istruncated", "truncated"}
)
_TOTALS: Final = frozenset(
    {
        *("total", "count", "totalcount", "totalresults", "totalitems", "totalentries"),
        *("totalelements", "totalrecords", "recordstotal", "totalrows", "totalsize"),
        *("odatacount", "filtercount", "totaldocs", "totalhits"),
    }
)
_PAGES: Final = frozenset({"totalpages", "pagecount", "lastpage", "numpages", "pages"})
_CONTAINERS: Final = frozenset(
    {
        *("meta", "metadata", "pagination", "paging", "page", "pageinfo", "paginator", "links"),
        *("responsemetadata", "listmetadata", "resultset", "cursor", "cursors"),
    }
)
_TOTAL_HEADERS: Final = ("X-Total-Count", "X-Total", "X-WP-Total", "Total-Count")
_PAGE_HEADERS: Final = ("X-Total-Pages", "X-WP-TotalPages")
_RANGE: Final = re.compile(r"(?:(?!bytes)[\w-]+[ =])?(?:\d+-\d+|\*)/(\d+)")
_DEEPEST: Final = 3


def shown_beyond(
    body: Any, headers: Mapping[str, str], listing: Listing, items: int, pages: int, last: int
) -> str | None:
    """Say what the last reply for a list shows beyond what was read; None if nothing does.

    ``items`` and ``pages`` are how many came, ``last`` how many items the last page held. What the
    profile's own `next` and `total` speak of is left to them.
    """
    paging = listing.paging
    named = " ".join(e.text for e in (paging.next, paging.total) if e).replace('"', "")
    members = _members(body, listing.items.text)
    told = {path: value for path, value in members if not _names(named, path)}
    came = f"{items} item" if items == 1 else f"{items} items"
    # An empty page has nothing after it, whatever it says.
    if last or pages == 1:
        link = paging.style != "link"
        if name := _following(told, headers if link else {}):
            return f"{name} shows more than the {came} that came"
    numbers = [] if paging.total else [*_numbers(told, _TOTALS), *_of_headers(headers)]
    for name, number in numbers:
        if number > items:
            return f"{name} is {number}, and {came} came"
    for name, number in (*_numbers(told, _PAGES), *_counts(headers, _PAGE_HEADERS)):
        if number > pages:
            return f"{name} is {number}, and {pages} {'page' if pages == 1 else 'pages'} came"
    return None


def _following(told: Mapping[str, Any], headers: Mapping[str, str]) -> str | None:
    """What shows a next page."""
    flags = {path: value for path, value in told.items() if _plain(path) in _FLAGS}
    for path, value in flags.items():
        if value is True:
            return f"`{path}`"
    if False in flags.values():
        # A plain no is believed: some APIs name the last item as the next cursor even so.
        return None
    for path, value in told.items():
        if _plain(path) in _NEXT and value not in (None, "", 0, False, [], {}):
            return f"`{path}`"
    name = _next_header(headers)
    return f"the header {name}" if name else None


def _members(body: Any, items: str) -> Iterator[tuple[str, Any]]:
    """The members beside and above the items, and in what usually speaks of pages, by path."""
    found = [("", body)]
    above = items.split(".")[:-1]
    for depth in range(_DEEPEST):
        nested = []
        for path, value in found:
            if not isinstance(value, dict):
                continue
            for name, member in value.items():
                yield f"{path}{name}", member
                leads = depth < len(above) and name == above[depth]
                if leads or _plain(name) in _CONTAINERS:
                    nested.append((f"{path}{name}.", member))
        found = nested


def _plain(path: str) -> str:
    last = path if path.startswith("@") else path.rpartition(".")[2]
    return re.sub(r"[\W_]", "", last).lower()


def _names(expressions: str, path: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(path)}(?!\w)", expressions) is not None


def _numbers(told: Mapping[str, Any], names: frozenset[str]) -> Iterator[tuple[str, int]]:
    for path, value in told.items():
        if _plain(path) in names and (number := _number(value)) is not None:
            yield f"`{path}`", number


def _number(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    is_number = isinstance(value, str) and value.isascii() and value.isdecimal()
    return int(value[:18]) if is_number else None


def _of_headers(headers: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    yield from _counts(headers, _TOTAL_HEADERS)
    if found := _RANGE.fullmatch(headers.get("Content-Range", "").strip()):
        yield "the total in the header Content-Range", int(found[1][:18])


def _counts(headers: Mapping[str, str], names: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    for name in names:
        if (number := _number(headers.get(name, "").strip())) is not None:
            yield f"the header {name}", number


def _next_header(headers: Mapping[str, str]) -> str | None:
    if headers.get("X-Next-Page", "").strip():
        return "X-Next-Page"
    link = headers.get("Link", "")
    try:
        return "Link" if next_link(link) else None
    except ValueError:
        return "Link" if "next" in link.lower() else None
