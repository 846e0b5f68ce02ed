"""Signals that ask a run to stop: it stops in order, and says and records how far it came."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.cli.conftest import WITH_TERMINAL
from tests.cli.gated import (
    APPLY,
    ENV,
    SIGNALS,
    STREAMS,
    Gate,
    Store,
    everybody,
)
from tests.cli.nobody import started, with_signal
from tests.waiting import PATIENCE, rests, until

BROKEN_OFF = "apply: broken off after 3 of 4 writes: "


@pytest.mark.parametrize("deaf", [(), *STREAMS], ids=lambda deaf: "+".join(deaf) or "none")
@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_stops_in_order(
    begun: tuple[Store, Gate], name: str, deaf: tuple[str, ...]
) -> None:
    """After the write under way: 130, an account, and a run in the history."""
    store, gate = begun
    gate.hold("PUT /users/", 3)
    lost: dict[str, Any] = dict.fromkeys(deaf, "full")
    with started(store.shell, *APPLY, env=ENV, **lost) as (process, ended):
        gate.reached()
        process.send_signal(getattr(signal, name))
        until(lambda: rests(process.pid))
        gate.open()
        stopped = ended()
    assert stopped.code == 130, stopped
    assert ("3 of 4 writes were made" in stopped.out + stopped.err) == (len(deaf) < 2)
    assert ("error: interrupted" in stopped.out + stopped.err) == (len(deaf) < 2)
    assert store.held() == everybody("B") | {"ned": ["A"]}
    assert store.runs()[1:] == [f"{BROKEN_OFF}4 reassigned"]
    assert store(*APPLY).code == 0
    assert store.held() == everybody("B")


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_during_a_commit_lets_it_end(commits: Store, name: str) -> None:
    """It is made whole, so this is a success."""
    commits.wants("A")
    gate = commits.gate
    assert gate is not None
    gate.hold("POST /changesets")
    with started(commits.shell, *APPLY, env=ENV, out="left", err="hung up") as (process, ended):
        gate.reached()
        process.send_signal(getattr(signal, name))
        until(lambda: rests(process.pid))
        gate.open()
        assert ended().code == 0
    assert commits.held() == everybody("A")
    assert len(commits.runs()) == 1


@pytest.mark.parametrize("words", [APPLY, ("plan",), ("history",)], ids=" ".join)
@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_before_anything_is_written_changes_nothing(
    begun: tuple[Store, Gate], name: str, words: tuple[str, ...]
) -> None:
    store, gate = begun
    gate.hold("GET /")
    with started(store.shell, *words, env=ENV) as (process, ended):
        gate.reached()
        process.send_signal(getattr(signal, name))
        stopped = ended()
        gate.open()
    assert stopped.code == 130
    assert stopped.err == "error: interrupted; nothing was changed\n"
    assert store.held() == everybody("A")


def test_a_rollback_that_broke_off_says_how_to_go_on(begun: tuple[Store, Gate]) -> None:
    """By its number: a plan from the sources leads forth, and `last` would be the broken run."""
    store, gate = begun
    assert store(*APPLY).code == 0
    gate.hold("PUT /users/", 3)
    back = ("rollback", "last", "--auto-approve", "--max-change-percent", "100")
    with started(store.shell, *back, env=ENV) as (process, ended):
        gate.reached()
        process.send_signal(signal.SIGTERM)
        until(lambda: rests(process.pid))
        gate.open()
        stopped = ended()
    assert stopped.code == 130
    assert "Repeat `provisioner rollback 1` to go on" in stopped.out
    assert store("rollback", "1", *back[2:]).code == 0
    assert store.held() == everybody("A")


def test_two_hangups_are_one(begun: tuple[Store, Gate]) -> None:
    """A shell that is hung up passes it on to what it started, which was told already."""
    store, gate = begun
    gate.hold("PUT /users/", 3)
    with started(store.shell, *APPLY, env=ENV) as (process, ended):
        gate.reached()
        for _ in range(3):
            process.send_signal(signal.SIGHUP)
            until(lambda: rests(process.pid))
        gate.open()
        stopped = ended()
    assert stopped.code == 130
    assert "3 of 4 writes were made." in stopped.out
    assert store.runs()[1:] == [f"{BROKEN_OFF}4 reassigned"]


def test_who_insists_gives_up_what_is_under_way(begun: tuple[Store, Gate]) -> None:
    """It is listed as unknown, for the panel was not asked any more."""
    store, gate = begun
    gate.hold("PUT /users/", 3)
    with started(store.shell, *APPLY, env=ENV) as (process, ended):
        gate.reached()
        for number in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
            until(lambda: rests(process.pid))
        stopped = ended()
        gate.open()
    assert stopped.code == 130, stopped
    assert "2 of 4 writes were made. Of 1 it is not known." in stopped.out
    assert "once more gives it up" in stopped.err


@pytest.mark.parametrize("before", [("nohup",), *(with_signal(n, "SIG_IGN") for n in SIGNALS)])
def test_a_signal_that_was_ignored_at_the_start_stays_ignored(
    begun: tuple[Store, Gate], before: tuple[str, ...]
) -> None:
    """As nohup does it, and the `&` of a script."""
    store, gate = begun
    gate.hold("PUT /users/", 3)
    name = "SIGHUP" if before == ("nohup",) else before[3]
    with started(store.shell, *APPLY, env=ENV, before=before) as (process, ended):
        gate.reached()
        process.send_signal(getattr(signal, name))
        until(lambda: rests(process.pid))
        gate.open()
        assert ended().code == 0
    assert store.held() == everybody("B")


def test_ctrl_c_to_the_whole_group_behind_tee(begun: tuple[Store, Gate]) -> None:
    """It ends `tee` as well, which leaves nobody to tell it to."""
    store, gate = begun
    gate.hold("PUT /users/", 3)
    reader, writer = os.pipe()
    with (
        subprocess.Popen(
            ["tee", "log"], cwd=store.shell.folder, stdin=reader, process_group=0
        ) as tee,
        started(store.shell, *APPLY, env=ENV, out=writer, err=writer, process_group=tee.pid) as (
            process,
            ended,
        ),
    ):
        for descriptor in (reader, writer):
            os.close(descriptor)
        gate.reached()
        os.killpg(tee.pid, signal.SIGINT)
        tee.wait(PATIENCE)
        until(lambda: rests(process.pid))
        gate.open()
        assert ended().code == 130
    assert store.held() == everybody("B") | {"ned": ["A"]}
    assert store.runs()[1:] == [f"{BROKEN_OFF}4 reassigned"]


@pytest.mark.parametrize("words", [(), ("--format", "json")], ids=["text", "json"])
def test_a_terminal_that_is_closed_stops_in_order(
    begun: tuple[Store, Gate], words: tuple[str, ...]
) -> None:
    """Its hangup comes with two streams that fail, and a progress bar in the midst of it."""
    store, gate = begun
    gate.hold("PUT /users/", 3)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_TERMINAL, store.shell.program, *APPLY, *words],
        cwd=store.shell.folder,
        env={**store.shell.environment(ENV), "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    with process:
        gate.reached()
        os.close(ours)
        until(lambda: rests(process.pid))
        gate.open()
        assert process.wait(PATIENCE) == 130
    assert store.held() == everybody("B") | {"ned": ["A"]}
    assert store.runs()[1:] == [f"{BROKEN_OFF}4 reassigned"]
