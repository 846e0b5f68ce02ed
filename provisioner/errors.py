"""All errors that provisioner raises on purpose.

::

    ProvisionerError            exit 1
    ├── InvalidInput            sources, project file, saved plan or options are wrong
    ├── BackendError            the backend failed, or holds something that can't be trusted
    │   ├── StateDamaged        the stored state is cut off, edited by hand, or from a newer version
    │   └── OthersChanged       a write changed, or may have changed, more than it was about
    ├── Blocked                 exit 3: a policy or a guard forbids it
    ├── Conflict                exit 4: somebody else was faster
    │   ├── LockHeld            another run holds the lock
    │   ├── StateMoved          the state changed between reading and writing
    │   └── StalePlan           a saved plan no longer fits the state
    └── Interrupted             exit 130: the user stopped the run

Each carries its diagnostics: one or many, all that the run found. No click here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from msgspec.structs import replace

from provisioner.diagnostics import Diagnostic, sort_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class ProvisionerError(Exception):
    """The root. ``exit_code`` is what the command line exits with (see docs/design.md)."""

    exit_code: ClassVar[int] = 1

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        if isinstance(diagnostics, Diagnostic):
            diagnostics = (diagnostics,)
        self.diagnostics = tuple(sorted(set(diagnostics), key=sort_key))
        super().__init__("; ".join(d.message for d in self.diagnostics))

    def with_messages(self, change: Callable[[str], str]) -> Self:
        """Return the same error, its messages changed."""
        changed = [replace(found, message=change(found.message)) for found in self.diagnostics]
        return type(self)(changed)


class InvalidInput(ProvisionerError):
    """Sources, project file, saved plan or options are wrong."""


class BackendError(ProvisionerError):
    """The backend failed, or answered something that can't be trusted."""


class StateDamaged(BackendError):
    """The stored state can't be trusted as it is."""


class OthersChanged(BackendError):
    """A write changed, or may have changed, something that it was not about.

    Whatever became of the write itself, this has to be told.
    """


class Blocked(ProvisionerError):
    """A policy or a guard forbids the plan."""

    exit_code = 3


class Conflict(ProvisionerError):
    """Somebody else changed, or is changing, the same state."""

    exit_code = 4


class LockHeld(Conflict):
    """Another run holds the lock."""


class StateMoved(Conflict):
    """The state is no longer the one that was read."""


class StalePlan(Conflict):
    """A saved plan no longer fits the state, or its time has passed."""


class Interrupted(ProvisionerError):
    """The user stopped the run."""

    exit_code = 130
