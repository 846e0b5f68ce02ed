"""What can be reached from names by steps that a mapping gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def reachable(names: Iterable[str], steps: Mapping[str, Iterable[str]]) -> set[str]:
    """Return the names, and all that lie any number of steps behind them. Circles are no harm."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += steps.get(name, ())
    return found
