"""``apply``: make the changes, from sources or a saved plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

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
from provisioner.cli.session import open_session, plan_sources
from provisioner.desired.files import STANDARD_INPUT, read_bytes
from provisioner.diagnostics import Diagnostic
from provisioner.errors import Blocked, InvalidInput
from provisioner.planfile import decode

if TYPE_CHECKING:
    from datetime import date


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

    With --plan, apply exactly what was planned, or nothing: a plan that no longer fits the target
    is refused (exit code 4).
    """
    if plan_file is not None:
        _require_no_options(sources, as_of, guards)
        return _apply_saved(plan_file, config, target, lock_timeout)
    require_approval(auto_approve=auto_approve)
    if STANDARD_INPUT in sources and not auto_approve:
        remedy = "repeat with --auto-approve"
        why = "standard input can't be both a source and the answer"
        raise InvalidInput(Diagnostic("no-approval", why, None, remedy))
    session = open_session(config, target)
    made = plan_sources(session, sources, guards, as_of or options.today())
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


def _require_no_options(
    sources: tuple[str, ...], as_of: date | None, guards: dict[str, Any]
) -> None:
    given = ["SOURCE"] if sources else []
    given += ["--as-of"] if as_of else []
    given += [
        f"--{name.replace('_', '-')}"
        for name, value in guards.items()
        if value is not None and value is not False
    ]
    if given:
        message = f"{', '.join(given)} can't go with --plan: the plan fixes it already"
        raise click.UsageError(message, click.get_current_context())


def _apply_saved(
    plan_file: str, config: str | None, target: str | None, lock_timeout: float
) -> int:
    data = read_bytes(plan_file)
    if isinstance(data, Diagnostic):
        raise InvalidInput(data)
    saved = decode(data, plan_file)
    if saved.blockers:
        raise Blocked(saved.blockers)
    session = open_session(config, target)
    show(saved)
    if saved.is_empty:
        return nothing_to_do(saved)
    return carry_out(
        saved,
        session.backend,
        operation="apply",
        lock_timeout=lock_timeout,
        today=options.today(),
    )
