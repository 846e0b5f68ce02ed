"""What most commands begin with: the project, and a target that is chosen and opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from provisioner import catalogue as catalogues
from provisioner.backends.base import Backend
from provisioner.backends.opening import Opening
from provisioner.backends.registry import open_backend
from provisioner.desired.load import read_document
from provisioner.engine.planning.plan import TargetIdentity
from provisioner.engine.settings import Safety, Settings
from provisioner.model import Catalogue, State
from provisioner.opening.request import Request
from provisioner.opening.sources import load_sources
from provisioner.project.reading import load_catalogue, read_project
from provisioner.project.search import FILE_NAME
from provisioner.project.settings import EMBEDDED_PATH, Project, TargetSettings
from provisioner.project.trust_gate import addresses_for, require_trusted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.desired.load import Loaded
    from provisioner.model import Role, Snapshot


NO_GUARDS: Final[dict[str, Any]] = {
    "max_deletes": None,
    "max_change_percent": None,
    "adopt": False,
    "allow_lockout": False,
    "new_only": False,
    "actor": None,
    "rules_from": None,
    "only_these": False,
}


class Session(Struct, frozen=True):
    """A project and the target chosen in it, opened but not read yet."""

    run: Request
    project: Project
    target: TargetSettings
    backend: Backend
    catalogue: Catalogue | None

    def identity(self) -> TargetIdentity:
        """The target as plans name it."""
        description = self.backend.describe()
        return TargetIdentity(
            self.target.name,
            description.kind,
            description.identity,
            description.capabilities,
            self.project.digest,
            self.project.file.as_posix() if self.project.file else None,
        )

    def catalogue_for(self, snapshot: Snapshot | None = None) -> Catalogue:
        """The target's catalogue: the declared one, else the panel's, else what is assumed.

        That is the shipped one, or for a panel behind HTTP: none is known.
        """
        if self.catalogue is not None:
            return self.catalogue
        return assumed_catalogue(self.target) if snapshot is None else self.told_catalogue(snapshot)

    def told_catalogue(self, snapshot: Snapshot) -> Catalogue:
        """The catalogue that the panel tells, else what is assumed, whatever is declared."""
        return snapshot.catalogue or assumed_catalogue(self.target, snapshot.state)

    def load(
        self,
        sources: tuple[str, ...],
        catalogue: Catalogue,
        *,
        lenient: bool = False,
        settings: Settings | None = None,
        stored: Mapping[str, Role] | None = None,
    ) -> Loaded:
        """Read the given sources, or the project's; the rest as in ``Surroundings``.

        ``settings`` say what is ignored and external, where that is more than in the project file.
        """
        project = self.project
        if settings is not None:
            project = replace(
                project,
                ignore=settings.ignore,
                ignore_users=settings.ignore_users,
                external=settings.external,
            )
        output = self.run.output
        return load_sources(project, sources, catalogue, output, lenient=lenient, stored=stored)

    def settings(self, guards: dict[str, Any] | None = None) -> Settings:
        """The project's settings, with the limits given as options in place of its own."""
        project, guards = self.project, NO_GUARDS | (guards or {})
        limits = {
            name: guards[name]
            for name in ("max_deletes", "max_change_percent")
            if guards[name] is not None
        }
        safety: Safety = replace(project.safety, **limits)
        return Settings(
            project.manage,
            project.ignore,
            project.ignore_users,
            project.external,
            safety,
            tuple(filter(None, (self.target.self_user,))),
            project.adopted,
            guards["adopt"],
            guards["allow_lockout"],
            guards["new_only"],
            tuple(filter(None, (self.target.ceiling,))),
            given=frozenset(limits),
        )


def assumed_catalogue(target: TargetSettings, state: State | None = None) -> Catalogue:
    """The catalogue of a target that declares none, and whose panel told none.

    ``state`` is what is stored, where that is known.
    """
    if target.backend != "http":
        return catalogues.shipped()
    return catalogues.unknown(state.roles if state else None)


def load_project(run: Request) -> Project:
    """Read the project file, under the trust file that this run was given.

    Raises:
        InvalidInput: With every problem of the file, or of the trust file.
    """
    project = read_project(run.config, trust=run.trust)
    if run.config is None and project.folder != Path():
        run.output.note(f"The project file is {project.file}.")
    return project


def open_session(run: Request) -> Session:
    """Read the project file and open its target.

    Raises:
        InvalidInput: The project file, the target or its catalogue is wrong.
    """
    return open_project(run, load_project(run), run.target)


def open_project(run: Request, project: Project, target: str | None) -> Session:
    """Open a target of a project.

    Raises:
        InvalidInput: The target is not to be trusted, or it or its catalogue is wrong.
    """
    chosen = project.target(target)
    require_trusted(project, chosen)
    catalogue = load_catalogue(project, chosen)
    defaults = (catalogue or catalogues.shipped()).default_roles
    initial = State({role.name: role for role in defaults})
    opening = Opening(
        chosen.options,
        project.folder,
        initial,
        chosen.place,
        read_document,
        insecure_http=run.insecure_http,
        within=addresses_for(project, chosen),
    )
    return Session(run, project, chosen, open_backend(chosen.backend, opening), catalogue)


def tell_if_new(session: Session) -> None:
    """Note that this is about a new panel: whoever asks may stand in the wrong folder."""
    output = session.run.output
    is_new = session.project.file is None and not os.path.lexists(EMBEDDED_PATH)
    if is_new and output.is_text:
        output.note(
            f"No {FILE_NAME} here, and no {EMBEDDED_PATH}: this is a new panel, as it is shipped."
        )
