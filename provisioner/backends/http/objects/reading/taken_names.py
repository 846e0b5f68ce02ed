"""Which names of roles are taken, whatever their case, and by which roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class TakenNames:
    """Names by the keys of the roles that have them. Not for several threads at a time."""

    def __init__(self, named: Iterable[tuple[str, str]]) -> None:
        self._names: dict[str, str] = {}
        self._keys: dict[str, set[str]] = {}
        for key, name in named:
            self.put(key, name)

    def put(self, key: str, name: str) -> None:
        """A role has that name now, and no other."""
        self.drop(key)
        self._names[key] = name
        self._keys.setdefault(name.casefold(), set()).add(key)

    def drop(self, key: str) -> None:
        """A role is gone."""
        name = self._names.pop(key, None)
        if name is not None:
            self._keys[name.casefold()].discard(key)

    def taken(self, name: str, but: str | None) -> str | None:
        """Return the name that stands in the way of another; ``but`` is a role that may have it."""
        keys = self._keys.get(name.casefold(), set()) - {but}
        return self._names[min(keys)] if keys else None
