"""What libyaml reads otherwise than YAML 1.2 says is refused, never believed.

Texts marked with an id are from https://github.com/yaml/yaml-test-suite (MIT licence).
"""

from __future__ import annotations

import pytest

from provisioner.desired.yaml.reader import read

MISREAD = {
    "a question mark at the start of a key, 652Z": "{ ?foo: bar,\nbar: 42\n}\n",
    "at the start of an item, HM87": "[?x]\n",
    "a tag without a name, S4JQ": '- "12"\n- 12\n- ! 12\n',
    "before a list": "a: ! [x]\n",
    "before a quoted text": "a: ! 'x'\n",
    "a colon in an anchor, Y2GN": "key: &an:chor value\n",
    "a colon behind an alias, 2SXE": "&a key: &a value\nfoo:\n  *a:\n",
    "a question mark behind an anchor": "k: &a?b c\n",
    "a comment behind a list, 9JBA": "[ a, b, c, ]#invalid\n",
    "behind a comma, CVW2": "[ a, b, c,#invalid\n]\n",
    "behind an opening bracket": "[#invalid\n a]\n",
    "behind a mapping": "{a: b}#invalid\n",
    "behind a double quote, SU5Z": 'key: "value"# invalid comment\n',
    "behind a single quote": "key: 'value'# invalid comment\n",
    "behind the sign of folded text, X4QW": "block: ># comment\n  scalar\n",
    "of literal text, with its indicators": "block: |2-# comment\n   scalar\n",
    "behind letters of more than one byte": 'é: "ü"# comment\n',
    "behind a directive, MUS6": "%YAML 1.1#...\n---\na: b\n",
    "a block that ends in blanks, L24T": "foo: |\n  x\n   ",
    "a line break of YAML 1.1 alone": "foo: a\u0085b\n",
}


@pytest.mark.parametrize("text", MISREAD.values(), ids=MISREAD)
def test_what_versions_read_differently_is_refused(text: str) -> None:
    found = read(text.encode(), "a.yaml").diagnostics
    assert [d.id for d in found] in (
        [["unclear-yaml"], ["yaml-tag"], ["control-character"], ["wrong-encoding"]]
    )
    assert found[0].remedy


def test_the_place_is_that_of_the_sign() -> None:
    (found,) = read('ä: "ü"\nb: {c: [ö]#x\n}\n'.encode(), "a.yaml").diagnostics
    assert str(found.place) == "a.yaml:2:11"


CLEAR = {
    "why? not!": "a: why? not!\n",
    "a #tag": "a: x#y z#\n",
    "? begins": "? a\n: b\n",
    "?begins": "?a: ?b\n",
    "quoted": "a: \"?x ! &a:b ]#c\"\nb: '[?x]# !'\n",
    "comments": "#a\na: [b] #c\n#d\nd: 'e' # f#g\n  #h\n",
    "after a block": "a: |\n  ?x! ]#c\n#d\nb: > # e\n  f\n",
    "anchors": "a: [&a b, *a]\nb: {c: *a}\nd: *a\n",
    "a comment that quotes": "a: b # {?x: y}# ! &a:b\n",
}


@pytest.mark.parametrize("text", CLEAR.values(), ids=CLEAR)
def test_what_all_versions_read_alike_is_read(text: str) -> None:
    assert not read(text.encode(), "a.yaml").diagnostics
