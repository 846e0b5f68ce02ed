"""Reads whole lists: every page, or an error; what is missing must never look deleted.

A list that changes between two pages is started over (``steady_reading``). Signs of it: an item
comes twice, the total or the version differs from page to page, or at the end there are fewer items
than the total says. A list is only whole if its last page shows nothing more (``completeness``).
Numbered pages end with the total, or with an empty page; never with a short one, for servers have
limits of their own on how much a page holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urljoin, urlsplit

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner.backends.http.objects.calls import AuthorizedClient, bad_reply, request_of, where
from provisioner.backends.http.objects.lists.completeness import shown_beyond
from provisioner.backends.http.objects.lists.links import next_link
from provisioner.backends.http.objects.lists.steady_reading import Changed, steadily
from provisioner.backends.http.profile.definition import Listing
from provisioner.backends.http.profile.expressions import Unusable, described
from provisioner.backends.http.profile.template import placeholders
from provisioner.backends.http.transport.receiving import on_one_line
from provisioner.backends.http.transport.refusals import refusal, require_whole
from provisioner.diagnostics import Diagnostic
from provisioner.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from provisioner.backends.http.profile.expressions import Expression
    from provisioner.backends.http.transport.messages import Reply, Request
    from provisioner.errors import ProvisionerError

MOST_PAGES: Final = 10_000
NOT_FOUND: Final = 404
_SHOWN: Final = 10
_LONGEST: Final = 40


class Gone(Exception):
    """The object whose list was asked for does not exist; ``refused`` is the error for that."""

    def __init__(self, refused: ProvisionerError) -> None:
        super().__init__(str(refused))
        self.refused = refused


class Item(Struct, frozen=True):
    """One item of a list, or one object.

    ``where`` names the request and the place in its answer; ``etag`` is what the header of an
    answer with one object said.
    """

    value: Any
    where: str
    etag: str | None = None


class Listed(Struct, frozen=True):
    """A whole list; ``where`` is the request for its last page.

    ``version`` is None where the pages tell none.
    """

    items: list[Item]
    where: str
    version: object = None


class Lists(Struct, frozen=True):
    """Reads lists from the API below a base URL."""

    client: AuthorizedClient
    url: str
    most_pages: int = MOST_PAGES

    def all_of(
        self,
        listing: Listing,
        what: str,
        values: Mapping[str, object] | None = None,
        identity: Callable[[Item], Hashable] | None = None,
    ) -> list[Item]:
        """Return all items of a list, as ``whole`` reads them."""
        return self.whole(listing, what, values, identity).items

    def whole(
        self,
        listing: Listing,
        what: str,
        values: Mapping[str, object] | None = None,
        identity: Callable[[Item], Hashable] | None = None,
    ) -> Listed:
        """Return a list, as it was at one moment as far as anybody can tell, and its version.

        ``what`` completes "could not ..."; ``identity`` tells items apart, by its form as text.

        Raises:
            BackendError: The list could not be read whole.
            Gone: There is no such list, though others of its kind.
        """
        return steadily(lambda: self._once(listing, what, values or {}, identity), what)

    def first(self, listing: Listing, values: Mapping[str, object]) -> Reply:
        """Return the answer to the first request for a list, whatever its status."""
        return self.client.send(_Pages(self, listing, "", values).first())

    def _once(
        self,
        listing: Listing,
        what: str,
        values: Mapping[str, object],
        identity: Callable[[Item], Hashable] | None,
    ) -> Listed:
        items: list[Item] = []
        seen: set[str] = set()
        pages = _Pages(self, listing, what, values)
        for page in pages.each():
            for item in page:
                if identity is not None:
                    key = str(identity(item))
                    if key in seen:
                        raise Changed(f"{item.where}: {key} is there twice")
                    seen.add(key)
                items.append(item)
        return Listed(items, pages.where, pages.version)


class _Pages(Struct):
    """One way through the pages of a list."""

    lists: Lists
    listing: Listing
    what: str
    values: Mapping[str, object]
    where: str = ""
    count: int = 0
    total: int | None = None
    version: object = None
    cursors: set[str] = field(default_factory=set)

    def each(self) -> Iterator[list[Item]]:
        """Yield the items of each page, after looking at what the page says of the whole list."""
        request = self.first()
        for number in range(self.lists.most_pages):
            reply = self.lists.client.send(request)
            if reply.status == NOT_FOUND and number == 0 and self.values:
                raise Gone(refusal(reply, self.what))
            require_whole(reply, self.what)
            self.where = where(reply)
            page = self._items(reply)
            self._compare(reply, first=number == 0)
            self.count += len(page)
            yield page
            following = self._following(reply, page, number + 1)
            if following is None:
                self._require_end(reply, number + 1, len(page))
                return
            request = following
        bad_reply(self.where, f"there is no end after {self.lists.most_pages} pages")

    def first(self) -> Request:
        """The request for the first page."""
        return self._request()

    def _require_end(self, reply: Reply, pages: int, last: int) -> None:
        if self.total is not None and self.count != self.total:
            raise Changed(f"{where(reply)}: {self.count} of {self.total} items came")
        listing, count = self.listing, self.count
        more = shown_beyond(reply.body, reply.headers, listing, count, pages, last)
        if more is None:
            return
        if pages > 1:
            raise Changed(f"{where(reply)}: {more}")
        remedy = (
            "say in `paging:` of the profile how the list goes on (docs/profiles.md); if this is "
            "all of it, `total:` says which number counts, such as `length(@)`"
        )
        message = f"could not {self.what}: {where(reply)}: {more}"
        raise BackendError(Diagnostic("more-than-read", message, None, remedy))

    def _request(self, number: int = 0, cursor: str | None = None) -> Request:
        call, paging = self.listing.call, self.listing.paging
        values = {
            **self.values,
            "page": paging.first + number,
            "offset": self.count,
            "size": paging.size,
            "cursor": cursor,
        }
        merged = {**dict(paging.query), **dict(call.query)}
        query = tuple(
            (name, text)
            for name, text in merged.items()
            if cursor is not None or "cursor" not in placeholders(text)
        )
        return request_of(replace(call, query=query), values)

    def _items(self, reply: Reply) -> list[Item]:
        expression = self.listing.items
        found = _found(expression, reply)
        name = "" if expression.text == "@" else expression.text
        if not isinstance(found, list):
            why = f"{name or 'the answer'} {described(found)}, not a list"
            bad_reply(where(reply), why, _members(reply.body))
        place = where(reply)
        return [Item(value, f"{place}: {name}[{index}]") for index, value in enumerate(found)]

    def _compare(self, reply: Reply, *, first: bool) -> None:
        paging = self.listing.paging
        if paging.total:
            total = _found(paging.total, reply)
            if isinstance(total, bool) or not isinstance(total, int) or total < 0:
                bad_reply(
                    where(reply), f"{paging.total.text} {described(total)}, not a number of items"
                )
            if not first and total != self.total:
                raise Changed(f"{where(reply)}: {paging.total.text} was {self.total}, now {total}")
            self.total = total
        if paging.version:
            version = _found(paging.version, reply)
            if version is None:
                bad_reply(where(reply), f"{paging.version.text} is missing")
            if not first and version != self.version:
                raise Changed(f"{where(reply)}: {paging.version.text} differs from the page before")
            self.version = version

    def _following(self, reply: Reply, page: list[Item], number: int) -> Request | None:
        """The request for the next page; None after the last."""
        paging = self.listing.paging
        if paging.explicit and paging.next and paging.next.text not in reply.body:
            bad_reply(
                where(reply), f"{paging.next.text} is missing, so nobody knows if more follows"
            )
        match paging.style:
            case "none":
                return None
            case "link":
                return self._linked(reply)
            case "cursor":
                cursor = self._cursor(reply)
                return self._request(number, cursor) if cursor else None
            case "page" | "offset":
                if paging.next:
                    return self._request(number) if _found(paging.next, reply) else None
                complete = self.total is not None and self.count >= self.total
                return None if complete or not page else self._request(number)

    def _cursor(self, reply: Reply) -> str | None:
        expression = self.listing.paging.next
        found = _found(expression, reply) if expression else None
        if found is None or found is False or found == "":
            return None
        if isinstance(found, bool) or not isinstance(found, (str, int)):
            bad_reply(where(reply), f"the next cursor {described(found)}, not a text")
        self._require_new(str(found), reply)
        return str(found)

    def _linked(self, reply: Reply) -> Request | None:
        try:
            target = next_link(reply.headers.get("Link", ""))
        except ValueError as error:
            bad_reply(where(reply), f"header Link: {error}")
        if target is None:
            return None
        try:
            address = urljoin(reply.url, target)
            parts = urlsplit(address)
        except ValueError as error:
            bad_reply(where(reply), f"header Link: {error}")
        self._require_new(address, reply)
        base = urlsplit(self.lists.url.rstrip("/"))
        inside = parts.path == base.path or parts.path.startswith(f"{base.path}/")
        # The token would go along; it is not for others.
        if (parts.scheme, parts.netloc) != (base.scheme, base.netloc) or not inside:
            bad_reply(where(reply), f"header Link: {address} is not below {self.lists.url}")
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        first = request_of(replace(self.listing.call, query=()), self.values)
        return replace(first, path=parts.path.removeprefix(base.path), query=query)

    def _require_new(self, cursor: str, reply: Reply) -> None:
        if cursor in self.cursors:
            bad_reply(where(reply), f"the next page is one that came before ({cursor})")
        self.cursors.add(cursor)


def _found(expression: Expression, reply: Reply) -> Any:
    try:
        return expression.of(reply.body)
    except Unusable as error:
        bad_reply(where(reply), f"{expression.text}: {error}")


def _members(body: Any) -> str | None:
    """What an answer holds instead of the items, as advice."""
    if not isinstance(body, dict) or not body:
        return None
    held = [name for name, value in body.items() if value is not None]
    if not held:
        return None
    names = [on_one_line(name)[:_LONGEST] for name in held[:_SHOWN]]
    more = f" and {len(held) - _SHOWN} more" if len(held) > _SHOWN else ""
    return f"it holds {', '.join(names)}{more}: say in `items:` where the list stands"
