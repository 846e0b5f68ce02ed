"""What unknown names may have been meant to be, for the findings that will be shown in full.

To compare one name with ten thousand others takes milliseconds; to do so for each of ten thousand
mistakes takes minutes, and nobody reads that far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.diagnostics import SHOWN_IN_FULL, Diagnostic, sort_key
from provisioner.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Hints:
    """Remembers which known names an unknown one is to be compared with."""

    def __init__(self) -> None:
        self._asked: dict[Diagnostic, tuple[str, Iterable[str], Callable[[], str] | None]] = {}

    def expect(
        self,
        found: Diagnostic,
        name: str,
        known: Iterable[str],
        otherwise: Callable[[], str] | None = None,
    ) -> Diagnostic:
        """Note that the finding is about a name that may be one of the known ones; return it.

        Where nothing is near, the remedy is what ``otherwise`` gives, else the finding's own.
        """
        self._asked[found] = (name, known, otherwise)
        return found

    def given(self, found: Iterable[Diagnostic]) -> list[Diagnostic]:
        """Return the findings in their order, the first ones with the names that are near."""
        ordered = sorted(found, key=sort_key)
        return [*map(self._hinted, ordered[:SHOWN_IN_FULL]), *ordered[SHOWN_IN_FULL:]]

    def _hinted(self, found: Diagnostic) -> Diagnostic:
        if found not in self._asked:
            return found
        name, known, otherwise = self._asked[found]
        hint = did_you_mean(name, known) or (otherwise() if otherwise else found.remedy)
        return replace(found, remedy=hint)
