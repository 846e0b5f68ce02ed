"""Asks a store, before the first write, what will stand in the way of the writes of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from provisioner.backends.base import Foreseeing
from provisioner.diagnostics import Diagnostic
from provisioner.engine.order.steps import ordered
from provisioner.engine.writes import Unfit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.backends.base import Backend
    from provisioner.engine.order.steps import Order
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.planning.trial import Trial
    from provisioner.engine.writes import Write

_MOST_TOLD: Final = 20


def with_foresight(trial: Trial, backend: Backend) -> Plan:
    """Return the plan with what its store foresees: errors forbid it, the rest becomes notes.

    Raises:
        BackendError: The store does not answer.
    """
    plan, can = trial.plan, trial.plan.target.capabilities
    if plan.is_empty or (can.atomic and not isinstance(backend, Foreseeing)):
        return plan
    try:
        order = ordered(trial.passage, can, backend.describe().grain)
    except Unfit:
        return plan  # what forbids such a plan stands in it
    found = (*foreseen(backend, order.writes), *_lacks(order))
    if not found:
        return plan
    errors = tuple(each for each in found if each.severity == "error")
    notes = tuple(each for each in found if each.severity == "warning")
    return replace(plan, blockers=(*plan.blockers, *errors), notes=(*plan.notes, *notes))


def _lacks(order: Order) -> Iterator[Diagnostic]:
    """Say who is for a time without what he keeps, since no order of the writes avoids it."""
    for gap in order.gaps[:_MOST_TOLD]:
        message = f"in between, {gap.user} is without {', '.join(gap.privileges)}, and keeps it"
        yield Diagnostic("gap", message, None, None, "warning")
    if len(order.gaps) > _MOST_TOLD:
        rest = (
            f"in between, {len(order.gaps) - _MOST_TOLD:,} more users lack something that they keep"
        )
        yield Diagnostic("gap", rest, None, None, "warning")


def foreseen(backend: Backend, writes: tuple[Write, ...]) -> tuple[Diagnostic, ...]:
    """Return what a store says of writes before they are made; nothing if it says nothing."""
    return backend.foresee(writes) if writes and isinstance(backend, Foreseeing) else ()
