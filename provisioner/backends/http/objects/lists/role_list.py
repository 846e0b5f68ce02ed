"""The list of roles while several of our own writes are under way.

A list in pages that is read while roles are made or deleted looks as if somebody changed it, and a
thousand writes that each read it are a thousand lists. So it is read while no request of ours
changes it, once for all who wait for it.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.backends.http.objects.lists.paging import Listed


class RoleList:
    """Reads a list with ``read``. Many threads may ask for it, and change what it lists."""

    def __init__(self, read: Callable[[], Listed]) -> None:
        self._read = read
        self._moment = threading.Condition()
        self._next: Future[Listed] | None = None
        self._reading = False
        self._changes = 0

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold off readings for the ``with`` block, which may not ask for one."""
        with self._moment:
            self._moment.wait_for(lambda: self._next is None and not self._reading)
            self._changes += 1
        try:
            yield
        finally:
            with self._moment:
                self._changes -= 1
                self._moment.notify_all()

    def listed(self) -> Listed:
        """Return the list as it is now: by a reading that begins after it was asked for.

        Raises:
            BackendError: It could not be read whole.
        """
        with self._moment:
            leads = self._next is None
            if self._next is None:
                self._next = Future()
            awaited = self._next
        if leads:
            self._fulfil(awaited)
        return awaited.result()

    def _fulfil(self, awaited: Future[Listed]) -> None:
        with self._moment:
            self._moment.wait_for(lambda: not self._changes and not self._reading)
            self._reading = True
            self._next = None
        try:
            awaited.set_result(self._read())
        except BaseException as error:  # noqa: BLE001 - for all who wait; raised by `result`
            awaited.set_exception(error)
        finally:
            with self._moment:
                self._reading = False
                self._moment.notify_all()
