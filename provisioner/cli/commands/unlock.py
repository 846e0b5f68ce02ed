"""``unlock``: remove a lock that a dead run left behind."""

from __future__ import annotations

from provisioner.cli import options, output
from provisioner.cli.app import command
from provisioner.cli.opening import open_session
from provisioner.printable import shown


@command("unlock")
@options.option("--force", is_flag=True, help="Remove the lock of a living run as well.")
@options.config
@options.target
@options.manner
def unlock(force: bool, config: str | None, target: str | None) -> int:
    """Remove the target's lock, and say whose it was.

    The lock of a run that is still alive is left alone (exit code 4), unless --force. Even then
    nothing is overwritten: a run whose state has moved on stops with a conflict.
    """
    backend = open_session(config, target).backend
    owner = backend.unlock(force=force)
    if owner is None and not backend.describe().locks:
        output.account("This target has no locks.\n")
    elif owner is None:
        output.account("There is no lock.\n")
    else:
        text = (
            f"Unlocked. It was {owner.by}, process {owner.pid}, {owner.operation}, "
            f"since {owner.since}."
        )
        output.account(f"{shown(text)}\n")
    return 0
