"""Lists in pages: read whole or not at all, whatever the server does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from provisioner.backends.http.objects.calls import AuthorizedClient
from provisioner.backends.http.objects.lists.links import MOST, next_link
from provisioner.backends.http.objects.lists.paging import Item, Lists
from provisioner.backends.http.profile.definition import Call, Listing, Paging
from provisioner.backends.http.profile.expressions import Unusable, compiled
from provisioner.errors import BackendError
from tests.http.small_api import Answer, Asked, JsonServer

if TYPE_CHECKING:
    from collections.abc import Callable

EVERYTHING = [{"id": number} for number in range(1, 8)]
ONE_BY_ONE = compiled("id")
BY_PAGE = Paging("page", (("page", "{page}"), ("size", "{size}")), size=3, total=compiled("total"))
BY_OFFSET = Paging("offset", (("from", "{offset}"), ("size", "{size}")), size=3)
BY_CURSOR = Paging("cursor", (("after", "{cursor}"),), next=compiled("next"))
BY_LINK = Paging("link")


def read(server: JsonServer, paging: Paging, *, base: str = "", pages: int = 50) -> list[int]:
    """Read the list; return the ids of its items."""
    listing = Listing(Call("GET", "/things", (("kind", "a b"),)), paging, compiled("items"))
    lists = Lists(AuthorizedClient(server.client(), None), server.url + base, pages)

    def identity(item: Item) -> int:
        id: int = item.value["id"]
        return id

    return [identity(item) for item in lists.all_of(listing, "list the things", None, identity)]


def window(start: int, size: int) -> list[dict[str, int]]:
    return EVERYTHING[start : start + size]


def pages(asked: Asked) -> Answer:
    size = min(int(asked.query["size"]), 2)  # less than was asked for, as many servers do
    start = (int(asked.query["page"]) - 1) * size
    return Answer(200, {"items": window(start, size), "total": len(EVERYTHING)})


def offsets(asked: Asked) -> Answer:
    return Answer(200, {"items": window(int(asked.query["from"]), 2)})


def cursors(asked: Asked) -> Answer:
    start = int(asked.query.get("after", "k0")[1:])
    following = f"k{start + 2}" if start + 2 < len(EVERYTHING) else None
    return Answer(200, {"items": window(start, 2), "next": following, "version": "v1"})


def links(asked: Asked) -> Answer:
    start = int(asked.query.get("start", 0))
    headers = {}
    if start + 2 < len(EVERYTHING):
        headers["Link"] = f'<?start={start + 2}&kind=a%20b>; rel="next", </things>; rel="first"'
    return Answer(200, {"items": window(start, 2)}, headers)


STYLES = [(BY_PAGE, pages), (BY_OFFSET, offsets), (BY_CURSOR, cursors), (BY_LINK, links)]


@pytest.mark.parametrize(("paging", "answer"), STYLES, ids=[p.style for p, _ in STYLES])
def test_every_style_reads_everything(paging: Paging, answer: Callable[[Asked], Answer]) -> None:
    with JsonServer(answer) as server:
        assert read(server, paging) == [1, 2, 3, 4, 5, 6, 7]
        assert {asked.query["kind"] for asked in server.asked} == {"a b"}


@pytest.mark.parametrize("body", [{"items": []}, {"items": [], "total": 0}])
def test_an_empty_list_is_empty(body: Any) -> None:
    paging = BY_PAGE if "total" in body else BY_OFFSET
    with JsonServer(lambda _: Answer(200, body)) as server:
        assert read(server, paging) == []


def test_a_list_at_once_asks_once() -> None:
    with JsonServer(lambda _: Answer(200, {"items": EVERYTHING})) as server:
        assert len(read(server, Paging("none"))) == len(server.asked) * 7 == 7


def test_numbered_pages_may_say_whether_there_is_another() -> None:
    def answer(asked: Asked) -> Answer:
        page = int(asked.query["page"])
        return Answer(200, {"items": window(page * 4, 4), "next": page == 0}) if page < 2 else GONE

    paging = Paging("page", (("page", "{page}"),), first=0, next=compiled("next"))
    with JsonServer(answer) as server:
        assert read(server, paging) == [1, 2, 3, 4, 5, 6, 7]


GONE = Answer(404, {"detail": "that page has no items"})


def begins(asked: Asked) -> bool:
    """Whether this asks for the first page."""
    return asked.query.get("page", "1") == "1" and "after" not in asked.query


class Twice:
    """Goes wrong on the second request of each round through the list, so many rounds long."""

    def __init__(self, good: Callable[[Asked], Answer], bad: Answer, rounds: int) -> None:
        self.good, self.bad, self.rounds = good, bad, rounds
        self.first = True

    def __call__(self, asked: Asked) -> Answer:
        good = self.good(asked)
        if begins(asked) or not self.rounds:
            self.first = True
            return good
        if self.first:
            self.first = False
            self.rounds -= 1
            return self.bad
        return good


CHANGING = {
    "an item comes twice": (
        BY_PAGE,
        pages,
        {"items": window(1, 2), "total": 7},
        "2 is there twice",
    ),
    "the total grows": (BY_PAGE, pages, {"items": window(2, 2), "total": 8}, "was 7, now 8"),
    "items are missing at the end": (
        BY_PAGE,
        pages,
        {"items": [], "total": 7},
        "2 of 7 items came",
    ),
    "the version differs": (
        Paging("cursor", BY_CURSOR.query, next=compiled("next"), version=compiled("version")),
        cursors,
        {"items": window(2, 2), "next": "k4", "version": "v2"},
        "version differs from the page before",
    ),
}


@pytest.mark.parametrize("case", CHANGING.values(), ids=CHANGING)
@pytest.mark.parametrize("rounds", [1, 2])
def test_a_list_that_changed_is_read_again(case: tuple[Any, ...], rounds: int) -> None:
    paging, good, bad, _ = case
    with JsonServer(Twice(good, Answer(200, bad), rounds)) as server:
        assert read(server, paging) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("case", CHANGING.values(), ids=CHANGING)
def test_a_list_that_keeps_changing_is_an_error(case: tuple[Any, ...]) -> None:
    paging, good, bad, reason = case
    with JsonServer(Twice(good, Answer(200, bad), 9)) as server:
        with pytest.raises(BackendError, match="the same in 3 readings") as caught:
            read(server, paging)
        assert reason in str(caught.value)
        assert f"GET {server.url}/things?" in str(caught.value)
        starts = [
            a for a in server.asked if a.query.get("page", "1") == "1" and "after" not in a.query
        ]
        assert len(starts) == 3


def test_a_list_that_changes_each_time_in_another_way_is_said_to_change() -> None:
    totals = iter(range(8, 99))

    def answer(asked: Asked) -> Answer:
        total = len(EVERYTHING) if begins(asked) else next(totals)
        return Answer(200, {"items": window(0, 2), "total": total})

    with JsonServer(answer) as server, pytest.raises(BackendError, match=CHANGED) as caught:
        read(server, BY_PAGE)
    assert "total was 7, now 10" in str(caught.value)


CHANGED = "it changed while it was listed, 3 times"


def test_offsets_that_begin_with_one_are_no_change_of_the_list() -> None:
    """SCIM counts from 1 and takes 0 for 1, so the last item of a page comes again."""

    def answer(asked: Asked) -> Answer:
        start = max(int(asked.query["from"]), 1) - 1
        return Answer(200, {"items": window(start, 2)})

    with JsonServer(answer) as server, pytest.raises(BackendError) as caught:
        read(server, BY_OFFSET)
    (found,) = caught.value.diagnostics
    assert "2 is there twice" in found.message
    assert "changed" not in found.message
    assert found.remedy is not None
    assert "where its pages begin (0 or 1)" in found.remedy


NONE = Paging("none")
ALL = window(0, 7)
MORE: dict[str, tuple[Paging, Any, dict[str, str], str]] = {
    "Django REST framework": (
        NONE,
        {"count": 26, "next": "http://x/things?page=2", "previous": None, "items": ALL},
        {},
        "`next` shows more than the 7 items that came",
    ),
    "a count alone": (NONE, {"count": 26, "items": ALL}, {}, "`count` is 26, and 7 items came"),
    "SCIM": (NONE, {"totalResults": 9, "items": ALL}, {}, "`totalResults` is 9, and 7 items came"),
    "Laravel": (
        NONE,
        {"items": ALL, "meta": {"last_page": 3}},
        {},
        "`meta.last_page` is 3, and 1 page came",
    ),
    "JSON:API": (NONE, {"items": ALL, "links": {"next": "/x"}}, {}, "`links.next` shows more"),
    "HAL": (NONE, {"items": ALL, "_links": {"next": {"href": "/x"}}}, {}, "`_links.next` shows"),
    "OData": (NONE, {"items": ALL, "@odata.nextLink": "/x"}, {}, "`@odata.nextLink` shows more"),
    "Slack": (NONE, {"items": ALL, "response_metadata": {"next_cursor": "k"}}, {}, "next_cursor`"),
    "Stripe": (NONE, {"items": ALL, "has_more": True}, {}, "`has_more` shows more"),
    "a Link header": (NONE, {"items": ALL}, {"Link": '</x>; rel="next"'}, "the header Link shows"),
    "json-server": (NONE, {"items": ALL}, {"X-Total-Count": "9"}, "X-Total-Count is 9, and 7"),
    "PostgREST": (NONE, {"items": ALL}, {"Content-Range": "0-6/26"}, "Content-Range is 26"),
    "GitLab": (NONE, {"items": ALL}, {"X-Next-Page": "2"}, "the header X-Next-Page shows more"),
    "link style, next in the body": (BY_LINK, {"items": ALL, "next": "/x"}, {}, "`next` shows"),
    "a misspelt next": (
        replace(BY_CURSOR, next=compiled("nextt")),
        {"items": ALL, "next": "k"},
        {},
        "`next` shows more than the 7 items",
    ),
    "a next in another place": (
        replace(BY_CURSOR, next=compiled("meta.next")),
        {"items": ALL, "next": "k"},
        {},
        "`next` shows more than the 7 items",
    ),
}


@pytest.mark.parametrize("case", MORE.values(), ids=MORE)
def test_an_answer_that_shows_more_than_was_read_is_an_error(case: Any) -> None:
    paging, body, headers, message = case
    with JsonServer(lambda _: Answer(200, body, headers)) as server:
        with pytest.raises(BackendError) as caught:
            read(server, paging)
        (found,) = caught.value.diagnostics
        assert message in found.message
        assert f"GET {server.url}/things?kind=a b" in found.message
        assert found.remedy is not None
        assert "say in `paging:`" in found.remedy


WHOLE: dict[str, tuple[Paging, Any, dict[str, str]]] = {
    "nothing follows": (NONE, {"items": ALL, "next": None, "count": 7}, {}),
    "a link to others": (NONE, {"items": ALL}, {"Link": '</s.css>; rel="preload"'}),
    "no more, whatever the last one was": (
        NONE,
        {"items": ALL, "has_more": False, "next_cursor": "k7"},
        {},
    ),
    "a count of something in the items": (NONE, {"items": [{"id": 1, "count": 50}]}, {}),
    "a total that the profile counts itself": (
        replace(NONE, total=compiled("length(items)")),
        {"items": ALL, "count": 26},
        {},
    ),
    "a next that the profile speaks of": (
        replace(BY_CURSOR, next=compiled("more && next")),
        {"items": ALL, "next": "k7", "more": False},
        {},
    ),
}


@pytest.mark.parametrize("case", WHOLE.values(), ids=WHOLE)
def test_an_answer_that_shows_no_more_is_whole(case: Any) -> None:
    paging, body, headers = case
    with JsonServer(lambda _: Answer(200, body, headers)) as server:
        assert read(server, paging) == [item["id"] for item in body["items"]]


@pytest.mark.parametrize("status", [202, 203, 204, 206, 226, 299])
@pytest.mark.parametrize("number", [1, 2])
def test_a_part_of_an_answer_is_an_error(status: int, number: int) -> None:
    """Also where it looks whole: something on the way may have left out what it does not like."""

    def answer(_: Asked) -> Answer:
        if len(server.asked) == number:
            return Answer(status, {"items": [], "next": None})
        return Answer(200, {"items": [{"id": number}], "next": "k2"})

    with JsonServer(answer) as server:
        with pytest.raises(BackendError, match=f"list the things: the server answers {status}"):
            read(server, BY_CURSOR)
        assert len(server.asked) == number


BAD = {
    "a page that fails": (BY_PAGE, Answer(404, {"detail": "no such page"}), "no such page"),
    "no list": (BY_PAGE, Answer(200, {"items": {}, "total": 7}), "items is an object, not a list"),
    "no items": (BY_PAGE, Answer(200, {"total": 7}), "items is missing or null, not a list"),
    "an answer of another kind": (
        BY_PAGE,
        Answer(200, [1]),
        "items is missing or null, not a list",
    ),
    "no total": (BY_PAGE, Answer(200, {"items": []}), "total is missing or null, not a number"),
    "a total in words": (
        BY_PAGE,
        Answer(200, {"items": [], "total": "7"}),
        "total is a text, not a number",
    ),
    "a cursor that is none": (
        BY_CURSOR,
        Answer(200, {"items": [], "next": {"k": 1}}),
        "the next cursor is an object",
    ),
    "the same cursor again": (
        BY_CURSOR,
        Answer(200, {"items": [], "next": "k2"}),
        "the next page is one that came before (k2)",
    ),
}


@pytest.mark.parametrize(("paging", "bad", "message"), BAD.values(), ids=BAD)
def test_a_bad_page_fails_the_whole_list(paging: Paging, bad: Answer, message: str) -> None:
    good = pages if paging is BY_PAGE else cursors
    with JsonServer(Twice(good, bad, 9)) as server:
        with pytest.raises(BackendError) as caught:
            read(server, paging)
        assert message in str(caught.value)
        assert f"{server.url}/things" in str(caught.value)


@pytest.mark.parametrize("name", ["next", "nextt"])
def test_a_page_that_must_name_the_next_and_does_not_is_no_end(name: str) -> None:
    paging = replace(BY_CURSOR, next=compiled(name), explicit=True)
    with JsonServer(cursors) as server:
        if name == "next":
            assert read(server, paging) == [1, 2, 3, 4, 5, 6, 7]
            return
        with pytest.raises(BackendError, match="nextt is missing, so nobody knows") as caught:
            read(server, paging)
        assert f"GET {server.url}/things?" in str(caught.value)


@pytest.mark.parametrize("paging", [BY_PAGE, BY_OFFSET, BY_CURSOR], ids=lambda paging: paging.style)
def test_pages_without_an_end_are_given_up(paging: Paging) -> None:
    count = iter(range(10**6))

    def endless(_: Asked) -> Answer:
        number = next(count)
        return Answer(200, {"items": [{"id": number}], "next": f"k{number}", "total": 10**6})

    with JsonServer(endless) as server:
        with pytest.raises(BackendError, match="there is no end after 50 pages") as caught:
            read(server, paging)
        assert f"GET {server.url}/things?" in str(caught.value)
        assert len(server.asked) == 50


@pytest.mark.parametrize(
    ("base", "link", "message"),
    [
        ("", "https://evil.example/things?start=2", "is not below"),
        ("", "//evil.example/things", "is not below"),
        ("/panel", "/other/things", "is not below"),
        ("/panel", "/panelist/things", "is not below"),
        ("/panel", "/panel/things?start=0", "one that came before"),
        ("", "http://[", "header Link: Invalid IPv6 URL"),
    ],
)
def test_a_link_never_leads_elsewhere(base: str, link: str, message: str) -> None:
    """The token would go along."""
    headers = {"Link": f'<{link}>; rel="next"'}
    with JsonServer(lambda _: Answer(200, {"items": []}, headers)) as server:
        session = AuthorizedClient(server.client(), None)
        lists = Lists(session, server.url + base, 50)
        listing = Listing(Call("GET", "/things"), BY_LINK, compiled("items"))
        with pytest.raises(BackendError, match=message):
            lists.all_of(listing, "list the things")


def test_a_header_link_that_is_too_long_is_refused() -> None:
    """Also text that takes a careless pattern for ever: then this test does not end."""
    answer = Answer(200, {"items": []}, {"Link": "<" * 9000})
    why = "header Link: is longer than 8192 characters"
    with JsonServer(lambda _: answer) as server, pytest.raises(BackendError, match=why):
        read(server, BY_LINK)
    for header in ("<" * MOST, '<a>"' * (MOST // 4), "<a>;" * (MOST // 4)):
        with pytest.raises(ValueError, match="is no list of links"):
            next_link(header)


@pytest.mark.parametrize(
    ("text", "document", "found"),
    [
        ("[].id", [{"id": 1}, {"name": "x"}], None),
        ("[*].id", [{"id": 1}, None], None),
        ("[]", [1, None], None),
        ("[1:].id", [{"id": 1}, {}], None),
        ("*.id", {"a": {"id": 1}, "b": {}}, None),
        ("[?on].id", [{"id": 1, "on": True}, {"on": True}], None),
        ("[?on].id", [{"id": 1, "on": True}, {"on": False}, None], [1]),
        ("[].id", [{"id": 0}, {"id": ""}], [0, ""]),
        ("[].ids[]", [{"ids": [1]}, {"ids": []}], [1]),
        ("[].ids[].n", [{"ids": [{"n": 1}]}, {"ids": []}], [1]),
        ("[].id", [[{"id": 1}], {"id": 2}], [1, 2]),
        ("[].id", [[{"id": 1}], []], None),
        ("ids[]", {"ids": [[]]}, None),
        ("join('.', [a, b])", {"a": "x", "b": "y"}, "x.y"),
        ("sort_by(a, &n)[].n", {"a": [{"n": 2}, {"n": 1}]}, [1, 2]),
    ],
)
def test_only_a_filter_leaves_items_out(text: str, document: Any, found: Any) -> None:
    if found is not None:
        assert compiled(text).of(document) == found
    else:
        with pytest.raises(Unusable, match=r"(is missing|is an empty list) in item"):
            compiled(text).of(document)


@pytest.mark.parametrize("text", ["floor(to_number('1e999'))", "ceil(n)"])
def test_a_number_without_an_end_is_an_error(text: str) -> None:
    with pytest.raises(Unusable, match="infinity"):
        compiled(text).of({"n": float("inf")})
