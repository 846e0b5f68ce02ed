"""Which libraries and which effects are where: files, clocks, output, exits.

Each rule says which facts about a module must not be found where, and proves that it notices one.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import provisioner
from tests.source_facts import facts_of, package

if TYPE_CHECKING:
    from tests.source_facts import Facts

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
        "only the passage gives roles their new names",
        outside=("provisioner.engine.transition.passage",),
        forbids=("import *.with_new_names", "call *with_new_names"),
        planted=(
            "provisioner.engine.planning.kept",
            "def f(passage, names):\n    return passage.with_new_names(names)",
        ),
    ),
    Rule(
        "access is worked out by the passage, and for a state by itself by one function",
        outside=("provisioner.engine.access.effective", "provisioner.engine.transition.passage"),
        forbids=("call *EffectiveAccess",),
        planted=("provisioner.engine.rules.lint_case", "def f(s):\n    return EffectiveAccess(s)"),
    ),
    Rule(
        "what judges a plan takes the access of its passage",
        within=("provisioner.engine.planning", "provisioner.apply"),
        forbids=("import *.access_of", "call *access_of"),
        planted=(
            "provisioner.engine.planning.verdict",
            "from provisioner.engine.access.effective import access_of",
        ),
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
        "JSON is read by the strict reader alone",
        outside=("provisioner.json_flaws", "provisioner.strict_json"),
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
        "commands return what they found, and print none of it",
        within=("provisioner.cli.commands",),
        outside=("provisioner.cli.commands.serve",),  # which says where it listens, while it does
        forbids=("call output.leave", "call output.line", "call *output.show", "call *.begin"),
        planted=("provisioner.cli.commands.roles", "def f(run):\n    run.output.show(1)"),
    ),
    Rule(
        "what the command line says is read in one place",
        outside=("provisioner.cli.declaring", "provisioner.cli.options", "provisioner.cli.app"),
        forbids=("call click.get_current_context", "call *.get_parameter_source"),
        planted=("provisioner.cli.commands.apply", "click.get_current_context().fail('no')"),
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


def test_what_is_to_load_late_is_imported_below_the_list() -> None:
    """Python passes over a name that no import has, and over imports above the list (PEP 810)."""
    lists = 0
    for file in sorted(Path(provisioner.__file__).parent.rglob("*.py")):
        late: list[str] = []
        found = set()
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            match node:
                case ast.Assign(targets=[ast.Name(id="__lazy_modules__")], value=names):
                    late, lists = ast.literal_eval(names), lists + 1
                case ast.ImportFrom(module=source) if late:
                    found.add(source)
                case ast.Import(names=imported) if late:
                    found |= {alias.name for alias in imported}
        assert set(late) <= found, file
    assert lists


def test_every_module_is_looked_at() -> None:
    assert {"provisioner.__init__", "provisioner.model", "provisioner.engine.__init__"} <= set(
        package()
    )


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
