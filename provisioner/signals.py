"""The signals that ask a run to stop: Ctrl-C, a service manager's, a terminal that is closed."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

HANGUP: Final = getattr(signal, "SIGHUP", None)  # Windows has none
STOPPING: Final = tuple(
    number for number in (signal.SIGINT, signal.SIGTERM, HANGUP) if number is not None
)


class Stopped(BaseException):
    """A signal asked to stop, at a time when that can be done at once.

    No ``Exception``, for it is no fault; no ``KeyboardInterrupt``, which libraries take for theirs.
    It comes in the midst of anything, and what it comes in the midst of may make another error of
    it, or nothing: ``said`` is the message once there was one.
    """

    said: ClassVar[str | None] = None

    def __init__(self, message: str = "interrupted; nothing was changed") -> None:
        super().__init__(message)
        Stopped.said = message


def answer(react: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    """Have ``react`` called for every signal that asks to stop. Only for the main thread.

    What was ignored when the process began stays ignored: that is how ``nohup`` and the ``&`` of a
    script keep a run from being stopped.
    """
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, react)
