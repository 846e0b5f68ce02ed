"""From an approved plan to its end: ask, apply, show progress, say exactly what was done."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from provisioner.apply import apply_plan
from provisioner.backends.base import Abortable, Run
from provisioner.backends.stamp import now, this_user
from provisioner.cli import output
from provisioner.diagnostics import Diagnostic
from provisioner.errors import Interrupted, InvalidInput
from provisioner.outcome import Outcome
from provisioner.planfile import to_document
from provisioner.render.diagnostics import diagnostic_document
from provisioner.render.text import done_line, history_line, question, report_lines, write_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from provisioner.backends.base import Backend
    from provisioner.engine.plan import Plan
    from provisioner.engine.writes import Write
    from provisioner.write_steps import Progress


def require_approval(*, auto_approve: bool, saved_plans: bool = True) -> None:
    """Make sure that somebody can be asked, before any work is done.

    ``saved_plans`` says whether a saved plan is another way.

    Raises:
        InvalidInput: Nobody is there to ask, and ``--auto-approve`` was not given.
    """
    if auto_approve:
        return
    if output.wants_json() or not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        why = (
            "with --format json nobody is asked"
            if output.wants_json()
            else "there is no terminal to ask on"
        )
        remedy = "repeat with --auto-approve"
        if saved_plans:
            remedy += ", or apply a saved plan: plan --out FILE, apply --plan FILE"
        raise InvalidInput(Diagnostic("no-approval", why, None, remedy))


def show(plan: Plan) -> None:
    """Print the plan that is about to be applied. In JSON only one that is blocked is a result."""
    if not output.wants_json() or plan.blockers:
        output.show_plan(plan)


def question_about(plan: Plan) -> str:
    """What to ask below the plan that was shown."""
    manner = output.MANNER
    style = output.style_of(sys.stdout)
    return question(plan, style, brief=manner.quiet, places=manner.verbose)


def nothing_to_do(plan: Plan) -> int:
    """Report an apply of a plan without changes; return the exit code."""
    if output.wants_json():
        output.result_json(_document(Outcome(), to_document(plan)["digest"]))
    return 0


def ask(question: str) -> bool:
    """Ask on the terminal; only "yes" is a yes."""
    return output.ask(f"{question} Only `yes` is accepted") == "yes"


def carry_out(
    plan: Plan, backend: Backend, *, operation: str, lock_timeout: float, today: date
) -> int:
    """Apply an approved plan; print the report; return the exit code.

    ``today`` is the day on which the plan's end dates are judged.
    """
    document = to_document(plan)
    run = Run(now(), this_user(), operation, history_line(plan), document["digest"])
    with _stopping(backend) as stop, _progress(stop) as progress:
        outcome = apply_plan(
            plan,
            backend,
            run=run,
            today=today,
            lock_timeout=lock_timeout,
            progress=progress,
            stopped=stop.is_asked,
        )
    _report(plan, outcome, document["digest"])
    if outcome.is_complete and outcome.error is None:
        return 0
    if outcome.interrupted or outcome.error is None:
        return Interrupted.exit_code
    return outcome.error.exit_code


class _Stop:
    """Ctrl-C (and TERM): at once while nothing is written, after the current write from then on.

    The second time, what is under way is given up, and reported like any other lost answer; only
    the third time nothing is waited for.
    """

    def __init__(self, backend: Backend) -> None:
        self.writing = False
        self._backend = backend
        self._times = 0

    def is_asked(self) -> bool:
        return self._times > 0

    def __call__(self, *_: Any) -> None:
        if not self.writing:
            raise KeyboardInterrupt
        self._times += 1
        if self._times == 1:
            output.say("stopping after the current write; once more gives it up")
        elif self._times == 2:
            if isinstance(self._backend, Abortable):
                # In a thread of its own: the one that is interrupted here may hold any lock.
                threading.Thread(target=self._backend.abort, daemon=True).start()
        else:
            raise KeyboardInterrupt("interrupted; plan again to see what was done until then")


@contextmanager
def _stopping(backend: Backend) -> Iterator[_Stop]:
    stop = _Stop(backend)
    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class _Lines:
    """Progress as one line for each write."""

    def __init__(self, stop: _Stop) -> None:
        self._stop = stop

    def start(self, total: int) -> None:
        self._stop.writing = True

    def wrote(self, write: Write) -> None:
        output.note(f"done: {write_line(write)}")


class _Bar:
    """Progress as a bar on a terminal."""

    def __init__(self, stop: _Stop, bar: Any) -> None:
        self._stop, self._bar = stop, bar
        self._task: Any = None

    def start(self, total: int) -> None:
        self._stop.writing = True
        self._task = self._bar.add_task("Applying", total=total)

    def wrote(self, write: Write) -> None:
        self._bar.advance(self._task)


@contextmanager
def _progress(stop: _Stop) -> Iterator[Progress]:
    if output.MANNER.quiet or not sys.stderr.isatty():
        yield _Lines(stop)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True, no_color=not output.style_of(sys.stderr).color)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as bar:
        yield _Bar(stop, bar)


def _report(plan: Plan, outcome: Outcome, digest: str) -> None:
    if output.wants_json():
        output.result_json(_document(outcome, digest))
        return
    if outcome.is_complete and outcome.error is None:
        output.result(
            output.style_of(sys.stdout).paint(f"Apply complete: {done_line(plan)}", "green") + "\n"
        )
        return
    groups = {
        "done": outcome.applied,
        "failed": outcome.failed,
        "unknown": outcome.unknown,
        "not tried": outcome.not_tried,
    }
    made, total = len(outcome.applied), sum(map(len, groups.values()))
    lines = [f"The apply broke off. {made:,} of {total:,} writes were made."]
    if outcome.is_complete:
        lines = [
            f"All {total:,} writes were made, but the target could not be told to remember the run."
        ]
    elif outcome.unknown:
        lines[0] += f" Of {len(outcome.unknown):,} it is not known."
    lines += report_lines(groups, output.style_of(sys.stdout))
    if not outcome.is_complete:
        lines.append("Plan again to go on: what is done is not repeated.")
    output.result("\n".join(lines) + "\n")
    told = outcome.error.diagnostics if outcome.error else ()
    stopped = [Diagnostic("interrupted", "interrupted")] if outcome.interrupted else []
    output.warn([*told, *stopped])


def _document(outcome: Outcome, digest: str) -> dict[str, Any]:
    errors = outcome.error.diagnostics if outcome.error else ()
    return {
        "format": "provisioner-apply",
        "version": 1,
        "plan": digest,
        "complete": outcome.is_complete,
        "interrupted": outcome.interrupted,
        "applied": [write_line(write) for write in outcome.applied],
        "failed": [write_line(write) for write in outcome.failed],
        "unknown": [write_line(write) for write in outcome.unknown],
        "not_tried": [write_line(write) for write in outcome.not_tried],
        "errors": [diagnostic_document(error) for error in errors],
    }
