"""From a target's ``backend:`` to the adapter that serves it.

The file and HTTP backends are built in. Third parties add theirs through the entry-point group
``provisioner.backends``: a callable that takes an ``Opening`` and returns a ``Backend``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput
from provisioner.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.backends.base import Backend
    from provisioner.backends.opening import Opening

GROUP: Final = "provisioner.backends"


def open_backend(kind: str, opening: Opening) -> Backend:
    """Return the adapter for a target. Does not reach for the store.

    Raises:
        InvalidInput: No adapter of that name is installed.
    """
    if kind == "file":
        from provisioner.backends.file import FileBackend

        path = opening.options["path"]
        return FileBackend(opening.folder / path, opening.initial, identity=f"file:{path}")
    if kind == "http":
        from provisioner.backends.http import open_http

        return open_http(opening)
    factory = _installed().get(kind)
    if factory is None:
        message = f"there is no backend `{kind}`"
        known = ("file", "http", *_installed())
        remedy = did_you_mean(kind, known) or f"installed: {', '.join(sorted(known))}"
        raise InvalidInput(Diagnostic("unknown-backend", message, opening.place, remedy))
    backend: Backend = factory(opening)
    return backend


def _installed() -> dict[str, Callable[[Opening], Backend]]:
    from importlib.metadata import entry_points

    return {point.name: _Lazy(point) for point in entry_points(group=GROUP)}


class _Lazy(Struct, frozen=True):
    """An adapter that is imported when it is opened, not when it is listed."""

    point: Any

    def __call__(self, opening: Opening) -> Backend:
        backend: Backend = self.point.load()(opening)
        return backend
