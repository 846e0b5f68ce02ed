"""Every value knows where it stands, to the column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.desired.yaml import reader
from provisioner.desired.yaml.reader import YamlMapping, YamlSequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.model import Place

# Text of any script, without what YAML escapes or takes for a line break.
TEXT = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")), max_size=12
)
LINES = st.lists(TEXT, min_size=2, max_size=3).map("\n".join)
SCALARS = st.one_of(TEXT, LINES, st.integers(-99, 99), st.booleans(), st.none())
DOCUMENTS = st.dictionaries(
    TEXT,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=5,
)
STYLES = st.fixed_dictionaries(
    {
        "default_flow_style": st.sampled_from([True, False, None]),
        "default_style": st.sampled_from([None, "'", '"', "|"]),
        "indent": st.integers(2, 6),
        "width": st.sampled_from([5, 20, 80]),
        "allow_unicode": st.booleans(),
        "explicit_start": st.booleans(),
    }
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Place]]:
    """The path and the place of everything that was read; keys stand after ``"key of"``."""
    if isinstance(value, YamlMapping):
        for key, item in value.items():
            yield (*path, "key of", key), value.key_place(key)
            yield (*path, key), value.value_place(key)
            yield from places(item, (*path, key))
    elif isinstance(value, YamlSequence):
        for index, item in enumerate(value):
            yield (*path, index), value.item_place(index)
            yield from places(item, (*path, index))


def marks(node: yaml.Node, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """The same by PyYAML's composer in pure Python, which shares no code with libyaml."""
    if isinstance(node, yaml.MappingNode):
        for key, item in node.value:
            yield (*path, "key of", key.value), at(key)
            yield (*path, key.value), at(item)
            yield from marks(item, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*path, index), at(item)
            yield from marks(item, (*path, index))


def at(node: yaml.Node) -> str:
    """Where a node stands, as places are written."""
    return f"f.yaml:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def first_of(value: Any) -> tuple[str, ...]:
    """What the text of a value can begin with."""
    match value:
        case None:
            return ("null", '"null"', "'null'", "!!null")
        case bool() | int():
            text = str(value).lower()
            return (text, f'"{text}"', f"'{text}'", "!!")
        case str():
            return ("'", '"', "|", ">", *(word for word in re.split("[ \n]", value)[:1] if word))
        case dict():
            return ("{", "? ", *(start for key in value for start in first_of(key)))
        case _:
            return ("[", "- ")


def texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The path and the value of everything below a value."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, "key of", key), key
            yield (*path, key), item
            yield from texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield (*path, index), item
            yield from texts(item, (*path, index))


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, STYLES)
def test_every_place_points_at_the_text_of_its_value(
    document: dict[str, Any], style: dict[str, Any]
) -> None:
    """In every style in which YAML can be written, for keys, items and values."""
    source = yaml.dump(document, Dumper=yaml.SafeDumper, **style)
    read = reader.read(source.encode(), "f.yaml")
    found = dict(places(read.root))
    lines = source.split("\n")
    for path, value in texts(document):
        place = found[path]
        pointed = lines[place.line - 1][place.column - 1 :]
        assert pointed.startswith(first_of(value)), f"{place} points at {pointed!r}, not {value!r}"


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS, STYLES)
def test_places_are_those_of_another_parser(
    document: dict[str, Any], style: dict[str, Any]
) -> None:
    """PyYAML without libyaml finds everything in the same line and column."""
    source = yaml.dump(document, Dumper=yaml.SafeDumper, **style)
    node = yaml.compose(source, Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.Node)
    read = reader.read(source.encode(), "f.yaml")
    assert {path: str(place) for path, place in places(read.root)} == dict(marks(node))


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS, STYLES)
def test_values_are_those_that_were_written(
    document: dict[str, Any], style: dict[str, Any]
) -> None:
    """Where the reader has no objection, it reads what was dumped."""
    style["default_style"] = style["default_style"] and '"'
    source = yaml.dump(document, Dumper=yaml.SafeDumper, **style)
    read = reader.read(source.encode(), "f.yaml")
    if not read.diagnostics:
        assert read.root == yaml.safe_load(source)


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        ((), False, "1:1"),
        (("roles",), True, "2:1"),
        (("roles",), False, "3:3"),
        (("roles", "Büro"), True, "3:3"),
        (("roles", "Büro", "privileges"), False, "4:17"),
        (("roles", "Büro", "privileges", 1), False, "4:21"),
        (("roles", "😀"), False, "5:10"),
        (("roles", "😀", "note"), False, "5:17"),
        (("roles", "gone", "privileges"), False, "3:3"),
    ],
)
def test_a_document_finds_the_place_of_a_path(
    path: tuple[str | int, ...], key: bool, place: str
) -> None:
    """Columns count characters; a path that ends early stands where it ends."""
    source = """\
version: 1
roles:
  "Büro":
    privileges: [A, B]
  "😀":   {note: 'one
      two'}
"""
    document = reader.read(source.encode(), "f.yaml")
    assert document.diagnostics == []
    assert str(document.place(path, key=key)) == f"f.yaml:{place}"
