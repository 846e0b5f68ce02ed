"""Spellings of before, which go on working: each is read as its new one, and a note names that."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioner.cli.output import Output


@dataclass(frozen=True, slots=True)
class Respelled:
    """A command line in its new spelling. ``shadows`` names a source that was not meant by it."""

    former: str
    words: list[str]
    shadows: str | None = None

    def tell(self, output: Output) -> None:
        """Name the new spelling, and what else might have been meant."""
        import shlex

        now = shlex.join(["provisioner", *self.words])
        output.note(f"`{self.former}` is spelled differently now: {now}")
        if self.shadows is not None:
            from provisioner.diagnostics import Diagnostic

            message = f"`{self.shadows}` is read as the command, not as the source of that name"
            remedy = f"`provisioner access ./{self.shadows}` reads the source"
            output.warn([Diagnostic("shadowed-source", message, None, remedy, "warning")])


def respelled(words: Sequence[str], group: click.Group, ctx: click.Context) -> Respelled | None:
    """Return the new spelling of a command line, or None where it is no former one.

    ``explain user`` alone asks about what is called so; ``explain user NAME`` is the former
    spelling. ``access revoke`` always is one: ``access ./revoke`` reads a source of that name.
    """
    match list(words):
        case ["access", "revoke", *rest]:
            shadows = "revoke" if os.path.lexists("revoke") else None
            return Respelled("access revoke", ["revoke", *rest], shadows)
        case ["explain", "user" | "role" as kind, *rest] if _is_former(rest, group, ctx):
            return Respelled(f"explain {kind}", ["explain", f"--{kind}", *rest])
    return None


def _is_former(rest: list[str], group: click.Group, ctx: click.Context) -> bool:
    """Whether ``explain`` finds a name among these words, and nothing that says of which kind."""
    explain = group.get_command(ctx, "explain")
    if explain is None:
        return False
    inner = click.Context(explain, ctx, "explain", resilient_parsing=ctx.resilient_parsing)
    given, *_ = explain.make_parser(inner).parse_args(list(rest))
    return isinstance(given.get("name"), str) and not given.keys() & {"user", "role"}
