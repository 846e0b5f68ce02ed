"""In what a plan no longer fits what is stored now. What it does not touch is free to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from provisioner.engine.changes import Action, AssignmentChange, RoleChange
from provisioner.engine.planning.compare import recounted
from provisioner.engine.planning.plan import coverage
from provisioner.engine.planning.verdict import judged
from provisioner.engine.rules.in_force import rule_changes
from provisioner.engine.transition.flatten import outdated
from provisioner.engine.transition.matching import conflicts
from provisioner.engine.transition.passage import roles_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.planning.trial import Trial
    from provisioner.engine.rules.policies import Violation
    from provisioner.engine.transition.passage import Passage


def recheck(trial: Trial) -> tuple[str, ...]:
    """Say in what a plan no longer fits what is stored now; nothing where it still does.

    Compared are the objects that the plan touches, what it changes for people, and the verdict of
    the guards. What changed elsewhere does not count. On the very version that the plan was made
    from, everything that it says of the target has to be so.
    """
    plan, base, passage = trial.plan, trial.snapshot.base, trial.passage
    reasons = [*_moved_rules(plan, passage), *_misfits(trial)]
    if plan.base.lineage is not None and plan.base.lineage != base.lineage:
        reasons.append("the target's state was replaced by another one (its lineage differs)")
    names = [change.name for change in plan.changes if isinstance(change, RoleChange)]
    found = conflicts(names, passage.stored, passage.renames, plan.settings)
    reasons += [problem.message for problem in found]
    if reasons:
        return tuple(reasons)
    reasons += _changed_includes(plan, passage)
    now = judged(trial)
    if now.impact != plan.impact:
        differing = {u.user for u in now.impact} ^ {u.user for u in plan.impact}
        whom = ", ".join(sorted(differing)) or "the same users, in other privileges"
        reasons.append(f"it would change access otherwise than planned: {whom}")
    # A plan that is applied had no blockers, so every one of them is a new verdict.
    reasons += [blocker.message for blocker in now.blockers]
    # A store that tells neither versions nor runs looks the same after every write.
    has_versions = plan.base.digest is not None or plan.target.capabilities.history
    if has_versions and plan.base == base and not reasons:
        looked_at = coverage(passage, plan.settings, plan.manages, plan.coverage.files)
        follows = replace(now, coverage=looked_at, changes=recounted(plan.changes, passage))
        reasons += _otherwise_than_told(plan, follows, passage)
    return tuple(reasons)


def _misfits(trial: Trial) -> Iterator[str]:
    """Yield, for each change, in what its object is not what the plan was made from."""
    plan, passage = trial.plan, trial.passage
    stored, before = passage.stored.roles, passage.before
    folded = {name.casefold(): name for name in stored}
    moving = {change.name for change in trial.deletions} | passage.renames.keys()
    known = trial.snapshot.users if plan.target.capabilities.closed_users else None
    for change in plan.changes:
        if isinstance(change, AssignmentChange):
            login = change.name.casefold()
            held = before.assignments.get(login)
            if roles_of(held) != change.before.roles:
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
            there = stored if change.action is Action.RENAME else before.roles
            current = there.get(change.before.name)
            if current is None:
                yield f"role {change.before.name} no longer exists"
            elif current != change.before:
                yield f"role {change.before.name} is no longer what the plan was made from"


def _moved_rules(plan: Plan, passage: Passage) -> Iterator[str]:
    """Say so where the policies in force are not those that the plan would change."""
    if plan.target.capabilities.recording:
        now = rule_changes(passage.stored.policies, plan.rules.get("policies", ()))
        pairs = ([(c.before, c.after) for c in changes] for changes in (now, plan.rule_changes))
        if next(pairs) != next(pairs):
            yield "the rules in force are no longer those that it was made from"


def _changed_includes(plan: Plan, passage: Passage) -> Iterator[str]:
    """Yield the flattened roles that the plan would write with what others no longer carry."""
    written = {change.name for change in plan.changes if isinstance(change, RoleChange)}
    for role in outdated(passage.new, plan.flattened):
        if role.name in written:
            yield f"what role {role.name} would include carries something else by now"


def _otherwise_than_told(plan: Plan, follows: Plan, passage: Passage) -> Iterator[str]:
    """Yield what a plan says of the target, and what is not so.

    ``follows`` is the same plan, worked out anew from the version that it was made from. Texts and
    places are not compared: they follow from the sources.
    """
    for name in plan.__struct_fields__:
        compared = _COMPARED.get(name, lambda value, _: value)
        told, is_so = (compared(getattr(it, name), plan.rules) for it in (plan, follows))
        if told != is_so:
            yield f"its `{name}` is not what follows from its changes in this target"
    for ending in plan.dated:
        held = passage.after.assignments.get(ending.user.casefold())
        if ending.role not in roles_of(held):
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
