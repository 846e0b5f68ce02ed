"""The project file ``provisioner.yaml``: where the sources are, what is managed, which targets."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from provisioner import catalogue as catalogues
from provisioner.desired.load import read_document
from provisioner.diagnostics import Diagnostic
from provisioner.engine.ignores import Ignore
from provisioner.engine.settings import Manage, Safety
from provisioner.errors import InvalidInput
from provisioner.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from provisioner.desired.reader import Document
    from provisioner.model import Catalogue, Kind, Place

FILE_NAME: Final = "provisioner.yaml"
EMBEDDED: Final = "embedded"
EMBEDDED_PATH: Final = ".provisioner/state.json"


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """One named panel. ``options`` holds all keys of the target as written."""

    name: str
    backend: str
    options: Mapping[str, Any]
    self_user: str | None = None
    catalogue: str | None = None
    ceiling: str | None = None
    place: Place | None = None


def _embedded() -> dict[str, TargetSettings]:
    return {EMBEDDED: TargetSettings(EMBEDDED, "file", {"path": EMBEDDED_PATH})}


@dataclass(frozen=True, slots=True)
class Project:
    """A project file as values. Without a file: the defaults, and the embedded target.

    ``sources`` are paths as they are shown, that is relative to the working directory.
    """

    file: Path | None = None
    sources: tuple[str, ...] = ()
    manage: Manage = "all"
    ignore: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    adopted: frozenset[Kind] = frozenset()
    safety: Safety = field(default_factory=Safety)
    catalogue: str | None = None
    targets: Mapping[str, TargetSettings] = field(default_factory=_embedded)
    lint_ignores: tuple[Ignore, ...] = ()

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

    def load_catalogue(self, target: TargetSettings) -> Catalogue | None:
        """The catalogue that the target or the project names; None where neither does.

        Raises:
            InvalidInput: The file is missing, or is no catalogue.
        """
        path = target.catalogue or self.catalogue
        if path is None:
            return None
        shown = os.path.normpath(self.folder / path)
        document = read_document(shown, "catalogue")
        problems = list(document.diagnostics)
        if not problems:
            problems += _listed_twice(document, "privileges", "privilege", str)
            problems += _listed_twice(document, "default_roles", "default role", str.casefold)
        if problems:
            raise InvalidInput(problems)
        return catalogues.from_document(document.root, name=shown)


def _listed_twice(
    document: Document, key: str, kind: str, same: Callable[[str], str]
) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for index, entry in enumerate(document.root.get(key, ())):
        name = entry["name"]
        if same(name) in seen:
            place = document.place((key, index, "name"))
            message = f"{kind} `{name}` is listed twice"
            yield Diagnostic("declared-twice", message, place, "keep one")
        seen.add(same(name))


def load_project(config: str | None) -> Project:
    """Read the project file: the given one, or ``provisioner.yaml`` where there is one.

    Raises:
        InvalidInput: With every problem of the file.
    """
    path = config or FILE_NAME
    if config is None and not os.path.lexists(path):
        return Project()
    document = read_document(path, "project")
    if document.diagnostics:
        raise InvalidInput(document.diagnostics)
    root = document.root
    folder = Path(path).parent
    targets = {
        name: TargetSettings(
            name,
            options["backend"],
            options,
            options.get("self"),
            options.get("catalogue"),
            options.get("ceiling"),
            document.place(("targets", name), key=True),
        )
        for name, options in root.get("targets", {}).items()
    }
    safety = root.get("safety", {})
    return Project(
        file=Path(path),
        sources=tuple(os.path.normpath(folder / source) for source in root.get("sources", ())),
        manage=root.get("manage", "all"),
        ignore=tuple(root.get("ignore", ())),
        external=tuple(root.get("external", ())),
        adopted=frozenset(root.get("adopted", ())),
        safety=Safety(**{f.name: safety[f.name] for f in fields(Safety) if f.name in safety}),
        catalogue=root.get("catalogue"),
        targets=targets or _embedded(),
        lint_ignores=tuple(
            Ignore((id,), document.place(("lint", "ignore", index)), "project")
            for index, id in enumerate(root.get("lint", {}).get("ignore", ()))
        ),
    )
