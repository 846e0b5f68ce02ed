"""Writes the steps of a plan object by object, for stores that can't commit it at once.

Writes of one step run side by side, as many as the store takes; the next step begins when all are
confirmed, so that access grows only once everything that shrinks it is done. After a failure no
further write begins, and what failed is looked up in the store: an answer may have been lost after
the store had acted.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from provisioner.errors import Conflict, ProvisionerError
from provisioner.outcome import Outcome, cut_short, happened, read_again, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from provisioner.backends.base import Backend
    from provisioner.engine.order import Step
    from provisioner.engine.writes import Write


class Progress(Protocol):
    """Is told how far an apply has come."""

    def start(self, total: int) -> None:
        """The writes begin; there are ``total`` of them."""
        ...

    def wrote(self, write: Write) -> None:
        """One write is confirmed."""
        ...


@dataclass(slots=True)
class _Tally:
    """What became of the writes of one step. What is in none of the three was not tried."""

    applied: list[Write] = field(default_factory=list)
    failed: dict[Write, ProvisionerError] = field(default_factory=dict)
    under_way: list[Write] = field(default_factory=list)


def write_steps(
    steps: Sequence[Step], backend: Backend, progress: Progress, stopped: Callable[[], bool]
) -> Outcome:
    """Write everything, or as much as works; report exactly what was done.

    ``stopped`` is asked before each write, also from other threads: when it says yes, no further
    write begins.
    """
    applied: list[Write] = []
    with _threads(backend.describe().concurrency) as threads:
        for number, step in enumerate(steps):
            later = [write for after in steps[number + 1 :] for write in after.writes]
            runner = None if step.ordered else threads
            ended = _write_step(step.writes, _Writer(backend, stopped, runner), progress)
            applied += ended.applied
            if not ended.is_complete:
                rest = (*ended.not_tried, *later)
                return Outcome(
                    tuple(applied), ended.failed, rest, ended.error, interrupted=ended.interrupted
                )
    return Outcome(tuple(applied))


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor | None]:
    if count == 1:
        yield None
        return
    pool = ThreadPoolExecutor(count, thread_name_prefix="write")
    try:
        yield pool
    finally:
        # After a second Ctrl-C nobody waits for an answer that may never come.
        pool.shutdown(wait=False, cancel_futures=True)


def _write_step(writes: tuple[Write, ...], writer: _Writer, progress: Progress) -> Outcome:
    applied: set[Write] = set()
    failed: dict[Write, ProvisionerError] = {}
    interrupted = False
    while not failed and not interrupted and (pending := [w for w in writes if w not in applied]):
        tally = writer.run(pending, progress)
        applied.update(tally.applied)
        interrupted = writer.stopped()
        if tally.under_way:
            interrupted = True
            error = cut_short("these writes were under way")
            failed = dict.fromkeys(tally.under_way, error) | tally.failed
        elif tally.failed:
            failed = _looked_up(tally.failed, writer.backend)
            for write in tally.failed.keys() - failed.keys():
                applied.add(write)
                progress.wrote(write)
    return Outcome(
        tuple(write for write in writes if write in applied),
        tuple(write for write in writes if write in failed),
        tuple(write for write in writes if write not in applied and write not in failed),
        _together([failed[write] for write in writes if write in failed]),
        interrupted=interrupted and len(applied) < len(writes),
    )


def _looked_up(
    failed: dict[Write, ProvisionerError], backend: Backend
) -> dict[Write, ProvisionerError]:
    """What failed for certain. A refusal is certain; after anything else, the store is asked."""
    if all(isinstance(error, Conflict) for error in failed.values()):
        return failed
    state = read_again(backend)
    found: dict[Write, ProvisionerError] = {}
    for write, error in failed.items():
        if isinstance(error, Conflict):
            found[write] = error
        elif state is None:
            found[write] = unknown(error, "this write may have taken place")
        elif not happened(write, state):
            found[write] = error
    return found


def _together(errors: list[ProvisionerError]) -> ProvisionerError | None:
    if len(errors) <= 1:
        return errors[0] if errors else None
    worst = next((error for error in errors if not isinstance(error, Conflict)), errors[0])
    return type(worst)([found for error in errors for found in error.diagnostics])


@dataclass(slots=True)
class _Writer:
    """Makes the writes it is given, one after the other or side by side, until one fails."""

    backend: Backend
    stopped: Callable[[], bool]
    threads: ThreadPoolExecutor | None
    halted: threading.Event = field(default_factory=threading.Event)

    def run(self, writes: Sequence[Write], progress: Progress) -> _Tally:
        tally = _Tally()
        self.halted.clear()
        begun: set[Write] = set()
        try:
            for write, made in self._results(writes, begun):
                begun.discard(write)
                if made is True:
                    tally.applied.append(write)
                    progress.wrote(write)
                elif made is not None:
                    tally.failed[write] = made
        except KeyboardInterrupt:
            self.halted.set()
            tally.under_way = [write for write in writes if write in begun]
        return tally

    def _results(
        self, writes: Sequence[Write], begun: set[Write]
    ) -> Iterable[tuple[Write, ProvisionerError | Literal[True] | None]]:
        if self.threads is None or len(writes) == 1:
            return ((write, self._attempt(write, begun)) for write in writes)
        futures = {self.threads.submit(self._attempt, write, begun): write for write in writes}
        return ((futures[done], done.result()) for done in as_completed(futures))

    def _attempt(self, write: Write, begun: set[Write]) -> ProvisionerError | Literal[True] | None:
        """True for a write that was made, its error for one that failed, None for one not tried."""
        if self.halted.is_set() or self.stopped():
            return None
        begun.add(write)
        try:
            self.backend.write(write)
        except ProvisionerError as error:
            self.halted.set()
            return error
        return True
