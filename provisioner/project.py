"""The project file ``provisioner.yaml``: where the sources are, what is managed, which targets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner import catalogue as catalogues
from provisioner.desired.load import read_document
from provisioner.desired.yaml.reader import Document
from provisioner.diagnostics import Diagnostic
from provisioner.engine.rules.ignores import Ignore
from provisioner.engine.settings import Manage, Safety
from provisioner.errors import InvalidInput
from provisioner.model import Kind, Place
from provisioner.names import did_you_mean
from provisioner.project_search import FILE_NAME, find_project_file
from provisioner.trust.gate import (
    require_trusted,
    require_trusted_project_file,
    require_trusted_sources,
)
from provisioner.trust.reading import Trust, read_trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.model import Catalogue

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


def _embedded() -> dict[str, TargetSettings]:
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
    targets: Mapping[str, TargetSettings] = field(default_factory=_embedded)
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

    def load_catalogue(self, target: TargetSettings) -> Catalogue | None:
        """The catalogue that the target or the project names; None where neither does.

        Raises:
            InvalidInput: The target is not to be trusted, or the file is missing or no catalogue.
        """
        require_trusted(self, target)
        shown = self.catalogue_path(target)
        return None if shown is None else catalogue_of(read_document(shown, "catalogue"), shown)

    def catalogue_path(self, target: TargetSettings) -> str | None:
        """The catalogue file that the target or the project names, as it is shown."""
        path = target.catalogue or self.catalogue
        return None if path is None else os.path.normpath(self.folder / path)


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


def catalogue_of(document: Document, shown: str) -> Catalogue:
    """A catalogue file that was read already.

    Raises:
        InvalidInput: With every problem of the file.
    """
    problems = list(document.diagnostics)
    if not problems:
        problems += _listed_twice(document, "privileges", "privilege", str)
        problems += _listed_twice(document, "default_roles", "default role", str.casefold)
    if problems:
        raise InvalidInput(problems)
    return catalogues.from_document(document.root, name=shown)


def load_project(config: str | None, *, trust: str | None) -> Project:
    """Read the project file: the given one, or the nearest ``provisioner.yaml``, if there is one.

    ``trust`` is the trust file that limits what it may reach and read; None: it may do everything.

    Raises:
        InvalidInput: With every problem of the file, or of the trust file.
    """
    path = config or find_project_file()
    if trust is None:
        return _read_project(path)
    require_trusted_project_file(Path(path or FILE_NAME))
    project = _read_project(path)
    project = replace(project, trust=read_trust(trust, project.folder))
    require_trusted_sources(project)
    return project


def _read_project(path: str | None) -> Project:
    return Project() if path is None else project_of(read_document(path, "project"), path)


def project_of(document: Document, path: str) -> Project:
    """A project file that was read already. Paths in it are relative to that of the file.

    Raises:
        InvalidInput: With every problem of the file.
    """
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
        ignore_users=tuple(root.get("ignore_users", ())),
        external=tuple(root.get("external", ())),
        adopted=frozenset(root.get("adopted", ())),
        safety=Safety(
            **{name: safety[name] for name in Safety.__struct_fields__ if name in safety}
        ),
        catalogue=root.get("catalogue"),
        targets=targets or _embedded(),
        lint_ignores=tuple(
            Ignore((id,), document.place(("lint", "ignore", index)), "project")
            for index, id in enumerate(root.get("lint", {}).get("ignore", ()))
        ),
        actors=root.get("actors", {}),
        written=document,
    )
