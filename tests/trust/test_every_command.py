"""No command opens a target, or reads what a project file names, past the trust file."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import provisioner
from provisioner.cli.app import COMMANDS
from tests.trust.conftest import CANARIES

if TYPE_CHECKING:
    from tests.trust.conftest import Branch

# They read no project file. `serve` takes all it needs from its own options and variables.
WITHOUT_PROJECT = {"init", "show", "schema", "completion", "serve"}
EVERY = [
    "plan",
    "plan --out plan.json",
    "apply --auto-approve",
    "validate",
    "validate --online",
    "lint",
    "test",
    "test --current",
    "access",
    "access --current",
    "access --diff",
    "access --against roles.yaml",
    "explain ada@example.com",
    "explain --role Clerk --current",
    "explain user ada@example.com",
    "revoke ada@example.com ARDOCS_VIEW",
    "revoke ada@example.com ARDOCS_VIEW --current",
    "access revoke ada@example.com ARDOCS_VIEW",
    "import",
    "roles",
    "privileges",
    "users",
    "history",
    "rollback 1 --auto-approve",
    "unlock",
    "doctor",
    "doctor roles.yaml",
]
UNLISTED = "lies below no address that the trust file lists"


def test_the_table_has_every_command_that_reads_a_project() -> None:
    assert {words.split()[0] for words in EVERY} == COMMANDS.keys() - WITHOUT_PROJECT


@pytest.mark.parametrize("words", EVERY)
def test_a_target_that_is_not_listed_is_refused_by(words: str, branch: Branch) -> None:
    branch.project(f'backend: http, url: "{branch.canary.url}", token_env: AWS_SECRET_ACCESS_KEY')
    said = branch.refused(*words.split())
    error = "" if words.startswith("doctor") else "error: "
    assert f"provisioner.yaml:4:27: {error}target `p`: url: {branch.canary.url}/ {UNLISTED}" in said
    entry = f'{{url: "{branch.canary.url}/", token_env: [AWS_SECRET_ACCESS_KEY]}}'
    trust = branch.outside / "trust.yaml"
    assert f"if that is meant, add to `targets` in {trust}: - {entry}" in said


@pytest.mark.parametrize("words", EVERY)
def test_a_catalogue_that_is_not_listed_is_refused_by(words: str, branch: Branch) -> None:
    branch.trust("files: [state.json]\n")
    branch.project("backend: file, path: state.json, catalogue: ../secret")
    assert 'target `p`: catalogue: "../secret", which is ' in branch.refused(*words.split())


def test_a_saved_plan_opens_no_target_that_is_not_listed(branch: Branch) -> None:
    branch.project("backend: file, path: state.json")
    assert branch("plan", "--out", "plan.json").code == 0
    branch.project(f'backend: http, url: "{branch.canary.url}", token_env: PANEL_TOKEN')
    assert UNLISTED in branch.refused("apply", "--plan", "plan.json")


@pytest.mark.parametrize("words", ["plan", "validate", "doctor"])
def test_the_variable_counts_like_the_option(words: str, branch: Branch) -> None:
    branch.project(f'backend: http, url: "{branch.canary.url}", token_env: PANEL_TOKEN')
    answer = branch(words, env={"PROVISIONER_TRUST_FILE": branch.trust()})
    assert answer.code == 1
    assert UNLISTED in branch.said(answer)


def test_the_option_may_stand_before_the_command(branch: Branch) -> None:
    branch.project(f'backend: http, url: "{branch.canary.url}", token_env: PANEL_TOKEN')
    answer = branch("--trust", branch.trust(), "plan")
    assert answer.code == 1
    assert UNLISTED in branch.said(answer)


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (["plan"], {"PROVISIONER_TRUST_FILE": ""}),
        (["plan", "--trust", ""], {}),
        (["plan", "--trust="], {"PROVISIONER_TRUST_FILE": ""}),
    ],
)
def test_an_empty_name_does_not_pass_for_none(
    words: list[str], env: dict[str, str], branch: Branch
) -> None:
    """CI gives an empty text for a variable that nobody has set."""
    branch.project(f'backend: http, url: "{branch.canary.url}", token_env: PANEL_TOKEN')
    answer = branch(*words, env=env)
    assert answer.code == 1
    assert "it is empty; name the file, or take --trust and PROVISIONER_TRUST_FILE away" in (
        branch.said(answer)
    )


@pytest.mark.parametrize("where", ["--config", "PROVISIONER_CONFIG"])
def test_a_project_file_elsewhere_is_held_against_it_as_well(where: str, branch: Branch) -> None:
    branch.project(f'backend: http, url: "{branch.canary.url}", token_env: PANEL_TOKEN')
    file = "../elsewhere/other.yaml"
    branch.write(file, (branch.folder / "provisioner.yaml").read_bytes())
    words = ["--config", file] if where == "--config" else []
    env = {} if words else {where: file}
    said = branch.refused("plan", *words, env=env)
    assert f"{file}:4:27: error: target `p`: url: {branch.canary.url}/ {UNLISTED}" in said


def test_other_targets_need_no_line(branch: Branch) -> None:
    """What a run does not open it does not have to be trusted with."""
    branch.trust("files: [state.json]\n")
    branch.project(
        "backend: file, path: state.json}\n"
        f'  q: {{backend: http, url: "{branch.canary.url}", token_env: PANEL_TOKEN'
    )
    trust = str(branch.outside / "trust.yaml")
    answer = branch("plan", "--target", "p", "--trust", trust)
    assert answer.code == 0, answer.err
    branch.said(answer)
    assert "target `q`" in branch.refused("plan", "--target", "q")


def test_projects_are_loaded_and_targets_opened_in_one_place() -> None:
    """Whoever opens a target elsewhere would have to think of the trust file himself."""
    root = Path(provisioner.__file__).parent
    named = {
        name: {
            str(file.relative_to(root))
            for file in root.rglob("*.py")
            if name in _imported_from(file, module)
        }
        for name, module in (
            ("open_backend", "provisioner.backends.registry"),
            ("read_project", "provisioner.project.reading"),
            ("reading", "provisioner.project"),
        )
    }
    session = {"opening/session.py"}
    assert named == {"open_backend": session, "read_project": session, "reading": set()}


def _imported_from(file: Path, module: str) -> set[str]:
    return {
        alias.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }


def test_without_a_trust_file_a_project_file_is_code(branch: Branch) -> None:
    """As documented: it sends any variable anywhere. Who wants less gives a trust file."""
    branch.project('backend: http, url: "http://127.0.0.1:1", token_env: PANEL_TOKEN')
    answer = branch("plan")
    assert answer.code == 1
    assert "no connection" in answer.err
    assert CANARIES["PANEL_TOKEN"] not in answer.err
