"""What most commands begin with: the project, a target, its state, the sources, a plan."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from provisioner import catalogue as catalogues
from provisioner import project as projects
from provisioner.apply.lookup import with_foresight
from provisioner.backends.base import Backend
from provisioner.backends.registry import Opening, open_backend
from provisioner.cli import output
from provisioner.cli.judging import grounds_of, held_longer, partly, unread_rest
from provisioner.cli.options import CONNECTION
from provisioner.desired.load import Surroundings, load, read_document
from provisioner.diagnostics import Diagnostic
from provisioner.engine.planning.plan import TargetIdentity, make_plan
from provisioner.engine.settings import Safety, Settings
from provisioner.errors import BackendError, InvalidInput
from provisioner.model import Catalogue, State
from provisioner.project import EMBEDDED_PATH, Project, TargetSettings
from provisioner.project_search import FILE_NAME
from provisioner.trust.gate import addresses_for, require_trusted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from provisioner.desired.load import Loaded
    from provisioner.engine.planning.plan import Plan
    from provisioner.model import DesiredState, Snapshot


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
        stored: Iterable[str] = (),
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
        return load_sources(project, sources, catalogue, lenient=lenient, stored=stored)

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


def catalogue_of(project: Project, target: TargetSettings) -> Catalogue:
    """The target's catalogue: the declared one, for a file the shipped one, else the panel's.

    Raises:
        InvalidInput: The target or its catalogue is wrong.
        BackendError: The panel had to be asked, and did not answer.
    """
    declared = project.load_catalogue(target)
    if declared is not None:
        return declared
    if target.backend == "file":
        return catalogues.shipped()
    output.detail(f"asking target `{target.name}`: only the panel knows its catalogue")
    session = open_project(project, target.name)
    try:
        snapshot = session.backend.read()
    except BackendError as error:
        raise BackendError([_with_a_way_out(found) for found in error.diagnostics]) from error
    return session.catalogue_for(snapshot)


def _with_a_way_out(found: Diagnostic) -> Diagnostic:
    way = "declare `catalogue:`, to do without the panel: `provisioner privileges --out` writes one"
    return replace(found, remedy=f"{found.remedy}; or {way}" if found.remedy else way)


def assumed_catalogue(target: TargetSettings, state: State | None = None) -> Catalogue:
    """The catalogue of a target that declares none, and whose panel told none.

    ``state`` is what is stored, where that is known.
    """
    if target.backend != "http":
        return catalogues.shipped()
    return catalogues.unknown(state.roles if state else None)


def load_sources(
    project: Project,
    sources: tuple[str, ...],
    catalogue: Catalogue,
    *,
    lenient: bool = False,
    stored: Iterable[str] = (),
) -> Loaded:
    """Read the given sources, or else the project's, against a catalogue.

    Raises:
        InvalidInput: There are none, or something is wrong with them.
    """
    chosen = sources or project.sources
    if not chosen:
        message = "there are no sources: none were named, and no project file lists any"
        remedy = "name files or folders, or run `provisioner init`"
        raise InvalidInput(Diagnostic("no-sources", message, None, remedy))
    around = Surroundings(
        catalogue,
        project.ignore,
        project.external,
        project.ignore_users,
        lenient,
        frozenset(stored),
    )
    loaded = load(chosen, around, without=project.file, named=bool(sources))
    for file in loaded.desired.files:
        output.detail(f"read {file}")
    return loaded


def chosen_targets(project: Project, name: str | None) -> list[TargetSettings]:
    """The named target, or all targets."""
    return [project.target(name)] if name else list(project.targets.values())


def load_for_targets(
    project: Project, target: str | None, sources: tuple[str, ...], *, offline: bool = False
) -> list[tuple[Loaded, Catalogue]]:
    """Read the sources once for each catalogue: that of the named target, or of all targets.

    Panels of which the catalogue is known to them only are asked; if ``offline``, sources are read
    without it (``lenient`` in ``Surroundings``).

    Raises:
        InvalidInput: With everything that is wrong with them, for any of the catalogues.
        BackendError: A panel had to be asked, and did not answer.
    """
    used: list[Catalogue] = []
    for chosen in chosen_targets(project, target):
        if offline:
            catalogue = project.load_catalogue(chosen) or assumed_catalogue(chosen)
        else:
            catalogue = catalogue_of(project, chosen)
        if catalogue not in used:
            used.append(catalogue)
    errors: list[Diagnostic] = []
    loaded: list[tuple[Loaded, Catalogue]] = []
    for catalogue in used:
        try:
            found = load_sources(project, sources, catalogue, lenient=offline)
            loaded.append((found, catalogue))
        except InvalidInput as error:
            errors += error.diagnostics
    if errors:
        raise InvalidInput(errors)
    return loaded


def load_project(config: str | None) -> Project:
    """Read the project file, under the trust file that this run was given.

    Raises:
        InvalidInput: With every problem of the file, or of the trust file.
    """
    project = projects.load_project(config, trust=CONNECTION.trust)
    if config is None and project.folder != Path():
        output.note(f"The project file is {project.file}.")
    return project


def open_session(config: str | None, target: str | None) -> Session:
    """Read the project file and open its target.

    Raises:
        InvalidInput: The project file, the target or its catalogue is wrong.
    """
    return open_project(load_project(config), target)


def open_project(project: Project, target: str | None) -> Session:
    """Open a target of a project.

    Raises:
        InvalidInput: The target is not to be trusted, or it or its catalogue is wrong.
    """
    chosen = project.target(target)
    require_trusted(project, chosen)
    catalogue = project.load_catalogue(chosen)
    defaults = (catalogue or catalogues.shipped()).default_roles
    initial = State({role.name: role for role in defaults})
    opening = Opening(
        chosen.options,
        project.folder,
        initial,
        chosen.place,
        read_document,
        insecure_http=CONNECTION.insecure_http,
        within=addresses_for(project, chosen),
    )
    return Session(project, chosen, open_backend(chosen.backend, opening), catalogue)


def tell_if_new(session: Session) -> None:
    """Note that this is about a new panel: whoever asks may stand in the wrong folder."""
    project = session.project
    if project.file is None and not os.path.lexists(EMBEDDED_PATH) and not output.wants_json():
        output.note(
            f"No {FILE_NAME} here, and no {EMBEDDED_PATH}: this is a new panel, as it is shipped."
        )


def plan_sources(
    session: Session, sources: tuple[str, ...], guards: dict[str, Any], as_of: date
) -> Plan:
    """Read the target and the sources, and plan. Warnings go to standard error."""
    snapshot = session.backend.read()
    catalogue = session.catalogue_for(snapshot)
    grounds = grounds_of(session, sources, guards, snapshot, catalogue)
    stored = snapshot.state.roles
    loaded = session.load(sources, catalogue, settings=grounds.settings, stored=stored)
    output.warn(loaded.warnings)
    tell_if_new(session)
    desired = grounds.on(loaded.desired)
    if not sources or not session.project.sources or guards["only_these"]:
        plan = plan_desired(session, desired, snapshot, grounds.settings, as_of)
    else:
        plan = _plan_part(session, desired, snapshot, grounds.settings, as_of)
    return replace(plan, blockers=(*plan.blockers, *held_longer(grounds, desired, plan)))


def _plan_part(
    session: Session, read: DesiredState, snapshot: Snapshot, settings: Settings, as_of: date
) -> Plan:
    """The plan from some sources, judged by the policies that the project's others declare as well.

    It is blocked where it takes away what those declare.
    """
    try:
        catalogue, stored = session.catalogue_for(snapshot), snapshot.state.roles
        whole = session.load((), catalogue, stored=stored).desired
    except InvalidInput as error:
        plan = plan_desired(session, read, snapshot, settings, as_of)
        objection = unread_rest(plan, error.diagnostics[0])
        objections = tuple(filter(None, (objection,)))
    else:
        rules = {**read.rules, "also": whole.rules.get("policies", ())}
        plan = plan_desired(session, replace(read, rules=rules), snapshot, settings, as_of)
        objections = partly(plan, read, whole)
    return replace(plan, blockers=(*plan.blockers, *objections))


def plan_desired(
    session: Session,
    desired: DesiredState,
    snapshot: Snapshot,
    settings: Settings,
    as_of: date,
) -> Plan:
    """Plan the way from a snapshot of the session's target to a desired state."""
    catalogue = session.catalogue_for(snapshot)
    made = make_plan(desired, snapshot, settings, as_of, session.identity(), catalogue)
    return with_foresight(made, session.backend, snapshot.state)
