"""Checks on assignments: what they give in vain, and what ended or is about to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.engine.phrases import counted, listed, word
from provisioner.engine.rules.lint_case import covering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.rules.lint_case import Case, Found
    from provisioner.model import DatedRole


def redundant_assignment(case: Case) -> Iterator[Found]:
    """Roles of a user that the user's other roles give already."""
    for login, user in case.users():
        held = [dated for dated in user.roles if dated.is_active(case.as_of)]
        if len(held) > 1:
            yield from _assigned_in_vain(login, user.user, held, case)


def _assigned_in_vain(login: str, shown: str, held: list[DatedRole], case: Case) -> Iterator[Found]:
    carried = {dated.role: case.access.of_role(dated.role) for dated in held}
    kept = sorted(held, key=lambda dated: (len(carried[dated.role]), dated.role))
    in_vain = []
    for dated in [dated for dated in kept if dated.role in case.known]:
        others = _lasting(kept, dated)
        if carried[dated.role] <= frozenset().union(*(carried[other] for other in others)):
            kept.remove(dated)
            in_vain.append(dated)
    for dated in in_vain:
        offers = [(f"`{other}`", carried[other]) for other in _lasting(kept, dated)]
        cover = covering(carried[dated.role], offers)
        gives = f"gives nothing that {listed(cover)} does not" if cover else "gives nothing"
        message = f"{word(shown)} holds `{dated.role}`, which {gives}"
        remedy = f"remove `{dated.role}` from the user's roles"
        yield message, case.places.assignment(login, dated.role), remedy


def _lasting(held: list[DatedRole], dated: DatedRole) -> list[str]:
    """The other roles that are held for at least as long as this one."""
    return [other.role for other in held if other is not dated and _lasts_as_long(other, dated)]


def _lasts_as_long(role: DatedRole, other: DatedRole) -> bool:
    return role.until is None or (other.until is not None and role.until >= other.until)


def assignment_ended(case: Case) -> Iterator[Found]:
    """Assignments whose last day is over."""
    for login, user in case.users():
        for dated in user.roles:
            if not dated.is_active(case.as_of):
                message = f"{word(user.user)} held `{dated.role}` until {dated.until}"
                place = case.places.assignment(login, dated.role)
                yield message, place, "remove it, or set a later date"


def assignment_ends_soon(case: Case) -> Iterator[Found]:
    """Assignments whose last day is near."""
    for login, user in case.users():
        for dated in user.roles:
            if dated.until is None or not dated.is_active(case.as_of):
                continue
            left = (dated.until - case.as_of).days
            if left <= case.soon_days:
                when = f"in {counted(left, 'day')}" if left else "today"
                message = (
                    f"{word(user.user)} holds `{dated.role}` until {dated.until}: it ends {when}"
                )
                place = case.places.assignment(login, dated.role)
                yield message, place, "set a later date if it is needed longer"
