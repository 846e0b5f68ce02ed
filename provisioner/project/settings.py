"""What a project file says: where the sources are, what is managed, which targets there are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from provisioner.desired.yaml.document import Document
from provisioner.diagnostics import Diagnostic
from provisioner.engine.rules.ignores import Ignore
from provisioner.engine.settings import Manage, Safety
from provisioner.errors import InvalidInput
from provisioner.model import Kind, Place
from provisioner.names import did_you_mean
from provisioner.trust.reading import Trust

EMBEDDED: Final = "embedded"
EMBEDDED_PATH: Final = ".provisioner/state.json"


class TargetSettings(Struct, frozen=True):
    """One named panel. ``options`` holds all keys of the target as written."""

    name: str
    backend: str
    options: Mapping[str, Any]
    self_user: str | None = None
    catalogue: str | None = None
    ceiling: str | None = None
    place: Place | None = None


def embedded_target() -> dict[str, TargetSettings]:
    """The one target of a project that names none: a state file beside it."""
    return {EMBEDDED: TargetSettings(EMBEDDED, "file", {"path": EMBEDDED_PATH})}


class Project(Struct, frozen=True):
    """A project file as values. Without a file: the defaults, and the embedded target.

    ``sources`` are paths as they are shown, that is relative to the working directory.
    ``actors`` says who asks, for names that are no logins of the panel: the login, or None for
    whom has no access of its own.
    ``written`` is the file as it was read; ``trust`` limits what it may reach and read.
    """

    file: Path | None = None
    sources: tuple[str, ...] = ()
    manage: Manage = "all"
    ignore: tuple[str, ...] = ()
    ignore_users: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    adopted: frozenset[Kind] = frozenset()
    safety: Safety = field(default_factory=Safety)
    catalogue: str | None = None
    targets: Mapping[str, TargetSettings] = field(default_factory=embedded_target)
    lint_ignores: tuple[Ignore, ...] = ()
    actors: Mapping[str, str | None] = field(default_factory=dict)
    written: Document | None = None
    trust: Trust | None = None

    @property
    def digest(self) -> str | None:
        """The digest of the file's bytes."""
        return f"sha256:{self.written.digest}" if self.written else None

    @property
    def folder(self) -> Path:
        """The folder that paths in the project file are relative to."""
        return self.file.parent if self.file else Path()

    def target(self, name: str | None) -> TargetSettings:
        """Return the named target, or the only one.

        Raises:
            InvalidInput: There is none of that name, or several and no name was given.
        """
        known = ", ".join(self.targets)
        if name is None:
            if len(self.targets) == 1:
                return next(iter(self.targets.values()))
            message = f"there are several targets: {known}"
            raise InvalidInput(
                Diagnostic("which-target", message, None, "choose with --target NAME")
            )
        if name not in self.targets:
            remedy = did_you_mean(name, self.targets) or f"there are: {known}"
            message = f"there is no target `{name}`"
            raise InvalidInput(Diagnostic("unknown-target", message, None, remedy))
        return self.targets[name]

    def catalogue_path(self, target: TargetSettings) -> str | None:
        """The catalogue file that the target or the project names, as it is shown."""
        path = target.catalogue or self.catalogue
        return None if path is None else os.path.normpath(self.folder / path)
