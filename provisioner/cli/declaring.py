"""Declaring a command: its own options, the reports that it may return, and all that follows."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from provisioner.cli import options
from provisioner.cli.app import COMMANDS, Begun
from provisioner.cli.delivery import deliver, with_files
from provisioner.cli.invocation import Invocation
from provisioner.cli.output import Output
from provisioner.reports.formats import TEXT, offered

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.reports.report import Report

# Common options that say where project and target are.
_WHERE: Final = ("config", "target", "trust", "insecure_http")


def command(
    name: str,
    *reports: type[Report],
) -> Callable[[Callable[..., Report]], Any]:
    """Declare a command of the table that returns one of these reports.

    Its first argument is the ``Invocation``; the others are the options that are its own.
    """

    def declare(function: Callable[..., Report]) -> click.Command:
        @wraps(function)
        @click.pass_context
        def answer(ctx: click.Context, /, **given: Any) -> int:
            return _answer(ctx, function, reports, given)

        common = [options.formats(reports)] if len(offered(reports)) > 1 else []
        answer.__click_params__ = []  # type: ignore[attr-defined]
        wrapped = options.chain(*common, options.manner)(answer)
        wrapped.__click_params__ += getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
        return click.command(name, short_help=COMMANDS[name][1])(wrapped)

    return declare


def _answer(
    ctx: click.Context,
    function: Callable[..., Report],
    reports: tuple[type[Report], ...],
    given: dict[str, Any],
) -> int:
    """Run a command: read its common options, check its files, have it done, and tell of it."""
    wanted: tuple[options.Wanted, ...] = given.pop("format", ())
    options.take_sources(ctx, given)
    run = Invocation(
        ctx.info_name or "",
        reports,
        Output(
            next((form for form, file in wanted if file is None), TEXT),
            color=not given.pop("no_color"),
            verbose=given.pop("verbose"),
            quiet=given.pop("quiet"),
        ),
        given={
            str(param.name): _spelled(param)
            for param in ctx.command.params
            if ctx.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE
        },
        **{name: given.pop(name) for name in _WHERE if name in given},
    )
    begun = ctx.ensure_object(Begun)
    begun.run = run
    if begun.former is not None:
        begun.former.tell(run.output)
    files = [(form, file) for form, file in wanted if file is not None]
    read = [value for value in (*given.values(), run.trust) if isinstance(value, str)]
    run = begun.run = with_files(run, files, given.get("sources", ()), read)
    return deliver(function(run, **given), run)


def _spelled(param: click.Parameter) -> str:
    """A parameter as the command line has it: ``--max-deletes``, ``SOURCE``."""
    if isinstance(param, click.Argument):
        return (param.metavar or str(param.name).upper()).strip("[].")
    return max(param.opts, key=len)
