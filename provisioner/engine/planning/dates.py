"""Until when assignments and exemptions last, and how long a plan that relies on them holds."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from provisioner.model import Ending

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provisioner.model import DatedRole, DesiredState


def endings(desired: DesiredState, as_of: date) -> tuple[Ending, ...]:
    """The dated assignments that are active, by their end, then by user and role."""
    found = [
        Ending(user.user, dated.role, dated.until)
        for user in (desired.users or {}).values()
        for dated in user.roles
        if dated.until is not None and dated.is_active(as_of)
    ]
    return tuple(sorted(found, key=lambda ending: (ending.until, ending.user, ending.role)))


def dates_of(desired: DesiredState, login: str, moved: frozenset[str]) -> tuple[DatedRole, ...]:
    """What the sources say of the dates and reasons of roles that a user gains or loses."""
    user = (desired.users or {}).get(login)
    dated = (item for item in (user.roles if user else ()) if item.until or item.reason)
    return tuple(sorted((d for d in dated if d.role in moved), key=lambda d: d.role))


def last_day(
    ends: Iterable[date], rules: Mapping[str, tuple[Any, ...]], as_of: date
) -> date | None:
    """The first of the end dates that a plan relies on: it holds on that day, and no longer.

    ``ends`` are those of assignments in force; exemptions from policies that are in force end too.
    """
    exempt = (item for policy in rules.get("policies", ()) for item in policy.get("except", ()))
    dates = (
        date.fromisoformat(item["until"])
        for item in exempt
        if isinstance(item, dict) and item.get("until")
    )
    return min((*ends, *(day for day in dates if as_of <= day)), default=None)
