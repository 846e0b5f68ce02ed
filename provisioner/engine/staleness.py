"""In what a plan no longer fits the objects that are stored now. What it does not touch is free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.engine.changes import Action, AssignmentChange, RoleChange
from provisioner.engine.flatten import outdated
from provisioner.engine.rules_in_force import rule_changes
from provisioner.engine.target import with_new_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.plan import Plan
    from provisioner.model import Snapshot, State


def misfits(plan: Plan, snapshot: Snapshot) -> Iterator[str]:
    """Yield, for each change, in what its object is not what the plan was made from."""
    state = snapshot.state
    before = with_new_names(state, plan.renames)
    folded = {name.casefold(): name for name in state.roles}
    moving = {change.name for change in plan.changes if change.action is Action.DELETE}
    moving.update(plan.renames)
    known = snapshot.users if plan.target.capabilities.closed_users else None
    for change in plan.changes:
        if isinstance(change, AssignmentChange):
            login = change.name.casefold()
            held = before.assignments.get(login)
            if (held.roles if held else frozenset()) != change.before.roles:
                yield f"user {change.name} no longer holds what the plan was made from"
            elif change.added and known is not None and login not in known:
                yield f"this target no longer has a user {change.name}"
        elif change.before is None:
            other = folded.get(change.name.casefold())
            if other is not None and other not in moving:
                yield f"a role named {other} exists by now"
        else:
            stored = state.roles if change.action is Action.RENAME else before.roles
            current = stored.get(change.before.name)
            if current is None:
                yield f"role {change.before.name} no longer exists"
            elif current != change.before:
                yield f"role {change.before.name} is no longer what the plan was made from"


def moved_rules(plan: Plan, state: State) -> Iterator[str]:
    """Say so where the policies in force are not those that the plan would change."""
    if plan.target.capabilities.recording:
        now = rule_changes(state.policies, plan.rules.get("policies", ()))
        pairs = ([(c.before, c.after) for c in changes] for changes in (now, plan.rule_changes))
        if next(pairs) != next(pairs):
            yield "the rules in force are no longer those that it was made from"


def changed_includes(plan: Plan, after: State) -> Iterator[str]:
    """Yield the flattened roles that the plan would write with what others no longer carry."""
    written = {change.name for change in plan.changes if isinstance(change, RoleChange)}
    for role in outdated(after, plan.flattened):
        if role.name in written:
            yield f"what role {role.name} would include carries something else by now"
