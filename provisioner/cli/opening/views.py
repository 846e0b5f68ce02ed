"""The state that a question about access is about: what the sources ask for, or what is stored."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from provisioner.cli.invocation import Invocation
from provisioner.cli.opening.targets import catalogue_of
from provisioner.engine.access.chains import declared_state
from provisioner.engine.access.explain import Exclusions
from provisioner.model import Catalogue, DesiredState, State
from provisioner.opening.session import load_project, open_session, tell_if_new
from provisioner.opening.sources import load_sources
from provisioner.project.settings import Project
from provisioner.reports.text.style import safe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.cli.output import Output
    from provisioner.model import DesiredUser
    from provisioner.project.settings import TargetSettings


class View(Struct, frozen=True):
    """A state to answer from. ``desired`` is None where it is the current one: without places.

    ``named`` are the sources that the command line names.
    """

    run: Invocation
    state: State
    catalogue: Catalogue
    project: Project
    as_of: date
    desired: DesiredState | None = None
    target: str | None = None
    named: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """One line that says which state an answer is about."""
        if self.desired is None:
            return about_the_target(self.target or "")
        return about_the_sources(self.desired, self.as_of)

    def command(self, *words: str) -> str:
        """A command that asks the same sources or target, as it can be pasted into a shell."""
        sources = [word for path in self.named for word in ("--source", path)]
        return self.run.pasted(*words, *sources)

    @property
    def origin(self) -> str:
        """``sources`` or ``current``."""
        return "current" if self.desired is None else "sources"

    @property
    def users(self) -> Mapping[str, DesiredUser]:
        """What the sources say of users."""
        return (self.desired.users or {}) if self.desired else {}

    @property
    def exclusions(self) -> Exclusions | None:
        """Who tells what ``except`` takes away."""
        provenance: object = self.desired.provenance if self.desired else None
        return provenance if isinstance(provenance, Exclusions) else None


def about_the_target(name: str) -> str:
    """One line that says that an answer is about what a target holds."""
    return f"What target {safe(name)} holds now:"


def about_the_sources(desired: DesiredState, as_of: date) -> str:
    """One line that says that an answer is about these sources."""
    files = desired.files
    where = safe(files[0]) if len(files) == 1 else f"{len(files):,} files"
    return f"What the sources ask for ({where}), as of {as_of}:"


def open_view(
    run: Invocation, sources: tuple[str, ...], as_of: date, *, current: bool = False
) -> View:
    """Read the sources; or the target, where it is asked for or there are no sources.

    The sources are read without asking the target, unless only it knows its catalogue: without it,
    what globs and default roles carry would be missing. Warnings go to standard error.

    Raises:
        UsageError: Both are asked for.
        InvalidInput: Something is wrong with the sources, or several targets have different
            catalogues and none was chosen.
        BackendError: The target had to be asked, and did not answer.
    """
    if current and sources:
        named = run.given.get("sources", "--source")
        raise click.UsageError(f"--current and {named} exclude each other")
    project = load_project(run)
    if current or not (sources or project.sources):
        session = open_session(run)
        tell_if_new(session)
        snapshot = session.backend.read()
        catalogue = session.catalogue_for(snapshot)
        return View(run, snapshot.state, catalogue, project, as_of, target=session.target.name)
    told_by = {_who_tells_the_catalogue(project, each) for each in project.targets.values()}
    alike = run.target is None and len(told_by) == 1
    chosen = next(iter(project.targets.values())) if alike else project.target(run.target)
    catalogue = catalogue_of(run, project, chosen)
    loaded = load_sources(project, sources, catalogue, run.output)
    run.output.warn(loaded.warnings)
    desired = loaded.desired
    state = declared_state(desired, catalogue, as_of)
    say_what_is_unknown(run.output, state, desired, catalogue)
    return View(run, state, catalogue, project, as_of, desired, named=sources)


def _who_tells_the_catalogue(project: Project, target: TargetSettings) -> tuple[str, str | None]:
    """A file that is declared, provisioner itself, or else the panel."""
    declared = target.catalogue or project.catalogue
    if declared is not None:
        return "declared", declared
    return ("shipped", None) if target.backend == "file" else ("panel", target.name)


def say_what_is_unknown(
    output: Output, state: State, desired: DesiredState, catalogue: Catalogue
) -> None:
    """Note what the sources alone can't tell."""
    if desired.users is None:
        output.note("The sources do not say who holds roles (no `users:`); see --current.")
    unknown = sorted(
        name
        for name in state.roles
        if name not in (desired.roles or {}) and not catalogue.is_default(name)
    )
    if unknown:
        names = ", ".join(f"`{name}`" for name in unknown)
        verb = "carries" if len(unknown) == 1 else "carry"
        ways = "see --current, or `provisioner access --diff`"
        output.note(f"Not known from the sources: what {names} {verb}; {ways}.")
