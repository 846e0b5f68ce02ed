"""What `--out` may write, and what it never takes the place of."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioner.cli.files import CATALOGUE, PLAN, SOURCES, Kind, write_new_file, write_out
from provisioner.errors import InvalidInput
from provisioner.project.reading import read_project

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

ROLES = "version: 1\nroles:\n  Viewer: {privileges: [ARDOCS_VIEW]}\n"
PROJECT = """\
version: 1
sources: [roles]
catalogue: own.yaml
targets:
  a: {backend: file, path: state/a.json}
  b: {backend: http, url: 'https://127.0.0.1:1', token_file: token, profile: p.yaml, catalogue: c}
"""
A_PLAN = b'{"format": "provisioner-plan"}'
KINDS = {"plan": PLAN, "sources": SOURCES, "catalogue": CATALOGUE}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, and the working directory."""
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles/a.yaml").write_text(ROLES)
    (tmp_path / "provisioner.yaml").write_text(PROJECT)
    (tmp_path / "named.yaml").write_text(ROLES)
    (tmp_path / "state").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(out: str, kind: Kind = PLAN, data: bytes = A_PLAN) -> None:
    write_out(out, data, kind, read_project(None, trust=None), ("named.yaml",))


def everything() -> dict[Path, tuple[int, int, int]]:
    """Every file, by what changes when it is written."""
    found = {path: path.lstat() for path in Path().rglob("*")}
    return {path: (it.st_ino, it.st_size, it.st_mtime_ns) for path, it in found.items()}


def refusal(out: str, kind: Kind = PLAN) -> str:
    """What the refusal says; nothing was written."""
    before = everything()
    with pytest.raises(InvalidInput) as raised:
        write(out, kind)
    assert everything() == before
    (found,) = raised.value.diagnostics
    return found.message


TAKEN = [
    *("roles/a.yaml", "roles/../roles/a.yaml", "named.yaml", "provisioner.yaml", "own.yaml", "c"),
    *("p.yaml", "token", "state/a.json", "state/a.json.lock", "state/a.json.commit"),
    *("state/a.json.history", "state/a.json.history/000001.json", "state/a.json.broken-3"),
    *("state/.a.json.0123456789abcdef.tmp",),
]


@pytest.mark.parametrize("kind", [PLAN, SOURCES, CATALOGUE], ids=KINDS)
@pytest.mark.parametrize("out", TAKEN)
def test_what_provisioner_reads_or_keeps_is_never_replaced(
    here: Path, out: str, kind: Kind
) -> None:
    """Be it of the same kind, empty, or not there yet."""
    assert refusal(out, kind).startswith("can't write it: this is ")
    path = here / out
    if path.parent.is_dir() and not path.exists():
        for content in (b"", A_PLAN):
            path.write_bytes(content)
            refusal(out, kind)


@pytest.mark.usefixtures("here")
def test_no_result_is_put_where_sources_are_read_from() -> None:
    """The next run would take it for one; other names there are no sources, and imports are."""
    for out in ("roles/plan.yaml", "roles/new/plan.YML"):
        assert "where sources are read from" in refusal(out)
    write("roles/plan.json")
    write("roles/.plan.yaml")
    write("roles/imported.yaml", SOURCES)
    assert "one of the sources" in refusal("roles/imported.yaml", SOURCES)


@pytest.mark.usefixtures("here")
def test_a_plan_replaces_a_plan() -> None:
    """Any other content is somebody's work."""
    for earlier in (None, b"", A_PLAN):
        if earlier is not None:
            Path("out").write_bytes(earlier)
        write("out", data=A_PLAN + b" ")
        assert Path("out").read_bytes() == A_PLAN + b" "
        assert Path("out").stat().st_mode & 0o777 == 0o600
        Path("out").unlink()
    for data in (b"my notes\n", b"[" * 100_000, b'{"format": 1}', b"[]", b" ", b"\xff"):
        Path("out").write_bytes(data)
        assert "exists already, and is no saved plan" in refusal("out")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("kind", [SOURCES, CATALOGUE])
def test_what_may_have_been_edited_is_not_replaced(kind: Kind) -> None:
    """Comments, reasons and end dates, or which privileges are sensitive: no panel knows them."""
    for earlier in (None, b""):
        if earlier is not None:
            Path("out").write_bytes(earlier)
        write("out", kind, b"version: 1\n")
        assert refusal("out", kind) == "the file exists already"
        Path("out").unlink()


@pytest.mark.usefixtures("here")
def test_links_are_not_followed() -> None:
    """Whoever may put one into a checkout would choose the file that CI writes."""
    Path("plan.json").write_bytes(A_PLAN)
    for target in ("plan.json", "not-there", "provisioner.yaml", "/dev/null", "roles"):
        Path("link").unlink(missing_ok=True)
        Path("link").symlink_to(target)
        assert "symbolic link" in refusal("link")


@pytest.mark.usefixtures("here")
def test_what_is_no_file_is_refused() -> None:
    """A folder, a path below a file, a folder that is not there."""
    assert "a folder" in refusal("state")
    assert "Not a directory" in refusal("named.yaml/plan.json")
    assert "its folder is not there" in refusal("gone/plan.json")


@pytest.mark.usefixtures("here")
def test_a_pipe_and_a_device_take_what_is_written() -> None:
    """And stay what they are; one that is full says so."""
    os.mkfifo("pipe")
    with subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE) as reader:
        write("pipe")
        assert reader.communicate()[0] == A_PLAN
    write("/dev/null")
    assert Path("pipe").is_fifo()
    assert "No space left" in refusal("/dev/full")


@pytest.mark.usefixtures("here")
def test_new_files_replace_nothing() -> None:
    """`init` writes where nothing is, be it a link to nowhere."""
    Path("link").symlink_to("nowhere")
    for taken in ("link", "named.yaml"):
        with pytest.raises(InvalidInput, match="exists already"):
            write_new_file(taken, b"")


def test_a_plan_goes_to_standard_output_and_into_an_apply(shell: Shell) -> None:
    """`-` and /dev/stdout; what is said beside it goes to standard error."""
    shell.write("roles.yaml", ROLES)
    saved = shell("plan", "roles.yaml", "--out", "-")
    assert saved.document["format"] == "provisioner-plan"
    assert shell("apply", "--plan", "-", stdin=saved.out).code == 0
    shell.write("roles.yaml", ROLES.replace("VIEW", "CREATE"))
    command = (
        '"$0" plan roles.yaml --out /dev/stdout > both; "$0" plan roles.yaml --out /dev/fd/7 7>7'
    )
    words = ["bash", "-c", command, str(shell.program)]
    subprocess.run(words, cwd=shell.folder, env=shell.environment(), check=True, timeout=60)
    both = (shell.folder / "both").read_text()
    assert both.startswith("{")
    assert "Plan: 0 to add, 1 to change" in both
    assert (shell.folder / "7").read_bytes() == both.encode()[: (shell.folder / "7").stat().st_size]


def test_commands_refuse_to_write_over_what_they_read(shell: Shell) -> None:
    """Each through the one function."""
    shell.write("provisioner.yaml", "version: 1\nsources: [roles]\n")
    shell.write("roles/a.yaml", ROLES)
    for words in (
        ("plan", "--out", "roles/plan.yaml"),
        ("plan", "--out", ".provisioner/state.json"),
        ("import", "--out", "roles/a.yaml"),
        ("privileges", "--out", "provisioner.yaml"),
    ):
        before = shell.files()
        answer = shell(*words)
        assert answer.code == 1
        assert "can't write it: this is" in answer.err
        assert shell.files() == before


def test_the_hint_of_a_saved_plan_works_when_pasted(shell: Shell) -> None:
    """Whatever the file is called."""
    shell.write("roles.yaml", ROLES)
    answer = shell("plan", "roles.yaml", "--out", "my plan.json")
    hint = answer.err.splitlines()[-1].partition("this: ")[2]
    assert hint == "provisioner apply --plan 'my plan.json'"


def test_a_folder_that_is_not_there_is_named_as_what_is_missing(here: Path) -> None:
    """The file itself is to be new, so "no such file" would be no news."""
    assert not (here / "gone").exists()
    with pytest.raises(InvalidInput) as refused:
        write("gone/plan.json")
    (told,) = refused.value.diagnostics
    assert "its folder is not there" in told.message
    assert "make the folder first" in (told.remedy or "")
