"""All targets of a project: what their catalogues make of its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from provisioner import catalogue as catalogues
from provisioner.errors import BackendError, InvalidInput
from provisioner.opening.session import assumed_catalogue, open_project
from provisioner.opening.sources import load_sources
from provisioner.project.reading import load_catalogue

if TYPE_CHECKING:
    from provisioner.cli.invocation import Invocation
    from provisioner.desired.load import Loaded
    from provisioner.diagnostics import Diagnostic
    from provisioner.model import Catalogue
    from provisioner.project.settings import Project, TargetSettings


WRITES_A_CATALOGUE: Final = "`provisioner privileges --out catalogue.yaml` writes one"


def catalogue_of(run: Invocation, project: Project, target: TargetSettings) -> Catalogue:
    """The target's catalogue: the declared one, for a file the shipped one, else the panel's.

    Raises:
        InvalidInput: The target or its catalogue is wrong.
        BackendError: The panel had to be asked, and did not answer.
    """
    declared = load_catalogue(project, target)
    if declared is not None:
        return declared
    if target.backend == "file":
        return catalogues.shipped()
    run.output.detail(f"asking target `{target.name}`: only the panel knows its catalogue")
    session = open_project(run, project, target.name)
    try:
        snapshot = session.backend.read()
    except BackendError as error:
        raise BackendError([_with_a_way_out(found) for found in error.diagnostics]) from error
    return session.catalogue_for(snapshot)


def _with_a_way_out(found: Diagnostic) -> Diagnostic:
    way = f"declare `catalogue:`, to do without the panel: {WRITES_A_CATALOGUE}"
    return replace(found, remedy=f"{found.remedy}; or {way}" if found.remedy else way)


def chosen_targets(project: Project, name: str | None) -> list[TargetSettings]:
    """The named target, or all targets."""
    return [project.target(name)] if name else list(project.targets.values())


def load_for_targets(
    run: Invocation, project: Project, sources: tuple[str, ...], *, offline: bool = False
) -> list[tuple[Loaded, Catalogue]]:
    """Read the sources once for each catalogue: that of the run's target, or of all targets.

    Panels of which the catalogue is known to them only are asked; if ``offline``, sources are read
    without it (``lenient`` in ``Surroundings``).

    Raises:
        InvalidInput: With everything that is wrong with them, for any of the catalogues.
        BackendError: A panel had to be asked, and did not answer.
    """
    used: list[Catalogue] = []
    for chosen in chosen_targets(project, run.target):
        if offline:
            catalogue = load_catalogue(project, chosen) or assumed_catalogue(chosen)
        else:
            catalogue = catalogue_of(run, project, chosen)
        if catalogue not in used:
            used.append(catalogue)
    errors: list[Diagnostic] = []
    loaded: list[tuple[Loaded, Catalogue]] = []
    for catalogue in used:
        try:
            found = load_sources(project, sources, catalogue, run.output, lenient=offline)
            loaded.append((found, catalogue))
        except InvalidInput as error:
            errors += error.diagnostics
    if errors:
        raise InvalidInput(errors)
    return loaded
