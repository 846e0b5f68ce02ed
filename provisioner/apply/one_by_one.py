"""Writes the steps of a plan object by object, for stores that can't commit it at once.

Writes of one step run side by side, as many as the store takes; the next step begins when all are
confirmed, so that access grows only once everything that shrinks it is done. After a failure no
further write begins, and what failed is looked up in the store: an answer may have been lost after
the store had acted. Nothing here is torn by signals: who can't wait has the backend give up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, Literal, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner.apply.outcome import (
    Outcome,
    defects_told,
    happened,
    read_again,
    with_unknown_outcome,
)
from provisioner.backends.base import Backend
from provisioner.errors import Conflict, OthersChanged, ProvisionerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from provisioner.engine.order.writing import Step
    from provisioner.engine.writes import Write


_PAUSE: Final = 0.05


class Progress(Protocol):
    """Is told how far an apply has come, between writes: it must neither raise nor wait."""

    def start(self, total: int) -> None:
        """The writes begin; there are ``total`` of them."""
        ...

    def wrote(self, write: Write) -> None:
        """One write is confirmed."""
        ...


def write_one_by_one(
    steps: Sequence[Step], backend: Backend, progress: Progress, stopped: Callable[[], bool]
) -> Outcome:
    """Write everything, or as much as works; report exactly what was done.

    ``stopped`` is asked before each write, also from other threads: when it says yes, no further
    write begins.
    """
    applied: list[Write] = []
    count = backend.describe().concurrency
    with _threads(count) as threads:
        for number, step in enumerate(steps):
            later = [write for after in steps[number + 1 :] for write in after.writes]
            runner = None if step.ordered else threads
            ended = _write_step(
                step.writes, _WriteRunner(backend, stopped, runner, count), progress
            )
            applied += ended.applied
            if ended.error is not None or not ended.is_complete:
                rest = (*ended.not_tried, *later)
                return replace(ended, applied=tuple(applied), not_tried=rest)
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
        pool.shutdown(wait=False, cancel_futures=True)


def _write_step(writes: tuple[Write, ...], writer: _WriteRunner, progress: Progress) -> Outcome:
    applied: set[Write] = set()
    failed: dict[Write, ProvisionerError] = {}
    unknown: dict[Write, ProvisionerError] = {}
    astray: dict[Write, ProvisionerError] = {}
    while not (failed or unknown or astray) and (
        pending := [w for w in writes if w not in applied]
    ):
        if writer.stopped():
            break
        made, errors = writer.run(pending, progress)
        applied.update(made)
        failed, unknown = _looked_up(errors, writer.backend)
        for write in errors.keys() - failed.keys() - unknown.keys():
            applied.add(write)
            progress.wrote(write)
            if isinstance(errors[write], OthersChanged):
                astray[write] = errors[write]
    errors = failed | unknown
    told = errors | astray
    return Outcome(
        tuple(write for write in writes if write in applied),
        tuple(write for write in writes if write in failed),
        tuple(write for write in writes if write in unknown),
        tuple(write for write in writes if write not in applied and write not in errors),
        _together([told[write] for write in writes if write in told]),
        interrupted=writer.stopped() and len(applied) < len(writes),
    )


def _looked_up(
    failed: dict[Write, ProvisionerError], backend: Backend
) -> tuple[dict[Write, ProvisionerError], dict[Write, ProvisionerError]]:
    """What failed for certain, and what nobody knows of.

    A refusal is certain; after anything else, the store is asked.
    """
    certain: dict[Write, ProvisionerError] = {}
    others: dict[Write, ProvisionerError] = {}
    for write, error in failed.items():
        (certain if isinstance(error, Conflict) else others)[write] = error
    if not others:
        return certain, {}
    state = read_again(backend)
    if state is None:
        what = "what is listed so may have taken place"
        return certain, {w: with_unknown_outcome(error, what) for w, error in others.items()}
    return certain | {w: error for w, error in others.items() if not happened(w, state)}, {}


def _together(errors: list[ProvisionerError]) -> ProvisionerError | None:
    if len(errors) <= 1:
        return errors[0] if errors else None
    worst = next((error for error in errors if not isinstance(error, Conflict)), errors[0])
    return type(worst)([found for error in errors for found in error.diagnostics])


class _WriteRunner(Struct):
    """Makes the writes it is given, one after the other or side by side, until one fails."""

    backend: Backend
    stopped: Callable[[], bool]
    threads: ThreadPoolExecutor | None
    count: int
    halted: threading.Event = field(default_factory=threading.Event)

    def run(
        self, writes: Sequence[Write], progress: Progress
    ) -> tuple[list[Write], dict[Write, ProvisionerError]]:
        """Return the writes that were made, and the errors of those that failed."""
        made: list[Write] = []
        failed: dict[Write, ProvisionerError] = {}
        self.halted.clear()
        for write, result in self._results(writes):
            if result is True:
                made.append(write)
                progress.wrote(write)
            elif result is not None:
                failed[write] = result
        return made, failed

    def _results(
        self, writes: Sequence[Write]
    ) -> Iterable[tuple[Write, ProvisionerError | Literal[True] | None]]:
        if self.threads is None or len(writes) == 1:
            return ((write, self._attempt(write)) for write in writes)
        return self._side_by_side(writes, self.threads)

    def _side_by_side(
        self, writes: Sequence[Write], threads: ThreadPoolExecutor
    ) -> Iterator[tuple[Write, ProvisionerError | Literal[True] | None]]:
        """As many workers as there are threads take the writes in turn.

        Results are fetched now and then: to wake up for each would take the time of the workers.
        """
        waiting = iter(writes)
        taking = threading.Lock()
        results: SimpleQueue[tuple[Write, ProvisionerError | Literal[True] | None]] = SimpleQueue()

        def work() -> None:
            while True:
                with taking:
                    write = next(waiting, None)
                if write is None:
                    return
                results.put((write, self._attempt(write)))

        workers = {threads.submit(work) for _ in range(min(self.count, len(writes)))}
        while workers:
            done, workers = wait(workers, timeout=_PAUSE, return_when=FIRST_COMPLETED)
            for worker in done:
                worker.result()
            while not results.empty():
                yield results.get()

    def _attempt(self, write: Write) -> ProvisionerError | Literal[True] | None:
        """True for a write that was made, its error for one that failed, None for one not tried."""
        if self.halted.is_set() or self.stopped():
            return None
        try:
            with defects_told():
                self.backend.write(write)
        except ProvisionerError as error:
            self.halted.set()
            return error
        return True
