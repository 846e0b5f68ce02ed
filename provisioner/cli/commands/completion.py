"""``completion``: print the completion script of a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

from provisioner.cli.app import provisioner
from provisioner.cli.declaring import command
from provisioner.reports.products import Product

if TYPE_CHECKING:
    from provisioner.cli.invocation import Invocation


@command("completion", Product)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(_: Invocation, shell: str) -> Product:
    """Print the completion script of SHELL.

    For bash: provisioner completion bash > ~/.local/share/bash-completion/completions/provisioner
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    script = found(provisioner, {}, "provisioner", "_PROVISIONER_COMPLETE")
    return Product(script.source() + "\n")
