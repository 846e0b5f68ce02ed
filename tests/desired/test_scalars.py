"""What a plain scalar means: only where YAML 1.1 and YAML 1.2 agree, and refused where they do not.

The oracle for YAML 1.1 is PyYAML's own resolver, for YAML 1.2 the core schema's table
(https://yaml.org/spec/1.2.2/#1032-tag-resolution), written down here once more.
"""

from __future__ import annotations

import re
from datetime import date

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from provisioner.desired.yaml.scalars import Unclear, iso_date, needs_quotes, resolve_plain

CORE_SCHEMA = {
    "null": r"null|Null|NULL|~|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}
# The page on booleans of YAML 1.1 has these as well; PyYAML leaves them out.
ONE_LETTER_BOOLEANS = {"y", "Y", "n", "N"}

TABLE = [
    ("", None),
    ("~", None),
    ("null", None),
    ("NULL", None),
    ("nUlL", "nUlL"),
    ("true", True),
    ("FALSE", False),
    ("tRUE", "tRUE"),
    ("yes", Unclear),
    ("No", Unclear),
    ("on", Unclear),
    ("OFF", Unclear),
    ("y", Unclear),
    ("N", Unclear),
    ("nO", "nO"),
    ("yess", "yess"),
    ("0", 0),
    ("-0", 0),
    ("12", 12),
    ("+12", 12),
    ("-12", -12),
    ("010", Unclear),
    ("08", Unclear),
    ("0o17", Unclear),
    ("0b101", Unclear),
    ("0x1F", Unclear),
    ("1_000", Unclear),
    ("190:20:30", Unclear),
    ("12:30", Unclear),
    ("12:99", "12:99"),
    ("9" * 30, Unclear),
    ("1.5", 1.5),
    ("-1.50", -1.5),
    ("1e3", Unclear),
    ("1.5e3", Unclear),
    ("1.", Unclear),
    (".5", Unclear),
    (".inf", Unclear),
    ("-.INF", Unclear),
    (".nan", Unclear),
    ("2026-01-01", Unclear),
    ("2026-01-01 10:00:00", Unclear),
    ("2026-01-01T10:00:00Z", Unclear),
    ("2099-02-30", Unclear),
    ("=", Unclear),
    ("<<", Unclear),
    ("-", "-"),
    (".", "."),
    ("..", ".."),
    ("+", "+"),
    ("1.2.3", "1.2.3"),
    ("10.0.0.1", "10.0.0.1"),
    ("1st", "1st"),
    ("0xyz", "0xyz"),
    ("2026-Q1", "2026-Q1"),
    ("ARDOCS_VIEW", "ARDOCS_VIEW"),
    ("ada@example.com", "ada@example.com"),
    ("Norway", "Norway"),
    ("None", "None"),
    ("<<<", "<<<"),
    ("one two", "one two"),
]


@pytest.mark.parametrize(("text", "meaning"), TABLE)
def test_the_table(text: str, meaning: object) -> None:
    """What people may write plain, what it is, and what needs quotes."""
    value = resolve_plain(text)
    if meaning is Unclear:
        assert value == Unclear(text)
    else:
        assert value == meaning
        assert type(value) is type(meaning)
    assert needs_quotes(text) is not isinstance(meaning, str)


def in_yaml_1_1(text: str) -> tuple[str, object]:
    """The kind of a plain scalar, and its value, as PyYAML reads it."""
    loader = yaml.SafeLoader("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))
    kind = str(tag).rpartition(":")[2]
    if kind not in {"null", "bool", "int", "float", "str"}:
        return kind, None
    return kind, loader.construct_object(yaml.ScalarNode(tag, text))


def in_yaml_1_2(text: str) -> tuple[str, object]:
    """The same by the core schema."""
    kind = next((k for k, pattern in CORE_SCHEMA.items() if re.fullmatch(pattern, text)), "str")
    match kind:
        case "null":
            return kind, None
        case "bool":
            return kind, text.lower() == "true"
        case "int":
            base = {"0o": 8, "0x": 16}.get(text[:2], 10)
            return kind, int(text[2:] if base != 10 else text, base)
        case "float":
            return kind, float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return kind, text


LIKE_NUMBERS = st.text("0123456789+-._:eExXoObBaAfFiInN TZ", max_size=12)
LIKE_WORDS = st.text("aAeEfFlLnNoOrRsStTuUyY~=<", max_size=5)


@settings(max_examples=1000, deadline=None)
@given(st.one_of(LIKE_NUMBERS, LIKE_WORDS))
@example("0777")
@example("0_")
@example("1__0")
@example("-0x_f")
@example("1:00")
@example("0.")
@example("+.5e-3")
@example("2026-1-1 1:00:00")
def test_nothing_is_accepted_that_the_versions_read_differently(text: str) -> None:
    """An accepted scalar has one value, and it is the one that both versions give it."""
    value = resolve_plain(text)
    if isinstance(value, Unclear):
        return
    old_kind, old = in_yaml_1_1(text)
    new_kind, new = in_yaml_1_2(text)
    assert old_kind == new_kind
    assert (value, type(value)) == (old, type(old))
    assert (value, type(value)) == (new, type(new))


@settings(max_examples=1000, deadline=None)
@given(st.one_of(LIKE_WORDS, st.from_regex(r"[A-Za-z][A-Za-z0-9_ .@-]*", fullmatch=True)))
def test_words_are_refused_only_where_a_version_takes_them_for_something_else(text: str) -> None:
    """Nobody has to quote what was never in doubt."""
    both_say_text = in_yaml_1_1(text)[0] == in_yaml_1_2(text)[0] == "str"
    if both_say_text and text not in ONE_LETTER_BOOLEANS:
        assert resolve_plain(text) == text


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.dates().map(str), st.text("0123456789-", min_size=8, max_size=11)))
def test_a_date_is_one_that_exists(text: str) -> None:
    """``iso_date`` agrees with the calendar, and with one way of writing only."""
    try:
        expected = date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        expected = None
    assert iso_date(text) == expected
