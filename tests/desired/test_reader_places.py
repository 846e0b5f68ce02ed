"""Every value knows where it stands, to the column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from provisioner.desired.yaml import reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.desired.yaml.document import Document

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
# What files are made of, to be put together at random.
PIECES = [
    *("a:\n", "b:\n", "  c: ", "  d: ", "  e:\n", "  ? f\n  : ", "    g: ", "    - ", "  - ", "- "),
    *(
        "h\n",
        "'i\n    j'\n",
        "{k: l}",
        "{m: [n, o],\n",
        "[p,\n",
        "q]\n",
        "}\n",
        "\n",
        "# r\n",
        "é\n",
    ),
    *("|\n    s\n", "&t ", "*t\n", '"u": ', "  \n", ", ", "! ", "'v"),
]
KEY = object()
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


def places(source: str, *, whole: bool) -> dict[tuple[Any, ...], str]:
    """The path and the place of everything that was read; keys stand after ``KEY``.

    ``whole``: after the whole file was read for them. Otherwise each is asked for first.
    """

    def read() -> Document:
        document = reader.read(source.encode(), "f.yaml")
        if whole:
            document.keep_marks()
        return document

    return {
        path: str(read().place(tuple(step for step in path if step is not KEY), key=KEY in path))
        for path, _ in texts(read().root)
    }


def marks(node: yaml.Node, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """The same by PyYAML's composer in pure Python, which shares no code with libyaml."""
    if isinstance(node, yaml.MappingNode):
        for key, item in node.value:
            yield (*path, KEY, key.value), at(key)
            yield (*path, key.value), at(item)
            yield from marks(item, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*path, index), at(item)
            yield from marks(item, (*path, index))


def oracle(source: str) -> dict[tuple[Any, ...], str]:
    """Where everything stands, by another parser."""
    node = yaml.compose(source, Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.Node)
    return dict(marks(node))


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
            yield (*path, KEY, key), key
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
    found = places(source, whole=False)
    lines = source.split("\n")
    for path, value in texts(document):
        line, column = map(int, found[path].split(":")[1:])
        pointed = lines[line - 1][column - 1 :]
        assert pointed.startswith(first_of(value)), (
            f"{found[path]} points at {pointed!r}, not {value!r}"
        )


@pytest.mark.parametrize("whole", [True, False])
@settings(max_examples=100, deadline=None)
@given(document=DOCUMENTS, style=STYLES)
def test_places_are_those_of_another_parser(
    document: dict[str, Any], style: dict[str, Any], whole: bool
) -> None:
    """PyYAML without libyaml finds everything in the same line and column."""
    source = yaml.dump(document, Dumper=yaml.SafeDumper, **style)
    assert places(source, whole=whole) == oracle(source)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join))
@example("a: {b: {c: d}, e: f,\n  g: [h]\n}\n")
@example("a:\n  ? b\n  : c\n  d: e\nf: [g,\n  h]")
@example("a:\n  b: |\n    c\n  \n  d: {e: f} # g\n\n# h\ni: []\n")
@example("a:\n  b: &x [c]\n  d: *x\n")
@example("a:\n  'b\n   c': d\n  e: f\n")
def test_places_that_are_looked_up_are_those_of_another_parser(source: str) -> None:
    """And those that marks give which are kept for everything, however the file is laid out."""
    found = places(source, whole=False)
    assert found == places(source, whole=True)
    # The other parser says of an alias that it stands where its anchor does.
    if found and "*" not in source and not reader.read(source.encode(), "f.yaml").diagnostics:
        assert found == oracle(source)


def test_what_stands_in_a_declaration_is_found_by_its_own_lines() -> None:
    """The rest of the file is read again only where it must be: when it is one large ``{...}``."""
    many = {f"Rôle {n}": {"privileges": ["A", "B"], "note": "x"} for n in range(5)}
    for style, is_whole in ((False, False), (True, True)):
        source = yaml.dump(
            {"roles": many}, default_flow_style=style, allow_unicode=True, sort_keys=False
        )
        document = reader.read(source.encode(), "f.yaml")
        for name in ("Rôle 4", "Rôle 0", "Rôle 2"):
            path = ("roles", name, "privileges", 1)
            assert str(document.place(path)) == oracle(source)[path]
            place = document.place(("roles", name), key=True)
            assert str(place) == oracle(source)["roles", KEY, name]
        assert document.places is not None
        assert (document.places._values is None) is is_whole


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
