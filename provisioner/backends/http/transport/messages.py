"""A request to an API, its reply, and the errors that say what is known where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field

from provisioner.errors import BackendError

SAFE: Final = frozenset({"GET", "HEAD"})
_IDEMPOTENT: Final = SAFE | {"PUT", "DELETE"}


class NotSent(BackendError):
    """A request that the server certainly did not carry out."""


class LostReply(BackendError):
    """A request that the server may have carried out: its answer is lost or unusable."""


class Request(Struct, frozen=True):
    """One request. ``path`` is below the base URL, percent-encoded, and begins with ``/``.

    ``body`` is sent as JSON; None sends none. ``key`` is the ``Idempotency-Key``. ``repeatable``
    says whether sending it twice does no harm; None: by its method or key.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    repeatable: bool | None = None

    @property
    def may_repeat(self) -> bool:
        """Whether the request may be sent again although it may have been carried out."""
        if self.repeatable is None:
            return self.method in _IDEMPOTENT or self.key is not None
        return self.repeatable


class Reply(Struct, frozen=True):
    """A whole reply. ``body`` is parsed JSON, or text where the server refuses in prose.

    ``headers`` are found whatever their case. ``perhaps_repeated``: an earlier attempt of the same
    request may have been carried out, so "not as expected" may be its own effect.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: Any
    perhaps_repeated: bool = False
