"""A backend in memory: no mock, but a store with the same promises, made to be watched and failed.

It commits whole states, or, with ``atomic=False``, writes object by object as a remote API does::

    backend = MemoryBackend(State(), atomic=False)
    other = backend.handle()  # the same store, for another thread or run
    backend.states  # the state after each write, to check every prefix
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from copy import copy
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner.backends.attribution import now, this_user
from provisioner.backends.base import Description, HistoryEntry, LockOwner, Run
from provisioner.backends.committed_state import committed_state, with_ids, with_initial_ids
from provisioner.diagnostics import Diagnostic
from provisioner.engine.writes import CreateRole, RenameRole, SetAssignment, Unfit, UpdateRole
from provisioner.engine.writes import replay as replayed
from provisioner.errors import BackendError, LockHeld, StateMoved
from provisioner.model import Base, Capabilities, Snapshot, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from provisioner.engine.writes import Write
    from provisioner.model import Catalogue, Kind, Role

    Hook = Callable[[int, Write], None]


class _Store(Struct):
    """What all handles of one store share. ``guard`` makes each operation of a handle whole."""

    state: State
    serial: int = 0
    runs: list[tuple[Run | None, State]] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    attempts: int = 0
    owner: LockOwner | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    guard: threading.RLock = field(default_factory=threading.RLock)


class MemoryBackend:
    """A store in memory. Implements ``provisioner.backends.base.Backend``.

    Args:
        initial: What a store holds that has never been written.
        atomic: Whether it commits (``commit`` only) or writes objects (``write`` only).
        capabilities: What else it can; writes that need what is missing are refused, descriptions
            and protection are dropped. ``atomic`` here is overruled by the argument above.
        identity: Tells one store from another in plans.
        catalogue: What ``read`` gives as the panel's own catalogue.
        users: The logins that a store with ``closed_users`` knows.
        subject: The login that ``read`` says the reader is known by.
        fail_on: Called before each write of a commit or a ``write``, with the number of the write
            since the store was made, from 0. What it raises comes out, and nothing has happened.
        fail_after: The same, after the write has happened: the answer is lost, the write is not.
    """

    def __init__(
        self,
        initial: State | None = None,
        *,
        atomic: bool = True,
        capabilities: Capabilities | None = None,
        identity: str = "memory:test",
        catalogue: Catalogue | None = None,
        users: Iterable[str] = (),
        subject: str | None = None,
        fail_on: Hook | None = None,
        fail_after: Hook | None = None,
    ) -> None:
        self._capabilities = replace(capabilities or Capabilities(history=True), atomic=atomic)
        self._identity = identity
        self._catalogue = catalogue
        self._users = frozenset(login.casefold() for login in users)
        self._subject = subject
        self.fail_on = fail_on
        self.fail_after = fail_after
        state = with_initial_ids(initial or State())
        self._store = _Store(state, runs=[(None, state)])

    def handle(self) -> MemoryBackend:
        """Return another handle on the same store, without the hooks of this one."""
        other = copy(self)
        other.fail_on = other.fail_after = None
        return other

    @property
    def states(self) -> tuple[State, ...]:
        """The state after each commit or write, oldest first; without the initial one."""
        return tuple(self._store.states)

    def describe(self) -> Description:
        """Say what this is."""
        return Description("memory", self._identity, self._capabilities, locks=True)

    def read(self) -> Snapshot:
        """Return a copy of everything."""
        with self._store.guard:
            return Snapshot(
                _copy(self._store.state),
                self._base(),
                self._catalogue,
                self._users if self._capabilities.closed_users else None,
                self._subject,
            )

    @contextmanager
    def lock(self, operation: str, timeout: float) -> Iterator[None]:
        """Hold the store's lock, which excludes other handles and other threads."""
        lock = self._store.lock
        if not lock.acquire(timeout=min(max(timeout, 0.0), threading.TIMEOUT_MAX)):
            raise self._held()
        self._store.owner = LockOwner(this_user(), os.getpid(), operation, now(), alive=True)
        try:
            yield
        finally:
            if self._store.lock is lock:
                self._store.owner = None
            lock.release()

    def commit(self, base: Base, writes: tuple[Write, ...], after: State, run: Run) -> Base:
        """Carry out all writes or none. A store that is not atomic can't."""
        if not self._capabilities.atomic:
            raise _refused("commit-unsupported", "this store can't commit")
        with self._store.guard:
            if base != self._base():
                raise _moved(f"it is at serial {self._store.serial}, not at {base.serial}")
            for write in writes:
                self._attempt(write)
            try:
                kept = [self._storable(write) for write in writes]
                state = committed_state(self._store.state, kept, self._storable_state(after))
            except Unfit as error:
                raise _refused("writes-unfit", str(error)) from error
            self._advance(state)
            self._store.runs.append((run, state))
            for number, write in enumerate(writes, self._store.attempts - len(writes)):
                self._lose_answer(number, write)
            return self._base()

    def write(self, write: Write) -> None:
        """Carry out one write, if the object is what its ``before`` says."""
        with self._store.guard:
            self._attempt(write)
            try:
                state = replayed(self._store.state, (self._storable(write),))
            except Unfit as error:
                raise _moved(str(error)) from error
            self._advance(with_ids(state))
            self._lose_answer(self._store.attempts - 1, write)

    def record(
        self, run: Run, recorded: frozenset[Kind], policies: tuple[Mapping[str, Any], ...]
    ) -> None:
        """Remember the run, and which kinds it manages."""
        with self._store.guard:
            if self._capabilities.recording:
                self._store.state = replace(self._store.state, recorded=recorded, policies=policies)
            self._store.serial += 1
            self._store.runs.append((run, self._store.state))

    def history(self) -> tuple[HistoryEntry, ...]:
        """Return the runs, oldest first."""
        if not self._capabilities.history:
            return ()
        runs = enumerate(list(self._store.runs))
        return tuple(HistoryEntry(number, run) for number, (run, _) in runs)

    def state_after(self, number: int) -> State:
        """Return a copy of the state after that run."""
        if self._capabilities.history and 0 <= number < len(self._store.runs):
            return _copy(self._store.runs[number][1])
        raise _refused("history-not-kept", f"the state after run {number} is not kept")

    def owner(self) -> LockOwner | None:
        """Return who holds the lock."""
        return self._store.owner

    def unlock(self, *, force: bool = False) -> LockOwner | None:
        """Take the lock from its holder, with ``force``; without, a held lock stays."""
        with self._store.guard:
            owner = self._store.owner
            if owner and not force:
                raise self._held()
            self._store.lock, self._store.owner = threading.Lock(), None
            return owner

    def _base(self) -> Base:
        serial = self._store.serial
        if serial == 0:
            return Base()
        return Base(f"lineage of {self._identity}", serial, _digest(self._store.state))

    def _advance(self, state: State) -> None:
        self._store.state = state
        self._store.serial += 1
        self._store.states.append(state)

    def _attempt(self, write: Write) -> None:
        number = self._store.attempts
        self._store.attempts += 1
        if self.fail_on:
            self.fail_on(number, write)
        self._require_capable(write)

    def _lose_answer(self, number: int, write: Write) -> None:
        if self.fail_after:
            self.fail_after(number, write)

    def _require_capable(self, write: Write) -> None:
        can = self._capabilities
        match write:
            case RenameRole() if not can.renames:
                why = "this store can't rename roles"
            case SetAssignment() if not can.assignments:
                why = "this store has no assignments"
            case SetAssignment(user, before, after) if after - before and self._is_unknown(user):
                why = f"this store has no user {user}"
            case CreateRole(role) if role.privileges and not can.whole_roles:
                why = "roles of this store are created without privileges"
            case CreateRole(role) | UpdateRole(_, role) if role.includes and not can.includes:
                why = "roles of this store can't include others"
            case _:
                return
        raise _refused("unsupported", why)

    def _is_unknown(self, user: str) -> bool:
        return self._capabilities.closed_users and user.casefold() not in self._users

    def _storable(self, write: Write) -> Write:
        """Return the write without what the store has no room for."""
        if isinstance(write, CreateRole):
            return CreateRole(self._storable_role(write.role))
        if isinstance(write, UpdateRole):
            return UpdateRole(write.before, self._storable_role(write.after))
        return write

    def _storable_state(self, state: State) -> State:
        roles = {name: self._storable_role(role) for name, role in state.roles.items()}
        return replace(state, roles=roles)

    def _storable_role(self, role: Role) -> Role:
        can = self._capabilities
        return replace(
            role,
            description=role.description if can.descriptions else "",
            protected=role.protected and can.protection,
        )

    def _held(self) -> LockHeld:
        owner = self._store.owner
        by = f"{owner.by} ({owner.operation}) since {owner.since}" if owner else "another thread"
        message = f"{self._identity} is locked by {by}"
        remedy = "wait for it with `--lock-timeout SECONDS`"
        return LockHeld(Diagnostic("lock-held", message, self._identity, remedy))


def _copy(state: State) -> State:
    return replace(state, roles=dict(state.roles), assignments=dict(state.assignments))


def _digest(state: State) -> str:
    roles = [
        (role.id, name, role.description, sorted(role.privileges), sorted(role.includes))
        for name, role in sorted(state.roles.items())
    ]
    protected = sorted(role.name for role in state.roles.values() if role.protected)
    users = [(key, sorted(held.roles)) for key, held in sorted(state.assignments.items())]
    content = repr((roles, protected, users, sorted(state.recorded)))
    return f"sha256:{sha256(content.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _refused(problem: str, message: str) -> BackendError:
    return BackendError(Diagnostic(problem, f"{message}; nothing was changed", "memory"))


def _moved(why: str) -> StateMoved:
    message = f"the state changed since it was read: {why}; nothing was changed"
    return StateMoved(Diagnostic("state-moved", message, "memory", "plan again"))
