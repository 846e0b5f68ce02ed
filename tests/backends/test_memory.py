"""The memory backend: its hooks and its record of states, and flaws that the contract catches."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from provisioner.engine.writes import CreateRole, RenameRole, SetAssignment, Write, replay
from provisioner.errors import BackendError, ProvisionerError
from provisioner.model import Base, Capabilities, Role, Snapshot, State
from provisioner.testing import MemoryBackend
from provisioner.testing.contract import BackendContract, carry_out, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.backends.base import HistoryEntry, LockOwner, Run

ONE, TWO = CreateRole(Role("One")), CreateRole(Role("Two"))


def at(number: int, error: Exception) -> Callable[[int, Write], None]:
    """Return a hook that raises at the write of that number."""

    def hook(count: int, _: Write) -> None:
        if count == number:
            raise error

    return hook


def both(backend: MemoryBackend) -> None:
    """Commit two roles at once."""
    read = backend.read()
    backend.commit(read.base, (ONE, TWO), replay(read.state, (ONE, TWO)), run())


# Hooks and states


@pytest.mark.parametrize("number", [0, 1])
def test_a_commit_that_fails_changes_nothing(number: int) -> None:
    """Whichever of its writes the fault hits."""
    backend = MemoryBackend(fail_on=at(number, OSError("pulled the plug")))
    with pytest.raises(OSError, match="pulled"):
        both(backend)
    assert backend.read() == Snapshot(State())
    assert backend.states == ()


def test_a_write_that_fails_changes_nothing() -> None:
    """The ones before it stay."""
    backend = MemoryBackend(atomic=False, fail_on=at(1, OSError("pulled")))
    backend.write(ONE)
    with pytest.raises(OSError, match="pulled"):
        backend.write(TWO)
    assert set(backend.read().state.roles) == {"One"}


@pytest.mark.parametrize("atomic", [True, False])
def test_an_answer_that_is_lost_loses_no_write(atomic: bool) -> None:
    """The caller sees an error, and the store has changed."""
    backend = MemoryBackend(atomic=atomic, fail_after=at(0, TimeoutError("lost")))
    with pytest.raises(TimeoutError, match="lost"):
        both(backend) if atomic else backend.write(ONE)
    assert "One" in backend.read().state.roles


def test_every_state_on_the_way_is_kept() -> None:
    """Object by object, each write is a state; a commit is one."""
    backend = MemoryBackend(atomic=False)
    carry_out(backend.handle(), ONE, TWO)
    assert [set(state.roles) for state in backend.states] == [{"One"}, {"One", "Two"}]
    whole = MemoryBackend()
    carry_out(whole, ONE, TWO)
    assert [set(state.roles) for state in whole.states] == [{"One", "Two"}]


def test_a_store_that_is_not_atomic_does_not_commit() -> None:
    """What it does not declare, it does not pretend."""
    with pytest.raises(BackendError, match="can't commit"):
        both(MemoryBackend(atomic=False))


@pytest.mark.parametrize(
    "write",
    [
        RenameRole(Role("Held"), "Other"),
        SetAssignment("ada", frozenset(), frozenset({"Held"})),
        CreateRole(Role("Outer", includes=frozenset({"Held"}))),
    ],
    ids=lambda write: type(write).__name__,
)
def test_what_a_store_can_not_do_is_refused(write: Write) -> None:
    """Renames, assignments and includes are errors where they are not declared."""
    can = Capabilities(renames=False, assignments=False, includes=False)
    backend = MemoryBackend(State({"Held": Role("Held")}), atomic=False, capabilities=can)
    with pytest.raises(BackendError, match="nothing was changed"):
        backend.write(write)


# Flaws


class SharesItsState(MemoryBackend):
    """Broken: hands out its own mappings."""

    def read(self) -> Snapshot:
        return replace(super().read(), state=self._store.state)


class NeverCompares(MemoryBackend):
    """Broken: commits from any version."""

    def commit(self, base: Base, writes: tuple[Write, ...], after: State, run: Run) -> Base:
        return super().commit(self._base(), writes, after, run)


class CountsTwice(MemoryBackend):
    """Broken: raises the serial by two."""

    def _advance(self, state: State) -> None:
        super()._advance(state)
        self._store.serial += 1


class RenamesByReplacing(MemoryBackend):
    """Broken: a renamed role is a new one."""

    def _advance(self, state: State) -> None:
        roles = {name: replace(role, id=f"id of {name}") for name, role in state.roles.items()}
        super()._advance(replace(state, roles=roles))


class ForgetsDescriptions(MemoryBackend):
    """Broken: declares descriptions and drops them."""

    def _storable_role(self, role: Role) -> Role:
        return replace(role, description="")


class LocksNobodyOut(MemoryBackend):
    """Broken: lets everybody in."""

    @contextmanager
    def lock(self, operation: str, timeout: float) -> Iterator[None]:
        yield


class ForgetsToUnlock(MemoryBackend):
    """Broken: an error leaves the lock behind."""

    @contextmanager
    def lock(self, operation: str, timeout: float) -> Iterator[None]:
        with super().lock(operation, timeout):
            pass
        self._store.lock.acquire()
        yield
        self._store.lock.release()


class UnlocksTheLiving(MemoryBackend):
    """Broken: takes the lock from anybody."""

    def unlock(self, *, force: bool = False) -> LockOwner | None:
        return super().unlock(force=True)


class ForgetsRuns(MemoryBackend):
    """Broken: declares a history and remembers its beginning only."""

    def history(self) -> tuple[HistoryEntry, ...]:
        return super().history()[:1]


FLAWS = [
    (SharesItsState, "a_snapshot_is_a_copy"),
    (NeverCompares, "a_stale_base_is_refused"),
    (CountsTwice, "each_commit_raises_the_serial_by_one"),
    (RenamesByReplacing, "a_rename_keeps_id_holders_and_includers"),
    (RenamesByReplacing, "the_id_of_a_deleted_role_is_not_used_again"),
    (ForgetsDescriptions, "what_is_written_is_read_back_equal"),
    (LocksNobodyOut, "a_lock_excludes_other_handles"),
    (ForgetsToUnlock, "an_error_releases_the_lock"),
    (UnlocksTheLiving, "unlock_leaves_a_living_holder_alone"),
    (ForgetsRuns, "history_tells_every_run"),
]


@pytest.mark.parametrize(
    ("flawed", "promise"), FLAWS, ids=lambda value: getattr(value, "__name__", None)
)
def test_the_contract_catches_a_broken_store(flawed: type[MemoryBackend], promise: str) -> None:
    """Each promise has a test that a store without it fails, and a sound one passes."""
    check = getattr(BackendContract(), f"test_{promise}")
    check(MemoryBackend().handle)
    with pytest.raises((AssertionError, ProvisionerError, pytest.fail.Exception)):
        check(flawed().handle)
