"""Running a command line in this process, through the entry of the console script."""

from __future__ import annotations

import gc
import io
import sys
from dataclasses import dataclass

from provisioner.cli import app


@dataclass(frozen=True)
class Printed:
    """What one run left on both streams."""

    words: tuple[str, ...]
    code: int
    out: bytes
    err: bytes


def run(words: list[str], encoding: str) -> Printed:
    """Run a command line in this process; both streams have this encoding."""
    streams = tuple(
        io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="", write_through=True)
        for _ in range(2)
    )
    former = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = streams
    try:
        code = app.run(words)
        for stream in streams:
            stream.flush()
        out, err = (stream.buffer.getvalue() for stream in streams)
    finally:
        sys.stdout, sys.stderr = former
        gc.enable()
    return Printed(tuple(words), code, out, err)
