"""Asks a store, before the first write, what will stand in the way of the writes of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.backends.base import Foreseeing
from provisioner.engine.planning.order import steps
from provisioner.engine.writes import Unfit

if TYPE_CHECKING:
    from provisioner.backends.base import Backend
    from provisioner.diagnostics import Diagnostic
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.planning.trial import Trial
    from provisioner.engine.writes import Write


def with_foresight(trial: Trial, backend: Backend) -> Plan:
    """Return the plan with what its store foresees: errors forbid it, the rest becomes notes.

    Raises:
        BackendError: The store does not answer.
    """
    plan, whole_roles = trial.plan, trial.plan.target.capabilities.whole_roles
    try:
        found_steps = steps(trial.passage, whole_roles=whole_roles)
    except Unfit:
        return plan  # what forbids such a plan stands in it
    found = foreseen(backend, tuple(write for step in found_steps for write in step.writes))
    if not found:
        return plan
    errors = tuple(each for each in found if each.severity == "error")
    notes = tuple(each for each in found if each.severity == "warning")
    return replace(plan, blockers=(*plan.blockers, *errors), notes=(*plan.notes, *notes))


def foreseen(backend: Backend, writes: tuple[Write, ...]) -> tuple[Diagnostic, ...]:
    """Return what a store says of writes before they are made; nothing if it says nothing."""
    return backend.foresee(writes) if writes and isinstance(backend, Foreseeing) else ()
