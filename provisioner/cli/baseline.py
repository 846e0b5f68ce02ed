"""``--rules-from``: the rules that a change was made under, from a revision of git or another file.

Continuous integration names the branch that a change is to go into. What is read there judges the
change as well, so that a change can't drop a rule and use that at once.

What is written like a path is a file: it begins with ``./``, ``../`` or ``/``, or ends in ``.yaml``
or ``.yml``. Anything else is a revision, whatever files there are: a change must not be able to put
a file of that name in the place of the branch.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from provisioner.desired import conformity, reader
from provisioner.desired.load import Surroundings, load, read_document
from provisioner.desired.revisions import load_revision, read_at_revision
from provisioner.diagnostics import Diagnostic
from provisioner.engine.settings import Safety
from provisioner.errors import InvalidInput
from provisioner.project import Project, TargetSettings, catalogue_of, project_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.desired.load import Loaded
    from provisioner.model import Catalogue

_PATH_STARTS: Final = ("./", "../", "/", ".\\", "..\\")
_PATH_ENDS: Final = (".yaml", ".yml")
_OF_PROJECTS: Final = frozenset({"sources", "targets", "manage", "safety", "actors", "external"})


@dataclass(frozen=True, slots=True)
class Baseline:
    """What ``--rules-from`` names. ``target`` is the same target as it was there, if it was."""

    name: str
    project: Project | None
    target: TargetSettings | None
    policies: tuple[Mapping[str, Any], ...]
    ignore: tuple[str, ...]
    ignore_users: tuple[str, ...]


def load_baseline(
    name: str,
    project: Project,
    target: TargetSettings,
    sources: tuple[str, ...],
    catalogue: Catalogue,
) -> Baseline:
    """Read the project file and the policies that ``--rules-from`` names.

    Args:
        name: A revision, or a path: see the module.
        project: The project of this run; its file is looked for at the revision.
        target: The chosen target; its counterpart is found by name, else by address.
        sources: What the command line names; used where there is no project file.
        catalogue: What privileges are checked against, where the revision declares none.

    Raises:
        InvalidInput: It can't be read, or is wrong.
    """
    if not name:
        message = "--rules-from is empty: it names no revision and no file"
        raise InvalidInput(Diagnostic("no-revision", message, None, "name a branch or a commit"))
    if name.startswith(_PATH_STARTS) or name.casefold().endswith(_PATH_ENDS):
        return _of_file(name, target, catalogue)
    return _of_revision(name, project, target, sources, catalogue)


def _of_file(name: str, target: TargetSettings, catalogue: Catalogue) -> Baseline:
    if not Path(name).is_dir() and not _is_sources(name):
        former = project_of(read_document(name, "project"), name)
        counterpart = _counterpart(former, target)
        declared = former.load_catalogue(counterpart) if counterpart else None
        around = Surroundings(
            declared or catalogue, former.ignore, former.external, former.ignore_users
        )
        if not former.sources:
            return Baseline(name, former, counterpart, (), former.ignore, former.ignore_users)
        loaded = load(former.sources, around, without=former.file)
        return _baseline(name, former, counterpart, loaded)
    return _baseline(name, None, None, load((name,), Surroundings(catalogue)))


def _is_sources(name: str) -> bool:
    """Whether a file holds roles and policies, and is no project file."""
    data = Path(name).read_bytes() if Path(name).is_file() else b""
    root = reader.read(data, name).root
    return isinstance(root, dict) and _OF_PROJECTS.isdisjoint(root)


def _of_revision(
    name: str,
    project: Project,
    target: TargetSettings,
    sources: tuple[str, ...],
    catalogue: Catalogue,
) -> Baseline:
    if project.file is None:
        loaded = load_revision(name, sources, Surroundings(catalogue))
        return _baseline(name, None, None, loaded)
    path = os.fspath(project.file)
    data = read_at_revision(name, path)
    document = reader.read(data, f"{name}:{path}")
    if document.is_whole:
        conformity.check(document, "project")
    former = replace(project_of(document, path), file=project.file)
    counterpart = _counterpart(former, target)
    declared = former.catalogue_path(counterpart) if counterpart else None
    if declared is not None:
        shown = f"{name}:{declared}"
        read = reader.read(read_at_revision(name, declared), shown)
        if read.is_whole:
            conformity.check(read, "catalogue")
        catalogue = catalogue_of(read, shown)
    around = Surroundings(catalogue, former.ignore, former.external, former.ignore_users)
    if not (former.sources or sources):
        return Baseline(name, former, counterpart, (), former.ignore, former.ignore_users)
    loaded = load_revision(name, former.sources or sources, around, without=project.file)
    return _baseline(name, former, counterpart, loaded)


def _baseline(
    name: str, project: Project | None, target: TargetSettings | None, loaded: Loaded
) -> Baseline:
    policies = tuple(loaded.desired.rules.get("policies", ()))
    desired = loaded.desired
    return Baseline(name, project, target, policies, desired.ignore, desired.ignore_users)


def _counterpart(former: Project, target: TargetSettings) -> TargetSettings | None:
    """The target as it was: the one of that name, else one at the same address."""
    if target.name in former.targets:
        return former.targets[target.name]
    address = _address(target)
    return next((t for t in former.targets.values() if _address(t) == address), None)


def _address(target: TargetSettings) -> tuple[Any, ...]:
    return (target.backend, target.options.get("url"), target.options.get("path"))


def stricter(one: Safety, other: Safety) -> Safety:
    """The limits of which each is the lower one of both."""

    def lower(name: str) -> int | None:
        limits = [limit for s in (one, other) if (limit := getattr(s, name)) is not None]
        return min(limits, default=None)

    return Safety(**{field.name: lower(field.name) for field in fields(Safety)})
