"""A plan in numbers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from provisioner.engine.changes import Action

if TYPE_CHECKING:
    from provisioner.engine.planning.plan import Plan


class Summary(Struct, frozen=True):
    """How many roles are created, updated, renamed, deleted; how many users are reassigned.

    ``rules`` counts policies added, changed and removed;
    ``gaining`` and ``losing`` count users whose effective access grows or shrinks (or both).
    """

    create: int = 0
    update: int = 0
    rename: int = 0
    delete: int = 0
    assign: int = 0
    gaining: int = 0
    losing: int = 0
    rules: int = 0


def summarise(plan: Plan) -> Summary:
    """Count a plan's changes and the people they reach."""
    counts = Counter(change.action for change in plan.changes)
    return Summary(
        counts[Action.CREATE],
        counts[Action.UPDATE],
        counts[Action.RENAME],
        counts[Action.DELETE],
        counts[Action.ASSIGN],
        sum(1 for user in plan.impact if user.gained),
        sum(1 for user in plan.impact if user.lost),
        len(plan.rule_changes),
    )
