"""Placeholders in requests: what they become in bodies, texts and paths."""

from __future__ import annotations

import pytest

from provisioner.backends.http.objects.lists.links import next_link
from provisioner.backends.http.profile.expressions import Unusable, compiled
from provisioner.backends.http.profile.template import (
    Unfillable,
    embedded_lists,
    filled,
    filled_path,
    filled_text,
    placeholders,
)


def test_a_placeholder_that_stands_alone_becomes_the_value_itself() -> None:
    body = {"ids": "{privilege_ids}", "on": "{protected}", "deep": [{"id": "{id}"}], "n": 3}
    values = {"privilege_ids": [1, 2], "protected": True, "id": 7}
    assert filled(body, values) == {"ids": [1, 2], "on": True, "deep": [{"id": 7}], "n": 3}


def test_a_placeholder_within_text_becomes_text() -> None:
    assert filled({"q": "id={id}&on={protected}"}, {"id": 7, "protected": True}) == {
        "q": "id=7&on=true"
    }
    assert filled_text("(page:{page},size:{size})", {"page": 0, "size": 100}) == "(page:0,size:100)"


def test_a_value_is_never_filled_again() -> None:
    assert filled_text("{name}", {"name": "{id}", "id": "secret"}) == "{id}"
    assert filled({"name": "{name}"}, {"name": "{id}"}) == {"name": "{id}"}


def test_other_braces_are_text() -> None:
    assert placeholders('{"a": {name}, {}}') == {"name"}


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("plain-1._~", "plain-1._~"),
        ("a/b", "a%2Fb"),
        ("a b?c#d&e=f;g", "a%20b%3Fc%23d%26e%3Df%3Bg"),
        ("50%", "50%25"),
        ("é@例", "%C3%A9%40%E4%BE%8B"),
        ("...", "..."),
        (17, "17"),
    ],
)
def test_a_value_in_a_path_is_percent_encoded_whole(value: object, encoded: str) -> None:
    assert filled_path("/roles/{id}/name", {"id": value}) == f"/roles/{encoded}/name"


@pytest.mark.parametrize("value", [".", "..", ""])
def test_a_value_that_would_lead_elsewhere_is_refused(value: str) -> None:
    with pytest.raises(Unfillable, match=r"/roles/\{id\}"):
        filled_path("/roles/{id}", {"id": value})


def test_dots_next_to_text_are_no_dot_segment() -> None:
    assert filled_path("/roles/r{id}", {"id": ".."}) == "/roles/r.."


def test_lists_have_a_place_in_bodies_only() -> None:
    assert embedded_lists({"a": "{roles}", "b": "x {role_ids}"}) == {"role_ids"}
    assert embedded_lists("/users/{roles}", alone=False) == {"roles"}


def test_expressions_find_and_put_together() -> None:
    item = {"permission": {"name": "can_get"}, "view_menu": {"name": "Role"}}
    name = compiled("join(' on ', [permission.name, view_menu.name])")
    assert name.of(item) == "can_get on Role"
    with pytest.raises(Unusable, match="join"):
        name.of({"permission": {"name": 3}})


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("items[", "is no JMESPath", None),
        ("lenght(items)", "calls `lenght`", "did you mean length?"),
        ("a[?contains(@)]", "`contains` takes 2 arguments, not 1", None),
        ("items[1:2].{a: nope(b)}", "calls `nope`", "there are: "),
        ("&id", "`&` makes an expression an argument", None),
        ("items[].{a: &id}", "`&` makes an expression an argument", None),
        ("(" * 490 + "id" + ")" * 490, "is nested too deeply", None),
        ("!" * 900 + "id", "is nested too deeply", None),
        ("id" + "|@" * 490, "is nested too deeply", None),
    ],
)
def test_what_is_wrong_with_an_expression_is_said_before_it_is_used(
    text: str, message: str, remedy: str | None
) -> None:
    with pytest.raises(Unusable, match="`") as caught:
        compiled(text)
    assert message in str(caught.value)
    assert (caught.value.remedy or "").startswith(remedy or "")


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://a/x?page=2>; rel="next"', "https://a/x?page=2"),
        ('</x?a=1,2>; rel="prev", </x?a=3>; rel=next', "/x?a=3"),
        ('<b>; title="a, <c>; rel=\\"next\\""; rel="last next"', "b"),
        ("<b>; REL=NEXT", "b"),
        ('<b>; rel="prev"; rel="next"', None),
        ('<b>; title="next"', None),
        ("", None),
        (" , <a>; rel=prev; , <b>;rel=next ;", "b"),
        ('<a>; nofollow; rel="prev", <b>; rel="next"', "b"),
    ],
)
def test_the_next_link_is_found_in_the_header(header: str, target: str | None) -> None:
    assert next_link(header) == target


@pytest.mark.parametrize(
    "header",
    [
        "nonsense, next",
        '</x?c=2>; rel="next',
        '</x?c=2; rel="next"',
        '/x?c=2; rel="next"',
        '</x?c=2>, rel="next"',
        "</x?c=2>; rel='next'",
        '<a>; rel="prev", /x; rel="next"',
        '<a> <b>; rel="next"',
    ],
)
def test_a_header_that_is_no_list_of_links_is_no_end_of_the_list(header: str) -> None:
    """What it may say of a further page must not be lost: what is there would look deleted."""
    with pytest.raises(ValueError, match="is no list of links from"):
        next_link(header)
