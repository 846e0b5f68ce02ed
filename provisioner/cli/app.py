"""The table of commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import click
from msgspec.structs import replace

from provisioner.cli import streams
from provisioner.cli.respelled import respelled
from provisioner.cli.version import details, version
from provisioner.signals import Stopped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioner.cli.invocation import Invocation
    from provisioner.cli.respelled import Respelled
    from provisioner.diagnostics import Diagnostic

# Name: (module below provisioner.cli.commands, one line for the list). Modules load when used, so
# that `--version`, help and completion stay fast.
COMMANDS: Final = {
    "init": ("init", "Start a project in this folder"),
    "validate": ("validate", "Check the sources, without asking the panel"),
    "plan": ("plan", "Show what would change, and for whom"),
    "apply": ("apply", "Make the changes, from sources or a saved plan"),
    "show": ("show", "Show a saved plan"),
    "test": ("access_test", "Run the access tests of the sources"),
    "lint": ("lint", "Look for roles and assignments without need or effect"),
    "access": ("access", "Show who effectively holds what, and how that differs"),
    "explain": ("explain", "Say why somebody has a privilege, or why not"),
    "revoke": ("revoke", "Find the fewest edges to cut so that a user loses a privilege"),
    "import": ("import_", "Write the stored roles and assignments as YAML"),
    "roles": ("listings", "List the stored roles"),
    "privileges": ("listings", "List the privileges of the catalogue"),
    "users": ("listings", "List users and the roles they hold"),
    "history": ("history", "List the runs that changed the target"),
    "rollback": ("rollback", "Go back to the state after an earlier run"),
    "unlock": ("unlock", "Remove a lock that a dead run left behind"),
    "doctor": ("doctor", "Check the installation, the project and the target"),
    "serve": ("serve", "Run the reference gateway: this panel's roles over HTTP"),
    "schema": ("schema", "Print a JSON Schema, for editors and other tools"),
    "completion": ("completion", "Print the completion script of a shell"),
}
# Options of commands that many tools have before the command; either place is good.
EITHER_PLACE: Final = frozenset({"--config", "--target", "--trust"})
ERROR: Final = 1
INTERRUPTED: Final = 130
DEFECT: Final = "internal-error"


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is used."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put what may stand in either place behind the command."""
        moved: list[str] = []
        rest = list(args)
        while rest and rest[0].partition("=")[0] in EITHER_PLACE:
            taken = 1 if "=" in rest[0] else 2
            moved, rest = moved + rest[:taken], rest[taken:]
        if moved and rest[:1] in ([], ["--"]):
            ctx.fail(f"a command is missing behind `{' '.join(moved)}`")
        former = respelled(rest, self, ctx)
        rest = former.words if former else rest
        if moved and not rest[0].startswith("-"):
            rest[1:1] = moved
        ctx.ensure_object(Begun).former = former
        return super().parse_args(ctx, rest)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, if the table has it."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"provisioner.cli.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("import", "import_"))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest near names for a command that does not exist."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from provisioner.names import did_you_mean

            hint = did_you_mean(args[0], COMMANDS)
            ctx.fail(f"there is no command `{args[0]}`" + (f"; {hint}" if hint else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@dataclass
class Begun:
    """What is known of a run once its command has begun."""

    run: Invocation | None = None
    former: Respelled | None = None


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if not value:
        return
    if not ctx.params.get("verbose", False):
        click.echo(version())
        ctx.exit()
    from provisioner.cli.output import line

    for text in details():
        line(text)
    ctx.exit()


@click.group(
    cls=LazyGroup,
    name="provisioner",
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=False,
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    callback=_version,
    help="Show the version, and exit.",
)
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    is_eager=True,
    help="With --version: what a report of a defect needs.",
)
@click.pass_context
def provisioner(ctx: click.Context, verbose: bool) -> None:
    """Billing roles and privileges as code.

    YAML in git says who may do what in a billing panel. `plan` shows exactly what would change and
    for whom; `apply` changes it. `--config`, `--target` and `--trust` may stand before the command
    as well.
    """
    if verbose:
        ctx.fail(f"put -v behind `{ctx.invoked_subcommand}`")


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Prints what goes wrong, never a traceback."""
    # A run is short and makes no cyclic garbage worth collecting; looking for it doubles the time
    # that a large plan takes.
    gc.disable()
    begun = Begun()
    code = _run(list(arguments), begun)
    if streams.failure() is None:
        return code
    return _with_loss(code, begun.run or _guessed(arguments))


def _run(arguments: list[str], begun: Begun) -> int:
    try:
        code = provisioner.main(
            arguments, prog_name="provisioner", standalone_mode=False, obj=begun
        )
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)  # help, which is ours
        return ERROR
    except BaseException as error:
        if not (Stopped.said or isinstance(error, Exception | KeyboardInterrupt | Stopped)):
            raise
        errors, code = _why(error)
        run = begun.run or _guessed(arguments)
        if begun.run is None and begun.former is not None:
            begun.former.tell(run.output)
        if code == INTERRUPTED and sys.stderr.isatty():
            click.echo(err=True)  # the cursor stands behind a question, or ^C
        return _failed(errors, code, run)
    return code if isinstance(code, int) else 0


def _why(error: BaseException) -> tuple[Sequence[Diagnostic], int]:
    """Why a run ends here, and its exit code."""
    from provisioner.diagnostics import Diagnostic
    from provisioner.errors import ProvisionerError

    if Stopped.said or isinstance(error, click.Abort | KeyboardInterrupt | Stopped):
        why = Stopped.said or "interrupted; nothing was changed"
        return [Diagnostic("interrupted", why)], INTERRUPTED
    if isinstance(error, click.ClickException):
        usage = isinstance(error, click.UsageError) and error.ctx is not None
        hint = f"`{error.ctx.command_path} --help` explains" if usage else None  # type: ignore[attr-defined]
        return [Diagnostic("usage", error.format_message(), None, hint)], ERROR
    if isinstance(error, ProvisionerError):
        return error.diagnostics, error.exit_code
    what = f"internal error: {type(error).__name__}: {error}"
    remedy = "this is a defect of provisioner; -v shows where, `provisioner --version -v` in what"
    return [Diagnostic(DEFECT, what, None, remedy)], ERROR


def _failed(errors: Sequence[Diagnostic], code: int, run: Invocation) -> int:
    from provisioner.cli import output
    from provisioner.cli.delivery import deliver
    from provisioner.reports.errors import error_report

    if code == INTERRUPTED:  # whoever ends a run waits for no reader of a file
        run = replace(run, files=())
    code = deliver(error_report(errors, code, run.reports), run)
    if errors[0].id == DEFECT and run.output.verbose:
        from traceback import format_exc

        output.leave(f"{format_exc()}\n", err=True)
    return code


def _guessed(arguments: Sequence[str]) -> Invocation:
    """What the command line asks for, as far as it shows before it is parsed.

    Usage errors come before the options are known, and shall be JSON too where JSON is asked for.
    """
    from provisioner.cli.invocation import Invocation
    from provisioner.cli.output import Output
    from provisioner.reports.errors import ErrorReport
    from provisioner.reports.formats import FORMATS, TEXT

    said = [after for word, after in pairwise(arguments) if word == "--format"]
    said += [word.partition("=")[2] for word in arguments if word.startswith("--format=")]
    said += os.environ.get("PROVISIONER_FORMAT", "").split()
    known = (FORMATS[name] for name in said if name in FORMATS)
    form = next((each for each in known if each.suits(ErrorReport)), TEXT)
    return Invocation(output=Output(form))


def _with_loss(code: int, run: Invocation) -> int:
    """The exit code of a run of which something that it said was lost; says so."""
    from provisioner.cli.delivery import CHANGING
    from provisioner.diagnostics import Diagnostic
    from provisioner.reports.errors import ErrorReport

    if code == INTERRUPTED or run.command in CHANGING:
        return code
    if streams.OUT.lost is not None:  # else it would be said in the midst of a result
        run.output.show(ErrorReport((Diagnostic("output-lost", str(streams.failure())),)))
    return ERROR
