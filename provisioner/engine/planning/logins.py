"""Logins that can be mistaken for others: said, not refused, for people do have such names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner import names
from provisioner.diagnostics import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.model import DesiredState, State


def login_notes(desired: DesiredState, state: State) -> Iterator[Diagnostic]:
    """Yield where a declared login looks like, or unexpectedly is, another one that is stored.

    What looks like another declared one is said where the sources are read.
    """
    declared = desired.users or {}
    for login, user in sorted(declared.items()):
        stored = state.assignments.get(login)
        if stored is not None and names.is_same_in_other_letters(user.user, stored.user):
            message = (
                f"look-alike: `{user.user}` is the stored user `{stored.user}`, written in other "
                "letters: logins are compared without regard to case"
            )
            yield Diagnostic(
                "look-alike-login",
                message,
                desired.provenance.user(login),
                f"write `{stored.user}` if that one is meant; no other can be told from it",
                "warning",
            )
    new = [user.user for login, user in declared.items() if login not in state.assignments]
    others = [a.user for login, a in state.assignments.items() if login not in declared]
    for login, other in sorted(names.look_alikes(new, others).items()):
        message = f"look-alike: the login `{login}` looks like the stored user `{other}`"
        place = desired.provenance.user(login.casefold())
        yield Diagnostic("look-alike-login", message, place, "check which one is meant", "warning")
