"""The table of commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from provisioner import __version__
from provisioner.cli import streams
from provisioner.signals import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    "access": ("access", "Show who effectively holds what, and what would change it"),
    "explain": ("explain", "Say why somebody has a privilege, or why not"),
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
# What became of the changes is their exit code, whatever could be told of it; the other commands
# fail where something that they had to say was lost.
CHANGING: Final = frozenset({"apply", "init", "rollback", "serve", "unlock"})
ERROR: Final = 1
INTERRUPTED: Final = 130


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
        if moved and not rest[0].startswith("-"):
            rest[1:1] = moved
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
class Invocation:
    """One command line: its command, once that has begun."""

    command: str | None = None


@click.group(
    cls=LazyGroup,
    name="provisioner",
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=False,
)
@click.version_option(__version__, prog_name="provisioner", message="%(prog)s %(version)s")
def provisioner() -> None:
    """Billing roles and privileges as code.

    YAML in git says who may do what in a billing panel. `plan` shows exactly what would change and
    for whom; `apply` changes it. `--config`, `--target` and `--trust` may stand before the command
    as well.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Prints what goes wrong, never a traceback."""
    # A run is short and makes no cyclic garbage worth collecting; looking for it doubles the time
    # that a large plan takes.
    gc.disable()
    made = Invocation()
    return _answered_for(_run(list(arguments), made), made.command)


def _run(arguments: list[str], made: Invocation) -> int:
    try:
        code = provisioner.main(arguments, prog_name="provisioner", standalone_mode=False, obj=made)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)  # help, which is ours
        return ERROR
    except click.ClickException as error:
        usage = isinstance(error, click.UsageError) and error.ctx is not None
        hint = f"`{error.ctx.command_path} --help` explains" if usage else None  # type: ignore[attr-defined]
        _report("usage", error.format_message(), hint)
        return ERROR
    except (click.Abort, KeyboardInterrupt, Stopped):
        return _interrupted()
    except BaseException as error:
        if Stopped.said:
            return _interrupted()
        if not isinstance(error, Exception):
            raise
        return _failed(error)
    return code if isinstance(code, int) else 0


def _answered_for(code: int, command: str | None) -> int:
    """The exit code of a run, once it is known whether what it said was lost; says if so."""
    lost = streams.failure()
    if lost is None or code == INTERRUPTED or command in CHANGING:
        return code
    if streams.OUT.lost is not None:  # else it would be said in the midst of a result
        _report("output-lost", lost, None)
    return ERROR


def _interrupted() -> int:
    if sys.stderr.isatty():
        click.echo(err=True)  # the cursor stands behind a question, or ^C
    _report("interrupted", Stopped.said or "interrupted; nothing was changed", None)
    return INTERRUPTED


def _failed(error: Exception) -> int:
    from provisioner.cli import output
    from provisioner.errors import ProvisionerError

    if isinstance(error, ProvisionerError):
        output.report(error.diagnostics)
        return error.exit_code
    output.report_defect(error)
    return ERROR


def _report(id: str, message: str, remedy: str | None) -> None:
    from provisioner.cli import output
    from provisioner.diagnostics import Diagnostic

    output.report([Diagnostic(id, message, None, remedy)])


def command(name: str, **settings: Any) -> Callable[[Callable[..., int]], click.Command]:
    """Declare a command of the table; its summary there is its short help."""
    return click.command(name, cls=_Command, short_help=COMMANDS[name][1], **settings)


class _Command(click.Command):
    def invoke(self, ctx: click.Context) -> Any:
        ctx.ensure_object(Invocation).command = self.name
        return super().invoke(ctx)
