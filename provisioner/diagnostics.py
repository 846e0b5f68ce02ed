"""Findings as values: what is wrong, where, and what would be right. No I/O, no formatting."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from provisioner.model import Place

Severity = Literal["error", "warning", "note"]
_GRAVITY: tuple[Severity, ...] = ("error", "warning", "note")
# Of how many findings a run shows every word; of the rest it says how many there are, by id.
SHOWN_IN_FULL: Final = 50


class Diagnostic(Struct, frozen=True):
    """One finding.

    ``id`` is stable and kebab-case. ``place`` is a position in a source, or the name of a file or
    address where there is no position. ``remedy`` says what would be right, as an instruction.
    """

    id: str
    message: str
    place: Place | str | None = None
    remedy: str | None = None
    severity: Severity = "error"


def sort_key(diagnostic: Diagnostic) -> tuple[str, int, int, str, str]:
    """Order findings by place, then by id and message, so that output never depends on chance."""
    place = diagnostic.place
    if place is None or isinstance(place, str):
        return (place or "", 0, 0, diagnostic.id, diagnostic.message)
    return (place.file, place.line, place.column, diagnostic.id, diagnostic.message)


def gravest_first(diagnostic: Diagnostic) -> tuple[int, tuple[str, int, int, str, str]]:
    """Order findings by severity, then as ``sort_key`` does."""
    return (_GRAVITY.index(diagnostic.severity), sort_key(diagnostic))
