"""provisioner: billing roles and privileges as code.

The Python API, in a few words; docs/api.md has the rest::

    import provisioner

    target = provisioner.open_target()  # the project file found here, its only target
    plan = target.plan()
    if not plan.blockers:
        outcome = target.apply(plan)

What is exported here stays; modules below are free to change. They load when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from provisioner.version import __version__

if TYPE_CHECKING:
    from provisioner.api.target import Target, open_target, read_plan, write_plan
    from provisioner.apply.outcome import Outcome
    from provisioner.diagnostics import Diagnostic
    from provisioner.engine.planning.plan import Plan
    from provisioner.errors import (
        BackendError,
        Blocked,
        Conflict,
        InvalidInput,
        LockHeld,
        ProvisionerError,
        StalePlan,
    )
    from provisioner.model import Assignment, Role, State

__all__ = [
    "Assignment",
    "BackendError",
    "Blocked",
    "Conflict",
    "Diagnostic",
    "InvalidInput",
    "LockHeld",
    "Outcome",
    "Plan",
    "ProvisionerError",
    "Role",
    "StalePlan",
    "State",
    "Target",
    "__version__",
    "open_target",
    "read_plan",
    "write_plan",
]

_WHERE: Final = {
    "provisioner.api.target": ("Target", "open_target", "read_plan", "write_plan"),
    "provisioner.apply.outcome": ("Outcome",),
    "provisioner.diagnostics": ("Diagnostic",),
    "provisioner.engine.planning.plan": ("Plan",),
    "provisioner.errors": (
        "BackendError",
        "Blocked",
        "Conflict",
        "InvalidInput",
        "LockHeld",
        "ProvisionerError",
        "StalePlan",
    ),
    "provisioner.model": ("Assignment", "Role", "State"),
}


def __getattr__(name: str) -> Any:
    """Load what is exported when it is asked for, so that the command line starts fast."""
    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
