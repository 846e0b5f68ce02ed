"""Carries a plan out against a backend. The only place that changes anything.

Before the first write, and under the backend's lock, the store is read again and the plan checked
against it: what no longer fits is refused whole. Where the store can commit, all writes go at once;
elsewhere object by object in the order of ``engine.order``, and what was done, what failed and what
was not tried is reported exactly. A run that broke off stands in the history like any other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provisioner.diagnostics import Diagnostic
from provisioner.engine.plan import in_force, plan_steps, recheck, transition
from provisioner.engine.target import with_new_names
from provisioner.engine.writes import Unfit
from provisioner.errors import Blocked, Conflict, InvalidInput, ProvisionerError, StalePlan
from provisioner.foreseeing import foreseen
from provisioner.outcome import Outcome, defects_told, held_roles, read_again, with_unknown_outcome
from provisioner.write_steps import write_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date
    from typing import Any

    from provisioner.backends.base import Backend, Run
    from provisioner.engine.order import Step, Transition
    from provisioner.engine.plan import Plan
    from provisioner.engine.writes import Write
    from provisioner.model import Kind, Snapshot, State
    from provisioner.write_steps import Progress


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
            steps = plan_steps(plan, snapshot.state)
        except Unfit as error:
            raise StalePlan(_stale(str(error))) from error
        writes = tuple(write for step in steps for write in step.writes)
        if stopped():
            return Outcome(not_tried=writes, interrupted=True)
        if hindered := [each for each in foreseen(backend, writes) if each.severity == "error"]:
            raise Blocked(hindered)
        progress.start(len(writes))
        if backend.describe().capabilities.atomic:
            return _commit(plan, backend, snapshot, writes, run, progress)
        return _write(plan, backend, snapshot.state, steps, run, progress, stopped)


def _require_applyable(plan: Plan, backend: Backend, today: date) -> None:
    description = backend.describe()
    if (plan.target.kind, plan.target.identity) != (description.kind, description.identity):
        message = f"the plan is for {plan.target.identity}, this target is {description.identity}"
        remedy = f"choose the target with --target {plan.target.name}, or make a new plan"
        raise InvalidInput(Diagnostic("other-target", message, None, remedy))
    if plan.target.capabilities != description.capabilities:
        raise StalePlan(_stale("the target can do other things than when it was made"))
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
    writes: tuple[Write, ...],
    run: Run,
    progress: Progress,
) -> Outcome:
    after = transition(plan, snapshot.state).after
    try:
        with defects_told():
            backend.commit(snapshot.base, writes, after, run)
    except Conflict:
        raise
    except ProvisionerError as error:
        # The answer may have been lost after the store had acted.
        state = read_again(backend)
        if state is None:
            raise with_unknown_outcome(error, "all of it, or nothing, took place") from error
        if not _arrived(transition(plan, snapshot.state), state):
            raise
    for write in writes:
        progress.wrote(write)
    return Outcome(applied=writes)


def _write(
    plan: Plan,
    backend: Backend,
    state: State,
    steps: Sequence[Step],
    run: Run,
    progress: Progress,
    stopped: Callable[[], bool],
) -> Outcome:
    outcome = write_steps(steps, backend, progress, stopped)
    if outcome.is_complete:
        return _recorded(outcome, backend, run, state.recorded | plan.manages, in_force(plan))
    reachable = not outcome.unknown
    if outcome.applied and reachable and backend.describe().capabilities.history:
        broken = replace(run, summary=_broken_off(outcome, run.summary))
        return _recorded(outcome, backend, broken, state.recorded, state.policies)
    return outcome


def _recorded(
    outcome: Outcome,
    backend: Backend,
    run: Run,
    kinds: frozenset[Kind],
    policies: tuple[Mapping[str, Any], ...],
) -> Outcome:
    """The outcome, once the store remembers the run; with one error more where it does not."""
    try:
        backend.record(run, kinds, policies)
    except ProvisionerError as error:
        before = outcome.error
        if before is None:
            return replace(outcome, error=error)
        both = type(before)([*before.diagnostics, *error.diagnostics])
        return replace(outcome, error=both)
    return outcome


def _broken_off(outcome: Outcome, summary: str) -> str:
    made = len(outcome.applied)
    total = made + len(outcome.failed) + len(outcome.not_tried)
    return f"broken off after {made:,} of {total:,} writes: {summary}"


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
    return all(held_roles(held.get(user)) == held_roles(wants.get(user)) for user in planned.users)
