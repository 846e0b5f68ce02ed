"""What of the sources only the store can show to be wrong, without planning any change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.diagnostics import Diagnostic
from provisioner.engine.transition.adapt import unknown_users
from provisioner.engine.transition.matching import find_target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from provisioner.engine.settings import Settings
    from provisioner.model import Catalogue, DesiredState, Place, Snapshot


def check_against_store(
    desired: DesiredState,
    snapshot: Snapshot,
    settings: Settings,
    catalogue: Catalogue,
    as_of: date,
    *,
    closed_users: bool,
) -> Iterator[Diagnostic]:
    """Yield what the sources refer to and the store does not have: roles, external ones, users.

    Names that look like stored ones in other letters, and names that can't be had, are among it.
    """
    yield from find_target(desired, snapshot.state, settings, catalogue, as_of).problems
    known = snapshot.state.roles.keys() | (desired.roles or {}).keys()
    external = set(settings.external)
    for who, name, place in _references(desired):
        if name not in known and name not in external:
            message = f"`{who}` refers to the role `{name}`, which this target does not have"
            yield Diagnostic("role-missing", message, place, f"create `{name}` first")
    if closed_users:
        yield from unknown_users(desired, snapshot, as_of)


def _references(desired: DesiredState) -> Iterator[tuple[str, str, Place | None]]:
    """Who refers to which role, and where."""
    for name, wanted in (desired.roles or {}).items():
        for included in sorted(wanted.role.includes):
            yield name, included, desired.provenance.include(name, included)
    for login, user in (desired.users or {}).items():
        for dated in user.roles:
            yield user.user, dated.role, desired.provenance.assignment(login, dated.role)
