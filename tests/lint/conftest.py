"""A small catalogue, and sources as text that become desired states, findings and test results."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from provisioner import schemas
from provisioner.desired.load import Loaded, load
from provisioner.desired.surroundings import Surroundings
from provisioner.engine.access.chains import declared_state
from provisioner.engine.access.effective import access_of
from provisioner.engine.rules.access_tests import TestResult, run_access_tests
from provisioner.engine.rules.ignores import without_ignored
from provisioner.engine.rules.lint import IDS, lint
from provisioner.engine.rules.lint_case import Case
from provisioner.model import Catalogue, Privilege, Requirement, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.diagnostics import Diagnostic

PROVISIONER = Path(sys.executable).with_name("provisioner")
AS_OF = date(2026, 6, 15)
PLAIN = ("ACCOUNTS_EDIT", "ACCOUNTS_VIEW", "DOCS_EDIT", "DOCS_VIEW", "TERMS_EDIT")
CATALOGUE = Catalogue(
    "small",
    {
        **{name: Privilege(name) for name in PLAIN},
        "HOLDS_PUT": Privilege("HOLDS_PUT", requires=(Requirement("HOLDS_VIEW"),)),
        "HOLDS_VIEW": Privilege("HOLDS_VIEW", requires=(Requirement("HOLDS_LIST"),)),
        "HOLDS_LIST": Privilege("HOLDS_LIST"),
        "CANCEL": Privilege(
            "CANCEL",
            requires=(
                Requirement("DOCS_VIEW"),
                Requirement("TERMS_EDIT"),
                Requirement("DOCS_EDIT", "cancelling domains"),
            ),
        ),
        "SECRET": Privilege("SECRET", internal=True),
        "ODD": Privilege("ODD", requires=(Requirement("SECRET"),)),
    },
    (Role("Full Access", privileges=frozenset(PLAIN), protected=True),),
)


@dataclass(frozen=True)
class Sources:
    """A folder for sources that are given as text, and what the parts make of them."""

    folder: Path

    def write(self, text: str) -> str:
        file = self.folder / "roles.yaml"
        file.write_text("version: 1\n" + dedent(text), encoding="utf-8")
        return str(file)

    def load(self, text: str, external: tuple[str, ...] = ()) -> Loaded:
        """The text follows a first line with the version, so its own lines start with 2."""
        return load((self.write(text),), Surroundings(CATALOGUE, external=external))

    def case(self, text: str, external: tuple[str, ...] = (), **settings: Any) -> Case:
        return Case(self.load(text, external).desired, CATALOGUE, AS_OF, **settings)

    def findings(self, text: str, **settings: Any) -> tuple[Diagnostic, ...]:
        """Every finding that no comment in the text ignores."""
        loaded = self.load(text)
        found = lint(Case(loaded.desired, CATALOGUE, AS_OF, **settings))
        return without_ignored(found, loaded.ignores, IDS)

    def results(self, text: str) -> tuple[TestResult, ...]:
        desired = self.load(text).desired
        access = access_of(declared_state(desired, CATALOGUE, AS_OF))
        return run_access_tests(desired.rules["tests"], access, CATALOGUE, desired.provenance)

    def run(self, *arguments: str, text: str | None = None) -> tuple[int, str, str]:
        """Run the console script in the folder: exit code, standard output, standard error."""
        done = subprocess.run(
            (PROVISIONER, *arguments),
            cwd=self.folder,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        code, out, _ = self.run(*arguments, "--format", "json")
        document = json.loads(out)
        assert not list(schemas.violations("results", document))
        return code, document


@pytest.fixture(scope="session")
def sources() -> Iterator[Sources]:
    with tempfile.TemporaryDirectory() as folder:
        yield Sources(Path(folder))
