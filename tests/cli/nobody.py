"""Runs to which nobody listens, in the ways in which that can be."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from tests.cli.conftest import Answer
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.cli.conftest import Shell

DEAF = ("closed", "full", "left", "hung up")
REDIRECTED = {"out": "1", "err": "2"}
# Wrappers instead of preexec_fn, which is not safe in a test process that has threads.
WITH_SIGNAL = """\
import os, signal, sys
signal.signal(getattr(signal, sys.argv[1]), getattr(signal, sys.argv[2]))
os.execv(sys.argv[3], sys.argv[3:])
"""


def with_signal(name: str, how: str) -> tuple[str, ...]:
    """What goes before a command so that it begins with a signal ignored, or as by default."""
    return (sys.executable, "-c", WITH_SIGNAL, name, how)


def end(kind: str, open_ones: ExitStack) -> int:
    """A file descriptor to write to, of a kind: a full device, a pipe without a reader, ..."""
    match kind:
        case "full":
            descriptor = os.open("/dev/full", os.O_WRONLY)
        case "left":
            reader, descriptor = os.pipe()
            os.close(reader)
        case "hung up":
            ours, descriptor = pty.openpty()
            os.close(ours)
        case _:
            descriptor = os.open(os.devnull, os.O_WRONLY)
    open_ones.callback(os.close, descriptor)
    return descriptor


@contextmanager
def started(
    shell: Shell,
    *words: str,
    env: Mapping[str, str] | None = None,
    before: tuple[str, ...] = (),
    out: str | int = "read",
    err: str | int = "read",
    **more: Any,
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], Answer]]]:
    """A run under way, and how to wait for its end. A stream is deaf, ``read``, or a descriptor."""
    closed = [
        f"{REDIRECTED[name]}>&-" for name, kind in (("out", out), ("err", err)) if kind == "closed"
    ]
    if closed:
        before = ("sh", "-c", f'exec "$0" "$@" {" ".join(closed)}', *before)
    with ExitStack() as open_ones:
        kept = {name: open_ones.enter_context(tempfile.TemporaryFile()) for name in REDIRECTED}
        ends: dict[str, Any] = {}
        for name, kind in (("out", out), ("err", err)):
            if kind == "read":
                ends[name] = kept[name]
            else:
                ends[name] = kind if isinstance(kind, int) else end(kind, open_ones)
        process = subprocess.Popen(
            [*before, shell.program, *words],
            cwd=shell.folder,
            env=shell.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=ends["out"],
            stderr=ends["err"],
            **more,
        )

        def ended() -> Answer:
            code = process.wait(PATIENCE)
            said = {}
            for name, file in kept.items():
                file.seek(0)
                said[name] = file.read().decode()
            return Answer(code, said["out"], said["err"])

        with process:
            try:
                yield process, ended
            finally:
                process.kill()


def run(shell: Shell, *words: str, **how: Any) -> Answer:
    """Run it to its end, as ``started`` says."""
    with started(shell, *words, **how) as (_, ended):
        return ended()


def full_pipe() -> tuple[int, int]:
    """A pipe that takes nothing more until somebody reads."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"." * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    return reader, writer
