"""What an apply did: which writes were made, which failed or may have, which were not tried."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from provisioner.diagnostics import Diagnostic
from provisioner.engine.transition.passage import roles_of
from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
    Write,
)
from provisioner.errors import BackendError, ProvisionerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.backends.base import Backend
    from provisioner.model import Role, State


class Outcome(Struct, frozen=True):
    """What an apply did. ``error`` says why it broke off, ``failed`` are the writes it broke at.

    An error without such writes is about what happened besides them.
    ``unknown`` are writes that may have taken place, in a store that can't be read to find out. The
    four groups together are exactly the plan's writes.
    """

    applied: tuple[Write, ...] = ()
    failed: tuple[Write, ...] = ()
    unknown: tuple[Write, ...] = ()
    not_tried: tuple[Write, ...] = ()
    error: ProvisionerError | None = None
    interrupted: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether everything was applied."""
        return not self.failed and not self.unknown and not self.not_tried


def read_again(backend: Backend) -> State | None:
    """Read the store to find out what took place; None where it can't be read."""
    try:
        with defects_told():
            return backend.read().state
    except ProvisionerError:
        return None


def with_unknown_outcome(error: ProvisionerError, what: str) -> ProvisionerError:
    """Return the same error, saying that its outcome could not be found out."""
    message = f"the outcome is unknown: {what}, and the target can't be read to find out"
    remedy = "plan again once it can be reached: the plan shows what is missing"
    return type(error)([*error.diagnostics, Diagnostic("unknown-outcome", message, None, remedy)])


@contextmanager
def defects_told() -> Iterator[None]:
    """Make what an adapter raises, and never should, an error like any other.

    The store may have acted, so it must not lose the report.
    """
    try:
        yield
    except ProvisionerError:
        raise
    except Exception as error:
        what = f"internal error: {type(error).__name__}: {error}"
        remedy = "this is a defect of provisioner, or of an adapter"
        raise BackendError(Diagnostic("internal-error", what, None, remedy)) from error


def happened(write: Write, state: State) -> bool:
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
            return roles_of(state.assignments.get(user.casefold())) == after


def _content(state: State, name: str) -> tuple[object, ...] | None:
    role = state.roles.get(name)
    return _content_of(role) if role else None


def _content_of(role: Role) -> tuple[object, ...]:
    return role.description, role.privileges, role.includes, role.protected
