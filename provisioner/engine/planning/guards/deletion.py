"""Guards of roles that go, or lose their protection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.diagnostics import Diagnostic
from provisioner.engine.changes import Action, RoleChange
from provisioner.engine.phrases import listed
from provisioner.globs import matches_caseless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.planning.trial import Trial
    from provisioner.engine.settings import Settings


def default_role_deleted(trial: Trial) -> Iterator[Diagnostic]:
    """A default role is never deleted."""
    for change in trial.deletions:
        if change.name.casefold() in trial.plan.default_roles:
            message = f"`{change.name}` is a default role: it can't be deleted"
            yield Diagnostic("default-role", message, change.source, "leave it undeclared")


def protected_deleted(trial: Trial) -> Iterator[Diagnostic]:
    """A protected role is not deleted."""
    for change in trial.deletions:
        if change.before is not None and change.before.protected:
            yield Diagnostic(
                "protected",
                f"role `{change.name}` is protected, so it can't be deleted",
                change.source,
                "declare it with `protected: false`, apply that, then delete it in a later apply",
            )


def protected_narrowed(trial: Trial) -> Iterator[Diagnostic]:
    """A role that loses its protection keeps its name and what it carries, for this apply."""
    plan, passage = trial.plan, trial.passage
    renamed = {c.name for c in plan.changes if c.action is Action.RENAME}
    old, new = passage.old, passage.new
    for change in plan.changes:
        if not isinstance(change, RoleChange) or change.action is not Action.UPDATE:
            continue
        before, after = passage.before.roles.get(change.name), change.after
        is_default = change.name.casefold() in plan.default_roles
        if before is None or after is None or is_default or not before.protected > after.protected:
            continue
        lost = [
            ("be renamed", change.name in renamed),
            ("lose includes", bool(before.includes - after.includes)),
            ("lose privileges", bool(old.of_role(change.name) - new.of_role(change.name))),
        ]
        what = listed([verb for verb, is_lost in lost if is_lost], limit=len(lost))
        if what:
            yield Diagnostic(
                "protected",
                f"role `{change.name}` is protected, so it can't {what} in the apply that "
                "takes the protection away",
                change.source,
                "apply `protected: false` alone, then change the role in a later apply",
            )


def deleted_in_use(trial: Trial) -> Iterator[Diagnostic]:
    """A role that somebody would still hold, or include, is not deleted."""
    passage = trial.passage
    deleted = {change.name: change for change in trial.deletions}
    if not deleted:
        return
    for _, assignment in sorted(passage.after.assignments.items()):
        for name in sorted(assignment.roles & deleted.keys()):
            message = f"role `{name}` can't be deleted: {assignment.user} would still hold it"
            remedy = (
                "take it from the user first (declare `users:` so that assignments are managed)"
            )
            yield Diagnostic("role-in-use", message, deleted[name].source, remedy)
    for _, role in sorted(passage.after.roles.items()):
        for name in sorted(role.includes & deleted.keys()):
            message = f"role `{name}` can't be deleted: `{role.name}` would still include it"
            remedy = f"declare `{role.name}` without it"
            if is_others(role.name, trial.plan.settings):
                remedy = f"have `{role.name}` changed first by whoever manages it"
            yield Diagnostic("role-in-use", message, deleted[name].source, remedy)


def is_others(name: str, settings: Settings) -> bool:
    """Whether a role is left alone: ignored, or external."""
    external = {role.casefold() for role in settings.external}
    ignored = any(matches_caseless(glob, name) for glob in settings.ignore)
    return ignored or name.casefold() in external
