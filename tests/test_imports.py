"""The folder tree is the architecture: what each folder may import of the package.

Imports for type checkers and those inside of functions count like any other.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.source_facts import facts_of, package

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.source_facts import Facts


@dataclass(frozen=True)
class Only:
    """What the modules of a folder may import of the package, beside each other.

    A folder stands for the modules in it, not for those of its folders; ``""`` is the package.
    """

    imports: tuple[str, ...]
    planted: str  # a module that they must not import


# The words that every part speaks in, and rules about names and texts that need nothing else.
WORDS = (
    "diagnostics",
    "documents.codec",
    "errors",
    "globs",
    "json_flaws",
    "model",
    "names",
    "printable",
    "strict_json",
    "version",
)
TRANSPORT, PROFILE = "backends.http.transport", "backends.http.profile"
FOLDERS = {
    "": Only(("documents.codec",), "engine.changes"),
    "api": Only(
        (
            *(*WORDS, "apply", "backends.attribution", "backends.base", "documents.plan"),
            *("engine", "engine.access", "engine.planning", "opening", "reports.text.summary"),
        ),
        "cli.invocation",
    ),
    "apply": Only(
        (
            *(*WORDS, "backends.base", "engine", "engine.order", "engine.planning"),
            "engine.transition",
        ),
        "backends.registry",
    ),
    "backends": Only(
        (
            *(*WORDS, "engine", "engine.order.grain", "trust.addresses"),
            *("backends.file", "backends.http"),
        ),
        "desired.load",
    ),
    "backends.file": Only(
        (*WORDS, "engine", "backends", "documents.damage", "documents.state"), "documents.plan"
    ),
    "backends.http": Only(
        (
            *("backends.base", "backends.opening", TRANSPORT, PROFILE),
            *("backends.http.gateway", "backends.http.objects"),
        ),
        "backends.registry",
    ),
    "backends.http.gateway": Only(
        (
            *(*WORDS, "engine", "documents.gateway", "backends.base", TRANSPORT),
            "backends.http.objects.backend",
        ),
        "backends.http.objects.reading.fields",
    ),
    "backends.http.objects": Only(
        (
            *(*WORDS, "engine", "engine.order.grain", "backends.adapter", "backends.base"),
            *(TRANSPORT, PROFILE),
            *("backends.http.objects.lists", "backends.http.objects.reading"),
            "backends.http.objects.writing",
        ),
        "documents.gateway.decode",
    ),
    "backends.http.objects.lists": Only(
        (*WORDS, "backends.http.objects.calls", TRANSPORT, PROFILE),
        "backends.http.objects.reading.fields",
    ),
    "backends.http.objects.reading": Only(
        (
            *(*WORDS, TRANSPORT, PROFILE),
            *("backends.http.objects.calls", "backends.http.objects.lists"),
        ),
        "engine.writes",
    ),
    "backends.http.objects.writing": Only(
        (
            *(*WORDS, "engine", TRANSPORT, PROFILE),
            *("backends.http.objects.calls", "backends.http.objects.lists"),
            "backends.http.objects.reading",
        ),
        "backends.http.objects.backend",
    ),
    PROFILE: Only(WORDS, "backends.http.transport.client"),
    TRANSPORT: Only(
        (*WORDS, "plain_files", "trust.addresses", "backends.base"),
        "backends.http.profile.definition",
    ),
    "cli": Only(
        (
            *("", "apply", "backends.attribution", "backends.base", "opening"),
            *("desired.files", "desired.yaml.scalars", "documents.plan", "engine.writes"),
            *("engine.planning", "project", "reports", "reports.formats", "reports.text"),
        ),
        "cli.commands.plan",
    ),
    "cli.commands": Only(
        (
            *("", "backends.base", "backends.file", "cli", "cli.opening", "desired", "opening"),
            *("documents.access_review", "documents.codec", "documents.gateway", "engine"),
            *("engine.access", "engine.planning", "engine.rules", "engine.transition"),
            *("project", "reports"),
            *("reports.text", "server", "server.http"),
        ),
        "backends.registry",
    ),
    "cli.opening": Only(
        (
            *(*WORDS, "catalogue", "cli.invocation", "cli.output", "desired", "documents.plan"),
            *("engine.access", "engine.planning", "opening", "project", "reports.text.style"),
        ),
        "cli.delivery",
    ),
    "desired": Only(
        (*WORDS, "catalogue", "plain_files", "schemas", "desired.yaml", "engine", "engine.rules"),
        "backends.file.backend",
    ),
    "desired.yaml": Only((*WORDS, "schemas", "engine.rules.ignores"), "desired.load"),
    "documents": Only(
        (
            *(*WORDS, "schemas", "engine", "engine.access", "engine.planning", "engine.rules"),
            *("backends.base", "reports.text"),
        ),
        "backends.registry",
    ),
    "documents.gateway": Only(
        (*WORDS, "schemas", "engine", "backends.base", "documents.contradictions"),
        "server.panel.version",
    ),
    "engine": Only((*WORDS, "engine.access"), "engine.rules.rule"),
    "engine.access": Only(WORDS, "engine.rules.policies"),
    "engine.order": Only((*WORDS, "engine", "engine.transition"), "engine.planning.plan"),
    "engine.planning": Only(
        (
            *(*WORDS, "engine", "engine.access", "engine.planning.guards", "engine.rules"),
            "engine.transition",
        ),
        "backends.base",
    ),
    "engine.planning.guards": Only(
        (*WORDS, "engine", "engine.access", "engine.planning.trial"),
        "engine.planning.verdict",
    ),
    "engine.rules": Only(
        (*WORDS, "engine", "engine.access", "engine.transition.passage"), "engine.planning.plan"
    ),
    "engine.transition": Only((*WORDS, "engine", "engine.access"), "engine.planning.plan"),
    "opening": Only(
        (
            *(*WORDS, "catalogue", "apply.foresight", "backends", "desired", "desired.yaml"),
            *("engine", "engine.access", "engine.planning", "engine.rules", "project"),
            "reports.text.style",
        ),
        "cli.output",
    ),
    "project": Only(
        (
            *(*WORDS, "catalogue", "desired.files", "desired.load", "desired.yaml.document"),
            *("engine", "engine.rules.ignores", "trust"),
        ),
        "backends.registry",
    ),
    "reports": Only(
        (
            *(*WORDS, "apply.outcome", "backends.base", "documents.plan", "engine.phrases"),
            *("engine.access", "engine.planning.plan", "engine.rules.access_tests"),
            "reports.text",
        ),
        "cli.output",
    ),
    "reports.formats": Only(
        (*WORDS, "documents.access_review", "reports.report", "reports.text.style"),
        "reports.plan",
    ),
    "reports.text": Only(
        (*WORDS, "engine", "engine.access", "engine.planning", "engine.rules"),
        "apply.run",
    ),
    "server": Only(
        (
            *(*WORDS, "documents.gateway", "server.database", "server.http", "server.panel"),
            "server.routes",
        ),
        "backends.file.backend",
    ),
    "server.database": Only(
        (
            *(*WORDS, "backends.attribution", "backends.committed_state", "documents.gateway"),
            *("engine", "server.http", "server.panel"),
        ),
        "server.routes.reads",
    ),
    "server.database.migrations": Only((), "server.database.tables"),
    "server.database.migrations.versions": Only((), "server.database.tables"),
    "server.http": Only((*WORDS, "signals", "documents.gateway"), "server.panel.version"),
    "server.panel": Only(
        (*WORDS, "documents.gateway", "engine", "server.http"),
        "server.database.store",
    ),
    "server.routes": Only(
        (
            *(*WORDS, "documents.contradictions", "documents.gateway"),
            *("server.database", "server.http", "server.panel"),
        ),
        "server.gateway",
    ),
    "testing": Only(
        (
            *(*WORDS, "backends.attribution", "backends.base", "backends.committed_state"),
            *("engine", "engine.planning"),
        ),
        "backends.file.backend",
    ),
    "testing.contract": Only((*WORDS, "backends.base", "engine"), "testing.memory"),
    "trust": Only((*WORDS, "desired.load", "desired.yaml.document"), "project.settings"),
}
MOST_MODULES = 15
# Folders that list things of one kind, a module each: they may be as long as there are such things.
LISTS = ("cli.commands", "reports.formats", "server.database.migrations.versions")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    found = [
        f"{module} imports {imported}"
        for module, uses in graph().items()
        if folder_of(module) == folder
        for imported in sorted(uses)
        if not may_import(folder, imported)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_planted_import_is_found(folder: str) -> None:
    planted = f"{folder}.planted".removeprefix(".")
    source = f"def f():\n    from provisioner.{FOLDERS[folder].planted} import anything"
    [imported] = imported_modules(facts_of(f"provisioner.{planted}", source))
    assert imported == FOLDERS[folder].planted, "there is no such module"
    assert not may_import(folder, imported)


def test_every_folder_has_its_entry() -> None:
    assert set(FOLDERS) == {folder_of(module) for module in graph()}


def test_nothing_is_allowed_that_nobody_imports() -> None:
    used = {
        (folder_of(module), name)
        for module, uses in graph().items()
        for imported in uses
        for name in (imported, folder_of(imported))
    }
    allowed = {(folder, name) for folder, only in FOLDERS.items() for name in only.imports}
    assert not {(folder, name) for folder, name in allowed - used if name not in WORDS}


def test_there_are_no_circles() -> None:
    assert not circles(graph())


def test_a_planted_circle_is_found() -> None:
    first = facts_of("provisioner.globs", "if TYPE_CHECKING:\n    from provisioner import names")
    second = facts_of("provisioner.names", "def f():\n    from provisioner.globs import matches")
    planted = {"globs": imported_modules(first), "names": imported_modules(second), "model": set()}
    assert circles(planted) == {frozenset({"globs", "names"})}


def test_no_folder_is_a_crowd() -> None:
    assert not crowds(graph())
    crowd = [f"engine.rule_{number}" for number in range(MOST_MODULES + 1)]
    assert crowds(crowd) == {"engine"}
    assert not crowds([module.replace("engine.", "cli.commands.") for module in crowd])


def folder_of(module: str) -> str:
    return module.rpartition(".")[0]


def may_import(folder: str, imported: str) -> bool:
    allowed = (folder, *FOLDERS[folder].imports)
    return imported in allowed or folder_of(imported) in allowed


@cache
def graph() -> dict[str, set[str]]:
    """Return what each module imports, both by their names below the package.

    ``__main__`` only starts the command line, ``__init__`` only exports the Python API: they stand
    outside of all folders.
    """
    return {
        module.removeprefix("provisioner."): imported_modules(facts)
        for module, facts in package().items()
        if module not in {"provisioner.__main__", "provisioner.__init__"}
    }


def imported_modules(facts: Facts) -> set[str]:
    """Return the modules of the package that are imported, by their names below it."""
    found = set()
    for kind, _, name in (fact.partition(" ") for fact, _ in facts):
        parts = name.split(".")
        if kind == "import" and parts[0] == "provisioner":
            names = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
            candidates = (each for name in names for each in (name, f"{name}.__init__"))
            found.add(next(each for each in candidates if each in package()))
    return {module.removeprefix("provisioner.") for module in found}


def circles(uses: dict[str, set[str]]) -> set[frozenset[str]]:
    """Return the groups of modules in which each leads to each other by imports."""
    reached: dict[str, set[str]] = {}
    for start in uses:
        found, left = set[str](), [start]
        while left:
            new = uses[left.pop()] - found
            found |= new
            left += new
        reached[start] = found
    return {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in uses
        if module in reached[module]
    }


def crowds(modules: Iterable[str]) -> set[str]:
    """Return the folders that hold more modules than anybody keeps in mind."""
    sizes = Counter(folder_of(each) for each in modules if not each.endswith("__init__"))
    return {each for each, size in sizes.items() if size > MOST_MODULES and each not in LISTS}
