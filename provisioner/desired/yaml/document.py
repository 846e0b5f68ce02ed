"""One file as read, and the way to a single value in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct, field

from provisioner.desired.yaml.places import Places
from provisioner.diagnostics import Diagnostic
from provisioner.engine.rules.ignores import Ignore

if TYPE_CHECKING:
    from provisioner.model import Place


class Document(Struct):
    """One file as read. ``root`` is None when it could not be read at all.

    ``is_whole`` says whether everything that it declares is in ``root``. ``digest`` is over the
    file's bytes; ``ignores`` are the comments in it that switch findings off.
    """

    file: str
    root: Any = None
    diagnostics: list[Diagnostic] = field(default_factory=list)
    is_whole: bool = True
    digest: str = ""
    ignores: tuple[Ignore, ...] = ()
    places: Places | None = None

    def place(self, path: tuple[str | int, ...], *, key: bool = False) -> Place:
        """Where the value at the path stands; with ``key``, where its key stands."""
        places = self.places or Places(self.file, None)
        return places.find(path, key=key)

    def keep_marks(self) -> None:
        """Let ``root`` be what knows its places, so that parts of it may be taken out."""
        if self.places is not None:
            self.root = self.places.marked()


class Spot(NamedTuple):
    """The way to a value. Its place costs something, and is looked up when it is asked for."""

    document: Document
    path: tuple[str | int, ...]

    @property
    def name(self) -> str:
        """The last key on the way."""
        return str(self.path[-1])

    @property
    def value(self) -> Any:
        """What stands there."""
        value = self.document.root
        for step in self.path:
            value = value[step]
        return value

    @property
    def place(self) -> Place:
        """Where the value starts; a key's value may stand far from its key."""
        return self.document.place(self.path)

    @property
    def key_place(self) -> Place:
        """Where the key of the value stands."""
        return self.document.place(self.path, key=True)

    def at(self, *steps: str | int) -> Spot:
        """The way further down."""
        return Spot(self.document, self.path + steps)
