"""The changes that lead from one state to another, in the order in which people read them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.engine.access.effective import EffectiveAccess
from provisioner.engine.changes import Action, AssignmentChange, Change, RoleChange
from provisioner.engine.diff import field_changes
from provisioner.engine.transition.matching import with_new_names
from provisioner.model import Assignment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.engine.transition.matching import Target
    from provisioner.model import DatedRole, DesiredState, Grant, Place, Provenance, Role, State


def find_changes(
    stored: State, target: Target, desired: DesiredState, origins: Mapping[str, frozenset[str]]
) -> tuple[Change, ...]:
    """Return what differs between a stored state and the target: roles by name, then users.

    ``origins`` are, for a role that carries what others declare, those others.
    """
    provenance, renames = desired.provenance, target.renames
    before, after = with_new_names(stored, renames), target.after
    differing = sorted(
        name
        for name in before.roles.keys() | after.roles.keys()
        if before.roles.get(name) is not after.roles.get(name)
    )
    former = {new: old for old, new in renames.items()}
    touched = sorted({*differing, *former})
    counts = _holders(before, after) if touched else {}
    changes: list[Change] = []
    none: frozenset[str] = frozenset()
    for name in touched:
        place = provenance.role(name)
        old, new = before.roles.get(name), after.roles.get(name)
        count = counts.get(name, 0)
        if name in former and old is not None:
            origin = stored.roles[former[name]]
            changes.append(
                RoleChange(Action.RENAME, name, origin, old, source=place, holders=count)
            )
        if old != new:
            change = _role_change(name, old, new, place, count)
            changes.append(replace(change, grants=_grants(change, provenance, origins)))
    for login in sorted(before.assignments.keys() | after.assignments.keys()):
        had, has = before.assignments.get(login), after.assignments.get(login)
        if had is has or (had.roles if had else none) == (has.roles if has else none):
            continue
        shown = (had or has or Assignment(login)).user
        place = provenance.user(login)
        held, holds = had or Assignment(shown), has or Assignment(shown)
        dated = dates_of(desired, login, holds.roles ^ held.roles)
        changes.append(AssignmentChange(shown, held, holds, place, dated))
    return tuple(changes)


def _grants(
    change: RoleChange, provenance: Provenance, origins: Mapping[str, frozenset[str]]
) -> tuple[Grant, ...]:
    added = frozenset(change.added)
    if not added:
        return ()
    if change.name not in origins:
        return tuple(grant for grant in provenance.grants(change.name) if grant.privilege in added)
    names = sorted({change.name, *origins[change.name]})
    found = [grant for name in names for grant in provenance.grants(name)]
    return tuple(
        sorted(
            (grant for grant in found if grant.privilege in added),
            key=lambda grant: (grant.privilege, grant.place or ()),
        )
    )


def dates_of(desired: DesiredState, login: str, moved: frozenset[str]) -> tuple[DatedRole, ...]:
    """What the sources say of the dates and reasons of roles that a user gains or loses."""
    user = (desired.users or {}).get(login)
    dated = (item for item in (user.roles if user else ()) if item.until or item.reason)
    return tuple(sorted((d for d in dated if d.role in moved), key=lambda d: d.role))


def _role_change(
    name: str, old: Role | None, new: Role | None, place: Place | None, count: int
) -> RoleChange:
    if old is None:
        return RoleChange(Action.CREATE, name, None, new, source=place, holders=count)
    if new is None:
        return RoleChange(Action.DELETE, name, old, None, source=place, holders=count)
    fields = field_changes(old, new)
    return RoleChange(Action.UPDATE, name, old, new, fields, place, count)


def recounted(changes: tuple[Change, ...], before: State, after: State) -> tuple[Change, ...]:
    """The same changes, the holders of each role counted in these states. Both in new names."""
    counts = _holders(before, after) if any(isinstance(c, RoleChange) for c in changes) else {}
    return tuple(
        replace(change, holders=counts.get(change.name, 0))
        if isinstance(change, RoleChange)
        else change
        for change in changes
    )


def _holders(before: State, after: State) -> dict[str, int]:
    """Count, for each role, the users who carry it before or after, includes counted."""
    old, new = EffectiveAccess(before), EffectiveAccess(after)
    counts: Counter[str] = Counter()
    for login in before.assignments.keys() | after.assignments.keys():
        had, has = before.assignments.get(login), after.assignments.get(login)
        carried = old.closure(had.roles) if had else frozenset()
        counts.update(carried | new.closure(has.roles) if has else carried)
    return counts
