"""The codec writes what ``json`` writes, byte for byte, and says in our words what has no value."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, inspect

from provisioner import strict_json
from provisioner.backends.base import HistoryEntry, Run
from provisioner.documents import codec
from provisioner.documents.state import Header
from provisioner.engine.planning.plan import Plan
from provisioner.engine.planning.summary import Summary
from provisioner.model import Capabilities, Catalogue, Ending, Role, State

# What JSON can hold, but for fractions: no document has any.
WORDS = st.text() | st.sampled_from(["\x7f", "\u2028", "\x00", "/", '"', "\\", "ä", "🚒", "\uffff"])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | WORDS,
    lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
)


@given(JSON)
def test_it_writes_what_json_writes(value: Any) -> None:
    packed = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
    assert codec.compact(value) == packed.encode(value)
    assert codec.line(value) == json.dumps(value, ensure_ascii=False)
    assert codec.sorted_line(value) == json.dumps(value, ensure_ascii=False, sort_keys=True)


@given(JSON)
def test_digests_are_over_what_they_always_were(value: Any) -> None:
    """In ASCII: characters beyond as one or two numbers, and DEL too."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    assert codec.canonical(value) == canonical.encode()


@given(JSON)
def test_what_is_written_is_read_by_the_strict_reader(value: Any) -> None:
    assert strict_json.parse(codec.compact(value)) == value


def test_half_a_character_is_not_written() -> None:
    for write in (codec.compact, codec.line, codec.sorted_line, codec.canonical):
        with pytest.raises(UnicodeEncodeError):
            write(["\ud800"])


def test_sets_are_told_in_one_order() -> None:
    role = Role("A", privileges=frozenset("cab"), includes=frozenset({"y", "x"}))
    assert codec.plain(role)["privileges"] == ["a", "b", "c"]
    assert codec.plain(role)["includes"] == ["x", "y"]


@pytest.mark.parametrize(
    ("document", "kind", "message"),
    [
        (
            {"user": "ada", "role": "A", "until": "2026-02-31"},
            Ending,
            "until: there is no such date",
        ),
        (
            [{"user": "ada", "role": "A", "until": "0000-01-01"}],
            tuple[Ending, ...],
            "[0].until: there is no such date",
        ),
        ({"user": 3, "role": "A", "until": "2026-02-28"}, Ending, "user: it has another form"),
        ({"user": "ada"}, Ending, "all of it: it has another form"),
        (None, Ending, "all of it: it has another form"),
    ],
)
def test_what_has_no_value_is_named(document: Any, kind: Any, message: str) -> None:
    with pytest.raises(codec.Misfit) as caught:
        codec.typed(document, kind)
    assert str(caught.value).startswith(message)


def test_a_value_is_made_of_what_it_has_fields_for() -> None:
    document = {"user": "ada", "role": "A", "until": "2026-03-01", "more": 1}
    assert codec.typed(document, Ending) == Ending("ada", "A", date(2026, 3, 1))


@pytest.mark.parametrize("kind", [Plan, Summary, Header, Run, HistoryEntry, State, Capabilities])
def test_the_fields_of_documents_say_what_they_hold(kind: type[Struct]) -> None:
    """No annotation names what is imported for type checkers only: it could not be read."""
    assert isinstance(inspect.type_info(kind), inspect.StructType)


def test_a_catalogue_works_out_its_sets_once() -> None:
    catalogue = Catalogue("none", {})
    assert catalogue.grantable is catalogue.grantable
    assert catalogue == Catalogue("none", {})
