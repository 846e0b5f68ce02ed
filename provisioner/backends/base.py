"""What a backend is: the only way the rest of the program reaches a store.

The workflow, in the order in which a run calls it::

    backend.describe()                     who are you, what can you do
    with backend.lock("apply", 0.0):       a courtesy to others; may do nothing
        snapshot = backend.read()          everything, or an error
        ...the engine plans...
        backend.commit(...)                all writes at once, if ``capabilities.atomic``
        backend.write(...) ; ...           else one write after the other
        backend.record(...)                what this run did, and the kinds it manages

An adapter raises ``provisioner.errors`` only: ``BackendError`` (or a subclass) when the store
fails or can't be trusted, ``Conflict`` subclasses when somebody else was faster. It never prints
and never retries a write that may already have happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from msgspec import Struct

from provisioner.engine.order.grain import WHOLE, Grain
from provisioner.model import Capabilities, Ending

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from provisioner.diagnostics import Diagnostic
    from provisioner.engine.writes import Write
    from provisioner.model import Base, Kind, Snapshot, State


class Description(Struct, frozen=True):
    """``kind`` is the backend's registered name; ``identity`` tells one target from another.

    Identity goes into plans (a plan made for one target is refused by another), so it holds no
    secret and is the same from every machine that reaches the same store in the same way.
    ``concurrency`` is how many writes of one step the store takes at a time, from as many threads.
    ``locks`` says whether ``lock`` keeps anybody out. ``grain`` is what ``write`` does at once: a
    store that takes the privileges of a role one by one says so, and is given them in an order in
    which nobody lacks what he keeps.
    """

    kind: str
    identity: str
    capabilities: Capabilities
    concurrency: int = 1
    locks: bool = False
    grain: Grain = WHOLE


class Run(Struct, frozen=True):
    """One run, for the history. ``at`` is UTC in ISO 8601, ``by`` is ``user@host``.

    ``operation`` is the command; ``plan`` the digest of the plan; ``summary`` one line for people,
    which also says so when the run broke off after some of its writes. ``until`` are the
    assignments with an end that are active after it; None where assignments are not managed, or
    the store can't remember it.
    """

    at: str
    by: str
    operation: str
    summary: str
    plan: str | None = None
    until: tuple[Ending, ...] | None = None


class HistoryEntry(Struct, frozen=True):
    """A run as the store remembers it. ``number`` counts from 1; 0 is the state before any run.

    ``has_snapshot`` is False once the state after that run has been dropped for lack of room.
    ``subject`` is the login that the store itself knows the run to come from; None where it asks
    nobody who they are. ``run.by`` is what the client said. ``digest`` is that of the state after
    the run (``Base.digest``), where the store tells it.
    """

    number: int
    run: Run | None
    has_snapshot: bool = True
    subject: str | None = None
    digest: str | None = None


class LockOwner(Struct, frozen=True):
    """Who holds a lock. ``since`` is UTC in ISO 8601. ``alive`` is None where it can't be known."""

    by: str
    pid: int
    operation: str
    since: str
    alive: bool | None = None


class Check(Struct, frozen=True):
    """One thing that was looked at, and how it is. ``detail`` is for people."""

    what: str
    status: Literal["ok", "warning", "error"]
    detail: str


@runtime_checkable
class Examinable(Protocol):
    """A backend that can say more about its store than ``read`` shows. Optional."""

    def examine(self) -> Iterator[Check]:
        """Look at what lies between here and the store: connection, rights, versions.

        Changes nothing, and raises nothing: what fails is a check with the status "error", after
        which nothing more is looked at.
        """
        ...


@runtime_checkable
class Abortable(Protocol):
    """A backend that can be told to give up. Optional: for stores that may keep people waiting."""

    def abort(self) -> None:
        """Make the calls that are under way fail soon, and all later ones at once.

        Called from another thread, when the user will not wait any longer.
        """
        ...


@runtime_checkable
class Foreseeing(Protocol):
    """A backend that can tell before a write what will stand in its way. Optional."""

    def foresee(self, writes: tuple[Write, ...]) -> tuple[Diagnostic, ...]:
        """Say what the store lacks of what these writes will need, and what else they will do.

        Asked after a ``read``, for all writes of a plan; changes nothing. An error means that they
        will not succeed, a warning is for whoever approves them.
        """
        ...


class Backend(Protocol):
    """A store of roles and assignments. One thread at a time, ``write`` excepted."""

    def describe(self) -> Description:
        """Say what this is.

        Must not reach for the store, unless only the store knows what it can do: then it asks
        once, and not at all after a ``read`` that told it.
        """
        ...

    def read(self) -> Snapshot:
        """Read everything.

        Must return the whole state or raise: what could not be read is an error, never absent. A
        store that does not exist yet is its initial state, with ``Base()``. The snapshot is a
        copy: nothing done to the store later shows in it.
        """
        ...

    def lock(self, operation: str, timeout: float) -> AbstractContextManager[None]:
        """Hold the store's lock for the ``with`` block.

        Waits up to ``timeout`` seconds, then raises ``LockHeld`` naming the owner. The lock of a
        process that has died does not block. A store without locks returns a null context.
        """
        ...

    def commit(self, base: Base, writes: tuple[Write, ...], after: State, run: Run) -> Base:
        """Carry out all writes at once and durably, or none; return the new base.

        ``after`` is the state that the writes lead to (roles that are new have no id yet), its
        ``recorded`` and ``policies`` included; a store that holds one document needs only that.
        Must raise ``StateMoved``, leaving the store untouched, when it is no longer at ``base``:
        this compare-and-swap is the guarantee against lost updates, the lock is not.
        """
        ...

    def write(self, write: Write) -> None:
        """Carry out one write, for stores that can't commit.

        Must raise ``StateMoved``, changing nothing, when the object is not what the write's
        ``before`` says. Called from up to ``Description.concurrency`` threads at a time. A refusal
        (``Conflict``) is certain: the write did not take place.
        """
        ...

    def record(
        self, run: Run, recorded: frozenset[Kind], policies: tuple[Mapping[str, Any], ...]
    ) -> None:
        """Remember, after ``write`` calls, the run, the kinds managed and the policies in force.

        After a run that broke off, kinds and policies are those from before it.
        Does nothing where the store has neither history nor room for that.
        """
        ...

    def history(self) -> tuple[HistoryEntry, ...]:
        """The runs, oldest first, entry 0 (the initial state) included. Empty without history."""
        ...

    def state_after(self, number: int) -> State:
        """The state after run ``number``. Raises ``BackendError`` when it is not kept."""
        ...

    def owner(self) -> LockOwner | None:
        """Who holds, or last left behind, the lock; None when it is free."""
        ...

    def unlock(self, *, force: bool = False) -> LockOwner | None:
        """Remove a lock that a dead process left; return whose it was.

        Raises ``LockHeld`` for the lock of a living process, unless ``force``.
        """
        ...
