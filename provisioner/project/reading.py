"""Reading a project file, and the catalogue that it names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import fields, replace

from provisioner import catalogue as catalogues
from provisioner.desired.load import read_document
from provisioner.diagnostics import Diagnostic
from provisioner.engine.rules.ignores import Ignore
from provisioner.engine.settings import Safety
from provisioner.errors import InvalidInput
from provisioner.project.search import FILE_NAME, find_project_file
from provisioner.project.settings import Project, TargetSettings, embedded_target
from provisioner.project.trust_gate import (
    require_trusted,
    require_trusted_project_file,
    require_trusted_sources,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.desired.yaml.document import Document
    from provisioner.model import Catalogue


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


def load_catalogue(project: Project, target: TargetSettings) -> Catalogue | None:
    """The catalogue that the target or the project names; None where neither does.

    Raises:
        InvalidInput: The target is not to be trusted, or the file is missing or no catalogue.
    """
    require_trusted(project, target)
    shown = project.catalogue_path(target)
    return None if shown is None else catalogue_of(read_document(shown, "catalogue"), shown)


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


def read_project(config: str | None, *, trust: str | None) -> Project:
    """Read the project file: the given one, or the nearest ``provisioner.yaml``, if there is one.

    ``trust`` is the trust file that limits what it may reach and read; None: it may do everything.

    Raises:
        InvalidInput: With every problem of the file, or of the trust file.
    """
    path = config or find_project_file()
    if trust is None:
        return _without_trust(path)
    from provisioner.trust.reading import read_trust

    require_trusted_project_file(Path(path or FILE_NAME))
    project = _without_trust(path)
    project = replace(project, trust=read_trust(trust, project.folder))
    require_trusted_sources(project)
    return project


def _without_trust(path: str | None) -> Project:
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
        safety=Safety(**{f.name: safety[f.name] for f in fields(Safety) if f.name in safety}),
        catalogue=root.get("catalogue"),
        targets=targets or embedded_target(),
        lint_ignores=tuple(
            Ignore((id,), document.place(("lint", "ignore", index)), "project")
            for index, id in enumerate(root.get("lint", {}).get("ignore", ()))
        ),
        actors=root.get("actors", {}),
        written=document,
    )
