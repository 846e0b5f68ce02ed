"""``--format NAME=FILE``: where it may write, and what becomes of a run that can't."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import PROVISIONER
from tests.reports.commands import ROLES
from tests.waiting import is_readable

if TYPE_CHECKING:
    from tests.reports.commands import Place

LATER = "apply --auto-approve later.yaml --only-these"


@pytest.mark.parametrize(
    "file",
    [
        *("provisioner.yaml", "roles/roles.yaml", "roles/new.yaml", "later.yaml"),
        *(".provisioner/state.json", ".provisioner/state.json.lock", "link", "roles", "notes"),
        *(".provisioner/state.json.history/000001.json", "gone/x", "plan.json", "dangling"),
    ],
)
@pytest.mark.parametrize("line", [LATER, "roles", "validate later.yaml", "lint"])
def test_what_may_not_be_written_is_refused_before_anything_is_done(
    line: str, file: str, place: Place
) -> None:
    place.fresh()
    (place.folder / "notes").write_text("mine\n")
    (place.folder / "link").symlink_to("notes")
    (place.folder / "dangling").symlink_to("nowhere")
    before = place.files()
    if file == "later.yaml" and "later" not in line:
        file = "roles/roles.yaml"
    if file == "plan.json" and line == LATER:  # an apply that is blocked writes a plan itself
        file = "roles"
    refused = place.again(line, "--format", f"json={file}")
    assert refused.code == 1
    assert refused.out == b""
    assert f"{file}: error: " in refused.err.decode()
    assert place.files() == before


def test_what_a_command_reads_is_not_written_over(place: Place) -> None:
    """A plan in JSON would be replaced by a plan in JSON."""
    refused = place("show plan.json", "--format", "json=plan.json")
    assert "this is what the command reads" in refused.err.decode()
    place.fresh()
    place.again("access --format csv=old.csv")
    refused = place.again("access --against old.csv", "--format", "csv=old.csv")
    assert (refused.code, "what the command reads" in refused.err.decode()) == (1, True)


@pytest.mark.parametrize(
    ("line", "form", "other"),
    [("lint", "json", "roles"), ("access", "csv", "users"), ("plan", "json", "doctor")],
)
def test_an_earlier_result_of_the_same_command_is_replaced(
    line: str, form: str, other: str, place: Place
) -> None:
    first = place(line, "--format", f"{form}=out")
    data = place.read("out")
    assert data
    assert place.again(line, "--format", f"{form}=out").code == first.code == 0
    assert place.read("out") == data
    refused = place.again(other, "--format", f"{form}=out")
    assert "the file exists already, and is no" in refused.err.decode()
    (place.folder / "out").write_bytes(b"\xff" + data)
    assert place.again(line, "--format", f"{form}=out").code == 1


def test_text_replaces_nothing_but_an_empty_file(place: Place) -> None:
    """Nobody can tell it from somebody's notes."""
    place.fresh()
    (place.folder / "out").touch()
    assert place.again("roles", "--format", "text=out").code == 0
    assert place.again("roles", "--format", "text=out").code == 1


def test_a_sheet_that_was_edited_stays(place: Place) -> None:
    place("access", "--format", "csv=out.csv")
    sheet = (place.folder / "out.csv").read_text()
    (place.folder / "out.csv").write_text(sheet.replace("\n", ",keep?\n"))
    assert place.again("access", "--format", "csv=out.csv").code == 1


@pytest.mark.parametrize("words", [("json", "text"), ("json", "csv=-"), ("csv=a", "json=./a")])
def test_two_results_for_one_place_are_bad_usage(words: tuple[str, ...], place: Place) -> None:
    given = [word for each in words for word in ("--format", each)]
    refused = place("roles", *given)
    assert refused.code == 1
    assert "more than once" in refused.out.decode() + refused.err.decode()


def test_several_files_and_standard_output_of_one_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.fresh()
    printed = place.again(
        "roles --format csv --format json=a.json --format text=b.txt --format=json=/dev/null"
    )
    assert printed.out.startswith(b"name,description,")
    assert json.loads(place.read("a.json") or b"")["format"] == "provisioner-roles"
    assert (place.read("b.txt") or b"").startswith(b"name ")
    monkeypatch.chdir(place.folder)


@pytest.mark.parametrize(("line", "code"), [(LATER, 0), ("roles", 1), ("unlock", 0)])
def test_a_file_that_can_not_be_written_hides_nothing(line: str, code: int, place: Place) -> None:
    """What became of changes is their exit code; who only reads, and loses something, fails."""
    plain = place(line)
    printed = place(line, "--format", "json=/dev/full", "--format", "json=out")
    assert (printed.code, printed.out) == (code, plain.out)
    assert "/dev/full: error: can't write it: No space left on device" in printed.err.decode()
    assert place.read("out")
    document = place(line, "--format", "json", "--format", "text=/dev/full")
    assert json.loads(document.out)
    assert document.code == code


def test_a_pipe_is_written_to(place: Place) -> None:
    place.fresh()
    pipe = place.folder / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert place.again(LATER, "--format", "json=pipe").code == 0
    reader.join()
    assert json.loads(read[0])["complete"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("apply --auto-approve many.yaml --only-these", 0, "nobody has read it"),
        ("roles", 130, "interrupted"),
    ],
)
def test_a_signal_ends_the_wait_for_a_reader(line: str, code: int, said: str, place: Place) -> None:
    """All is done and told by then; what became of changes is still the exit code."""
    place.fresh()
    names = "".join(f"  Role {n:03}: {{privileges: [ARDOCS_VIEW]}}\n" for n in range(200))
    (place.folder / "many.yaml").write_text(ROLES.replace("roles:\n", f"roles:\n{names}", 1))
    if line == "roles":
        assert place.again("apply --auto-approve many.yaml --only-these").code == 0
    pipe = place.folder / "pipe"
    os.mkfifo(pipe)
    asleep = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(asleep, fcntl.F_SETPIPE_SZ, 4096)
    with subprocess.Popen(
        [PROVISIONER, *line.split(" "), "--format", "json=pipe"],
        cwd=place.folder,
        env={"PATH": os.environ["PATH"], "HOME": str(place.folder), "LC_ALL": "C.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            last = b" complete: " if line != "roles" else b"Role 199 "
            assert any(last in line for line in process.stdout)
            assert is_readable(asleep, 30)
            time.sleep(0.3)  # to the end of what the pipe holds
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
            os.close(asleep)
    assert process.returncode == code
    assert said in err.decode()


def test_errors_are_a_result_too(place: Place) -> None:
    printed = place("validate broken.yaml", "--format", "json=e.json", "--format", "csv=e.csv")
    assert printed.code == 1
    document = json.loads(place.read("e.json") or b"")
    assert document["format"] == "provisioner-errors"
    sheet = (place.read("e.csv") or b"").decode().splitlines()
    assert sheet[0].startswith("severity,id,file,line,")
    assert len(sheet) == 1 + len(document["errors"])
    assert place.again("roles --target no", "--format", "csv=r.csv").code == 1
    assert place.read("r.csv") is None


def test_the_variable_names_formats_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.fresh()
    former = Path.cwd()
    monkeypatch.chdir(place.folder)
    from tests.printing.running import run

    monkeypatch.setenv("PROVISIONER_FORMAT", "json csv=r.csv")
    assert json.loads(run(["roles"], "utf-8").out)["format"] == "provisioner-roles"
    assert place.read("r.csv")
    monkeypatch.setenv("PROVISIONER_FORMAT", "json")
    assert json.loads(run(["roles", "--nope"], "utf-8").out)["format"] == "provisioner-errors"
    assert run(["roles", "--format", "csv"], "utf-8").out.startswith(b"name,")
    monkeypatch.chdir(former)
