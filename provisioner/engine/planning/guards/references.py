"""Guards of what roles and users refer to: roles that are not there, and circles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.diagnostics import Diagnostic
from provisioner.engine.changes import AssignmentChange, RoleChange
from provisioner.engine.phrases import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.planning.trial import Trial


def dangling(trial: Trial) -> Iterator[Diagnostic]:
    """References to roles that neither exist nor are created: external ones that went missing."""
    passage = trial.passage
    known = passage.after.roles.keys() | {change.name for change in trial.deletions}
    for change in trial.plan.changes:
        if isinstance(change, AssignmentChange):
            wanted = change.after.roles
        else:
            role = passage.after.roles.get(change.name)
            wanted = role.includes if role else frozenset()
        for name in sorted(n for n in wanted if n not in known):
            message = (
                f"`{change.name}` refers to the role `{name}`, which this target does not have"
            )
            yield Diagnostic("role-missing", message, change.source, f"create `{name}` first")


def include_cycle(trial: Trial) -> Iterator[Diagnostic]:
    """Circles that the sources alone do not show: through default and undeclared roles."""
    passage = trial.passage
    access = passage.new
    for change in trial.plan.changes:
        role = passage.after.roles.get(change.name) if isinstance(change, RoleChange) else None
        if role is not None and role.name in access.closure(role.includes):
            over = listed(sorted(role.includes))
            message = f"role `{role.name}` would include itself, over {over}"
            yield Diagnostic("include-cycle", message, change.source, "remove one of the includes")
