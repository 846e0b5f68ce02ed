"""``completion``: print the completion script of a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from provisioner.cli import options, output
from provisioner.cli.app import command, provisioner


@command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@options.manner
def completion(shell: str) -> int:
    """Print the completion script of SHELL.

    For bash: provisioner completion bash > ~/.local/share/bash-completion/completions/provisioner
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    script = found(provisioner, {}, "provisioner", "_PROVISIONER_COMPLETE")
    output.result(script.source() + "\n")
    return 0
