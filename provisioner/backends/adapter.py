"""All that an adapter is written with, in one place; docs/backends.md shows how.

``ObjectAdapter`` is the part of a backend that is the same for every store which is written object
by object, and has neither locks nor a history: what is left to write is ``describe``, ``read`` and
``write``.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from provisioner.backends.base import Description, HistoryEntry, LockOwner, Run
from provisioner.backends.opening import Opening
from provisioner.diagnostics import Diagnostic
from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    Unfit,
    UpdateRole,
    Write,
    replay,
)
from provisioner.errors import BackendError, StateMoved
from provisioner.model import Assignment, Base, Capabilities, Role, Snapshot, State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from provisioner.model import Kind

__all__ = [
    "Assignment",
    "BackendError",
    "Base",
    "Capabilities",
    "CreateRole",
    "DeleteRole",
    "Description",
    "Diagnostic",
    "ObjectAdapter",
    "Opening",
    "RenameRole",
    "Role",
    "SetAssignment",
    "Snapshot",
    "State",
    "StateMoved",
    "UpdateRole",
    "Write",
    "require_fit",
]


def require_fit(state: State, write: Write) -> None:
    """Hold a write against what is stored right now.

    Raises:
        StateMoved: The object is not what the write's ``before`` says, a name is taken, a role
            that is assigned or included does not exist, or one to be deleted is still in use.
    """
    try:
        replay(state, (write,))
    except Unfit as error:
        message = f"the state changed since it was read: {error}; nothing was changed"
        raise StateMoved(Diagnostic("state-moved", message, None, "plan again")) from error


class ObjectAdapter:
    """A store without locks and history, written object by object.

    Subclasses add ``describe`` (with ``atomic=False``), ``read`` and ``write``, as
    ``provisioner.backends.base.Backend`` promises them.
    """

    def describe(self) -> Description:
        """Say what this is; every adapter has its own."""
        raise NotImplementedError

    def lock(self, operation: str, timeout: float) -> AbstractContextManager[None]:
        """Hold nothing: there is no lock."""
        return nullcontext()

    def commit(self, base: Base, writes: tuple[Write, ...], after: State, run: Run) -> Base:
        """Refuse: one object is changed at a time."""
        message = f"{self.describe().identity} can't commit; nothing was changed"
        raise BackendError(Diagnostic("commit-unsupported", message))

    def record(
        self, run: Run, recorded: frozenset[Kind], policies: tuple[Mapping[str, Any], ...]
    ) -> None:
        """Remember nothing: there is no room for it."""

    def history(self) -> tuple[HistoryEntry, ...]:
        """Return no runs: none are remembered."""
        return ()

    def state_after(self, number: int) -> State:
        """Refuse: no state of an earlier run is kept."""
        name = self.describe().identity
        message = f"the state after run {number} is not kept: {name} has no history"
        remedy = "to go back, apply the sources as they were, from git"
        raise BackendError(Diagnostic("history-not-kept", message, None, remedy))

    def owner(self) -> LockOwner | None:
        """Return nobody: there is no lock."""
        return None

    def unlock(self, *, force: bool = False) -> LockOwner | None:
        """Do nothing: there is no lock."""
        return None
