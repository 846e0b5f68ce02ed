"""From an approved plan to its end: ask, apply, show progress, say exactly what was done."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from provisioner import signals
from provisioner.apply.outcome import Outcome
from provisioner.apply.run import apply_plan
from provisioner.backends.attribution import now, this_user
from provisioner.backends.base import Abortable, Run
from provisioner.cli import output, streams
from provisioner.diagnostics import Diagnostic
from provisioner.documents.plan import to_document
from provisioner.errors import Interrupted, InvalidInput, OthersChanged
from provisioner.reports.text.diagnostics import diagnostic_document
from provisioner.reports.text.plan import (
    done_line,
    history_line,
    question,
    report_lines,
    write_line,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from provisioner.apply.one_by_one import Progress
    from provisioner.backends.base import Backend
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.planning.saved import Judge
    from provisioner.engine.writes import Write


def require_approval(*, auto_approve: bool, saved_plans: bool = True) -> None:
    """Make sure that somebody can be asked, before anything is shown or changed.

    Where the plan fails, is blocked or changes nothing, nobody has to be: that is said instead.

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
    """Print the plan that is about to be applied. In JSON only one that is blocked is a result.

    What blocks it is an account of the run, and gets through where a plan can't be shown.
    """
    if not output.wants_json() or plan.blockers:
        output.show_plan(plan)
    if plan.blockers and streams.OUT.lost is not None:
        output.report(plan.blockers)


def question_about(plan: Plan) -> str:
    """What to ask below the plan that was shown."""
    manner = output.MANNER
    style = output.style_of(sys.stdout)
    return question(plan, style, brief=manner.quiet, places=manner.verbose)


def nothing_to_do(plan: Plan) -> int:
    """Report an apply of a plan without changes; return the exit code."""
    if output.wants_json():
        output.account_json(_document(Outcome(), to_document(plan)["digest"]))
    return 0


def ask(question: str) -> bool:
    """Ask on the terminal; only "yes" is a yes.

    Raises:
        InvalidInput: Plan and question could not be shown.
        click.Abort: The terminal is gone, or its end of input was typed.
    """
    output.result(f"\n{question} Only `yes` is accepted: ")
    if streams.OUT.lost is not None:
        why = "the plan can't be shown, so nobody is asked; nothing was changed"
        raise InvalidInput(Diagnostic("no-approval", why, None, "repeat on a terminal that works"))
    try:
        answer = sys.stdin.buffer.readline()
    except OSError as error:
        raise click.Abort from error
    if not answer:
        raise click.Abort
    return answer.strip() == b"yes"


def carry_out(
    plan: Plan,
    backend: Backend,
    *,
    operation: str,
    lock_timeout: float,
    today: date,
    judge: Judge | None = None,
) -> int:
    """Apply an approved plan; print the report; return the exit code.

    ``today`` is the day on which the plan's end dates are judged; ``judge`` as in ``apply_plan``.
    """
    document = to_document(plan)
    until = plan.dated if "users" in plan.manages else None
    run = Run(now(), this_user(), operation, history_line(plan), document["digest"], until)
    stop = _Stop(backend)
    signals.answer(stop)
    with streams.without_waiting(), _progress(stop) as progress:
        try:
            outcome = apply_plan(
                plan,
                backend,
                run=run,
                today=today,
                lock_timeout=lock_timeout,
                progress=progress,
                stopped=stop.is_asked,
                judge=judge,
            )
        finally:
            stop.is_over = True
    _report(plan, outcome, document["digest"], operation)
    if outcome.is_complete and outcome.error is None:
        return 0
    if outcome.interrupted or outcome.error is None:
        return Interrupted.exit_code
    return outcome.error.exit_code


class _Stop:
    """What the signals do that ask to stop, from the plan's approval to the end of the process.

    While nothing is written they stop at once; from then on after the current write. The second
    time, what is under way is given up, and reported like any other lost answer; only the third
    time nothing is waited for. A terminal that hangs up can't be impatient: that counts once.
    When all is over there is nothing left to stop but telling of it.
    """

    def __init__(self, backend: Backend) -> None:
        self.writing = False
        self.is_over = False
        self._backend = backend
        self._times = 0

    def is_asked(self) -> bool:
        return self._times > 0 or signals.Stopped.said is not None

    def __call__(self, number: int, _frame: Any) -> None:
        if self.is_over:
            streams.hurry()
        elif not self.writing:
            raise signals.Stopped
        elif not (self._times and number == signals.HANGUP):
            self._times += 1
            self._stop()

    def _stop(self) -> None:
        if self._times == 1:
            output.say("stopping after the current write; once more gives it up")
        elif self._times == 2:
            if isinstance(self._backend, Abortable):
                # In a thread of its own: the one that is interrupted here may hold any lock.
                threading.Thread(target=self._backend.abort, daemon=True).start()
        else:
            raise signals.Stopped("interrupted; plan again to see what was done until then")


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


def _report(plan: Plan, outcome: Outcome, digest: str, operation: str) -> None:
    if output.wants_json():
        output.account_json(_document(outcome, digest))
        return
    if outcome.is_complete and outcome.error is None:
        text = f"{operation.partition(' ')[0].capitalize()} complete: {done_line(plan)}"
        output.account(output.style_of(sys.stdout).paint(text, "green") + "\n")
        return
    groups = {
        "done": outcome.applied,
        "failed": outcome.failed,
        "unknown": outcome.unknown,
        "not tried": outcome.not_tried,
    }
    made, total = len(outcome.applied), sum(map(len, groups.values()))
    lines = [
        f"The {operation.split(maxsplit=1)[0]} broke off. {made:,} of {total:,} writes were made."
    ]
    if outcome.is_complete:
        but = "the target could not be told to remember the run"
        if isinstance(outcome.error, OthersChanged):
            but = "something else changed with them, or may have"
        lines = [f"All {total:,} writes were made, but {but}."]
    elif outcome.unknown:
        lines[0] += f" Of {len(outcome.unknown):,} it is not known."
    lines += report_lines(groups, output.style_of(sys.stdout))
    if not outcome.is_complete:
        lines.append(f"{_way_on(operation)} to go on: what is done is not repeated.")
    told = outcome.error.diagnostics if outcome.error else ()
    stopped = [Diagnostic("interrupted", "interrupted")] if outcome.interrupted else []
    output.account("\n".join(lines) + "\n", [*told, *stopped])


def _way_on(operation: str) -> str:
    """A plan from the sources leads forth, and ``last`` would be this run: a rollback is named."""
    is_back = operation.startswith("rollback ")
    return f"Repeat `provisioner {operation}`" if is_back else "Plan again"


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
