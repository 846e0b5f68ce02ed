"""Exact reading: every mark is kept, and everything that is wrong is said, with its place.

For files that ``values`` is in doubt about, and wherever it is asked where something stands.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import yaml
from yaml._yaml import CParser

from provisioner.desired.yaml import indicators
from provisioner.desired.yaml.scalars import BARE_DATE_KEY, MAX_DEPTH, Unclear, resolve_plain
from provisioner.desired.yaml.syntax import syntax_problem, too_deep
from provisioner.diagnostics import Diagnostic
from provisioner.model import Place

MAX_ALIASED_NODES: Final = 10_000


class MarkedMapping(dict[str, Any]):
    """A mapping; ``marks`` holds for each key the marks of the key and of its value."""

    __slots__ = ("marks",)
    marks: dict[str, tuple[Any, Any]]


class MarkedSequence(list[Any]):
    """A sequence; ``marks`` holds the mark of each item."""

    __slots__ = ("marks",)
    marks: list[Any]


class Reading(NamedTuple):
    """What a text holds. ``root`` is None, and ``is_whole`` false, when it can't be read at all."""

    root: Any
    diagnostics: list[Diagnostic]
    is_whole: bool


def mark_of(root: Any, path: tuple[str | int, ...], *, key: bool) -> Any:
    """The mark of the value at the path; with ``key``, that of its key.

    A path that ends early has the mark of where it ends; None: that is the root.
    """
    mark: Any = None
    node = root
    for step in path:
        if isinstance(node, MarkedMapping) and step in node.marks:
            mark = node.marks[str(step)][0 if key else 1]
        elif isinstance(node, MarkedSequence) and isinstance(step, int):
            mark = node.marks[step]
        else:
            break
        node = node[step]
    return mark


def read(data: bytes, file: str) -> Reading:
    """Read one document of sound UTF-8. Never raises for what it holds: see ``diagnostics``."""
    builder = _Builder(file)
    root, is_whole = None, True
    try:
        root = builder.build(CParser(data), anchors=b"&" in data)
        for found in indicators.misread(data):
            builder.problem(found.id, found.mark, found.message, found.remedy)
    except yaml.YAMLError as error:
        builder.diagnostics.append(syntax_problem(error, file, data))
        is_whole = False
    except _GiveUp:
        is_whole = False
    return Reading(root, builder.diagnostics, is_whole)


def _height(value: Any) -> int:
    """How deep a value is nested. It was built under MAX_DEPTH, so the recursion is bounded."""
    if isinstance(value, MarkedMapping):
        return 1 + max(map(_height, value.values()), default=0)
    if isinstance(value, MarkedSequence):
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
    def __init__(self, file: str) -> None:
        self.file = file
        self.diagnostics: list[Diagnostic] = []
        self.plain: dict[str, Any] = {}
        self.anchors: dict[str, tuple[Any, int, Any] | None] = {}
        self.nodes = 0
        self.aliased = 0

    def problem(self, id: str, mark: Any, message: str, remedy: str) -> None:
        place = _place(self.file, mark)
        self.diagnostics.append(Diagnostic(id, message, place, remedy))

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
                container = MarkedMapping() if in_mapping else MarkedSequence()
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
                in_mapping = type(container) is MarkedMapping
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
        self.diagnostics.append(too_deep(_place(self.file, mark)))
        return _GiveUp()
