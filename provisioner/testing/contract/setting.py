"""What the tests of the contract are made of: handles, roles, and bringing writes about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from msgspec.structs import replace

from provisioner.backends.base import Backend, Run
from provisioner.engine.writes import CreateRole, replay
from provisioner.model import Role, Snapshot, State

if TYPE_CHECKING:
    from provisioner.engine.writes import Write
    from provisioner.model import Base, Capabilities, Ending, Kind

Factory = Callable[[], Backend]


def run(number: int = 1, until: tuple[Ending, ...] | None = None) -> Run:
    """Return a run to commit with."""
    return Run(
        at=f"2026-01-01T00:00:{number:02d}Z",
        by="contract@test",
        operation="apply",
        summary=f"run {number}",
        plan=f"sha256:{number:064x}",
        until=until,
    )


def carry_out(
    backend: Backend,
    *writes: Write,
    recorded: frozenset[Kind] | None = None,
    number: int = 1,
    until: tuple[Ending, ...] | None = None,
) -> Snapshot:
    """Bring writes about in the way the store offers; return what it holds then."""
    before = backend.read()
    kinds = before.state.recorded if recorded is None else recorded
    if backend.describe().capabilities.atomic:
        after = replace(replay(before.state, writes), recorded=kinds)
        backend.commit(before.base, writes, after, run(number, until))
    else:
        for write in writes:
            backend.write(write)
        backend.record(run(number, until), kinds, before.state.policies)
    return backend.read()


def without_ids(state: State) -> State:
    """Return the state as a source would declare it."""
    roles = {name: replace(role, id=None) for name, role in state.roles.items()}
    return replace(state, roles=roles)


class Setting:
    """The settings and tools that all parts of the contract share."""

    privileges: ClassVar[tuple[str, ...]] = (
        "ACCOUNTS_VIEW_DET",
        "ACCOUNTS_CREDIT_HOLD",
        "ARDOCS_VIEW",
    )
    users: ClassVar[tuple[str, ...]] = ("ada@example.com", "grace@example.com")
    locks: ClassVar[bool] = True
    """Whether ``lock`` excludes others; False for a store that returns a null context."""

    @pytest.fixture
    def backend(self) -> Factory:
        """Return a function that makes handles to one fresh store; each subclass has its own."""
        raise NotImplementedError("define a fixture named `backend`")

    def role(self, name: str, *privileges: str, **fields: Any) -> Role:
        """Return a role with the given privileges, or with the first known one."""
        return Role(name, privileges=frozenset(privileges or self.privileges[:1]), **fields)

    def need(self, backend: Backend, *names: str) -> Capabilities:
        """Skip the test unless the store declares these capabilities."""
        capabilities = backend.describe().capabilities
        for name in names:
            if not getattr(capabilities, name):
                pytest.skip(f"the store declares no {name}")
        return capabilities

    def commit_role(self, store: Backend, name: str) -> Base:
        """Commit one new role; return the new base."""
        read = store.read()
        writes = (CreateRole(self.role(name)),)
        return store.commit(read.base, writes, replay(read.state, writes), run())

    def locking(self, backend: Factory) -> Backend:
        """Return a handle of a store that has locks; skip the test for one without."""
        if not self.locks:
            pytest.skip("the store has no locks")
        return backend()
