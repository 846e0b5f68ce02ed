"""Findings that somebody does not want to see, and what is said where nothing was left to hide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from provisioner.diagnostics import Diagnostic, gravest_first
from provisioner.model import Place
from provisioner.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

UNUSED: Final = "unused-ignore"
_REACH: Final = {
    "line": "on this line",
    "file": "in this file",
    "project": "in any source",
}


class Ignore(Struct, frozen=True):
    """A wish not to be told of findings with these ids: on one line, in one file, or anywhere."""

    ids: tuple[str, ...]
    place: Place
    reach: Literal["line", "file", "project"] = "line"

    def covers(self, finding: Diagnostic) -> bool:
        """Whether the finding is within reach, whatever its id."""
        place = finding.place
        match self.reach:
            case "project":
                return True
            case "file":
                return isinstance(place, Place) and place.file == self.place.file
            case "line":
                here = (self.place.file, self.place.line)
                return isinstance(place, Place) and (place.file, place.line) == here


def without_ignored(
    findings: Iterable[Diagnostic], ignores: Collection[Ignore], known: Collection[str]
) -> tuple[Diagnostic, ...]:
    """Return the findings that nobody ignores, and one for each ignored id that hides nothing.

    Findings about ignores can be ignored as well. ``known`` are all ids there are. Warnings first,
    then by place.
    """
    used: set[tuple[Ignore, str]] = set()
    kept = _kept(findings, ignores, used)
    idle = [_idle(ignore, id, known) for ignore, id in _all(ignores, used) if id != UNUSED]
    idle += [_names_nothing(ignore) for ignore in ignores if not ignore.ids]
    kept += _kept(idle, ignores, used)
    kept += [_idle(ignore, id, known) for ignore, id in _all(ignores, used) if id == UNUSED]
    return tuple(sorted(set(kept), key=gravest_first))


def _all(ignores: Iterable[Ignore], used: set[tuple[Ignore, str]]) -> list[tuple[Ignore, str]]:
    return [(i, id) for i in ignores for id in i.ids if (i, id) not in used]


def _kept(
    findings: Iterable[Diagnostic], ignores: Iterable[Ignore], used: set[tuple[Ignore, str]]
) -> list[Diagnostic]:
    by_id: dict[str, list[Ignore]] = {}
    for ignore in ignores:
        for id in ignore.ids:
            by_id.setdefault(id, []).append(ignore)
    kept = []
    for finding in findings:
        hiding = [ignore for ignore in by_id.get(finding.id, ()) if ignore.covers(finding)]
        used.update((ignore, finding.id) for ignore in hiding)
        if not hiding:
            kept.append(finding)
    return kept


def _idle(ignore: Ignore, id: str, known: Collection[str]) -> Diagnostic:
    if id in known:
        message = f"`{id}` is ignored, but nothing {_REACH[ignore.reach]} has it"
        remedy = "remove it from the ignored ids"
        if ignore.reach == "line":
            remedy += "; an ignore works on the line of the finding, or above the first key"
        return Diagnostic(UNUSED, message, ignore.place, remedy, "warning")
    remedy = did_you_mean(id, known) or f"the ids are: {', '.join(sorted(known))}"
    message = f"`{id}` is ignored, but there is no such id"
    return Diagnostic(UNUSED, message, ignore.place, remedy, "warning")


def _names_nothing(ignore: Ignore) -> Diagnostic:
    message = "this comment ignores nothing: it names no id"
    remedy = "name the ids in brackets: `provisioner: ignore[unused-set]`"
    return Diagnostic(UNUSED, message, ignore.place, remedy, "warning")
