"""Files without oddities, read to plain values in one pass, as fast as the parser allows.

Whatever may deserve a word (a problem, an alias, a tag, a root that is no mapping) is left to exact
reading (``marked``): such a file has no values here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import yaml
from yaml import (
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml._yaml import CParser

from provisioner.desired.yaml import indicators
from provisioner.desired.yaml.scalars import BARE_DATE_KEY, MAX_DEPTH, Unclear, resolve_plain


class Values(NamedTuple):
    """The mapping that a file holds, and where its declarations begin.

    ``marks`` has, by key of the root, the marks of all keys or items below it, and of their end.
    """

    root: dict[str, Any]
    marks: dict[str, list[Any]]


def read(data: bytes) -> Values | None:
    """Read sound UTF-8; None: read it exactly."""
    try:
        values = _Builder(data).document()
    except (_Doubt, yaml.YAMLError):
        return None
    return None if any(indicators.misread(data)) else values


class _Doubt(Exception):
    """Something here is odd."""


class _Unclear(_Doubt):
    """A plain scalar is, unless it stands where a bare date may stand."""

    def __init__(self, scalar: Unclear) -> None:
        self.scalar = scalar


class _Meanings(dict[str, Any]):
    """What plain scalars mean: each is worked out once, and is one object wherever it stands."""

    def __missing__(self, text: str) -> Any:
        value = resolve_plain(text)
        if isinstance(value, Unclear):
            raise _Unclear(value)
        self[text] = value
        return value


class _Builder:
    def __init__(self, data: bytes) -> None:
        parser: Any = CParser(data)
        self.event = parser.get_event
        self.plain = _Meanings()
        self.marks: dict[str, list[Any]] = {}

    def document(self) -> Values:
        _require(self.event(), yaml.StreamStartEvent)
        _require(self.event(), yaml.DocumentStartEvent)
        root = self.mapping(_require(self.event(), MappingStartEvent), 1)
        _require(self.event(), yaml.DocumentEndEvent)
        _require(self.event(), yaml.StreamEndEvent)
        return Values(root, self.marks)

    def mapping(self, start: Any, depth: int, marks: list[Any] | None = None) -> dict[str, Any]:
        self.check(start, depth)
        get_event, plain = self.event, self.plain
        found: dict[str, Any] = {}
        while True:
            event = get_event()
            if marks is not None:
                marks.append(event.start_mark)
            if type(event) is not ScalarEvent:
                _require(event, MappingEndEvent)
                return found
            key = plain[event.value] if event.implicit[0] else self.quoted(event)
            if type(key) is not str or key in found:
                raise _Doubt
            event = get_event()
            if type(event) is not ScalarEvent:
                below = self.marks.setdefault(key, []) if depth == 1 else None
                found[key] = self.collection(event, depth + 1, below)
            elif event.implicit[0]:
                try:
                    found[key] = plain[event.value]
                except _Unclear as unclear:
                    if key != BARE_DATE_KEY or not unclear.scalar.looks_like_date:
                        raise
                    found[key] = event.value
            else:
                found[key] = self.quoted(event)

    def sequence(self, start: Any, depth: int, marks: list[Any] | None) -> list[Any]:
        self.check(start, depth)
        get_event, plain = self.event, self.plain
        found: list[Any] = []
        while True:
            event = get_event()
            if marks is not None:
                marks.append(event.start_mark)
            if type(event) is ScalarEvent:
                found.append(plain[event.value] if event.implicit[0] else self.quoted(event))
            elif type(event) is SequenceEndEvent:
                return found
            else:
                found.append(self.collection(event, depth + 1, None))

    def collection(self, start: Any, depth: int, marks: list[Any] | None) -> Any:
        if type(start) is MappingStartEvent:
            return self.mapping(start, depth, marks)
        return self.sequence(_require(start, SequenceStartEvent), depth, marks)

    def check(self, start: Any, depth: int) -> None:
        if start.tag is not None or depth > MAX_DEPTH:
            raise _Doubt

    def quoted(self, event: Any) -> str:
        if event.tag is not None:
            raise _Doubt
        text: str = event.value
        return text


def _require(event: Any, kind: type) -> Any:
    if type(event) is not kind:
        raise _Doubt
    return event
