"""Indicators of YAML that its parser reads otherwise than YAML 1.2 says, and without a word.

libyaml follows YAML 1.1 and its own habits: ``{?foo: bar}`` has the key ``foo`` (1.2: ``?foo``), a
lone ``!`` is dropped (1.2: a tag), ``&a:b`` is the anchor ``a`` and then ``:b`` (1.2: the anchor
``a:b``), and a comment may stand directly behind a bracket or a quote (1.2: an error). Found by
reading https://github.com/yaml/yaml-test-suite, and random texts with a parser of YAML 1.2.

Events don't show these, so the scanner's tokens are looked at; only in files that have such a
character in such a place at all, be it within text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml
from yaml._yaml import CParser

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where a token may start, and what may end one that a comment can't directly follow. Each pattern
# begins with the character that makes it suspect, so that a large file without it costs nothing.
_START: Final = rb"(?<![^\s\[{,:?]%b)"
_SUSPECT: Final = tuple(
    (character, re.escape(character) + behind + rest)
    for character, behind, rest in (
        (b"?", _START % rb"\?", rb"\S"),
        (b"!", _START % rb"!", rb"""[\s\[{"'|>]"""),
        (b"&", _START % rb"&", rb"[\w-]+[?:%@`]"),
        (b"*", _START % rb"\*", rb"[\w-]+[?:%@`]"),
        (b"#", rb"""(?<=[\]}"',\[{>|+\-0-9:?]\#)""", b""),
    )
)
_HEADER_WITH_COMMENT: Final = re.compile(r"[|>][-+0-9]*#")
_NO_BLANK_NEEDED: Final = frozenset(" \t\r\n")


class Misread(NamedTuple):
    """What is unclear, where, and how to say it clearly. ``mark`` is the scanner's."""

    id: str
    mark: Any
    message: str
    remedy: str


def misread(data: bytes) -> Iterator[Misread]:
    """Yield what is read otherwise in a file that is sound YAML for libyaml, and UTF-8."""
    last = data[data.rfind(b"\n") + 1 :]
    ends_in_blanks = bool(last) and not last.strip(b" ")
    if not ends_in_blanks and not any(
        c in data and re.search(found, data) for c, found in _SUSPECT
    ):
        return
    text = data.decode("utf-8") + "\0"
    parser: Any = CParser(data)
    while parser.check_token():
        token = parser.get_token()
        start, end = token.start_mark, token.end_mark
        behind = text[end.index]
        if type(token) is yaml.TagToken and token.value == (None, "!"):
            yield Misread("yaml-tag", start, "the tag `!` is not allowed", "remove it")
        elif type(token) is yaml.KeyToken and end.index > start.index:
            if behind not in _NO_BLANK_NEEDED and behind != "\0":
                what = "`?` at the start of a key or an item"
                yield _unclear(start, what, "quote the text that begins with it")
        elif type(token) in (yaml.AnchorToken, yaml.AliasToken) and behind in "?:%@`":
            what = f"`{behind}` directly behind the name of an anchor"
            yield _unclear(end, what, "put a blank before it, or quote the text")
        if behind == "#" and end.column and text[end.index - 1] not in _NO_BLANK_NEEDED:
            yield _unclear(end, "a comment directly behind a value", "put a blank before `#`")
        elif getattr(token, "style", None) in ("|", ">"):
            yield from _block(token, text, ends_in_blanks=ends_in_blanks)


def _block(token: Any, text: str, *, ends_in_blanks: bool) -> Iterator[Misread]:
    """What is unclear about a block of text, which begins with ``|`` or ``>``."""
    if _HEADER_WITH_COMMENT.match(text, token.start_mark.index):
        what = f"a comment directly behind `{token.style}`"
        yield _unclear(token.start_mark, what, "put a blank before `#`")
    elif ends_in_blanks and token.end_mark.index == len(text) - 1:
        what = "a block of text that ends in a line of blanks, without a line break,"
        yield _unclear(token.start_mark, what, "end the file with a line break")


def _unclear(mark: Any, what: str, remedy: str) -> Misread:
    message = f"{what} means different things in different versions of YAML"
    return Misread("unclear-yaml", mark, message, remedy)
