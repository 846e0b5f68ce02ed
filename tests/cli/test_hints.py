"""What messages say to run works when it is pasted: no hint is a usage error."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import provisioner
from provisioner.cli import app
from tests.cli.conftest import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Answer

ROLES = """\
version: 1
roles:
  Clerk at the desk: {privileges: [ARDOCS_VIEW]}
  twin: {privileges: [ARDOCS_CREATE]}
users:
  "ada o'hara": {roles: [Clerk at the desk]}
  twin: {roles: [Full Access]}
"""
PROJECT = "version: 1\nsources: [my roles.yaml]\n"
TWO = (
    PROJECT + "targets:\n  one: {backend: file, path: one.json}\n"
    "  other: {backend: file, path: two.json}\n"
)
HTTP = (
    "version: 1\nsources: [globs.yaml]\n"
    'targets: {p: {backend: http, url: "https://panel.example.com", token_env: NO_SUCH}}\n'
)
FILES = {
    "provisioner.yaml": PROJECT,
    "my roles.yaml": ROLES,
    "my project.yaml": TWO,
    "http.yaml": HTTP,
    "globs.yaml": "version: 1\nroles: {A: {privileges: ['DOCS_*'], includes: [Else]}}\n",
    "wide.yaml": ROLES.replace("[ARDOCS_VIEW]", "['*']"),
    "no plan.json": "{}",
    "my sheet.csv": "a,b\n1,2\n",
    "none.yaml": "version: 1\nroles: {}\nusers: {}\n",
}
# In an empty folder, and in one with a project that was applied. Blanks and quotes in all names.
AT_FIRST = (
    "init",
    "plan",
    "roles",
    "explain nobody",
    "explain user nobody",
    "rollback 7",
    "doctor",
)
LATER = (
    "plan wide.yaml --only-these -o 'a plan.json'",
    "plan wide.yaml --config 'my project.yaml' --target other --only-these -o 'b.json'",
    "plan --config 'my project.yaml'",
    "plan none.yaml",
    "plan none.yaml --only-these",
    "validate 'my plan.json'",
    "validate --config http.yaml",
    "validate --config http.yaml --online",
    "show 'no plan.json'",
    "apply wide.yaml --only-these",
    "apply --plan 'other plan.json'",
    "import -o=-imported.yaml",
    "import --config 'my project.yaml' --target one -o 'imported roles.yaml'",
    "privileges -o 'my catalogue.yaml'",
    "explain 'nobody at all'",
    "explain 'nobody at all' --current",
    "explain 'nobody at all' --source 'my roles.yaml'",
    "explain nobody --current --config 'my project.yaml' --target other",
    "explain twin",
    'explain "ada o\'hara" zzz',
    'explain user "ada o\'hara" ARDOCS_VIEW --current',
    "explain role 'Clerk at the desk' --config 'my project.yaml' --target one",
    'access revoke "ada o\'hara" ARDOCS_VIEW --source "my roles.yaml"',
    "access --against 'my sheet.csv'",
    "revoke nobody ARDOCS_VIEW",
    "rollback first",
    "rollback 99",
    "rollback 0",
    "history --config 'my project.yaml'",
    "serve --database sqlite:///x.db",
    "paln",
    "plan --nope",
)
# What these say to do is no command.
SILENT = ("validate --config http.yaml --online", "privileges -o 'my catalogue.yaml'")
IN_QUOTES = re.compile(r"`provisioner ([^`]+)`")
AT_THE_END = re.compile(r": provisioner ([^`\n]+)$", re.MULTILINE)
WITH_OPTION = re.compile(r"(?:with|use|see|out|name it:|or) `?(--[a-z]+(?:-[a-z]+)*)")


def hints(answer: Answer) -> Iterator[str]:
    """The commands that a run names, without the program's name."""
    for found in (IN_QUOTES, AT_THE_END):
        yield from found.findall(answer.out + answer.err)


def is_usage_error(answer: Answer) -> bool:
    """Whether a run could not even begin."""
    return "--help` explains" in answer.err


def options_of(name: str) -> set[str]:
    """Every spelling of a command's options."""
    command = app.provisioner.get_command(click.Context(app.provisioner), name)
    assert command is not None
    context = click.Context(command)
    return {spelled for param in command.get_params(context) for spelled in param.opts}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was applied, and two saved plans; made once."""
    shell = Shell(tmp_path_factory.mktemp("made"))
    for name, text in FILES.items():
        shell.write(name, text)
    assert shell("apply", "-y", "-q").code == 0
    assert shell("plan", "-o", "my plan.json").code == 0
    other = ("--config", "my project.yaml", "--target", "one")
    assert shell("apply", "-y", "-q", *other).code == 0
    assert shell("plan", *other, "-o", "other plan.json").code == 0
    return shell.folder


@pytest.fixture
def project(shell: Shell, made: Path) -> Shell:
    """A copy of it."""
    shutil.copytree(made, shell.folder, dirs_exist_ok=True)
    return shell


def try_hints(shell: Shell, line: str) -> list[str]:
    """Run a line, then what it says to run; return that."""
    words = shlex.split(line)
    answer = shell(*words)
    found = list(hints(answer))
    for hint in found:
        pasted = shell(*shlex.split(hint))
        assert not is_usage_error(pasted), (line, hint, pasted.err)
    if words[0] in app.COMMANDS:
        said = WITH_OPTION.findall(IN_QUOTES.sub("", answer.out + answer.err))
        assert set(said) <= options_of(words[0]), (line, said)
        found += said
    return found


@pytest.mark.parametrize("line", AT_FIRST)
def test_the_hints_of_an_empty_folder_work(shell: Shell, line: str) -> None:
    assert try_hints(shell, line) or line in {"roles", "doctor"}


@pytest.mark.parametrize("line", LATER)
def test_the_hints_of_a_project_work(project: Shell, line: str) -> None:
    assert try_hints(project, line) or line in SILENT


def test_the_hints_about_a_lock_and_about_damage_work(project: Shell) -> None:
    with project.lock_held():
        for line in ("apply wide.yaml --only-these -y", "unlock"):
            answer = project(*shlex.split(line))
            assert answer.code == 4
            for hint in hints(answer):
                assert not is_usage_error(project(*shlex.split(hint))), hint
    project.write(".provisioner/state.json", "{}")
    assert try_hints(project, "plan")


def test_the_hint_of_a_new_file_that_looks_like_an_option_works(project: Shell) -> None:
    (hint,) = hints(project("import", "-o=-imported.yaml"))
    assert project(*shlex.split(hint)).code == 0


def test_every_command_that_a_message_names_has_the_options_named() -> None:
    """Of all messages in the code, those that no run above prints too."""
    for file in sorted(Path(provisioner.__file__).parent.rglob("*.py")):
        for text in texts(ast.parse(file.read_text())):
            for hint in re.findall(r"`provisioner ([^`{]+)", text):
                name, *rest = hint.split()
                options = {word for word in rest if word.startswith("-")}
                if name == "--version":
                    assert options == {"-v"}
                    continue
                assert name in app.COMMANDS, (file.name, hint)
                assert options <= options_of(name), (file.name, hint)


def texts(tree: ast.AST) -> Iterator[str]:
    """All texts of a module that are no docstrings."""
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            is_docstring = isinstance(node, ast.Expr)
            if isinstance(child, ast.Constant) and not is_docstring:
                yield str(child.value)
