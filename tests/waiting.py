"""Waiting for what another process writes."""

from __future__ import annotations

import selectors
from typing import IO, Any


def is_readable(source: IO[Any] | int, seconds: float) -> bool:
    """Whether there is something to read, or the end, before the time is over.

    Unlike ``select.select`` it does not mind how many files the process has open.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        return bool(selector.select(seconds))
