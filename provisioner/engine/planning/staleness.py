"""In what a plan no longer fits the objects that are stored now. What it does not touch is free."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from provisioner.engine.changes import Action, AssignmentChange, RoleChange
from provisioner.engine.rules.in_force import rule_changes
from provisioner.engine.transition.flatten import outdated
from provisioner.engine.transition.matching import with_new_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.rules.policies import Violation
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
            elif held is not None and held.user != change.before.user:
                yield f"user {change.name} is written {held.user} by now"
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


def otherwise_than_told(plan: Plan, follows: Plan, after: State) -> Iterator[str]:
    """Yield what a plan says of the target, and what is not so.

    ``follows`` is the same plan, worked out anew from the version that it was made from; ``after``
    is what that leads to. Texts and places are not compared: they follow from the sources.
    """
    for name in plan.__struct_fields__:
        compared = _COMPARED.get(name, lambda value, _: value)
        told, is_so = (compared(getattr(it, name), plan.rules) for it in (plan, follows))
        if told != is_so:
            yield f"its `{name}` is not what follows from its changes in this target"
    for ending in plan.dated:
        held = after.assignments.get(ending.user.casefold())
        if held is None or ending.role not in held.roles:
            yield f"its `dated` says that {ending.user} holds {ending.role}, which is not so"


def _without_texts(
    violations: Iterable[Violation], rules: Mapping[str, tuple[Any, ...]]
) -> list[Violation]:
    """Violations without messages and places, and only those that a state alone shows."""
    by_sources = {policy["name"] for policy in rules.get("policies", ()) if "dated" in policy}
    return [
        replace(violation, message="", witness=(), place=None, brought_at=None)
        for violation in violations
        if violation.policy not in by_sources
    ]


_COMPARED: Final = {"violations": _without_texts}


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
