"""The changes that lead from one state to another, in the order in which people read them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.engine.changes import Action, AssignmentChange, Change, RoleChange
from provisioner.engine.diff import field_changes
from provisioner.engine.planning.dates import dates_of
from provisioner.engine.transition.passage import roles_of
from provisioner.model import Assignment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.engine.transition.passage import Passage
    from provisioner.model import DesiredState, Grant, Place, Provenance, Role


def find_changes(
    passage: Passage, desired: DesiredState, origins: Mapping[str, frozenset[str]]
) -> tuple[Change, ...]:
    """Return what differs between both states of a passage: roles by name, then users.

    ``origins`` are, for a role that carries what others declare, those others.
    """
    provenance, before, after = desired.provenance, passage.before, passage.after
    former = {new: old for old, new in passage.renames.items()}
    touched = passage.roles
    counts = _holders(passage) if touched else {}
    changes: list[Change] = []
    for name in touched:
        place = provenance.role(name)
        old, new = before.roles.get(name), after.roles.get(name)
        count = counts.get(name, 0)
        if name in former and old is not None:
            origin = passage.stored.roles[former[name]]
            changes.append(
                RoleChange(Action.RENAME, name, origin, old, source=place, holders=count)
            )
        if old != new:
            change = _role_change(name, old, new, place, count)
            changes.append(replace(change, grants=_grants(change, provenance, origins)))
    for login in passage.users:
        had, has = before.assignments.get(login), after.assignments.get(login)
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


def _role_change(
    name: str, old: Role | None, new: Role | None, place: Place | None, count: int
) -> RoleChange:
    if old is None:
        return RoleChange(Action.CREATE, name, None, new, source=place, holders=count)
    if new is None:
        return RoleChange(Action.DELETE, name, old, None, source=place, holders=count)
    fields = field_changes(old, new)
    return RoleChange(Action.UPDATE, name, old, new, fields, place, count)


def recounted(changes: tuple[Change, ...], passage: Passage) -> tuple[Change, ...]:
    """The same changes, the holders of each role counted in the states of a passage."""
    counts = _holders(passage) if any(isinstance(c, RoleChange) for c in changes) else {}
    return tuple(
        replace(change, holders=counts.get(change.name, 0))
        if isinstance(change, RoleChange)
        else change
        for change in changes
    )


def _holders(passage: Passage) -> dict[str, int]:
    """Count, for each role, the users who carry it before or after, includes counted."""
    counts: Counter[str] = Counter()
    had, has = passage.before.assignments, passage.after.assignments
    for login in had.keys() | has.keys():
        counts.update(
            passage.old.closure(roles_of(had.get(login)))
            | passage.new.closure(roles_of(has.get(login)))
        )
    return counts
