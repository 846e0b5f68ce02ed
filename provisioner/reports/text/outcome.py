"""Writes, and how an apply ended, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
    Write,
)
from provisioner.reports.text import ceilings
from provisioner.reports.text.ceilings import WHOLE_OR_JSON
from provisioner.reports.text.style import Style, safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


# How many privileges and includes of a role a line names.
_MOST_NAMED: Final = 3


def write_line(write: Write) -> str:
    """One write in a few words, for progress and reports."""
    match write:
        case CreateRole(role):
            return f'create role "{safe(role.name)}"'
        case UpdateRole(before, after):
            signed = _coming_and_going(before.privileges, after.privileges)
            signed += _coming_and_going(before.includes, after.includes, "include ")
            more = f" and {len(signed) - _MOST_NAMED:,} more" if len(signed) > _MOST_NAMED else ""
            what = f": {', '.join(signed[:_MOST_NAMED])}{more}" if signed else ""
            return f'update role "{safe(before.name)}"{what}'
        case RenameRole(before, name):
            return f'rename role "{safe(before.name)}" to "{safe(name)}"'
        case DeleteRole(before):
            return f'delete role "{safe(before.name)}"'
        case SetAssignment(user, before, after):
            return f"user {safe(user)}: {', '.join(_coming_and_going(before, after))}"


def _coming_and_going(before: frozenset[str], after: frozenset[str], kind: str = "") -> list[str]:
    """What comes and what goes: ``+A``, ``-B``."""
    added, removed = sorted(after - before), sorted(before - after)
    return [f"+{kind}{safe(n)}" for n in added] + [f"-{kind}{safe(n)}" for n in removed]


def report_lines(groups: Mapping[str, Sequence[Write]], style: Style) -> Iterator[str]:
    """The writes of an apply that broke off, a line for each, in groups: done, failed, and so on.

    Each group has a ceiling of its own.
    """
    for group, writes in groups.items():
        label = f"  {f'{group}:':<10}"
        shown = writes[: style.most(ceilings.WRITES)]
        yield from (f"{label} {write_line(write)}" for write in shown)
        if len(shown) < len(writes):
            yield f"{label} {len(writes) - len(shown):,} more ({WHOLE_OR_JSON})"
