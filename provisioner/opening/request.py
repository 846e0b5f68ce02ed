"""Who wants what opened, and who is told of it meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.diagnostics import Diagnostic


class Listener(Protocol):
    """Is told what does not stand in the way."""

    @property
    def is_text(self) -> bool:
        """Whether a person reads along, who may want to know more than was asked."""
        ...

    def note(self, text: str) -> None:
        """Something beside the answer."""
        ...

    def detail(self, text: str) -> None:
        """Something that only who looks closely wants to know."""
        ...

    def warn(self, found: Iterable[Diagnostic], /) -> None:
        """Findings that forbid nothing."""
        ...


class Request(Protocol):
    """Which project and target is meant, and how it may be reached.

    ``config`` is the project file, None for the nearest; ``target`` a name in it, None for the only
    one; ``trust`` the trust file that limits both. ``insecure_http`` allows to send secrets over
    connections that are not encrypted.
    """

    @property
    def config(self) -> str | None: ...  # noqa: D102 - see above

    @property
    def target(self) -> str | None: ...  # noqa: D102

    @property
    def trust(self) -> str | None: ...  # noqa: D102

    @property
    def insecure_http(self) -> bool: ...  # noqa: D102

    @property
    def output(self) -> Listener: ...  # noqa: D102
