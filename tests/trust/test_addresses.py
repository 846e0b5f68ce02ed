"""Which addresses lie below which, whoever reads them."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.trust.addresses import Unclear, address, leads_below

ROLES = "https://roles.example.com/"
EU = "https://roles.example.com/eu/"
_names = st.text("abAB01-_", min_size=1, max_size=6)
_segments = st.lists(st.text("abAB01.~!$&'()*+,=:@-_", min_size=1, max_size=5), max_size=4)
# What separates the parts of an address for one reader or another.
_tricks = st.sampled_from(
    [
        *"/\\@:;?#%.[]*\t\n\r \0abAB1-",
        "..",
        "//",
        "%2e",
        "%2f",
        "%5c",
        "@roles.example.com",
        "\u0130",
        "\u017f",
    ]
)
_hostile = st.lists(st.one_of(_tricks, _names), max_size=8).map("".join)


@pytest.mark.parametrize(
    "below",
    [
        "https://roles.example.com",
        "https://roles.example.com/",
        "HTTPS://Roles.Example.COM/",
        "https://roles.example.com:443/",
        "https://roles.example.com/eu",
        "https://roles.example.com/eu/v1/",
    ],
)
def test_an_address_lies_below_its_origin_however_it_is_written(below: str) -> None:
    assert address(ROLES).covers(address(below))
    assert leads_below([address(ROLES)], below)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://roles.example.com.evil.net/",
        "https://evil.net/roles.example.com/",
        "https://evil-roles.example.com/",
        "https://example.com/",
        "https://eu.roles.example.com/",
        "http://roles.example.com/",
        "http://roles.example.com:443/",
        "https://roles.example.com:8443/",
    ],
)
def test_another_server_is_not_below(elsewhere: str) -> None:
    assert not address(ROLES).covers(address(elsewhere))
    assert not leads_below([address(ROLES)], elsewhere)


@pytest.mark.parametrize("beside", ["/", "/e", "/eu2", "/euro/v1", "/EU", "/v1/eu"])
def test_a_path_covers_by_whole_segments(beside: str) -> None:
    url = f"https://roles.example.com{beside}"
    assert not address(EU).covers(address(url))
    assert not leads_below([address(EU)], url)


@pytest.mark.parametrize(
    "unclear",
    [
        "https://roles.example.com@evil.net/",
        "https://roles.example.com:pass@evil.net/",
        "https://@roles.example.com/",
        "https://evil.net\\@roles.example.com/",
        "https://roles.example.com\\.evil.net/",
        "https://roles.example.com/eu/../us/",
        "https://roles.example.com/eu/./",
        "https://roles.example.com/eu/%2e%2e/us/",
        "https://roles.example.com/eu/..%2fus/",
        "https://roles.example.com/eu/..;/us/",
        "https://roles.example.com//eu/",
        "https://roles.example.com/eu//",
        "https://roles.example.com/?next=",
        "https://roles.example.com/#",
        "https://roles.example.com./",
        "https://r\u00f4les.example.com/",
        "https://roles.example.\uff43om/",
        "https://roles\u3002example.com/",
        "https://\u212aelvin.example.com/",
        "https://roles.example.com:/",
        "https://roles.example.com:0/",
        "https://roles.example.com:65536/",
        "https://roles.example.com:443:8443/",
        "https://roles.exam\nple.com/",
        " https://roles.example.com/",
        "https:/roles.example.com/",
        "https:///roles.example.com/",
        "//roles.example.com/",
        "ftp://roles.example.com/",
        "https://*.example.com/",
        "https://",
        "",
    ],
)
def test_what_readers_take_for_different_things_is_no_address(unclear: str) -> None:
    with pytest.raises(Unclear) as caught:
        address(unclear)
    assert str(caught.value).startswith("it")
    assert "evil" not in str(caught.value)


@given(_hostile)
def test_whatever_is_an_address_is_the_same_one_for_a_library(more: str) -> None:
    text = f"https://roles.example.com{more}"
    try:
        found = address(text)
    except Unclear:
        return
    parts = urlsplit(text)
    assert (parts.scheme, parts.hostname, parts.port or 443) == found.origin
    assert parts.username is parts.password is None
    assert not parts.query
    assert not parts.fragment
    assert tuple(filter(None, parts.path.split("/"))) == found.segments
    assert address(str(found)) == found


@given(_hostile)
def test_nothing_that_is_put_behind_a_host_leads_away_from_it(more: str) -> None:
    text = f"https://roles.example.com{more}"
    if leads_below([address(ROLES)], text):
        parts = urlsplit(text)
        assert parts.hostname == "roles.example.com"
        assert "@" not in parts.netloc


@given(_segments, _segments)
def test_what_is_covered_begins_with_all_segments(ours: list[str], theirs: list[str]) -> None:
    try:
        above = address(f"https://h/{'/'.join(ours)}")
        other = address(f"https://h/{'/'.join(theirs)}")
    except Unclear:
        return
    wanted = theirs[: len(ours)] == ours
    assert above.covers(other) is wanted
    assert leads_below([above], str(other)) is wanted
    assert above.covers(address(f"{above}more/"))


@pytest.mark.parametrize(
    "path",
    [
        "/eu/../us",
        "/eu/%2e%2e/us",
        "/eu/..%2fus",
        "/eu/%252e%252e%252fus",
        "/eu/..;x/us",
        "/eu/..\\us",
        "/eu/..%5cus",
    ],
)
def test_no_request_leads_out_of_a_path_by_dots(path: str) -> None:
    assert not leads_below([address(EU)], f"https://roles.example.com{path}")


@pytest.mark.parametrize("path", ["/eu", "/eu/", "/eu/roles/a%20b?x=../..", "/eu/roles/a%2Fb"])
def test_a_request_below_a_path_may_have_any_names_in_it(path: str) -> None:
    assert leads_below([address(EU)], f"https://roles.example.com{path}")


def test_an_address_is_shown_as_it_is_best_written() -> None:
    assert str(address("HTTPS://H.example:443/a/B")) == "https://h.example/a/B/"
    assert str(address("http://[::1]:80")) == "http://[::1]/"
