"""Sources may be JSON: what programs read differently in it is refused as in any other JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.desired.yaml.conformity import check
from provisioner.desired.yaml.reader import read

KEYS = st.text(min_size=1, max_size=6)


def problems(text: str) -> list[tuple[str, str]]:
    return [(found.id, found.message) for found in read(text.encode(), "roles.json").diagnostics]


@given(st.dictionaries(KEYS, st.text(max_size=6) | st.booleans() | st.none(), max_size=4))
def test_escapes_are_read_as_json_means_them(value: dict[str, object]) -> None:
    """A character beyond U+FFFF is two escapes in JSON, and one in YAML."""
    document = read(json.dumps(value).encode(), "roles.json")
    assert (document.root, document.diagnostics) == (value, [])


def test_an_escaped_backslash_begins_no_pair() -> None:
    text = r'{"a": "\\ud83d\\ude00", "b": "\\\ud83d\ude00\ud83d\ude00"}'
    assert read(text.encode(), "roles.json").root == {"a": r"\ud83d\ude00", "b": "\\😀😀"}


def test_places_behind_a_pair_stay_on_their_line() -> None:
    text = '{"a": "\\ud83d\\ude00",\n "b": 1,\n "b": 2}'
    (found,) = read(text.encode(), "roles.json").diagnostics
    assert (found.id, str(found.place)) == ("duplicate-key", "roles.json:3:2")


@pytest.mark.parametrize("text", ['{"a": "\\ud83d"}', '{"a": "\\ude00\\ud83d"}', '["\\ud83dx"]'])
def test_half_a_character_is_refused(text: str) -> None:
    (found,) = read(text.encode(), "roles.json").diagnostics
    assert found.id == "yaml-syntax"
    assert found.remedy == "write the character itself: this is half of one, or none"


def test_a_key_twice_is_refused_however_it_is_written() -> None:
    assert problems('{"a": 1, "\\u0061": 2}') == [
        ("duplicate-key", "`a` stands here twice; the first is at roles.json:1:2")
    ]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_never_becomes_one(text: str) -> None:
    """It is a text in YAML, and refused where a number must stand."""
    source = f'{{"version": 1, "policies": [{{"name": {text}, "deny": ["A"], "at_most": {text}}}]}}'
    document = read(source.encode(), "roles.json")
    check(document, "roles")
    (found,) = document.diagnostics
    assert (found.id, "at_most" in found.message) == ("schema-type", True), found


@pytest.mark.parametrize("text", ["9" * 20, "9" * 400 + ".5", "1e400", "1E5"])
def test_a_number_that_programs_do_not_agree_on_is_refused(text: str) -> None:
    ((id, message),) = problems(f'{{"a": {text}}}')
    assert id == "unclear-scalar"
    assert message.startswith(f"`{text}` ")
