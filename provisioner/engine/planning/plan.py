"""The plan: the ordered changes from current to desired, bound to what it was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

from provisioner.diagnostics import Diagnostic
from provisioner.engine.access.effective import UserImpact
from provisioner.engine.changes import Action, AssignmentChange, Change, RoleChange
from provisioner.engine.planning.kept import Kept
from provisioner.engine.rules.in_force import RuleChange, in_force
from provisioner.engine.rules.policies import Violation
from provisioner.engine.settings import Settings
from provisioner.engine.transition.matching import ignored_roles, ignored_users
from provisioner.engine.transition.passage import passage_from
from provisioner.model import KINDS, Base, Capabilities, Ending, Kind, Role, State

if TYPE_CHECKING:
    from provisioner.engine.transition.passage import Passage

SOON: Final = timedelta(days=30)


class TargetIdentity(Struct, frozen=True):
    """Which target a plan is for, and what it can do: the plan is adapted to that.

    ``project`` is the digest of the project file that the target stands in, ``config`` its path.
    """

    name: str
    kind: str
    identity: str
    capabilities: Capabilities
    project: str | None = None
    config: str | None = None


class Coverage(Struct, frozen=True):
    """What was looked at: so that "no changes" can't mean "did not look"."""

    files: tuple[str, ...] = ()
    roles: int = 0
    users: int = 0
    ignored: Mapping[str, int] = field(default_factory=dict)
    ignored_users: Mapping[str, int] = field(default_factory=dict)
    unmanaged: tuple[Kind, ...] = ()


class Plan(Struct, frozen=True):
    """Everything a reviewer and ``apply`` need to know. Changes stand in the order of design §6.

    ``blockers`` are the guards and policies that forbid applying it; ``notes`` say how it was
    adapted to what the target lacks; ``flattened`` are the roles whose includes the target can't
    hold, as the sources write them (name, own privileges, includes); ``violations`` are all breaks
    of policies, blocking or not; ``kept`` tells where a revocation is not complete; ``sensitive``
    are the sensitive privileges of the catalogue; ``declared_defaults`` the default roles that the
    sources declare; ``dated`` are the assignments with an end that are active after it, where
    assignments are managed; ``valid_until`` is the first end date that the plan relies on: one of
    these, or of an exemption from a policy. ``rules`` are what it was judged by: ``policies`` are
    in force after it, ``rule_changes`` what it changes about those that were before.
    """

    target: TargetIdentity
    base: Base
    as_of: date
    settings: Settings
    changes: tuple[Change, ...] = ()
    impact: tuple[UserImpact, ...] = ()
    kept: tuple[Kept, ...] = ()
    violations: tuple[Violation, ...] = ()
    blockers: tuple[Diagnostic, ...] = ()
    notes: tuple[Diagnostic, ...] = ()
    flattened: tuple[Role, ...] = ()
    coverage: Coverage = Coverage()
    valid_until: date | None = None
    dated: tuple[Ending, ...] = ()
    desired_digest: str | None = None
    manages: frozenset[Kind] = frozenset()
    default_roles: frozenset[str] = frozenset()
    declared_defaults: frozenset[str] = frozenset()
    sensitive: frozenset[str] = frozenset()
    admin_privileges: frozenset[str] = frozenset()
    rules: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    rule_changes: tuple[RuleChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change."""
        return not (self.changes or self.rule_changes)

    @property
    def applyable(self) -> bool:
        """Whether there is something to apply, and nothing that forbids it."""
        return not self.is_empty and not self.blockers

    @property
    def ending(self) -> tuple[Ending, ...]:
        """The dated assignments that end within ``SOON`` of the plan's day, the first one first."""
        return tuple(ending for ending in self.dated if ending.until - self.as_of <= SOON)

    @property
    def in_force(self) -> tuple[dict[str, Any], ...]:
        """The policies in force once the plan is applied, as a store keeps them."""
        return in_force(self.rules.get("policies", ()))

    @property
    def renames(self) -> dict[str, str]:
        """Old names to new ones."""
        return {
            change.before.name: change.name
            for change in self.changes
            if isinstance(change, RoleChange)
            and change.action is Action.RENAME
            and change.before is not None
        }

    def passage(self, stored: State) -> Passage:
        """What applying the changes does to a state that fits them (see ``recheck``)."""
        start = passage_from(stored, self.renames)
        roles, assignments = dict(start.before.roles), dict(start.before.assignments)
        for change in self.changes:
            if isinstance(change, AssignmentChange):
                login = change.name.casefold()
                if change.after.roles:
                    assignments[login] = change.after
                else:
                    assignments.pop(login, None)
            elif change.action is Action.DELETE:
                roles.pop(change.name, None)
            elif change.after is not None:
                roles[change.name] = change.after
        return start.to(State(roles, assignments, stored.recorded | self.manages, self.in_force))


def coverage(
    passage: Passage, settings: Settings, manages: frozenset[Kind], files: tuple[str, ...]
) -> Coverage:
    """What a plan of that passage looked at, under these settings."""
    before, after = passage.before, passage.after
    roles = Counter(ignored_roles(passage.stored, settings.ignore).values())
    ignored = ignored_users(before, settings.ignore_users) if "users" in manages else {}
    users = Counter(ignored.values())
    return Coverage(
        files,
        len(before.roles.keys() | after.roles.keys()) - roles.total(),
        len(before.assignments.keys() | after.assignments.keys()) - users.total(),
        dict(roles),
        dict(users),
        tuple(kind for kind in KINDS if kind not in manages),
    )
