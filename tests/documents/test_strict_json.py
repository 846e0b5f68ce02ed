"""JSON is read in the one way in which every program reads it, or refused with its flaws."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner import strict_json
from provisioner.strict_json import Limits, Unsound, parse

if TYPE_CHECKING:
    import random

TEXT = st.text(max_size=6)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def told(data: bytes | str, **limits: int) -> list[str]:
    """Return all that is said to be wrong."""
    with pytest.raises(Unsound) as caught:
        parse(data, Limits(**limits))
    assert all(flaw.id and flaw.message and flaw.remedy for flaw in caught.value.flaws)
    return [str(flaw) for flaw in caught.value.flaws]


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_what_is_sound_comes_back(value: Any, escaped: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=escaped, indent=indent)
    assert parse(text) == parse(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"a": 1, "a": 1}', "line 1, column 10 (/a): the key `a` stands twice in one object; the"),
        ('{"a": 1, "\\u0061": 2}', "(/a): the key `a` stands twice"),
        ('[{"b": {"a":\n1,\n "a": 2}}]', "line 3, column 2 (/0/b/a): the key `a` stands twice"),
        ('{"a/b~": [{"": 1, "": 2}]}', "(/a~1b~0/0/): the key `` stands twice"),
        ("[1, NaN]", "line 1, column 5 (/1): NaN is no JSON number"),
        ("Infinity", "line 1, column 1: Infinity is no JSON number"),
        ("[-Infinity]", "(/0): -Infinity is no JSON number"),
        ("[1e400]", "(/0): 1e400 is a larger number than programs agree on"),
        ("[9223372036854775808]", "9223372036854775808 is a larger number"),
        ("[-9223372036854775809]", "-9223372036854775809 is a larger number"),
        (f"[{'9' * 5000}]", f"{'9' * 80}... is a larger number"),
        (f"[{'9' * 400}.5]", "is a larger number"),
        ('["\\ud83d"]', "(/0): the text holds half of a surrogate pair"),
        ('["\\ude00\\ud83d"]', "(/0): the text holds half of a surrogate pair"),
        ('{"\\ud83d": 1}', "half of a surrogate pair"),
        ('{"a": ', "line 1, column 7: a value is missing here"),
        ('{"a" 1}', "a colon is missing here"),
        ("{a: 1}", "a key in double quotes is missing here"),
        ('["a" "b"]', "a comma or a closing bracket is missing here"),
        ('["a', "line 1, column 2: the text that starts here has no end"),
        ("{} {}", "line 1, column 4: something follows after the end"),
        ('["a\nb"]', "a control character stands in a text"),
        ('["\\x41"]', "JSON has no such escape"),
        ("", "line 1, column 1: a value is missing here"),
        ("[" * 65 + "]" * 65, "it is nested deeper than 64 levels"),
        ("[" * 100_000, "it is nested deeper than 64 levels"),
        ('{"a":' * 100_000, "it is nested deeper than 64 levels"),
        (b"\xef\xbb\xbf{}", "it begins with a byte order mark"),
        (b'{"a":\n "\xff"}', "line 2, column 3: byte 0xff is not UTF-8"),
        (b"\xff\xfe{\0}\0", "byte 0xff is not UTF-8"),
    ],
)
def test_what_programs_read_differently_is_refused(text: bytes | str, what: str) -> None:
    assert any(what in each for each in told(text)), told(text)


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert parse('["\\ud83d\\ude00", "\\\\ud83d"]') == ["😀", "\\ud83d"]


def test_a_whole_number_is_one_however_it_is_written() -> None:
    found = parse("[1.0, 1e2, -0.0, -0, 0.5, 9223372036854775807]")
    assert found == [1, 100, 0, 0, 0.5, 2**63 - 1]
    assert [type(each) for each in found] == [int, int, int, int, float, int]


def test_all_flaws_are_told_and_those_beyond_fifty_counted() -> None:
    text = "[" + "NaN, " * 70 + '{"a": 1, "a": 2}, "\\ud800", 1' + "0" * 30 + "]"
    with pytest.raises(Unsound, match=r"NaN is no JSON number \(and 72 more\)") as caught:
        parse(text)
    assert (len(caught.value.flaws), caught.value.more) == (50, 23)
    assert len(told(text.replace("NaN, ", "") + "]")) == 4


def test_flaws_before_a_syntax_error_are_told_with_it() -> None:
    assert told('{"a": 1, "a": NaN, oops}') == [
        *told('{"a": 1, "a": NaN}'),
        "line 1, column 20: a key in double quotes is missing here",
    ]


def test_too_much_is_refused_before_it_is_read() -> None:
    assert told("[1, 2]", size=5) == ["it has more than 5 bytes"]
    assert told("[1, 2, 3]", parts=2) == ["it has more than 2 members and items"]
    assert told("[[[1]]]", depth=2)[0].endswith("(/0/0): it is nested deeper than 2 levels")
    assert parse("[[1]]", Limits(depth=2)) == [[1]]


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0


BRACKETS = st.text('[]{}"\\a', max_size=4)
NESTED = st.recursive(
    BRACKETS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(BRACKETS, inner, max_size=3),
    max_leaves=12,
)


@given(NESTED, st.integers(1, 6), st.sampled_from([None, 1]))
def test_depth_is_what_is_open_at_a_time(value: Any, most: int, indent: int | None) -> None:
    """Brackets within texts do not count."""
    data = json.dumps(value, indent=indent).encode()
    if depth(value) <= most:
        assert parse(data, Limits(depth=most)) == value
    else:
        assert told(data, depth=most)[-1].endswith(f"it is nested deeper than {most} levels")


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("[", "]"), ('{"a":', "}"), ('{"a":[', "]}"), ('[{"a":', "}]"), ('{"[":[', "]}")],
)
def test_a_limit_is_exact(opening: str, closing: str) -> None:
    for times in (30, 31, 32, 33, 63, 64, 65, 66):
        data = (opening * times + "0" + closing * times).encode()
        levels = times * len(closing)
        assert strict_json.is_json(data)
        if levels <= 64:
            parse(data)
        else:
            assert told(data)[0].endswith("it is nested deeper than 64 levels")


def test_only_so_much_is_gone_through_to_tell_where() -> None:
    """What the decoder found is told all the same."""
    text = "[" + "1, " * 1000 + '{"a": 1, "a": 2}]'
    assert told(text, searched=100) == ["the key `a` stands twice in one object"]
    assert told("[" + "1, " * 1000 + '"\\ud800"]', searched=100) == [
        "the text holds half of a surrogate pair, which is no character"
    ]


def test_what_is_repeated_is_short_and_harmless() -> None:
    (line,) = told(json.dumps({"x" * 10_000_000: 1})[:-1] + f', "{"x" * 10_000_000}": 2}}')
    assert len(line) < 400
    (line,) = told('{"\\u001b[31m": 1, "\\u001b[31m": 2}')
    assert line.isprintable()


@given(VALUES, st.randoms(use_true_random=False))
def test_any_damage_is_read_like_the_standard_library_or_refused(
    value: Any, chance: random.Random
) -> None:
    """Nothing is ever read otherwise than by the lenient decoder: less, but not differently."""
    damaged = list(json.dumps(value))
    for _ in range(chance.randrange(4)):
        damaged[chance.randrange(len(damaged))] = chance.choice('[]{},:"\\e190NaI-. u')
    text = "".join(damaged)
    try:
        strict = parse(text)
    except Unsound:
        return
    lenient = json.loads(text)
    assert strict == lenient
    assert not (isinstance(lenient, float) and math.isnan(lenient))
    assert strict_json.is_json(text.encode())
