"""The guard of what is not under management yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.diagnostics import Diagnostic
from provisioner.engine.changes import Action, AssignmentChange, Change, RoleChange
from provisioner.engine.phrases import adopted_line, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.planning.trial import Trial


def adoption(trial: Trial) -> Iterator[Diagnostic]:
    """Nothing is taken from what is not under management yet, unless that is asked for."""
    plan = trial.plan
    if plan.settings.adopt:
        return
    recorded = trial.passage.before.recorded | plan.settings.adopted
    removals = [c for c in plan.changes if isinstance(c, AssignmentChange) and c.removed]
    remedy = "check the plan, then repeat with --adopt to take them under management"
    if not plan.target.capabilities.recording:
        line = adopted_line(plan.manages | plan.settings.adopted)
        remedy += f"; this target can't remember that, so then write `{line}` in the project file"
    if "roles" in plan.manages and "roles" not in recorded and trial.deletions:
        names = listed([change.name for change in trial.deletions])
        message = f"roles are not under management yet, and this plan would delete {names}"
        yield Diagnostic("adoption", message, None, remedy)
    narrowed = [change.name for change in plan.changes if _narrows(change)]
    if "roles" in plan.manages and "roles" not in recorded and narrowed:
        message = (
            "roles are not under management yet, and this plan would take privileges from "
            f"{listed(narrowed)}"
        )
        yield Diagnostic("adoption", message, None, remedy)
    if "users" in plan.manages and "users" not in recorded and removals:
        names = listed([change.name for change in removals])
        message = (
            f"assignments are not under management yet, and this plan would take roles from {names}"
        )
        yield Diagnostic("adoption", message, None, remedy)


def _narrows(change: Change) -> bool:
    """Whether an existing role itself loses privileges, or includes."""
    is_update = isinstance(change, RoleChange) and change.action is Action.UPDATE
    return is_update and change.effect in ("revokes", "both")
