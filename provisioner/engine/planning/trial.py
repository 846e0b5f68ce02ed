"""A plan held against a snapshot: what guards, policies and checks of whether it still fits see."""

from __future__ import annotations

from msgspec import Struct

from provisioner.engine.changes import Action, RoleChange
from provisioner.engine.planning.plan import Plan
from provisioner.engine.transition.passage import Passage
from provisioner.model import Snapshot


class Trial(Struct, frozen=True):
    """A plan, what is stored, and what applying the plan there does.

    The snapshot also says whom the store takes the reader for, and which roles administer it.
    """

    plan: Plan
    snapshot: Snapshot
    passage: Passage

    @property
    def self_users(self) -> tuple[str, ...]:
        """Who runs this, by the settings or by what the store says."""
        subject = self.snapshot.subject
        return self.plan.settings.self_users or ((subject,) if subject else ())

    @property
    def administrators(self) -> frozenset[str]:
        """The roles that administer the target, by their new names."""
        renames = self.passage.renames
        return frozenset(renames.get(name, name) for name in self.snapshot.administrators)

    @property
    def deletions(self) -> list[RoleChange]:
        """The roles that the plan deletes."""
        found = (c for c in self.plan.changes if isinstance(c, RoleChange))
        return [change for change in found if change.action is Action.DELETE]


def tried(plan: Plan, snapshot: Snapshot) -> Trial:
    """The plan held against what is stored now."""
    return Trial(plan, snapshot, plan.passage(snapshot.state))
