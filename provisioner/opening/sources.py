"""Sources as they are read: those that are named, or else the project's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.desired.load import load
from provisioner.desired.surroundings import Surroundings
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.desired.load import Loaded
    from provisioner.model import Catalogue, Role
    from provisioner.opening.request import Listener
    from provisioner.project.settings import Project


def load_sources(
    project: Project,
    sources: tuple[str, ...],
    catalogue: Catalogue,
    output: Listener,
    *,
    lenient: bool = False,
    stored: Mapping[str, Role] | None = None,
) -> Loaded:
    """Read the given sources, or else the project's, against a catalogue; ``output`` says which.

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
        stored or {},
    )
    loaded = load(chosen, around, without=project.file, named=bool(sources))
    for file in loaded.desired.files:
        output.detail(f"read {file}")
    return loaded
