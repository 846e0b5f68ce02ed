"""Each language that is printed has one function that nobody's text gets past."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from provisioner.desired import writer
from provisioner.documents.access_review import sheet_text
from provisioner.printable import cell, harmless, shown, spelled, uncell
from provisioner.reports.text import style
from tests.printing.hostile import ANY_TEXT, CONTROLS, EACH, ENCODINGS, FORGED
from tests.printing.readers import RUNNERS, calculated, obeyed

if TYPE_CHECKING:
    from collections.abc import Callable


@given(texts=st.lists(ANY_TEXT, max_size=4), margin=st.sampled_from(["", "  ", "\t"]))
def test_no_line_of_text_is_obeyed(texts: list[str], margin: str) -> None:
    page = harmless("".join(f"{margin}{shown(text)}\n" for text in texts))
    assert not obeyed(page)
    assert page.count("\n") == len(texts)
    assert harmless(page) == page


@given(page=st.lists(ANY_TEXT, max_size=4).map("\n".join))
def test_what_a_renderer_forgot_is_not_obeyed_either(page: str) -> None:
    assert not obeyed(harmless(page))


@given(text=st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), max_size=40))
def test_text_that_nobody_obeys_stays_as_it_is(text: str) -> None:
    if not obeyed(text.lstrip()) and not obeyed(text):
        assert harmless(text) == text


def test_our_own_colours_stay() -> None:
    painted = style.Style(color=True).paint("done", "green", "bold")
    assert harmless(f"{painted}\n") == f"{painted}\n"
    assert harmless("\x1b[8mhidden\x1b[0m") == "\\x1b[8mhidden\x1b[0m"
    assert harmless(style.Style(color=True).paint("::x", "bold")) == "\x1b[1m\\x3a:x\x1b[0m"


@given(text=ANY_TEXT, encoding=st.sampled_from(ENCODINGS))
def test_every_encoding_holds_what_is_printed(text: str, encoding: str) -> None:
    """Whatever encoding the reader thinks of, it sees nothing that it obeys."""
    data = spelled(harmless(text), encoding).encode(encoding)
    assert not obeyed(data.decode(encoding))
    if encoding != "utf-8":
        assert not obeyed(data.decode("latin-1"))
        assert not obeyed(data.decode(errors="replace"))


def test_what_an_encoding_holds_stays() -> None:
    text = "B\xfcro \u20ac \u2192 \u6f22"
    assert spelled(text, "utf-8") == text
    assert spelled(text, "latin-1") == r"Büro \u20ac \u2192 \u6f22"
    assert spelled(text, "ascii") == r"B\xfcro \u20ac \u2192 \u6f22"
    assert spelled(text, "no such encoding") == r"B\xfcro \u20ac \u2192 \u6f22"


@given(value=st.recursive(ANY_TEXT, lambda each: st.dictionaries(ANY_TEXT, each, max_size=3)))
def test_json_is_not_obeyed_and_says_the_same(value: object) -> None:
    text = style.json_text(value, indent=2)
    assert not obeyed(text)
    assert json.loads(text) == value
    in_ascii = style.ascii_json(text)
    assert in_ascii.isascii()
    assert json.loads(in_ascii) == value


@given(rows=st.lists(st.lists(ANY_TEXT, min_size=2, max_size=2), max_size=3))
def test_no_cell_of_a_sheet_is_calculated_or_obeyed(rows: list[list[str]]) -> None:
    sheet = sheet_text(["user", "privilege"], rows)
    for text in (sheet, spelled(sheet, "ascii")):
        assert not obeyed(text)
        assert not calculated(text)
        assert text.count("\n") == len(rows) + 1


@given(text=ANY_TEXT)
def test_a_cell_reads_back_as_the_same_text(text: str) -> None:
    assert uncell(cell(text)) == text
    assert uncell(spelled(cell(text), "ascii")) == text


@given(text=ANY_TEXT.filter(lambda text: "\udcff" not in text), ascii_only=st.booleans())
def test_yaml_is_not_obeyed_and_says_the_same(text: str, ascii_only: bool) -> None:
    written = writer._dump({text: [text, {"a": text}]}, ascii_only=ascii_only)
    assert not obeyed(written)
    assert yaml.safe_load(written) == {text: [text, {"a": text}]}
    assert not ascii_only or written.isascii()


@pytest.mark.parametrize("text", EACH, ids=ascii)
def test_each_hostile_text_is_one_that_somebody_obeys(text: str) -> None:
    """Else these tests would prove nothing."""
    assert obeyed(text) or calculated(text) or FORGED in text or text == "\t"


@pytest.mark.parametrize("runner", RUNNERS)
def test_every_runner_has_a_hostile_text(runner: Callable[[str], bool]) -> None:
    assert any(runner(text) for text in EACH)


def test_line_breaks_are_among_the_controls() -> None:
    assert sum("\n" in text for text in CONTROLS) >= 2
