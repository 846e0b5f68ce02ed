"""Carries a plan out against a backend. The only place that changes anything.

Before the first write, and under the backend's lock, the store is read again and the plan checked
against it: what no longer fits is refused whole. Where the store can commit, all writes go at once;
elsewhere one after the other in the order of ``engine.order``, and what was done, what failed and
what was not tried is reported exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from provisioner.diagnostics import Diagnostic
from provisioner.engine.plan import in_force, plan_steps, recheck, transition
from provisioner.engine.target import with_new_names
from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    Unfit,
    UpdateRole,
    Write,
)
from provisioner.errors import Blocked, Conflict, InvalidInput, ProvisionerError, StalePlan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from provisioner.backends.base import Backend, Run
    from provisioner.engine.order import Transition
    from provisioner.engine.plan import Plan
    from provisioner.model import Assignment, Role, Snapshot, State


class Progress(Protocol):
    """Is told how far an apply has come."""

    def start(self, total: int) -> None:
        """The writes begin; there are ``total`` of them."""
        ...

    def wrote(self, write: Write) -> None:
        """One write is confirmed."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an apply did. ``error`` is set where it broke off; ``failed`` is the write it broke at.

    The three groups together are exactly the plan's writes.
    """

    applied: tuple[Write, ...] = ()
    failed: Write | None = None
    not_tried: tuple[Write, ...] = ()
    error: ProvisionerError | None = None
    interrupted: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether everything was applied."""
        return self.failed is None and not self.not_tried


def apply_plan(
    plan: Plan,
    backend: Backend,
    *,
    run: Run,
    today: date,
    lock_timeout: float,
    progress: Progress,
    stopped: Callable[[], bool],
) -> Outcome:
    """Apply a plan, or refuse it whole.

    ``today`` is compared with the plan's ``valid_until``. ``stopped`` is asked between writes: when
    it says yes, no further write is begun.

    Raises:
        InvalidInput: The plan is for another target.
        Blocked: A guard or policy forbids it.
        StalePlan: The store, or the date, has moved on; nothing was touched.
        LockHeld: Another run holds the lock; nothing was touched.
        BackendError: The store failed before anything was written.
    """
    _require_applyable(plan, backend, today)
    with backend.lock(run.operation, lock_timeout):
        snapshot = backend.read()
        if reasons := recheck(plan, snapshot):
            raise StalePlan([_stale(reason) for reason in reasons])
        try:
            writes = [write for step in plan_steps(plan, snapshot.state) for write in step.writes]
        except Unfit as error:
            raise StalePlan(_stale(str(error))) from error
        if stopped():
            return Outcome(not_tried=tuple(writes), interrupted=True)
        progress.start(len(writes))
        if backend.describe().capabilities.atomic:
            return _commit(plan, backend, snapshot, writes, run, progress)
        return _write_all(plan, backend, snapshot.state, writes, run, progress, stopped)


def _require_applyable(plan: Plan, backend: Backend, today: date) -> None:
    description = backend.describe()
    if (plan.target.kind, plan.target.identity) != (description.kind, description.identity):
        message = f"the plan is for {plan.target.identity}, this target is {description.identity}"
        remedy = f"choose the target with --target {plan.target.name}, or make a new plan"
        raise InvalidInput(Diagnostic("other-target", message, None, remedy))
    if plan.target.atomic != description.capabilities.atomic:
        raise StalePlan(_stale("the target commits its changes in another way now"))
    if plan.blockers:
        raise Blocked(plan.blockers)
    if plan.valid_until is not None and today > plan.valid_until:
        raise StalePlan(_stale(f"an assignment it relies on ended on {plan.valid_until}"))


def _stale(reason: str) -> Diagnostic:
    return Diagnostic("stale-plan", f"the plan is stale: {reason}", None, "make the plan again")


def _commit(
    plan: Plan,
    backend: Backend,
    snapshot: Snapshot,
    writes: Sequence[Write],
    run: Run,
    progress: Progress,
) -> Outcome:
    after = transition(plan, snapshot.state).after
    try:
        backend.commit(snapshot.base, tuple(writes), after, run)
    except Conflict:
        raise
    except ProvisionerError as error:
        # The answer may have been lost after the store had acted.
        state = _read_again(backend)
        if state is None:
            raise _unknown(error, "all of it, or nothing, took place") from error
        if not _arrived(transition(plan, snapshot.state), state):
            raise
    for write in writes:
        progress.wrote(write)
    return Outcome(applied=tuple(writes))


def _write_all(
    plan: Plan,
    backend: Backend,
    state: State,
    writes: Sequence[Write],
    run: Run,
    progress: Progress,
    stopped: Callable[[], bool],
) -> Outcome:
    for index, write in enumerate(writes):
        if stopped():
            return Outcome(tuple(writes[:index]), None, tuple(writes[index:]), interrupted=True)
        try:
            backend.write(write)
        except ProvisionerError as error:
            # A refusal is certain; after anything else the store may have acted all the same.
            now = None if isinstance(error, Conflict) else _read_again(backend)
            if now is None or not _happened(write, now):
                if now is None and not isinstance(error, Conflict):
                    error = _unknown(error, "this write may have taken place")
                return Outcome(tuple(writes[:index]), write, tuple(writes[index + 1 :]), error)
        progress.wrote(write)
    try:
        backend.record(run, state.recorded | plan.manages, in_force(plan))
    except ProvisionerError as error:
        return Outcome(applied=tuple(writes), error=error)
    return Outcome(applied=tuple(writes))


def _read_again(backend: Backend) -> State | None:
    try:
        return backend.read().state
    except ProvisionerError:
        return None


def _unknown(error: ProvisionerError, what: str) -> ProvisionerError:
    """The same error, saying that its outcome could not be found out."""
    message = f"the outcome is unknown: {what}, and the target can't be read to find out"
    remedy = "plan again once it can be reached: the plan shows what is missing"
    return type(error)([*error.diagnostics, Diagnostic("unknown-outcome", message, None, remedy)])


def _arrived(planned: Transition, state: State) -> bool:
    """Whether a state shows where a transition leads to; the ids of new roles aside."""
    before, after = with_new_names(planned.before, planned.renames), planned.after
    for name in planned.roles:
        had, wanted, found = (at.roles.get(name) for at in (before, after, state))
        if wanted is None or found is None:
            if wanted is not found:
                return False
        elif found != replace(wanted, id=had.id if had else found.id):
            return False
    held, wants = state.assignments, after.assignments
    return all(_roles(held.get(user)) == _roles(wants.get(user)) for user in planned.users)


def _roles(assignment: Assignment | None) -> frozenset[str]:
    return assignment.roles if assignment else frozenset()


def _happened(write: Write, state: State) -> bool:
    """Whether a state shows what a write does; ids are the store's to give."""
    match write:
        case CreateRole(role):
            return _content(state, role.name) == _content_of(role)
        case UpdateRole(before, after):
            return _content(state, before.name) == _content_of(after)
        case RenameRole(before, name):
            return name in state.roles and before.name not in state.roles
        case DeleteRole(before):
            return before.name not in state.roles
        case SetAssignment(user, _, after):
            return _roles(state.assignments.get(user.casefold())) == after


def _content(state: State, name: str) -> tuple[object, ...] | None:
    role = state.roles.get(name)
    return _content_of(role) if role else None


def _content_of(role: Role) -> tuple[object, ...]:
    return role.description, role.privileges, role.includes, role.protected
