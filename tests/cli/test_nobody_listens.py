"""Nobody has to be listening: what becomes of changes, whatever becomes of what is said of them.

Everywhere the same is asked: it ends as planned or stops in order, it is in the history, the exit
code says how it ended, and the account of it stands on whichever stream still works.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioner.cli.streams import MOST_WAITING, Stream
from tests.cli.gated import (
    APPLY,
    ENV,
    POLICY,
    SIGNALS,
    USERS,
    Gate,
    Store,
    everybody,
    sources,
    wait_for_runs,
)
from tests.cli.nobody import DEAF, full_pipe, run, started, with_signal
from tests.cli.test_terminal import run_by_shell
from tests.waiting import PATIENCE, is_readable, rests, until

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

LOST = [{name: kind} for name in ("out", "err") for kind in DEAF]
LOST += [{"out": kind, "err": kind} for kind in DEAF]


@pytest.mark.parametrize(
    ("which", "lost"),
    [
        *(("file_store", lost) for lost in LOST),
        *(("objects", lost) for lost in LOST),
        ("commits", {"err": "full"}),
    ],
    ids=str,
)
def test_changes_are_made_whoever_listens(
    request: pytest.FixtureRequest, which: str, lost: dict[str, str]
) -> None:
    """By apply, rollback and saved plan; the account goes to the stream that works."""
    store: Store = request.getfixturevalue(which)
    store.wants("A")
    assert store(*APPLY).code == 0
    store.wants("B")
    for words in (
        (*APPLY, "-v"),
        ("rollback", "1", "--auto-approve"),
        ("apply", "--plan", "plan.json"),
    ):
        if "--plan" in words:
            assert store("plan", "--out", "plan.json").code == 0
        ended = run(store.shell, *words, env=ENV, **lost)
        assert ended.code == 0, ended
        assert "error" not in ended.out + ended.err
        assert (ended.out + ended.err).count(" complete: ") == (len(lost) == 1)
    assert [each.partition(";")[0] for each in store.runs()] == [
        "apply: 2 added, 4 reassigned",
        "apply: 4 reassigned",
        "rollback 1: 4 reassigned",
        "apply: 4 reassigned",
    ]
    assert store.held() == everybody("B")


@pytest.mark.parametrize("stream", ["out", "err"])
@pytest.mark.parametrize("kind", DEAF)
def test_the_json_account_is_whole_on_the_stream_that_works(
    file_store: Store, kind: str, stream: str
) -> None:
    """One document and nothing else, also of an apply that had nothing to do, and of a refusal."""
    file_store.wants("A")
    quiet = ("--format", "json", "-q")
    formats = []
    for words in ((*APPLY, *quiet), (*APPLY, *quiet), (*APPLY, *quiet, "gone.yaml")):
        ended = run(file_store.shell, *words, **{stream: kind})
        text, nothing = (ended.out, ended.err) if stream == "err" else (ended.err, ended.out)
        assert nothing == ""
        formats.append((ended.code, json.loads(text)["format"]))
    assert formats == [
        (0, "provisioner-apply"),
        (0, "provisioner-apply"),
        (1, "provisioner-errors"),
    ]


@pytest.mark.parametrize("stream", ["out", "err"])
@pytest.mark.parametrize("kind", DEAF)
def test_what_went_wrong_is_said_on_the_stream_that_works(
    begun: tuple[Store, Gate], kind: str, stream: str
) -> None:
    """What blocks a plan, and what is wrong with the sources."""
    store, _ = begun
    store.shell.write("roles.yaml", sources("B") + POLICY)
    blocked = run(store.shell, *APPLY, env=ENV, **{stream: kind})
    assert blocked.code == 3, blocked
    assert "policy" in blocked.out + blocked.err
    wrong = run(store.shell, *APPLY, "gone.yaml", env=ENV, **{stream: kind})
    assert wrong.code == 1
    assert "gone.yaml: error: " in wrong.out + wrong.err
    assert store.held() == everybody("A")


READING = (
    "plan",
    "plan --format json",
    "history",
    "access",
    "access --by privilege --format csv",
    "revoke kim@example.com ARDOCS_VIEW",
    "explain kim@example.com ARDOCS_VIEW",
    "roles",
    "users --format json",
    "privileges",
    "lint",
    "validate",
    "doctor",
    "import",
    "schema roles",
    "completion bash",
    "apply --help",
    "--version",
)


@pytest.fixture
def read(file_store: Store) -> Store:
    """A store in a file, with something to tell."""
    file_store.wants("A")
    assert file_store(*APPLY).code == 0
    return file_store


@pytest.mark.parametrize("words", READING)
def test_a_command_that_only_reads_fails_where_its_output_is_lost(read: Store, words: str) -> None:
    """Half a list must not pass for a list. Who went away had enough, and no word is said."""
    before = read.shell.files()
    full = run(read.shell, *words.split(), out="full")
    assert full.code == 1
    assert "can't write the output: No space left on device" in full.err
    left = run(read.shell, *words.split(), out="left")
    assert (left.code, left.err) == (0, "")
    assert read.shell.files() == before


def test_each_way_of_losing_output_is_told(read: Store) -> None:
    """On standard error, where that can be; in JSON where that is asked for."""
    for kind, why in (
        ("closed", "standard output is closed"),
        ("full", "No space left on device"),
        ("hung up", "Input/output error"),
    ):
        told = run(read.shell, "plan", "--format", "json", out=kind)
        assert told.code == 1
        (error,) = json.loads(told.err)["errors"]
        assert (error["id"], error["message"]) == ("output-lost", f"can't write the output: {why}")
        assert run(read.shell, "plan", out=kind, err=kind).code == 1


def test_exit_codes_of_commands_that_read_outlive_a_reader_that_left(read: Store) -> None:
    """A pager that is closed early is no reason to think that nothing is pending."""
    read.wants("B")
    for kind, code in (("left", 2), ("full", 1)):
        assert run(read.shell, "plan", "--detailed-exitcode", out=kind).code == code


def test_messages_that_are_lost_fail_a_command_that_reads(read: Store) -> None:
    """Unless standard error was closed on purpose, or its reader left."""
    note = ("users", "--search", "nobody")
    assert "No users contain" in read(*note).err
    codes = {kind: run(read.shell, *note, err=kind).code for kind in DEAF}
    assert codes == {"closed": 0, "full": 1, "left": 0, "hung up": 1}
    assert {run(read.shell, "roles", err=kind).code for kind in DEAF} == {0}


def test_commands_that_change_little_are_no_exception(shell: Shell) -> None:
    """What `init` wrote is written."""
    for kind in DEAF:
        ended = run(shell, "init", out=kind)
        assert ended.code == 0, ended
        assert "Wrote provisioner.yaml" in ended.err
        assert (shell.folder / "provisioner.yaml").exists()
        for name in shell.files():
            (shell.folder / name).unlink()


def test_a_closed_standard_input_is_an_error_of_its_own(read: Store) -> None:
    """Not an empty file, by which everything would be deleted."""
    done = run_by_shell(read.shell, '"$0" plan - <&-')
    assert done.returncode == 1
    assert done.stderr == "-: error: standard input is closed\n"


def test_what_is_opened_never_takes_the_place_of_a_closed_stream(
    begun: tuple[Store, Gate],
) -> None:
    """Else a library that writes to standard error would write into a lock or a connection."""
    store, gate = begun
    gate.hold("PUT /users/")
    before = ("sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-')
    with started(store.shell, *APPLY, env=ENV, before=before) as (process, ended):
        gate.reached()
        places = {str(Path(f"/proc/{process.pid}/fd/{number}").readlink()) for number in range(3)}
        gate.open()
        assert ended().code == 0
    assert places == {os.devnull}


@pytest.mark.parametrize("lines", [1, 3])
@pytest.mark.parametrize("streams", ["", "2>&1"])
def test_behind_head(objects: Store, lines: int, streams: str) -> None:
    """60 users, of whom none is left without a role."""
    many = tuple(f"user{number}" for number in range(60))
    objects.wants("A", many)
    assert objects(*APPLY, "-q").code == 0
    objects.wants("B", many)
    script = f'{{ "$0" apply --auto-approve {streams}; echo $? >code; }} | head -{lines}'
    done = subprocess.run(
        ["sh", "-c", script, objects.shell.program],
        cwd=objects.shell.folder,
        env=objects.shell.environment(ENV),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout.count("\n") == lines
    assert "Traceback" not in done.stderr
    assert (objects.shell.folder / "code").read_text() == "0\n"
    assert objects.held() == {user: ["B"] for user in many}
    assert len(objects.runs()) == 2


@pytest.mark.parametrize("how", ["SIG_IGN", "SIG_DFL"])
def test_sigpipe_ignored_or_not(begun: tuple[Store, Gate], how: str) -> None:
    """By default it would kill a process that writes to a pipe without a reader."""
    store, _ = begun
    before = with_signal("SIGPIPE", how)
    ended = run(store.shell, *APPLY, env=ENV, before=before, out="left", err="left")
    assert ended.code == 0
    assert store.held() == everybody("B")


def test_a_question_that_nobody_can_see_is_not_asked(begun: tuple[Store, Gate]) -> None:
    """The terminal that the plan was to be shown on goes while the panel is read."""
    store, gate = begun
    gate.hold("GET /")
    (keys, stdin), (screen, stdout) = pty.openpty(), pty.openpty()
    os.write(keys, b"yes\n")
    process = subprocess.Popen(
        [store.shell.program, "apply"],
        cwd=store.shell.folder,
        env=store.shell.environment(ENV),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    for descriptor in (stdin, stdout):
        os.close(descriptor)
    with process:
        gate.reached()
        os.close(screen)
        gate.open()
        _, said = process.communicate(timeout=PATIENCE)
    os.close(keys)
    assert process.returncode == 1
    assert "there is no terminal to ask on" in said
    assert store.held() == everybody("A")
    assert len(store.runs()) == 1


def test_what_was_cut_off_on_its_way_is_not_asked_about(file_store: Store) -> None:
    """The terminal goes while the plan is written to it: a yes that was typed ahead is none."""
    file_store.wants("A")
    assert file_store(*APPLY).code == 0
    file_store.wants("B", (*USERS, *(f"user-{number}" for number in range(5000))))
    (keys, stdin), (screen, stdout) = pty.openpty(), pty.openpty()
    os.write(keys, b"yes\n")
    process = subprocess.Popen(
        [file_store.shell.program, "apply", "-v"],
        cwd=file_store.shell.folder,
        env=file_store.shell.environment(),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    for descriptor in (stdin, stdout):
        os.close(descriptor)
    with process:
        # The plan is longer than what waits in a terminal, so it can't have come to its end.
        assert is_readable(screen, PATIENCE)
        os.close(screen)
        _, said = process.communicate(timeout=PATIENCE)
    os.close(keys)
    assert process.returncode == 1
    assert "the plan can't be shown, so nobody is asked; nothing was changed" in said
    assert file_store.held() == everybody("A")


def test_the_question_stands_where_the_plan_does(read: Store) -> None:
    """On standard output, wherever messages go."""
    read.wants("B")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [read.shell.program, "apply"],
        cwd=read.shell.folder,
        env=read.shell.environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    shown = b""
    with process:
        while b"Only `yes` is accepted: " not in shown:
            assert is_readable(ours, PATIENCE), shown
            shown += os.read(ours, 65536)
        os.write(ours, b"yes\n")
        assert process.wait(PATIENCE) == 0
    os.close(ours)
    assert read.held() == everybody("B")


def everything_from(reader: int) -> bytes:
    """Read to the end; what filled the pipe left out."""
    with os.fdopen(reader, "rb") as stream:
        return stream.read().lstrip(b".")


@pytest.mark.parametrize("words", [(), ("--format", "json")], ids=["text", "json"])
def test_a_reader_that_has_fallen_asleep_holds_nothing_up(
    begun: tuple[Store, Gate], words: tuple[str, ...]
) -> None:
    """All is written and recorded while nobody reads. Once somebody does, nothing is missing."""
    store, _ = begun
    reader, writer = full_pipe()
    with started(store.shell, *APPLY, *words, env=ENV, err=writer) as (process, ended):
        os.close(writer)
        wait_for_runs(store, 2)
        assert store.held() == everybody("B")
        until(lambda: rests(process.pid))
        assert process.poll() is None, "it did not wait for who reads its progress"
        progress = everything_from(reader).decode()
        told = ended()
    assert told.code == 0
    assert progress.count("done: user ") == 4
    assert "Apply complete" in told.out if not words else told.document["complete"]


@pytest.mark.parametrize("name", SIGNALS)
def test_waiting_for_a_reader_at_the_end_can_be_ended(begun: tuple[Store, Gate], name: str) -> None:
    """Everything is done by then, and the exit code says so."""
    store, _ = begun
    reader, writer = full_pipe()
    with started(store.shell, *APPLY, env=ENV, err=writer) as (process, ended):
        os.close(writer)
        wait_for_runs(store, 2)
        process.send_signal(getattr(signal, name))
        told = ended()
    os.close(reader)
    assert told.code == 0
    assert "Apply complete" in told.out


def test_a_plan_that_nobody_reads_is_not_applied_until_somebody_does(
    begun: tuple[Store, Gate],
) -> None:
    """Before the first write there is time to wait, and an interruption changes nothing."""
    store, gate = begun
    reader, writer = full_pipe()
    gate.answered.clear()
    with started(store.shell, *APPLY, env=ENV, out=writer) as (process, ended):
        os.close(writer)
        until(lambda: "GET /state" in gate.answered and rests(process.pid))
        process.send_signal(signal.SIGTERM)
        told = ended()
    os.close(reader)
    assert told.code == 130
    assert "nothing was changed" in told.err
    assert store.held() == everybody("A")


def test_a_terminal_that_is_stopped_holds_nothing_up(begun: tuple[Store, Gate]) -> None:
    """Ctrl-S before the progress bar; Ctrl-Q lets the run end."""
    store, _ = begun
    ours, theirs = pty.openpty()
    os.write(ours, b"\x13")
    env = {**ENV, "TERM": "xterm-256color"}
    with started(store.shell, *APPLY, env=env, err=theirs) as (process, ended):
        os.close(theirs)
        wait_for_runs(store, 2)
        assert store.held() == everybody("B")
        os.write(ours, b"\x11")
        with suppress(OSError):  # the other end goes with the process
            while process.poll() is None and is_readable(ours, 0.2):
                os.read(ours, 65536)
        assert ended().code == 0
    os.close(ours)


def test_what_is_said_first_stands_first(file_store: Store) -> None:
    """Where both streams are one, the account ends it, whichever thread writes."""
    file_store.wants("A", tuple(f"user{number}" for number in range(300)))
    reader, writer = full_pipe()
    words = (*APPLY, "--format", "json")
    with started(file_store.shell, *words, out=writer, err=writer) as (process, ended):
        os.close(writer)
        wait_for_runs(file_store, 1)
        until(lambda: rests(process.pid))
        progress, _, account = everything_from(reader).decode().partition("{")
        assert ended().code == 0
    assert progress.count("\ndone: ") == 301
    assert json.loads("{" + account)["complete"] is True


def test_what_waits_for_a_reader_is_bounded() -> None:
    """Beyond that it is dropped, and how much is said once there is somebody to say it to."""
    reader, writer = full_pipe()
    stream = Stream("<test>", writer)
    stream.no_longer_wait()
    for number in range(MOST_WAITING + 10):
        stream.write(b"%d\n" % number)
    received: list[bytes] = []
    reading = threading.Thread(target=lambda: received.append(everything_from(reader)))
    reading.start()
    stream.may_wait = True
    stream.write(b"end\n")
    os.close(writer)
    reading.join(PATIENCE)
    last, dropped, end = received[0].splitlines()[-3:]
    first_dropped = int(last) + 1
    assert first_dropped >= MOST_WAITING
    left_out = MOST_WAITING + 10 - first_dropped
    assert (dropped, end) == (b"(%d lines left out: nobody was reading)" % left_out, b"end")
    assert len(received[0].splitlines()) == first_dropped + 2


def test_a_stream_that_does_not_wait_by_itself_loses_nothing(read: Store) -> None:
    """Another process can make a shared pipe non-blocking; that is no error."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    words = ("privileges", "--format", "json")
    whole = read(*words).out
    with (
        started(read.shell, *words, out=writer) as (process, ended),
        os.fdopen(reader, "rb") as pipe,
    ):
        os.close(writer)
        assert is_readable(pipe, PATIENCE)
        until(lambda: rests(process.pid))
        assert pipe.read().decode() == whole
        assert ended().code == 0
