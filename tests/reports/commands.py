"""Every command, a folder in which it can run, and what it is run with."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioner.cli import app
from provisioner.cli.options import FormatType
from tests.printing.running import Printed, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.reports.report import Report

ROLES = """\
version: 1
roles:
  Clerk: {privileges: [ARDOCS_VIEW, ARDOCS_CREATE]}
  Unused: {includes: [Clerk], privileges: [ACCOUNTS_VIEW_DET]}
users:
  ada@example.com: {roles: [Clerk]}
  bob@example.com: {roles: [{role: Clerk, until: 2126-01-31, reason: stands in}]}
  eve@example.com: {roles: [Full Access]}
tests:
  - {user: ada@example.com, can: [ARDOCS_VIEW]}
"""
LATER = ROLES.replace("ARDOCS_CREATE", "ARDOCS_REBUILD")
POLICY = """\
policies:
  - {name: nobody, restrict: {privileges: [ARDOCS_VIEW], only_users: [zoe@example.com]}}
"""
FILES = {
    "provisioner.yaml": "version: 1\nsources: [roles]\nsafety: {max_change_percent: 100}\n",
    "roles/roles.yaml": ROLES,
    "later.yaml": LATER,
    "broken.yaml": "version: 1\nroles: {Clerk: {privileges: [NOPE]}, Boss: {includes: [Gone]}}\n",
    "failing.yaml": ROLES.replace("can:", "cannot:"),
    "policy.yaml": LATER + POLICY,
}
# For each command, lines that go well and lines that do not.
RUNS: dict[str, tuple[str, ...]] = {
    "init": ("init", "init -v"),
    "validate": (
        *("validate", "validate later.yaml", "validate broken.yaml", "validate failing.yaml"),
        *("validate policy.yaml", "validate --online", "validate gone.yaml"),
    ),
    "plan": (
        *("plan", "plan later.yaml --only-these", "plan -q later.yaml --only-these"),
        *("plan -v later.yaml --only-these --detailed-exitcode", "plan policy.yaml --only-these"),
        *("plan broken.yaml", "plan later.yaml --out saved.json"),
    ),
    "show": ("show plan.json", "show roles/roles.yaml"),
    "apply": (
        *("apply --auto-approve", "apply --auto-approve later.yaml --only-these"),
        *("apply --auto-approve policy.yaml --only-these", "apply --plan plan.json"),
        *("apply --auto-approve broken.yaml", "apply later.yaml --only-these"),
    ),
    "test": ("test", "test -v", "test failing.yaml", "test --current failing.yaml"),
    "lint": ("lint", "lint --strict", "lint broken.yaml"),
    "access": (
        *("access", "access --by role", "access --by privilege", "access --current"),
        *("access --diff later.yaml", "access --diff --by privilege --source later.yaml"),
        *("access --against later.yaml", "access --user no*", "access --current --diff"),
    ),
    "explain": (
        *("explain ada@example.com", "explain nobody", "explain --user nobody"),
        *("explain Unused ARDOCS_VIEW", "explain --role Unused"),
    ),
    "revoke": (
        *("revoke ada@example.com ARDOCS_VIEW", "revoke eve@example.com NOPE"),
        "revoke ada@example.com ARDOCS_VIEW --current",
    ),
    "import": ("import",),
    "roles": ("roles", "roles --search zzz", "roles --target nowhere"),
    "privileges": ("privileges", "privileges --search ARDOCS"),
    "users": ("users",),
    "history": ("history", "history --config gone.yaml"),
    "rollback": (
        "rollback 0 --auto-approve",
        "rollback 0 --auto-approve --allow-lockout",
        "rollback 1",
        "rollback 7",
        "rollback 0",
    ),
    "unlock": ("unlock",),
    "doctor": ("doctor", "doctor --config gone.yaml"),
    "serve": ("serve --read-only",),
    "schema": ("schema", "schema roles", "schema nope"),
    "completion": ("completion bash",),
}
LINES = tuple((name, line) for name, lines in RUNS.items() for line in lines)


def every_command() -> Iterator[tuple[str, click.Command]]:
    """All commands, with their names."""
    context = click.Context(app.provisioner)
    for name in app.COMMANDS:
        command = app.provisioner.get_command(context, name)
        assert command is not None
        yield name, command


def reports_of(words: str) -> tuple[type[Report], ...]:
    """The types of reports that a command declares; none for one that has no ``--format``."""
    types = [option.type for option in dict(every_command())[words].params]
    return next((each.reports for each in types if isinstance(each, FormatType)), ())


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Be in a folder, with nothing in the environment that the program looks at."""
    former, environment = Path.cwd(), dict(os.environ)
    os.chdir(folder)
    try:
        for name in [name for name in os.environ if name.startswith("PROVISIONER_")]:
            del os.environ[name]
        yield
    finally:
        os.chdir(former)
        os.environ.clear()
        os.environ.update(environment)


def prepare(folder: Path) -> Path:
    """Write the project, apply it, and save a plan of what comes later."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with inside(folder):
        assert run(["apply", "--auto-approve"], "utf-8").code == 0
        assert run(["plan", "later.yaml", "--only-these", "--out", "plan.json"], "utf-8").code == 0
    return folder


class Place:
    """A prepared folder, from which every run gets a copy of its own."""

    def __init__(self, template: Path, copy: Path) -> None:
        self._template = template
        self.folder = copy

    def fresh(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self._template, self.folder)

    def __call__(self, line: str, *more: str) -> Printed:
        """Run a line in a fresh copy."""
        self.fresh()
        if line == "init":
            for name in ("provisioner.yaml", "roles/roles.yaml"):
                (self.folder / name).unlink()
        return self.again(line, *more)

    def again(self, line: str, *more: str) -> Printed:
        """Run a line in the copy as it is."""
        with inside(self.folder):
            return run([*line.split(" "), *more], "utf-8")

    def read(self, name: str) -> bytes | None:
        """What a file of the copy holds; None where it is not there."""
        path = self.folder / name
        return path.read_bytes() if path.exists() else None

    def files(self) -> dict[str, bytes]:
        """Every file of the copy but empty ones, such as locks."""
        every = (path for path in self.folder.rglob("*") if path.is_file())
        found = {str(path.relative_to(self.folder)): path.read_bytes() for path in every}
        return {name: data for name, data in found.items() if data}
