"""Waiting for what others do: threads, processes, and what they write.

Nothing here says how long something may take: ``PATIENCE`` is only there so that a wait ends.
"""

from __future__ import annotations

import selectors
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60.0


def is_readable(source: IO[Any] | int, seconds: float) -> bool:
    """Whether there is something to read, or the end, before the time is over.

    Unlike ``select.select`` it does not mind how many files the process has open.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        return bool(selector.select(seconds))


def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came to be so"
        time.sleep(0.01)


def rests(process: int) -> bool:
    """Whether a process waits, with no signal left to take; one that has ended rests as well.

    Then it has gone as far as it goes by itself: what it was sent, it has seen to. Linux tells so
    much of a thread: ``R`` where it runs or would like to, and the signals that are under way.
    """
    looks = []
    for _ in range(3):
        if (look := _look(process)) is None:
            return False
        looks.append(look)
        time.sleep(0.01)
    return looks[0] == looks[1] == looks[2]


def _look(process: int) -> tuple[str, ...] | None:
    """How often each thread has waited; None if one does not."""
    switches = []
    try:
        for thread in sorted(Path(f"/proc/{process}/task").iterdir()):
            about = dict(
                line.split(":\t", 1) for line in (thread / "status").read_text().splitlines()
            )
            if about["State"][0] == "R" or int(about["SigPnd"], 16) or int(about["ShdPnd"], 16):
                return None
            switches.append(about["voluntary_ctxt_switches"])
    except (FileNotFoundError, ProcessLookupError):
        pass  # a thread has ended meanwhile, or all of them
    return tuple(switches)
