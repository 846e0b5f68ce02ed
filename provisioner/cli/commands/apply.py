"""``apply``: make the changes, from sources or a saved plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from provisioner.cli import options, output
from provisioner.cli.app import command
from provisioner.cli.applying import (
    ask,
    carry_out,
    nothing_to_do,
    question_about,
    require_approval,
    show,
)
from provisioner.cli.opening import open_session, plan_sources
from provisioner.cli.saved import judge_of, open_for, read_plan, tell_what_moved
from provisioner.desired.files import STANDARD_INPUT
from provisioner.diagnostics import Diagnostic
from provisioner.errors import Blocked, InvalidInput

if TYPE_CHECKING:
    from datetime import date

# What a plan leaves open: where the project is, how to reach its target, how to talk.
_WITH_A_PLAN: Final = frozenset(
    (
        *("plan_file", "auto_approve", "lock_timeout", "config", "target"),
        *("insecure_http", "trust"),
        *("format", "no_color", "verbose", "quiet"),
    )
)


@command("apply")
@options.sources
@options.option("--plan", "plan_file", metavar="FILE", help="Apply this saved plan; does not ask.")
@options.auto_approve
@options.lock_timeout
@options.config
@options.target
@options.formats
@options.as_of
@options.guards
@options.only_these
@options.manner
def apply(
    sources: tuple[str, ...],
    plan_file: str | None,
    auto_approve: bool,
    lock_timeout: float,
    config: str | None,
    target: str | None,
    as_of: date | None,
    **guards: Any,
) -> int:
    """Bring the target to what the sources say, after showing the plan and asking.

    With --plan, apply exactly what was planned, or nothing: a plan that no longer fits the target,
    or that was applied already, is refused (exit code 4). The project that is found here judges it
    again; only the target comes from the plan.
    """
    if plan_file is not None:
        _require_no_options()
        named = target if _is_given("target") else None
        return _apply_saved(plan_file, config, named, lock_timeout)
    if STANDARD_INPUT in sources and not auto_approve:
        remedy = "repeat with --auto-approve"
        why = "standard input can't be both a source and the answer"
        raise InvalidInput(Diagnostic("no-approval", why, None, remedy))
    session = open_session(config, target)
    made = plan_sources(session, sources, guards, as_of or options.today())
    if made.applyable:
        require_approval(auto_approve=auto_approve)
    show(made)
    if made.blockers:
        return Blocked.exit_code
    if made.is_empty:
        return nothing_to_do(made)
    if not auto_approve and not ask(question_about(made)):
        output.note("Not applied.")
        return 1
    return carry_out(
        made, session.backend, operation="apply", lock_timeout=lock_timeout, today=made.as_of
    )


def _require_no_options() -> None:
    """Refuse what the plan fixes already; a variable that says it is left aside."""
    context = click.get_current_context()
    given = [
        "SOURCE" if isinstance(param, click.Argument) else max(param.opts, key=len)
        for param in context.command.params
        if param.name not in _WITH_A_PLAN and _is_given(str(param.name))
    ]
    if given:
        message = f"{', '.join(given)} can't go with --plan: the plan fixes it already"
        raise click.UsageError(message, context)


def _is_given(name: str) -> bool:
    """Whether a parameter stands on the command line itself."""
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def _apply_saved(
    plan_file: str, config: str | None, target: str | None, lock_timeout: float
) -> int:
    saved = read_plan(plan_file)
    if saved.blockers:
        raise Blocked(saved.blockers)
    session = open_for(saved, plan_file, config, target)
    show(saved)
    if saved.is_empty:
        return nothing_to_do(saved)
    snapshot = session.backend.read()
    judge = judge_of(saved, session, snapshot)
    tell_what_moved(saved, session, snapshot, judge)
    return carry_out(
        saved,
        session.backend,
        operation="apply",
        lock_timeout=lock_timeout,
        today=judge.today,
        judge=judge,
    )
