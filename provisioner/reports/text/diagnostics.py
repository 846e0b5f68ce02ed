"""Findings as text and as plain data."""

from __future__ import annotations

from collections import Counter
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from provisioner.diagnostics import SHOWN_IN_FULL, Diagnostic
from provisioner.model import Place
from provisioner.reports.text.ceilings import FINDINGS, WHOLE_OR_JSON, fitting
from provisioner.reports.text.style import GLUE, Style, safe, whole, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


_MARGIN: Final = "    "
_COLORS: Final = {"error": "red", "warning": "yellow", "note": "cyan"}
_LONGEST: Final = 2000
_LONGEST_END: Final = 400


class Ceiling(Struct, frozen=True):
    """Findings as far as they are shown in full, and how many more there are, by id."""

    shown: tuple[Diagnostic, ...]
    more: dict[str, int]

    @classmethod
    def over(cls, found: Sequence[Diagnostic]) -> Ceiling:
        """Keep the first ``SHOWN_IN_FULL``, each with texts of a length that can be read."""
        more = Counter(diagnostic.id for diagnostic in found[SHOWN_IN_FULL:])
        return cls(tuple(map(_readable, found[:SHOWN_IN_FULL])), dict(sorted(more.items())))

    def rest(self) -> str | None:
        """Say how many more there are, if there are any: "and 3 more: 2 unknown-role, ..."."""
        if not self.more:
            return None
        kinds = ", ".join(f"{number:,} {id}" for id, number in self.more.items())
        return f"and {sum(self.more.values()):,} more: {kinds}"


def _readable(found: Diagnostic) -> Diagnostic:
    if len(found.message) <= _LONGEST and len(found.remedy or "") <= _LONGEST:
        return found
    remedy = None if found.remedy is None else _cut(found.remedy)
    return replace(found, message=_cut(found.message), remedy=remedy)


def _cut(text: str) -> str:
    """A text without its middle, where that is long; its length stands there."""
    if len(text) <= _LONGEST:
        return text
    start, end = text[: _LONGEST - _LONGEST_END], text[-_LONGEST_END:]
    return f"{start} [... {len(text) - _LONGEST:,} characters left out ...] {end}"


def folded(findings: Iterable[Diagnostic], style: Style, *, apart: bool = False) -> Iterator[str]:
    """Findings in lines of the style's width; those beyond the ceiling are counted by their ids.

    ``apart`` puts an empty line behind each.
    """
    findings = list(findings)

    def lines_of(found: Diagnostic) -> list[str]:
        return [*diagnostic_lines(found, style, fold=True), *[""] * apart]

    lines, count = fitting(findings, lines_of, style.most(FINDINGS))
    if not apart:
        once = _with_each_remedy_once(findings[:count])
        lines = [line for found in once for line in lines_of(found)]
    yield from lines
    if count < len(findings):
        kinds = Counter(found.id for found in findings[count:])
        each = ", ".join(f"{number:,} {id}" for id, number in kinds.most_common())
        text = f"and {len(findings) - count:,} more: {each} ({WHOLE_OR_JSON})"
        yield from wrapped(text, style.width, rest=_MARGIN)
        yield from [""] * apart


def _with_each_remedy_once(findings: Sequence[Diagnostic]) -> Iterator[Diagnostic]:
    """The findings; where one remedy is for several in a row, it stands below the last."""
    for found, following in zip_longest(findings, findings[1:]):
        is_same = following is not None and following.remedy == found.remedy
        yield replace(found, remedy=None) if is_same else found


def diagnostic_lines(found: Diagnostic, style: Style, *, fold: bool = False) -> Iterator[str]:
    """A finding: ``place: error: message``, the remedy on a line of its own.

    ``fold`` breaks the message into lines of the style's width; without it a finding is one
    line for whoever searches or jumps to places.
    """
    color = _COLORS[found.severity]
    shown = whole if fold else safe
    place = f"{shown(str(found.place))}: " if found.place is not None else ""
    start, message = f"{place}{found.severity}: ", safe(found.message)
    lines = [start + message]
    if fold:
        lines = wrapped(start + message, style.width, rest=_MARGIN)
        place, start = (text.replace(GLUE, " ") for text in (place, start))
    painted = style.paint(place, "bold") + style.paint(f"{found.severity}:", color, "bold") + " "
    yield painted + lines[0].removeprefix(start) if lines[0].startswith(start) else lines[0]
    yield from lines[1:]
    if found.remedy:
        width = style.width if fold else 2**20
        yield from wrapped(safe(found.remedy), width, first=_MARGIN, rest=_MARGIN)


def diagnostic_document(found: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic as plain data, as plans and JSON errors carry it."""
    place: Any = found.place
    if isinstance(place, Place):
        place = {"file": place.file, "line": place.line, "column": place.column}
    elif place is not None:
        place = {"file": place}
    return {
        "id": found.id,
        "severity": found.severity,
        "message": found.message,
        "place": place,
        "remedy": found.remedy,
    }
