"""Hostile names through every command and every format, in every encoding of the output.

The commands run in this process, through the entry of the console script, so that many worlds can
be tried; ``test_console.py`` runs some as a user does.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.cli import app
from provisioner.cli.options import FormatType
from provisioner.printable import uncell
from provisioner.reports.formats import FORMATS
from tests.printing.hostile import ANY_TEXT, ENCODINGS, EVERYTHING, FORGED, NAME, ONE_LINE
from tests.printing.readers import calculated, obeyed
from tests.printing.running import Printed, run

if TYPE_CHECKING:
    from collections.abc import Iterator

# Exit codes that a command may end with, whatever it was given.
CODES = {0, 1, 2, 3, 4, 130}

# For each command, ways to run it. `{file}`, `{role}`, `{user}` and `{other}` are names of the
# world, `{text}` is any text; `plan.json` was saved before.
RUNS: dict[str, tuple[str, ...]] = {
    "init": ("init", "init {text}"),
    "validate": (
        "validate",
        "validate {text}",
        "validate --online",
        "validate --as-of {text}",
        "validate --format {text}",
        "validate --target {text}",
        "validate broken.yaml",
        "validate --config broken.yaml",
        "validate policies.yaml",
        "validate --format json",
    ),
    "plan": (
        "plan",
        "plan -v",
        "plan -q",
        "plan --format json",
        "plan --actor {text}",
        "plan -o {text}/x",
        "plan --{text}",
        "plan {text}",
        "plan policies.yaml",
        "plan empty.yaml",
        "plan --max-deletes {text}",
        "plan broken.yaml --format json",
    ),
    "show": ("show plan.json", "show -v plan.json", "show plan.json --format json", "show {text}"),
    "apply": (
        "apply",
        "apply --auto-approve --format json empty.yaml --max-deletes 0",
        "apply --plan {text}",
        "apply --auto-approve --lock-timeout {text}",
        "apply -y",
        "apply --auto-approve --max-change-percent 100 empty.yaml",
        "apply --auto-approve --format json",
    ),
    "test": (
        "test",
        "test -v",
        "test -v --current",
        "test --format json",
        "test --current --format csv",
        "test {text}",
        "test {file} --source {text}",
    ),
    "lint": ("lint", "lint --format json", "lint --soon {text}", "lint {file}", "lint {text}"),
    "access": (
        "access",
        "access --by role",
        "access --by privilege",
        "access --by {text}",
        "access --current --format csv",
        "access --format csv",
        "access --by role --format csv",
        "access --by privilege --format csv",
        "access --diff",
        "access --diff --format csv",
        "access --diff --by privilege --format csv",
        "access --diff --format json",
        "access --format json",
        "access --against {text}",
        "access --against old.csv",
        "access --against {file}",
        "access {file}",
        "access {text} --current",
        "access {text} --source {text}",
    ),
    "revoke": (
        "revoke {user} ARDOCS_VIEW",
        "revoke {user} ARDOCS_VIEW --format json",
        "revoke {user} ARDOCS_VIEW --current",
        "revoke {user} {text}",
        "revoke {text} {text} --source {file}",
        "access revoke {user} ARDOCS_VIEW",
        "access revoke {text} {text}",
    ),
    "explain": (
        "explain {user}",
        "explain {role} ARDOCS_VIEW",
        "explain {text} {text} --source {file}",
        "explain {text} --current --target {text}",
        "explain --user {text}",
        "explain --role {text} --source {text}",
        "explain --format json -- {other}",
        "explain user {user}",
        "explain user {user} ARDOCS_VIEW",
        "explain user {other} ARDOCS_VIEW",
        "explain user {user} {text}",
        "explain user {user} --format json",
        "explain role {role}",
        "explain role {role} ARDOCS_CREATE",
        "explain role {role} --format json",
        "explain role {text}",
        "explain {text}",
    ),
    "import": ("import", "import --out {text}/x", "import --target {text}"),
    "roles": ("roles", "roles --format json", "roles --search {text}", "roles --search ARDOCS"),
    "privileges": ("privileges", "privileges --format json", "privileges --search {text}"),
    "users": ("users", "users --format json", "users --search {text}"),
    "history": ("history", "history --format json", "history --target {text}"),
    "rollback": (
        "rollback 1 --auto-approve",
        "rollback 0 --auto-approve --format json",
        "rollback {text}",
    ),
    "unlock": ("unlock", "unlock {text}"),
    "doctor": (
        "doctor",
        "doctor --format json",
        "doctor --config {text}",
        "doctor {text}",
        "doctor --config broken.yaml",
    ),
    "serve": (
        "serve --panel {text}",
        "serve --tokens {text}",
        "serve --port {text}",
        "serve --new-token {text} --tokens {text}/tokens",
    ),
    "schema": ("schema", "schema roles", "schema {text}"),
    "completion": ("completion bash", "completion zsh", "completion fish", "completion {text}"),
}
# Formats that print the same values in every encoding.
DATA = ("json", "csv")
# The files that `in_formats` has results written to.
WRITTEN = {form: f"out.{form}" for form in FORMATS}


@dataclass(frozen=True)
class World:
    """What a folder holds: names for everything that has one."""

    file: str
    roles: tuple[str, str]
    users: tuple[str, str]
    state: str
    policy: str
    prose: str
    text: str

    def names(self) -> dict[str, str]:
        """What the placeholders of ``RUNS`` stand for."""
        return {
            "file": self.file,
            "role": self.roles[0],
            "user": self.users[0],
            "other": self.users[1],
            "text": self.text,
        }

    def write(self, folder: Path) -> None:
        """Write the project, its sources, and sources with mistakes."""
        first, second = self.roles
        roles = {
            first: {"privileges": ["ARDOCS_VIEW"], "description": self.prose},
            second: {"includes": [first], "privileges": ["ACCOUNTS_*"]},
            "Big Boss": {"privileges": ["ARDOCS_VIEW"], "includes": [first]},
        }
        dated = {"role": "Big Boss", "until": date(2126, 11, 27), "reason": self.prose}
        users = {
            self.users[0]: {"roles": [first, second]},
            self.users[1]: {"roles": [dated]},
            "x::y": {"roles": ["Full Access"]},
        }
        sources = {"version": 1, "roles": roles, "users": users}
        expectation = {"user": self.users[0], "cannot": ["ARDOCS_VIEW"]}
        documents = {
            self.file: sources | {"tests": [expectation]},
            "policies.yaml": sources
            | {
                "policies": [
                    {
                        "name": self.policy,
                        "restrict": {"privileges": ["ARDOCS_VIEW"], "only_users": ["x::y"]},
                    },
                    {"name": "second", "restrict": {"roles": [first], "only_users": ["x::y"]}},
                ]
            },
            "broken.yaml": {
                "version": 1,
                self.prose or "x": 1,
                "roles": {
                    self.prose: {"privileges": [self.prose]},
                    first: {"includes": [self.prose]},
                },
                "users": {self.prose: {"roles": [self.prose]}},
            },
            "empty.yaml": {
                "version": 1,
                "roles": {},
                "users": {"x::y": {"roles": ["Full Access"]}},
            },
            "provisioner.yaml": {
                "version": 1,
                "sources": [self.file],
                "targets": {"panel": {"backend": "file", "path": self.state}},
                "safety": {"max_change_percent": 100, "max_deletes": 100},
            },
        }
        for name, document in documents.items():
            (folder / name).write_text(
                yaml.safe_dump(document, allow_unicode=False, width=9999), errors="surrogatepass"
            )


def words_of(line: str, world: World) -> list[str]:
    """The words of a line of ``RUNS``; no argument of a process holds a zero byte."""
    return [word.format_map(world.names()).replace("\0", "") for word in line.split(" ")]


def faults(printed: Printed, encoding: str) -> list[str]:
    """What is wrong with what was printed."""
    found = [] if printed.code in CODES else [f"exit code {printed.code}"]
    for data in (printed.out, printed.err):
        text = data.decode(encoding)
        found += obeyed(text)
        found += [f"forged: {ln!r}" for ln in text.splitlines() if ln.strip().startswith(FORGED)]
        if encoding != "utf-8":
            # Byte AD is half of a character here; nobody obeys a soft hyphen.
            found += obeyed(data.decode("latin-1").replace("\xad", ""))
            found += obeyed(data.decode(errors="replace"))
        if "internal error" in text or "Traceback" in text:
            found.append(text)
    if "csv" in printed.words and printed.code == 0:
        found += calculated(printed.out.decode(encoding))
    for form, file in WRITTEN.items():
        if any(word.endswith(f"={file}") for word in printed.words) and Path(file).exists():
            text = Path(file).read_text("utf-8")
            found += [*obeyed(text), *(calculated(text) if form == "csv" else ())]
            Path(file).unlink()
    return [ascii(f"{' '.join(printed.words)}: {each}") for each in found]


def values(printed: Printed, encoding: str) -> Any:
    """What a program reads from the output of a run."""
    text = printed.out.decode(encoding)
    if "json" in printed.words:
        return json.loads(text)
    return [list(map(uncell, row)) for row in csv.reader(StringIO(text, newline=""))]


@contextmanager
def folder_of(world: World, folder: Path) -> Iterator[None]:
    """Be in a folder that holds the world, with somebody hostile at the keyboard."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    former, environment = Path.cwd(), dict(os.environ)
    os.chdir(folder)
    try:
        world.write(folder)
        os.environ["LOGNAME"] = world.text.replace("\0", "")
        for name in [name for name in os.environ if name.startswith("PROVISIONER_")]:
            del os.environ[name]
        run(["plan", "--out", "plan.json"], "utf-8")
        old = run(["access", "--format", "csv"], "utf-8")
        Path("old.csv").write_bytes(old.out)
        applied = run(["apply", "--auto-approve"], "utf-8")
        assert applied.code == 0, applied.err.decode()
        yield
    finally:
        os.chdir(former)
        os.environ.clear()
        os.environ.update(environment)


def is_yaml(text: str) -> bool:
    """Whether YAML can hold it, and a description may be so."""
    return text.isprintable() or not set(text) & {"\x00", "\udcff"}


FILE = ONE_LINE.map(lambda text: text.replace("/", "").strip() + ".yaml")
WORLDS = st.builds(
    World,
    file=FILE,
    roles=st.tuples(NAME, NAME).filter(lambda both: both[0].casefold() != both[1].casefold()),
    users=st.tuples(NAME, NAME).filter(lambda both: both[0].casefold() != both[1].casefold()),
    state=FILE.map(lambda name: name.removesuffix(".yaml") + ".json"),
    policy=NAME,
    prose=ANY_TEXT.filter(is_yaml),
    text=ANY_TEXT,
)
WORST = World(
    file="::error::x.yaml",
    roles=("##[group]Büro 漢", "::add-mask::x"),
    users=("=1+1", "a;=1+1"),
    state="::debug::state.json",
    policy="##vso[task.complete]x",
    prose="".join(filter(is_yaml, EVERYTHING)),
    text=EVERYTHING,
)


def in_formats(name: str, lines: tuple[str, ...]) -> Iterator[str]:
    """For each command its first line, and the first that is refused, in every format on offer."""
    command = app.provisioner.get_command(click.Context(app.provisioner), name)
    types = [option.type for option in command.params] if command else []
    forms = [form for each in types if isinstance(each, FormatType) for form in each.choices]
    plain = [line for line in lines if "--format" not in line]
    for line in dict.fromkeys([*plain[:1], *[ln for ln in plain if "{text}" in ln][:1]]):
        yield from (f"{line} --format {form}" for form in forms)
        yield from (f"{line} --format {form}=out.{form}" for form in forms)


LINES = tuple(
    dict.fromkeys(
        line for name, lines in RUNS.items() for line in (*lines, *in_formats(name, lines))
    )
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each world is written over the last."""
    return tmp_path_factory.mktemp("hostile") / "world"


@settings(max_examples=12)
@given(world=WORLDS, encoding=st.sampled_from(ENCODINGS), start=st.integers(0, len(LINES) - 1))
def test_no_command_prints_what_somebody_obeys(
    world: World, encoding: str, start: int, folder: Path
) -> None:
    """A third of the lines for each world, so that over all worlds each comes up often."""
    with folder_of(world, folder):
        for line in (LINES * 2)[start : start + len(LINES) // 3]:
            assert not faults(run(words_of(line, world), encoding), encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_worst_names_in_every_encoding(encoding: str, folder: Path) -> None:
    with folder_of(WORST, folder):
        found = [
            fault
            for line in LINES
            for fault in faults(run(words_of(line, WORST), encoding), encoding)
        ]
    assert not found


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name != "utf-8"])
def test_programs_read_the_same_in_every_encoding(encoding: str, folder: Path) -> None:
    """JSON and CSV lose nothing, and nothing is ever cut off."""
    with folder_of(WORST, folder):
        for line in LINES:
            words = words_of(line, WORST)
            if line.startswith(("apply", "rollback")) or not any(form in words for form in DATA):
                continue
            plain = run(words, "utf-8")
            assert values(run(words, encoding), encoding) == values(plain, "utf-8"), line


def test_what_import_prints_in_ascii_plans_to_nothing(folder: Path) -> None:
    with folder_of(WORST, folder):
        printed = run(["import"], "ascii")
        Path("imported.yaml").write_bytes(printed.out)
        assert printed.out.isascii()
        assert b"No changes" in run(["plan", "imported.yaml"], "utf-8").out


def test_names_are_never_lost_in_any_encoding(folder: Path) -> None:
    """Text shows each character, or how it is spelled."""
    with folder_of(WORST, folder):
        for encoding in ENCODINGS:
            shown = run(["roles"], encoding).out.decode(encoding)
            assert "Büro" in shown or r"B\xfcro" in shown
            assert "漢" in shown or r"\u6f22" in shown


BROKEN: dict[str, tuple[str, Any]] = {
    "nothing is filtered where text leaves": ("provisioner.reports.formats.text.harmless", str),
    "encodings are trusted": ("provisioner.reports.formats.text.spelled", lambda text, _: text),
    "names are shown as they are": ("provisioner.reports.text.style.shown", str),
    "notes are shown as they are": ("provisioner.cli.output.shown", str),
    "JSON is written as it is": (
        "provisioner.reports.text.style.json_text",
        lambda value, indent=None: json.dumps(value, indent=indent, ensure_ascii=False),
    ),
    "JSON knows no encoding": ("provisioner.reports.formats.json.ascii_json", str),
    "cells are written as they are": ("provisioner.documents.access_review.cell", str),
    "YAML is quoted where YAML asks for it only": (
        "provisioner.desired.writer.is_obeyed",
        lambda _: False,
    ),
}


@pytest.mark.parametrize("variant", BROKEN)
def test_without_the_escaping_somebody_obeys(
    variant: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each defence is needed: without it these tests fail."""
    name, broken = BROKEN[variant]
    monkeypatch.setattr(name, broken)
    if name.endswith("json_text"):
        monkeypatch.setattr("provisioner.reports.report.json_text", broken)
        monkeypatch.setattr("provisioner.documents.plan.json_text", broken)
    if "YAML" in variant:  # the last line of defence would hide it, and change what is read
        monkeypatch.setattr("provisioner.reports.formats.text.harmless", str)
    found: list[str] = []
    with folder_of(WORST, folder):
        for line in LINES:
            for encoding in ("utf-8", "latin-1"):
                try:
                    found += faults(run(words_of(line, WORST), encoding), encoding)
                except UnicodeEncodeError as error:
                    found.append(str(error))
            if found:
                return
    pytest.fail("nobody obeyed anything")


def every_command() -> Iterator[tuple[str, click.Command]]:
    """All commands, with their names."""
    context = click.Context(app.provisioner)
    for name in app.COMMANDS:
        command = app.provisioner.get_command(context, name)
        assert command is not None
        yield name, command


def test_every_command_is_tried() -> None:
    """A new command needs lines in ``RUNS``."""
    assert RUNS.keys() == app.COMMANDS.keys()
    for name in app.COMMANDS:
        assert any(f"{line} ".startswith(f"{name} ") for line in RUNS[name]), name


def test_every_format_of_every_command_is_tried() -> None:
    for words, command in every_command():
        for option in command.params:
            if not isinstance(option.type, FormatType):
                continue
            lines = [line for line in LINES if f"{line} ".startswith(f"{words} ")]
            for form in option.type.choices:
                assert any(f"--format {form}" in ln for ln in lines), (
                    words,
                    form,
                )


def test_help_is_in_ascii() -> None:
    """It is printed by click itself, past everything."""
    for words, command in every_command():
        context = click.Context(command, info_name=words)
        assert command.get_help(context).isascii(), words
