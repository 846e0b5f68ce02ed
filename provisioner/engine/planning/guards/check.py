"""The list of the guards, and what they object to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.engine.planning.guards.administrators import lockout
from provisioner.engine.planning.guards.adoption import adoption
from provisioner.engine.planning.guards.deletion import (
    default_role_deleted,
    deleted_in_use,
    protected_deleted,
    protected_narrowed,
)
from provisioner.engine.planning.guards.gains import above_ceiling, own_gain
from provisioner.engine.planning.guards.limits import too_much
from provisioner.engine.planning.guards.references import dangling, include_cycle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.diagnostics import Diagnostic
    from provisioner.engine.planning.trial import Trial

    Guard = Callable[[Trial], Iterator[Diagnostic]]

# What is wrong with the state that a plan leads to, even if it changes nothing.
_STATE_GUARDS: Final[tuple[Guard, ...]] = (above_ceiling,)
_GUARDS: Final[tuple[Guard, ...]] = (
    default_role_deleted,
    protected_deleted,
    protected_narrowed,
    deleted_in_use,
    dangling,
    include_cycle,
    adoption,
    lockout,
    own_gain,
    too_much,
    *_STATE_GUARDS,
)


def check(trial: Trial) -> tuple[Diagnostic, ...]:
    """Return what forbids the plan, every guard's objections."""
    guards = _GUARDS if trial.plan.changes else _STATE_GUARDS
    return tuple(objection for guard in guards for objection in guard(trial))
