"""Builders for states, sources and plans, so that a test shows only what it is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from provisioner.apply.run import apply_plan
from provisioner.backends.base import Run
from provisioner.engine.order.steps import ordered
from provisioner.engine.planning.plan import TargetIdentity
from provisioner.engine.settings import Safety, Settings
from provisioner.engine.writes import replay
from provisioner.model import (
    KINDS,
    Assignment,
    Capabilities,
    Catalogue,
    DatedRole,
    DesiredRole,
    DesiredState,
    DesiredUser,
    Privilege,
    Role,
    State,
)
from provisioner.testing.world import TODAY, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from provisioner.apply.outcome import Outcome
    from provisioner.backends.base import Backend
    from provisioner.engine.order.writing import Step
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.planning.saved import Judge
    from provisioner.engine.writes import Write

BARE = Catalogue("bare", {name: Privilege(name) for name in ("A", "B", "C", "CONFIG_SECURITY")})
"""A panel without default roles, so that every role counts."""

FULL = Role(
    "Full Access", "", frozenset({"A", "B", "C", "CONFIG_SECURITY"}), protected=True, id="full"
)
DESK = Role("Service Desk Only", "", frozenset({"A"}), protected=True, id="desk")
SHIPPED = Catalogue(
    "shipped",
    BARE.privileges,
    (FULL, DESK),
)


def role(name: str, privileges: str = "", *, includes: tuple[str, ...] = (), **more: Any) -> Role:
    """A role; ``privileges`` are separated by blanks."""
    return Role(name, "", frozenset(privileges.split()), frozenset(includes), **more)


def stored(
    *roles: Role,
    recorded: tuple[str, ...] = KINDS,
    users: Mapping[str, str] | None = None,
    **more: str,
) -> State:
    """A stored state. ``ada="Clerk, Auditor"`` says who holds what; every role has an id."""
    return State(
        {r.name: r if r.id else Role(**{**fields(r), "id": f"id of {r.name}"}) for r in roles},
        {
            login: Assignment(login, names(held))
            for login, held in {**(users or {}), **more}.items()
        },
        frozenset(kind for kind in KINDS if kind in recorded),
    )


def fields(role: Role) -> dict[str, Any]:
    """A role's fields by name."""
    return {name: getattr(role, name) for name in Role.__struct_fields__}


def names(text: str | None) -> frozenset[str]:
    """``"Clerk, Auditor"`` as a set."""
    return frozenset(part.strip() for part in (text or "").split(",") if part.strip())


def desired(
    *roles: Role | DesiredRole | None,
    users: Mapping[str, str | tuple[DatedRole, ...]] | None = None,
    manages_roles: bool = True,
) -> DesiredState:
    """A desired state; without ``users`` assignments are not managed."""
    declared = [r if isinstance(r, DesiredRole) else DesiredRole(r) for r in roles if r]
    return DesiredState(
        roles={d.role.name: d for d in declared} if manages_roles else None,
        users=None
        if users is None
        else {
            login.casefold(): DesiredUser(
                login,
                held if isinstance(held, tuple) else tuple(map(DatedRole, sorted(names(held)))),
            )
            for login, held in users.items()
        },
    )


def renamed(old: str, role: Role) -> DesiredRole:
    """A declared role with ``renamed_from``."""
    return DesiredRole(role, old)


def world(
    current: State,
    wanted: DesiredState,
    *,
    catalogue: Catalogue = BARE,
    as_of: date = TODAY,
    safety: Safety | None = None,
    **settings: Any,
) -> World:
    """A world with the settings of a project file that says nothing but these."""
    return World(current, wanted, Settings(safety=safety or Safety(), **settings), as_of, catalogue)


def lacking(*names: str, atomic: bool = True) -> Capabilities:
    """A store that lacks these capabilities, and no others."""
    return Capabilities(atomic=atomic, **dict.fromkeys(names, False))


def at(current: State, wanted: DesiredState, can: Capabilities, **settings: Any) -> World:
    """A world whose store can do this much; it has default roles, and is being adopted."""
    it = world(current, wanted, catalogue=SHIPPED, **{"adopt": True, **settings})
    return replace(it, target=replace(it.target, capabilities=can))


def notes(plan: Plan) -> dict[str, str]:
    """What the notes of a plan say, by their ids."""
    return {note.id: note.message for note in plan.notes}


def objections(plan: Plan) -> list[tuple[str, str, str, str | None]]:
    """Everything about what forbids a plan: id, place, message, remedy."""
    return [(b.id, str(b.place or ""), b.message, b.remedy) for b in plan.blockers]


def blockers(plan: Plan) -> list[str]:
    """The ids of what forbids a plan."""
    return [blocker.id for blocker in plan.blockers]


def remedies(plan: Plan) -> list[str]:
    """What to do about each of what forbids a plan."""
    return [blocker.remedy or "" for blocker in plan.blockers]


def actions(plan: Plan) -> list[tuple[str, str]]:
    """The changes, each as action and name."""
    return [(change.action.value, change.name) for change in plan.changes]


def writes_of(found: tuple[Step, ...]) -> list[Write]:
    """The writes of all steps, in order."""
    return [write for step in found for write in step.writes]


def plan_steps(plan: Plan, state: State) -> tuple[Step, ...]:
    """The steps of a plan on a state."""
    return ordered(plan.passage(state), plan.target.capabilities).steps


def plan_writes(plan: Plan, state: State) -> list[Write]:
    """The writes of a plan on a state, in order."""
    return writes_of(plan_steps(plan, state))


def apply(it: World) -> State:
    """The state after the world's plan, which nothing may block, with what the run records."""
    plan = it.plan()
    assert blockers(plan) == []
    after = replay(it.current, plan_writes(plan, it.current))
    return replace(after, recorded=it.current.recorded | plan.manages)


RUN = Run("2026-03-01T00:00:00Z", "tests@here", "apply", "a test")


@dataclass
class Confirmed:
    """A progress that keeps what it is told: the writes that were confirmed, in order."""

    writes: list[Write] = field(default_factory=list)
    total: int | None = None

    def start(self, total: int) -> None:
        self.total = total

    def wrote(self, write: Write) -> None:
        self.writes.append(write)


def plan_against(backend: Backend, it: World) -> Plan:
    """The world's plan for what a backend holds now."""
    snapshot, told = backend.read(), backend.describe()
    target = TargetIdentity("sandbox", told.kind, told.identity, told.capabilities)
    return it.plan(
        current=snapshot.state,
        base=snapshot.base,
        target=target,
        users=snapshot.users,
        subject=snapshot.subject,
    )


def carry_out(
    plan: Plan,
    backend: Backend,
    *,
    today: date = TODAY,
    stopped: Callable[[], bool] = lambda: False,
    confirmed: Confirmed | None = None,
    judge: Judge | None = None,
    run: Run = RUN,
) -> Outcome:
    """Apply a plan as the command line does, but quietly."""
    return apply_plan(
        plan,
        backend,
        run=run,
        today=today,
        lock_timeout=0.0,
        progress=confirmed or Confirmed(),
        stopped=stopped,
        judge=judge,
    )
