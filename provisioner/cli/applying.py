"""From a plan to its end: show it, ask, apply it, say what is being done."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from provisioner import signals
from provisioner.apply.run import apply_plan
from provisioner.backends.attribution import now, this_user
from provisioner.backends.base import Abortable, Run
from provisioner.cli import output, streams
from provisioner.diagnostics import Diagnostic
from provisioner.documents.plan import to_document
from provisioner.errors import InvalidInput
from provisioner.reports.outcome import OutcomeReport
from provisioner.reports.plan import PlanReport
from provisioner.reports.text.outcome import write_line
from provisioner.reports.text.plan import question
from provisioner.reports.text.summary import history_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from provisioner.apply.one_by_one import Progress
    from provisioner.backends.base import Backend
    from provisioner.cli.output import Output
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.planning.saved import Judge
    from provisioner.engine.writes import Write


def require_approval(to: Output, *, auto_approve: bool, saved_plans: bool = True) -> None:
    """Make sure that somebody can be asked, before anything is shown or changed.

    Where the plan fails, is blocked or changes nothing, nobody has to be: that is said instead.

    ``saved_plans`` says whether a saved plan is another way.

    Raises:
        InvalidInput: Nobody is there to ask, and ``--auto-approve`` was not given.
    """
    if auto_approve:
        return
    is_terminal = sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()
    if not to.is_text or not is_terminal:
        why = "there is no terminal to ask on"
        if is_terminal:
            why = f"with --format {to.format.name} nobody is asked"
        remedy = "repeat with --auto-approve"
        if saved_plans:
            remedy += ", or apply a saved plan: "
            remedy += "`provisioner plan --out FILE`, then `provisioner apply --plan FILE`"
        raise InvalidInput(Diagnostic("no-approval", why, None, remedy))


def show(plan: Plan, to: Output) -> None:
    """Show the plan that is about to be applied, with which its report will begin."""
    to.begin(PlanReport(plan))


def question_about(plan: Plan, to: Output) -> str:
    """What to ask below the plan that was shown."""
    return question(plan, to.style_of(sys.stdout))


def ask(question: str) -> bool:
    """Ask on the terminal; only "yes" is a yes.

    Raises:
        InvalidInput: Plan and question could not be shown.
        click.Abort: The terminal is gone, or its end of input was typed.
    """
    output.leave(f"\n{question} Only `yes` is accepted: ")
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
    to: Output,
    *,
    operation: str,
    lock_timeout: float,
    today: date,
    judge: Judge | None = None,
) -> OutcomeReport:
    """Apply an approved plan that was shown; return how it ended.

    ``today`` is the day on which the plan's end dates are judged; ``judge`` as in ``apply_plan``.
    """
    digest = to_document(plan)["digest"]
    until = plan.dated if "users" in plan.manages else None
    run = Run(now(), this_user(), operation, history_line(plan), digest, until)
    stop = _Stop(backend, to)
    signals.answer(stop)
    with streams.without_waiting(), _progress(stop, to) as progress:
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
    return OutcomeReport(plan, operation, outcome)


def not_applied(plan: Plan, operation: str) -> OutcomeReport:
    """The report of a plan that somebody was asked about, and refused."""
    return OutcomeReport(plan, operation, None, refused=True, notes=("Not applied.",))


class _Stop:
    """What the signals do that ask to stop, from the plan's approval to the end of the process.

    While nothing is written they stop at once; from then on after the current write. The second
    time, what is under way is given up, and reported like any other lost answer; only the third
    time nothing is waited for. A terminal that hangs up can't be impatient: that counts once.
    When all is over there is nothing left to stop but telling of it.
    """

    def __init__(self, backend: Backend, to: Output) -> None:
        self.to = to
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
            self.to.say("stopping after the current write; once more gives it up")
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
        self._stop.to.note(f"done: {write_line(write)}")


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
def _progress(stop: _Stop, to: Output) -> Iterator[Progress]:
    if to.quiet or not sys.stderr.isatty():
        yield _Lines(stop)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True, no_color=not to.style_of(sys.stderr).color)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as bar:
        yield _Bar(stop, bar)
