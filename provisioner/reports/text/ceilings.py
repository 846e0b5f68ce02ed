"""How much of what text shows. JSON and CSV are never cut, and ``-v`` lifts every ceiling.

A ceiling counts what a person reads at once, not what a program stores. What is left out is always
counted exactly, and named last: what weighs most comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Item = TypeVar("Item")

WHOLE: Final = "-v shows them all"
WHOLE_OR_JSON: Final = "-v shows them all, --format json has them"

# Items of one list in a line: privileges, roles, users.
NAMES: Final = 100
# Users or roles that have the same; users whose access a plan changes in the same way.
ALIKE: Final = 20
GROUP: Final = 4
# Lines of a section, counted in whole items; the first item is always shown.
CHANGES: Final = 2_000
IMPACT: Final = 1_000
KEPT: Final = 200
ENDINGS: Final = 100
ACCESS: Final = 2_000
EXPLANATION: Final = 1_000
FINDINGS: Final = 500
WRITES: Final = 500
# Rows of a table.
ROWS: Final = 1_000
# Roles that would grant what is missing; users who lose something by a cut.
OFFERS: Final = 10
OTHERS: Final = 10


def fitting(
    items: Iterable[Item], lines_of: Callable[[Item], Iterable[str]], most: int | None
) -> tuple[list[str], int]:
    """Return the lines of the first items that fit into so many lines, and how many items did.

    The first item is shown however long it is. None for ``most``: all are.
    """
    lines: list[str] = []
    count = 0
    for item in items:
        more = list(lines_of(item))
        if most is not None and lines and len(lines) + len(more) > most:
            break
        lines += more
        count += 1
    return lines, count
