"""The folder tree is the architecture: who may import and call what.

Each module becomes a set of facts (``import yaml``, ``load yaml``, ``call print``, ...), and each
rule says which facts must not be found where. ``load`` is an import that runs when the module is
imported; ``import`` is any, those for type checkers included.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import provisioner

if TYPE_CHECKING:
    from collections.abc import Iterator

# What every part may use: the vocabulary, and rules about names that need nothing else.
VOCABULARY = (
    "import provisioner.__version__",
    "import provisioner.diagnostics",
    "import provisioner.errors",
    "import provisioner.globs",
    "import provisioner.documents.json_flaws",
    "import provisioner.model",
    "import provisioner.names",
    "import provisioner.printable",
    "import provisioner.documents.strict_json",
)
HEAVY = (
    "load confusable_homoglyphs",
    "load deepdiff",
    "load filelock",
    "load jsonschema",
    "load jsonschema_rs",
    "load rich",
    "load yaml",
)


@dataclass(frozen=True)
class Rule:
    """All are globs, and match what lies below too: ``import yaml`` also ``import yaml.nodes``."""

    title: str
    forbids: tuple[str, ...]
    within: tuple[str, ...] = ("provisioner",)
    outside: tuple[str, ...] = ()
    allows: tuple[str, ...] = ()
    planted: tuple[str, str] = ("", "")  # a module, and a source that breaks the rule in it


RULES = (
    Rule(
        "the vocabulary imports nothing but itself",
        within=tuple(fact.removeprefix("import ") for fact in VOCABULARY),
        forbids=("import provisioner",),
        allows=VOCABULARY,
        planted=("provisioner.model", "from provisioner.engine import diff"),
    ),
    Rule(
        "the engine imports the vocabulary only",
        within=("provisioner.engine",),
        forbids=("import provisioner",),
        allows=(*VOCABULARY, "import provisioner.engine"),
        planted=("provisioner.engine.planning.plan", "from provisioner import backends"),
    ),
    Rule(
        "reading the desired state knows no backend, no apply, no output",
        within=("provisioner.desired",),
        forbids=(
            "import provisioner.apply.run",
            "import provisioner.backends",
            "import provisioner.cli",
            "import provisioner.reports",
            "import provisioner.server",
            "import provisioner.testing",
        ),
        planted=("provisioner.desired.resolve", "import provisioner.backends.file"),
    ),
    Rule(
        "backends know no sources, no apply, no output",
        within=("provisioner.backends",),
        forbids=(
            "import provisioner.apply.run",
            "import provisioner.cli",
            "import provisioner.desired",
            "import provisioner.reports",
            "import provisioner.server",
            "import provisioner.testing",
        ),
        planted=("provisioner.backends.file", "from provisioner.desired.yaml.reader import read"),
    ),
    Rule(
        "apply knows backends, but no sources and no output",
        within=("provisioner.apply",),
        forbids=(
            "import provisioner.cli",
            "import provisioner.desired",
            "import provisioner.reports",
            "import provisioner.server",
            "import provisioner.testing",
        ),
        planted=("provisioner.apply.run", "from provisioner.reports import text"),
    ),
    Rule(
        "renderers turn values into text: they may name the types of other parts, not load them",
        within=("provisioner.reports",),
        forbids=(
            "import provisioner.cli",
            "load provisioner.apply.run",
            "load provisioner.backends",
            "load provisioner.desired",
            "load provisioner.server",
            "load provisioner.testing",
        ),
        planted=("provisioner.reports.text.plan", "from provisioner.apply.run import run"),
    ),
    Rule(
        "nobody imports the command line",
        outside=("provisioner.__main__", "provisioner.cli"),
        forbids=("import provisioner.cli",),
        planted=("provisioner.server.app", "import provisioner.cli"),
    ),
    Rule(
        "the engine does no I/O, reads no clock and draws no lots",
        within=("provisioner.engine",),
        forbids=(
            "import asyncio",
            "import http",
            "import importlib",
            "import io",
            "import logging",
            "import multiprocessing",
            "import os",
            "import pathlib",
            "import random",
            "import secrets",
            "import shutil",
            "import socket",
            "import subprocess",
            "import sys",
            "import tempfile",
            "import threading",
            "import time",
            "import urllib",
            "import uuid",
            "import click",
            "import filelock",
            "import rich",
            "import yaml",
            "call input",
            "call open",
            "call print",
            "call *date.today",
            "call *datetime.now",
            "call *datetime.today",
            "call *datetime.utcnow",
        ),
        planted=("provisioner.engine.impact", "def f():\n    return dt.date.today()"),
    ),
    Rule(
        "click only in the command line",
        outside=("provisioner.cli",),
        forbids=("import click",),
        planted=("provisioner.reports.text.plan", "def f():\n    from click import style"),
    ),
    Rule(
        "yaml only where sources are read and written, and where the contract is",
        outside=("provisioner.desired", "provisioner.documents.gateway.shapes"),
        forbids=("import yaml", "import _yaml"),
        planted=("provisioner.cli.app", "import yaml"),
    ),
    Rule(
        "deepdiff only in the diff",
        outside=("provisioner.engine.diff",),
        forbids=("import deepdiff",),
        planted=("provisioner.engine.planning.plan", "def f():\n    from deepdiff import DeepDiff"),
    ),
    Rule(
        "heavy libraries load where they are used, not when a module is imported",
        outside=("provisioner.desired",),
        forbids=HEAVY,
        planted=("provisioner.backends.file", "try:\n    import filelock\nexcept ImportError: ..."),
    ),
    Rule(
        "in reading sources too, where yaml alone is always used",
        within=("provisioner.desired",),
        forbids=HEAVY,
        allows=("load yaml",),
        planted=("provisioner.desired.check", "from jsonschema import Draft202012Validator"),
    ),
    Rule(
        "the gateway's libraries only in the gateway",
        outside=("provisioner.server",),
        forbids=(
            "import alembic",
            "import psycopg",
            "import sqlalchemy",
            "import starlette",
            "import uvicorn",
        ),
        planted=("provisioner.backends.http", "def f():\n    import starlette"),
    ),
    Rule(
        "the gateway is started by its command, and used by nothing else",
        outside=("provisioner.server", "provisioner.cli.commands.serve"),
        forbids=("import provisioner.server",),
        planted=("provisioner.backends.http", "from provisioner.server import app"),
    ),
    Rule(
        "the gateway knows no sources, no apply, no output",
        within=("provisioner.server",),
        forbids=(
            "import provisioner.apply.run",
            "import provisioner.backends.file",
            "import provisioner.backends.http",
            "import provisioner.desired",
            "import provisioner.project",
            "import provisioner.reports",
            "import provisioner.testing",
        ),
        planted=(
            "provisioner.server.database.store",
            "from provisioner.desired.yaml.reader import read",
        ),
    ),
    Rule(
        "JSON is read by the strict reader alone",
        outside=("provisioner.documents.json_flaws", "provisioner.documents.strict_json"),
        forbids=(
            "call json.load",
            "call json.loads",
            "call json.JSONDecoder",
            "call json.decoder",
            "import json.*",
            "call msgspec.json.decode",
            "call msgspec.json.Decoder",
            "import msgspec.json",
            "import msgspec.msgpack",
            "import msgspec.toml",
            "import msgspec.yaml",
            "import orjson",
            "import simplejson",
            "import ujson",
        ),
        planted=(
            "provisioner.documents.plan",
            "import json\ndef f(data):\n    return json.loads(data)",
        ),
    ),
    Rule(
        "nothing prints",
        forbids=("call print", "call sys.stdout.write", "call sys.stderr.write"),
        planted=("provisioner.cli.app", "print('done')"),
    ),
    Rule(
        "text leaves at one place, where nothing is let through that somebody obeys",
        outside=("provisioner.cli.output", "provisioner.cli.app"),
        forbids=("call click.echo", "call click.secho", "call click.prompt", "call click.confirm"),
        planted=("provisioner.cli.applying", "def f(name):\n    click.echo(name)"),
    ),
    Rule(
        "only the command line exits",
        outside=("provisioner.cli",),
        forbids=("call sys.exit", "call exit", "call quit", "call os._exit", "raise SystemExit"),
        planted=("provisioner.apply.run", "def f():\n    raise SystemExit(1)"),
    ),
    Rule(
        "only the outermost edges, and what must not lose a report, catch everything",
        outside=(
            "provisioner.cli.__init__",
            "provisioner.cli.app",
            "provisioner.apply.outcome",
            "provisioner.server.http.edge",
        ),
        forbids=("except Exception", "except everything"),
        planted=("provisioner.cli.plan", "try: f()\nexcept (ValueError, Exception): ..."),
    ),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.title)
def test_the_package_keeps_the_rule(rule: Rule) -> None:
    found = [line for module, facts in package().items() for line in broken(rule, module, facts)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.title)
def test_a_planted_violation_is_found(rule: Rule) -> None:
    module, source = rule.planted
    assert broken(rule, module, facts_of(module, source))


def test_imports_for_type_checkers_load_nothing() -> None:
    source = "if TYPE_CHECKING:\n  import rich\nelse:\n  import yaml\ndef f():\n  import click"
    facts = {fact for fact, _ in facts_of("provisioner.reports.text.plan", source)}
    assert facts == {"import rich", "import yaml", "load yaml", "import click"}


def test_relative_imports_count_as_what_they_mean() -> None:
    facts = {
        fact
        for fact, _ in facts_of("provisioner.engine.planning.plan", "from ...backends import base")
    }
    assert "import provisioner.backends.base" in facts


def test_every_module_is_looked_at() -> None:
    assert {"provisioner.__init__", "provisioner.model", "provisioner.engine.__init__"} <= set(
        package()
    )


Facts = list[tuple[str, int]]


def broken(rule: Rule, module: str, facts: Facts) -> list[str]:
    """Return the facts of a module that the rule forbids there, each with the module and line."""
    if not matches(module, rule.within) or matches(module, rule.outside):
        return []
    return [
        f"{module}:{line}: {fact}"
        for fact, line in facts
        if matches(fact, rule.forbids) and not matches(fact, rule.allows)
    ]


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, p) or fnmatchcase(name, f"{p}.*") for p in patterns)


@cache
def package() -> dict[str, Facts]:
    """Return the facts of every module, by its dotted name; a folder's own module is `__init__`."""
    root = Path(provisioner.__file__).parent
    return {
        (module := ".".join(file.relative_to(root.parent).with_suffix("").parts)): facts_of(
            module, file.read_text(encoding="utf-8")
        )
        for file in sorted(root.rglob("*.py"))
    }


def facts_of(module: str, source: str) -> Facts:
    return list(_facts(ast.parse(source), module.rpartition(".")[0], loads=True))


def _facts(node: ast.AST, folder: str, *, loads: bool) -> Iterator[tuple[str, int]]:
    """Walk the tree; ``loads`` tells whether what stands here runs on import."""
    match node:
        case ast.Import() | ast.ImportFrom():
            for name in _imported(node, folder):
                yield f"import {name}", node.lineno
                if loads:
                    yield f"load {name}", node.lineno
        case ast.Call():
            yield f"call {ast.unparse(node.func)}", node.lineno
        case ast.Raise(exc=ast.Name(id=name) | ast.Call(func=ast.Name(id=name))):
            yield f"raise {name}", node.lineno
        case ast.ExceptHandler(type=None):
            yield "except everything", node.lineno
        case ast.ExceptHandler(type=ast.Tuple(elts=caught)):
            yield from ((f"except {ast.unparse(each)}", node.lineno) for each in caught)
        case ast.ExceptHandler(type=ast.expr() as caught):
            yield f"except {ast.unparse(caught)}", node.lineno
    in_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for_types = (
        node.body
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        else []
    )
    for child in ast.iter_child_nodes(node):
        yield from _facts(child, folder, loads=loads and not in_function and child not in for_types)


def _imported(node: ast.Import | ast.ImportFrom, folder: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    source = resolve_name("." * node.level + (node.module or ""), folder)
    return [f"{source}.{alias.name}" for alias in node.names]
