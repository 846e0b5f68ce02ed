"""Strict YAML with positions: bytes to plain values, straight from libyaml's event stream.

One pass yields both the values and where each stands, so no second parse is ever needed for an
error message. Nothing here knows what the values mean.

What is refused, always with file, line and column: a wrong encoding, a byte order mark, control
characters, duplicate keys, keys that are not text, tags, a second document, anchors that recurse or
multiply beyond reason, nesting deeper than ``MAX_DEPTH``, and what versions of YAML read
differently (see ``scalars`` and ``indicators``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import yaml
from yaml._yaml import CParser

from provisioner import strict_json
from provisioner.desired.yaml import indicators
from provisioner.desired.yaml.scalars import Unclear, resolve_plain
from provisioner.diagnostics import Diagnostic
from provisioner.model import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.rules.ignores import Ignore

MAX_DEPTH: Final = 32
MAX_ALIASED_NODES: Final = 10_000
# The one key whose value may be a bare date.
BARE_DATE_KEY: Final = "until"

_ASCII_CONTROL = bytes(code for code in (*range(32), 127) if code not in b"\t\n\r")
_PAIR = re.compile(
    rb"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
)
_CONTROL = re.compile("[\u2028\u2029\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


class YamlMapping(dict[str, Any]):
    """A mapping; ``marks`` holds for each key the marks of the key and of its value."""

    __slots__ = ("file", "marks")
    file: str
    marks: dict[str, tuple[Any, Any]]

    def key_place(self, key: str) -> Place:
        """Where the key stands."""
        return _place(self.file, self.marks[key][0])

    def value_place(self, key: str) -> Place:
        """Where the key's value starts."""
        return _place(self.file, self.marks[key][1])


class YamlSequence(list[Any]):
    """A sequence; ``marks`` holds the mark of each item."""

    __slots__ = ("file", "marks")
    file: str
    marks: list[Any]

    def item_place(self, index: int) -> Place:
        """Where the item stands."""
        return _place(self.file, self.marks[index])


@dataclass(slots=True)
class Document:
    """One file as read. ``root`` is None when it could not be read at all.

    ``is_whole`` says whether everything that it declares is in ``root``. ``digest`` is over the
    file's bytes; ``ignores`` are the comments in it that switch findings off.
    """

    file: str
    root: Any = None
    diagnostics: list[Diagnostic] = field(default_factory=list)
    is_whole: bool = True
    digest: str = ""
    ignores: tuple[Ignore, ...] = ()

    def place(self, path: tuple[str | int, ...], *, key: bool = False) -> Place:
        """Where the value at the path stands; with ``key``, where its key stands."""
        place = Place(self.file, 1, 1)
        node = self.root
        for step in path:
            if isinstance(node, YamlMapping) and step in node.marks:
                place = node.key_place(str(step)) if key else node.value_place(str(step))
            elif isinstance(node, YamlSequence) and isinstance(step, int):
                place = node.item_place(step)
            else:
                break
            node = node[step]
        return place


def read(data: bytes, file: str) -> Document:
    """Read one YAML document. Never raises for what the bytes hold: see ``diagnostics``."""
    document = Document(file, digest=sha256(data).hexdigest())
    if problem := _encoding_problem(data, file):
        document.diagnostics.append(problem)
        document.is_whole = False
        return document
    data = _whole_characters(data)
    builder = _Builder(document)
    try:
        document.root = builder.build(CParser(data), anchors=b"&" in data)
        for found in indicators.misread(data):
            builder.problem(found.id, found.mark, found.message, found.remedy)
    except yaml.YAMLError as error:
        document.diagnostics.append(_syntax_problem(error, file, data))
        document.is_whole = False
    except _GiveUp:
        document.is_whole = False
    return document


def _height(value: Any) -> int:
    """How deep a value is nested. It was built under MAX_DEPTH, so the recursion is bounded."""
    if isinstance(value, YamlMapping):
        return 1 + max(map(_height, value.values()), default=0)
    if isinstance(value, YamlSequence):
        return 1 + max(map(_height, value), default=0)
    return 0


def _place(file: str, mark: Any) -> Place:
    return Place(file, mark.line + 1, mark.column + 1)


class _GiveUp(Exception):
    """The rest of the file can't be read in a sensible way; the diagnostic is noted already."""


class _Frame:
    """An open mapping or sequence while building."""

    __slots__ = ("anchor", "container", "key", "key_mark", "marks", "nodes_before", "start")

    def __init__(self, container: Any, marks: Any, start: Any, anchor: str | None) -> None:
        self.container = container
        self.marks = marks
        self.start = start
        self.anchor = anchor
        self.key: str | None = None
        self.key_mark: Any = None
        self.nodes_before = 0


class _Builder:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.file = document.file
        self.plain: dict[str, Any] = {}
        self.anchors: dict[str, tuple[Any, int, Any] | None] = {}
        self.nodes = 0
        self.aliased = 0

    def problem(self, id: str, mark: Any, message: str, remedy: str) -> None:
        place = _place(self.file, mark)
        self.document.diagnostics.append(Diagnostic(id, message, place, remedy))

    def give_up(self, id: str, mark: Any, message: str, remedy: str) -> _GiveUp:
        self.problem(id, mark, message, remedy)
        return _GiveUp()

    def build(self, parser: Any, *, anchors: bool) -> Any:
        get_event = parser.get_event
        get_event()  # stream start
        first = get_event()
        if type(first) is yaml.StreamEndEvent:
            remedy = "start it with `version: 1`"
            raise self.give_up("empty-file", first.start_mark, "the file is empty", remedy)
        root = self._build_document(get_event, anchors=anchors)
        get_event()  # document end
        extra = get_event()
        if type(extra) is not yaml.StreamEndEvent:
            raise self.give_up(
                "several-documents",
                extra.start_mark,
                "a second YAML document starts here",
                "put it into a file of its own",
            )
        return root

    # One loop with local names: this runs once per scalar, and is most of the time of a large plan.
    def _build_document(self, get_event: Any, *, anchors: bool) -> Any:  # noqa: C901, PLR0912, PLR0915
        scalar_event = yaml.ScalarEvent
        mapping_start, sequence_start = yaml.MappingStartEvent, yaml.SequenceStartEvent
        mapping_end, sequence_end = yaml.MappingEndEvent, yaml.SequenceEndEvent
        plain = self.plain
        stack: list[_Frame] = []
        frame: _Frame | None = None
        container: Any = None
        marks: Any = None
        in_mapping = False
        key: str | None = None
        key_mark: Any = None
        while True:
            event = get_event()
            kind = type(event)
            mark = event.start_mark
            if kind is scalar_event:
                value = event.value
                if event.implicit[0]:
                    try:
                        value = plain[value]
                    except KeyError:
                        value = self._plain(value, key, mark)
                elif event.tag is not None:
                    self._check_tag(event)
                if anchors and event.anchor is not None:
                    self.anchors[event.anchor] = (value, 1, mark)
            elif kind is mapping_start or kind is sequence_start:
                if in_mapping and key is None:
                    raise self._complex_key(mark)
                if frame is not None:
                    frame.key, frame.key_mark = key, key_mark
                    stack.append(frame)
                if len(stack) >= MAX_DEPTH:
                    raise self._too_deep(mark)
                self._check_tag(event)
                in_mapping = kind is mapping_start
                container = YamlMapping() if in_mapping else YamlSequence()
                container.file = self.file
                marks = container.marks = {} if in_mapping else []
                frame = _Frame(container, marks, mark, event.anchor)
                if event.anchor is not None:
                    self.anchors[event.anchor] = None
                    frame.nodes_before = self.nodes
                key = None
                continue
            elif (kind is mapping_end or kind is sequence_end) and frame is not None:
                value, mark = container, frame.start
                self.nodes += len(container)
                if frame.anchor is not None:
                    size = self.nodes - frame.nodes_before
                    self.anchors[frame.anchor] = (value, size, mark)
                if not stack:
                    return value
                frame = stack.pop()
                container, marks = frame.container, frame.marks
                key, key_mark = frame.key, frame.key_mark
                in_mapping = type(container) is YamlMapping
            else:  # an alias; nothing else can stand here
                value = self._alias(event, depth=len(stack) + 1)
            if in_mapping:
                if key is None:
                    key, key_mark = self._key(value, mark, marks), mark
                else:
                    container[key] = value
                    marks[key] = (key_mark, mark)
                    key = None
            elif container is None:
                return value
            else:
                container.append(value)
                marks.append(mark)

    def _plain(self, text: str, key: str | None, mark: Any) -> Any:
        value = resolve_plain(text)
        if isinstance(value, Unclear):
            if key == BARE_DATE_KEY and value.looks_like_date:
                return text
            if key == BARE_DATE_KEY:
                remedy = "write the date as YYYY-MM-DD"
            elif text == "<<":
                remedy = (
                    "merge keys are not supported: write the values out, or use a privilege set"
                )
            else:
                remedy = f'quote it: "{text}"'
                if text.lower() in ("yes", "no", "on", "off", "y", "n"):
                    remedy += ", or write true or false"
            message = f"`{text}` {value.why}"
            self.problem("unclear-scalar", mark, message, remedy)
            return text
        self.plain[text] = value
        return value

    def _key(self, value: Any, mark: Any, marks: dict[str, tuple[Any, Any]]) -> str:
        if not isinstance(value, str):
            value = "null" if value is None else str(value).lower()
            self.problem("key-not-text", mark, f"`{value}` is no text", f'quote it: "{value}"')
        if value in marks:
            first = _place(self.file, marks[value][0])
            self.problem(
                "duplicate-key",
                mark,
                f"`{value}` stands here twice; the first is at {first}",
                "keep one of them",
            )
        return str(value)

    def _check_tag(self, event: Any) -> None:
        if event.tag not in (None, "!"):  # a lone `!` is found among the indicators
            self.problem(
                "yaml-tag", event.start_mark, f"the tag `{event.tag}` is not allowed", "remove it"
            )

    def _alias(self, event: Any, depth: int) -> Any:
        name, mark = event.anchor, event.start_mark
        if name not in self.anchors:
            raise self.give_up(
                "unknown-alias",
                mark,
                f"`*{name}` refers to an anchor `&{name}`, which does not stand before it",
                f'if a glob is meant, quote it: "*{name}"',
            )
        anchored = self.anchors[name]
        if anchored is None:
            raise self.give_up(
                "recursive-alias", mark, f"`*{name}` contains itself", "write the values out"
            )
        value, size, _ = anchored
        self.aliased += size
        self.nodes += size
        if self.aliased > MAX_ALIASED_NODES:
            raise self.give_up(
                "alias-bomb",
                mark,
                f"aliases repeat more than {MAX_ALIASED_NODES:,} values",
                "write the values out, or use a privilege set",
            )
        if depth + _height(value) > MAX_DEPTH:
            raise self._too_deep(mark)
        return value

    def _complex_key(self, mark: Any) -> _GiveUp:
        return self.give_up("key-not-text", mark, "a key must be text", "write a plain word")

    def _too_deep(self, mark: Any) -> _GiveUp:
        self.document.diagnostics.append(_too_deep(_place(self.file, mark)))
        return _GiveUp()


def _too_deep(place: Place) -> Diagnostic:
    message = f"nested deeper than {MAX_DEPTH} levels"
    return Diagnostic("too-deep", message, place, "no file of ours needs more than 6")


def _encoding_problem(data: bytes, file: str) -> Diagnostic | None:
    marks = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\xef\xbb\xbf": "a byte order mark"}
    for start, name in marks.items():
        if data.startswith(start):
            what = f"the file starts with {name}" if "mark" in name else f"the file is {name}"
            place, remedy = Place(file, 1, 1), "save it as UTF-8 without a byte order mark"
            return Diagnostic("wrong-encoding", what, place, remedy)
    if data.isascii() and len(data.translate(None, _ASCII_CONTROL)) == len(data):
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8")
        what = f"byte 0x{data[error.start]:02x} is not UTF-8"
        return Diagnostic("wrong-encoding", what, _place_at_end(good, file), "save it as UTF-8")
    if control := _CONTROL.search(text):
        what = f"the control character U+{ord(control[0]):04X} is not allowed"
        place = _place_at_end(text[: control.start()], file)
        return Diagnostic("control-character", what, place, "remove it")
    return None


def _whole_characters(data: bytes) -> bytes:
    """JSON writes a character beyond U+FFFF as two escapes, which YAML takes for two characters."""
    if b"\\u" not in data or not _PAIR.search(data) or not strict_json.is_json(data):
        return data
    return _PAIR.sub(lambda pair: pair[1] + _escape(int(pair[2], 16), int(pair[3], 16)), data)


def _escape(high: int, low: int) -> bytes:
    return b"\\U%08x" % (0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00)


def _place_at_end(text: str, file: str) -> Place:
    start = text.rfind("\n") + 1
    return Place(file, text.count("\n") + 1, len(text) - start + 1)


# What libyaml says (a part of it), and what helps instead.
_SYNTAX_REMEDIES = (
    ("did not find expected alphabetic or numeric character", "quote what begins with `*` or `&`"),
    ("cannot start any token", "a value that starts with this character must be quoted"),
    ("did not find expected key", "check the indentation of this line and the one above"),
    (
        "mapping values are not allowed",
        "quote the text if it contains `: `; else check indentation",
    ),
    ("could not find expected ':'", "a key is followed by `:` and a blank"),
    ("did not find expected '-' indicator", "check the indentation of this list"),
    ("did not find expected ',' or", "close the bracket, or put commas between the items"),
    ("Unicode character escape", "write the character itself: this is half of one, or none"),
    ("unexpected end of stream", "a quote or bracket is never closed"),
)


def _syntax_problem(error: yaml.YAMLError, file: str, data: bytes) -> Diagnostic:
    mark = getattr(error, "problem_mark", None)
    what = str(getattr(error, "problem", None) or error)
    place = _place(file, mark) if mark else Place(file, 1, 1)
    if "maximum nesting depth" in what:  # libyaml reads ahead, and has a limit of its own
        return _too_deep(place)
    line = _line(data, place.line)
    remedy = next(
        (hint for text, hint in _SYNTAX_REMEDIES if text in what), "check the YAML syntax"
    )
    sign = line[place.column - 2 : place.column - 1]
    if "alphabetic or numeric" in what and sign in ("*", "&"):
        what = f"a plain `{sign}` is no text in YAML: a name must follow it"
        remedy = f'quote it: "{sign}"'
    if "\t" in line[: max(place.column, len(line) - len(line.lstrip()))]:
        what, remedy = "a tab is used for indentation", "indent with blanks"
    return Diagnostic("yaml-syntax", what, place, remedy)


def _line(data: bytes, number: int) -> str:
    lines: Iterator[bytes] = iter(data.splitlines())
    for index, line in enumerate(lines, start=1):
        if index == number:
            return line.decode("utf-8", errors="replace")
    return ""
