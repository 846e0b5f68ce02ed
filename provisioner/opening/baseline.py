"""``--rules-from``: the rules that a change was made under, from a revision of git or another file.

Continuous integration names the branch that a change is to go into. What is read there judges the
change as well, so that a change can't drop a rule and use that at once.

What is written like a path is a file: it begins with ``./``, ``../`` or ``/``, or ends in ``.yaml``
or ``.yml``. Anything else is a revision, whatever files there are: a change must not be able to put
a file of that name in the place of the branch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner.desired.files import read_bytes
from provisioner.desired.load import load, read_document
from provisioner.desired.revisions import (
    find_at_revision,
    load_revision,
    read_at_revision,
    repository_of,
)
from provisioner.desired.surroundings import Surroundings
from provisioner.desired.yaml import conformity, reader
from provisioner.diagnostics import Diagnostic
from provisioner.engine.access.effective import access_of
from provisioner.engine.settings import Safety
from provisioner.errors import InvalidInput
from provisioner.model import Catalogue, DesiredUser, State
from provisioner.project.reading import catalogue_of, load_catalogue, project_of
from provisioner.project.search import FILE_NAME
from provisioner.project.settings import Project, TargetSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.desired.load import Loaded
    from provisioner.desired.yaml.document import Document

_PATH_STARTS: Final = ("./", "../", "/", ".\\", "..\\")
_PATH_ENDS: Final = (".yaml", ".yml")
_OF_PROJECTS: Final = frozenset({"sources", "targets", "manage", "safety", "actors", "external"})


class Baseline(Struct, frozen=True):
    """What ``--rules-from`` names.

    ``targets`` are the same target as it was there: by its name, and by its address. ``carried``
    says what each role carries there, ``users`` who is given what until when, ``catalogue`` is the
    one that is declared there.
    """

    name: str
    project: Project | None = None
    targets: tuple[TargetSettings, ...] = ()
    policies: tuple[Mapping[str, Any], ...] = ()
    ignore: tuple[str, ...] = ()
    ignore_users: tuple[str, ...] = ()
    carried: Mapping[str, frozenset[str]] = field(default_factory=dict)
    users: Mapping[str, DesiredUser] = field(default_factory=dict)
    catalogue: Catalogue | None = None


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
        target: The chosen target; its counterpart is found by name and by address.
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
    if Path(name).is_dir() or _is_sources(name):
        return _with_sources(Baseline(name), (name,), catalogue, load)
    former = project_of(read_document(name, "project"), name)
    targets = _counterparts(former, target, name)
    declared = load_catalogue(former, targets[0]) if targets else None
    found = _of_project(name, former, targets, declared)
    if not former.sources:
        return found
    return _with_sources(found, former.sources, catalogue, partial(load, without=former.file))


def _is_sources(name: str) -> bool:
    """Whether a file holds roles and policies, and is no project file."""
    data = read_bytes(name)
    root = None if isinstance(data, Diagnostic) else reader.read(data, name).root
    return isinstance(root, dict) and _OF_PROJECTS.isdisjoint(root)


def _of_revision(
    name: str,
    project: Project,
    target: TargetSettings,
    sources: tuple[str, ...],
    catalogue: Catalogue,
) -> Baseline:
    top = repository_of(project.file or FILE_NAME)
    read = partial(load_revision, name, top=top)
    path = os.fspath(project.file or FILE_NAME)
    if project.file is None:
        # A change that deletes the project file is judged by it all the same.
        data = find_at_revision(name, path, top)
        if data is None:
            return _with_sources(Baseline(name), sources, catalogue, read)
    else:
        data = read_at_revision(name, path, top)
    former = replace(
        project_of(_document(data, f"{name}:{path}", "project"), path), file=Path(path)
    )
    targets = _counterparts(former, target, name)
    shown = former.catalogue_path(targets[0]) if targets else None
    declared = None
    if shown is not None:
        label = f"{name}:{shown}"
        document = _document(read_at_revision(name, shown, top), label, "catalogue")
        declared = catalogue_of(document, label)
    found = _of_project(name, former, targets, declared)
    if not (former.sources or sources):
        return found
    read = partial(read, without=former.file)
    return _with_sources(found, former.sources or sources, catalogue, read)


def _document(data: bytes, shown: str, schema: str) -> Document:
    document = reader.read(data, shown)
    if document.is_whole:
        conformity.check(document, schema)
    return document


def _of_project(
    name: str, former: Project, targets: tuple[TargetSettings, ...], catalogue: Catalogue | None
) -> Baseline:
    return Baseline(
        name,
        former,
        targets,
        ignore=former.ignore,
        ignore_users=former.ignore_users,
        catalogue=catalogue,
    )


def _with_sources(
    baseline: Baseline,
    sources: tuple[str, ...],
    catalogue: Catalogue,
    read: Callable[[tuple[str, ...], Surroundings], Loaded],
) -> Baseline:
    """What the sources there say as well; a glob in them stands for what it means here too."""
    declared, former = baseline.catalogue, baseline.project or Project()
    if declared is not None and catalogue.known:
        privileges = {**catalogue.privileges, **declared.privileges}
        declared = replace(declared, privileges=privileges)
    around = Surroundings(
        declared or catalogue, former.ignore, former.external, former.ignore_users
    )
    desired = read(sources, around).desired
    roles = {name: wanted.role for name, wanted in (desired.roles or {}).items()}
    access = access_of(State(roles))
    return replace(
        baseline,
        policies=tuple(desired.rules.get("policies", ())),
        ignore=desired.ignore,
        ignore_users=desired.ignore_users,
        carried=access.roles,
        users=desired.users or {},
    )


def _counterparts(former: Project, target: TargetSettings, name: str) -> tuple[TargetSettings, ...]:
    """The target as it was: the one of that name, and those at the same address.

    Raises:
        InvalidInput: There is none, and what holds for the others there would be lost with it.
    """
    address = _address(target)
    found = [t for t in former.targets.values() if _address(t) == address]
    named = former.targets.get(target.name)
    if named is not None:
        found = [named, *(t for t in found if t is not named)]
    if not found and any(t.self_user or t.ceiling or t.catalogue for t in former.targets.values()):
        message = f"`{name}` has no target `{target.name}`, and none at its address"
        remedy = (
            "call it as it is called there, or leave --rules-from out for the change that brings it"
        )
        raise InvalidInput(Diagnostic("unknown-target", message, target.place, remedy))
    return tuple(found)


def _address(target: TargetSettings) -> tuple[Any, ...]:
    url = str(target.options.get("url", "")).casefold().rstrip("/")
    path = os.path.normpath(target.options.get("path", ""))
    return (target.backend, url, path)


def stricter(one: Safety, other: Safety) -> Safety:
    """The limits of which each is the lower one of both."""

    def lower(name: str) -> int | None:
        limits = [limit for s in (one, other) if (limit := getattr(s, name)) is not None]
        return min(limits, default=None)

    return Safety(**{name: lower(name) for name in Safety.__struct_fields__})
