"""Carries a plan out against a backend. The only place that changes anything.

Before the first write, and under the backend's lock, the store is read again and the plan checked
against it: what no longer fits is refused whole. Where the store can commit, all writes go at once;
elsewhere object by object in the order of ``engine.order``, and what was done, what failed and what
was not tried is reported exactly. A run that broke off stands in the history like any other.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.apply.foresight import foreseen
from provisioner.apply.one_by_one import write_one_by_one
from provisioner.apply.outcome import (
    Outcome,
    defects_told,
    read_again,
    with_unknown_outcome,
)
from provisioner.diagnostics import Diagnostic
from provisioner.engine.order.steps import ordered
from provisioner.engine.planning.saved import objections, outdated
from provisioner.engine.planning.staleness import recheck
from provisioner.engine.planning.trial import tried
from provisioner.engine.transition.passage import roles_of
from provisioner.engine.writes import Unfit
from provisioner.errors import Blocked, Conflict, InvalidInput, ProvisionerError, StalePlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date
    from typing import Any

    from provisioner.apply.one_by_one import Progress
    from provisioner.backends.base import Backend, Run
    from provisioner.engine.order.writing import Step
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.planning.saved import Judge
    from provisioner.engine.planning.trial import Trial
    from provisioner.engine.transition.passage import Passage
    from provisioner.engine.writes import Write
    from provisioner.model import Kind, State


def apply_plan(
    plan: Plan,
    backend: Backend,
    *,
    run: Run,
    today: date,
    lock_timeout: float,
    progress: Progress,
    stopped: Callable[[], bool],
    judge: Judge | None = None,
) -> Outcome:
    """Apply a plan, or refuse it whole.

    ``today`` is compared with the plan's ``valid_until``. ``stopped`` is asked between writes: when
    it says yes, no further write is begun. ``judge`` is what a saved plan is judged by; a plan that
    was just made in the same project needs none.

    Raises:
        InvalidInput: The plan is for another target.
        Blocked: A guard or policy forbids it.
        StalePlan: The store, or the date, has moved on; nothing was touched.
        LockHeld: Another run holds the lock; nothing was touched.
        BackendError: The store failed before anything was written.
    """
    _require_applyable(plan, backend, today)
    with backend.lock(run.operation, lock_timeout):
        trial = tried(plan, backend.read())
        _require_fit(trial, backend, run.plan, judge)
        try:
            order = ordered(trial.passage, plan.target.capabilities, backend.describe().grain)
        except Unfit as error:
            raise StalePlan(_stale(str(error))) from error
        writes = order.writes
        if stopped():
            return Outcome(not_tried=writes, interrupted=True)
        if hindered := [each for each in foreseen(backend, writes) if each.severity == "error"]:
            raise Blocked(hindered)
        progress.start(len(writes))
        if backend.describe().capabilities.atomic:
            return _commit(trial, backend, writes, run, progress)
        return _write(trial, backend, order.steps, run, progress, stopped)


def _require_applyable(plan: Plan, backend: Backend, today: date) -> None:
    description = backend.describe()
    if (plan.target.kind, plan.target.identity) != (description.kind, description.identity):
        message = f"the plan is for {plan.target.identity}, this target is {description.identity}"
        remedy = "apply it in the project that it was made in, or make a new plan"
        if plan.target.config is not None:
            remedy = f"apply it with --config {shlex.quote(plan.target.config)}, or make a new plan"
        raise InvalidInput(Diagnostic("other-target", message, None, remedy))
    if plan.target.capabilities != description.capabilities:
        raise StalePlan(_stale("the target can do other things than when it was made"))
    if plan.blockers:
        raise Blocked(plan.blockers)
    if plan.valid_until is not None and today > plan.valid_until:
        ended = any(ending.until == plan.valid_until for ending in plan.dated)
        what = "an assignment" if ended else "an exemption"
        raise StalePlan(_stale(f"{what} it relies on ended on {plan.valid_until}"))


def _require_fit(trial: Trial, backend: Backend, digest: str | None, judge: Judge | None) -> None:
    reasons = [*_used_up(trial, backend, digest), *recheck(trial)]
    if not reasons and judge is not None:
        if found := objections(trial, judge):
            raise Blocked(found)
        reasons += outdated(trial, judge)
    if reasons:
        *others, last = sorted(set(reasons))
        # One remedy for all, below the last.
        raise StalePlan([*(replace(_stale(each), remedy=None) for each in others), _stale(last)])


def _used_up(trial: Trial, backend: Backend, digest: str | None) -> Iterator[str]:
    """Yield why a plan was applied already, or why nobody can tell.

    Where nothing was written since it was made, nothing was applied. A store without history
    remembers no plans.
    """
    base, now = trial.plan.base, trial.snapshot.base
    if base == now:
        return
    if base.serial > now.serial:
        yield "the target is older than what the plan was made from"
    elif base.serial == now.serial:
        yield "the target never was what the plan was made from"
    if not backend.describe().capabilities.history:
        return
    entries = backend.history()
    for entry in entries:
        if digest is not None and entry.run is not None and entry.run.plan == digest:
            run = entry.run
            yield f"it was applied already: run {entry.number}, by {run.by}, at {run.at}"
        told = base.digest is not None and entry.digest is not None
        if told and entry.number == base.serial and entry.digest != base.digest:
            yield "the target never was what the plan was made from"
    # Runs are numbered without gaps; where the store tells digests, by the versions of the state.
    known = {entry.number for entry in entries if entry.run is not None}
    by_version = any(entry.digest is not None for entry in entries)
    since = range(base.serial + 1 if by_version else 1, max(known, default=0) + 1)
    if not known.issuperset(since):
        yield (
            "the history no longer reaches back to what it was made from, so nobody can tell "
            "whether it was applied already"
        )


def _stale(reason: str) -> Diagnostic:
    return Diagnostic("stale-plan", f"the plan is stale: {reason}", None, "make the plan again")


def _commit(
    trial: Trial, backend: Backend, writes: tuple[Write, ...], run: Run, progress: Progress
) -> Outcome:
    try:
        with defects_told():
            backend.commit(trial.snapshot.base, writes, trial.passage.after, run)
    except Conflict:
        raise
    except ProvisionerError as error:
        # The answer may have been lost after the store had acted.
        state = read_again(backend)
        if state is None:
            raise with_unknown_outcome(error, "all of it, or nothing, took place") from error
        if not _arrived(trial.passage, state):
            raise
    for write in writes:
        progress.wrote(write)
    return Outcome(applied=writes)


def _write(
    trial: Trial,
    backend: Backend,
    steps: Sequence[Step],
    run: Run,
    progress: Progress,
    stopped: Callable[[], bool],
) -> Outcome:
    outcome = write_one_by_one(steps, backend, progress, stopped)
    state, after = trial.passage.stored, trial.passage.after
    if outcome.is_complete:
        return _recorded(outcome, backend, run, after.recorded, after.policies)
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


def _arrived(passage: Passage, state: State) -> bool:
    """Whether a state shows where a passage leads to; the ids of new roles aside."""
    before, after = passage.before, passage.after
    for name in passage.roles:
        had, wanted, found = (at.roles.get(name) for at in (before, after, state))
        if wanted is None or found is None:
            if wanted is not found:
                return False
        elif found != replace(wanted, id=had.id if had else found.id):
            return False
    held, wants = state.assignments, after.assignments
    return all(roles_of(held.get(user)) == roles_of(wants.get(user)) for user in passage.users)
