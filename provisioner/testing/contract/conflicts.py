"""The part of the contract that is about others: versions, races, and what is refused."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from provisioner.engine.writes import CreateRole, DeleteRole, SetAssignment, UpdateRole, replay
from provisioner.errors import ProvisionerError, StateMoved
from provisioner.model import Assignment, Role
from provisioner.testing.contract.setting import Factory, Setting, carry_out, run

if TYPE_CHECKING:
    from provisioner.backends.base import Backend
    from provisioner.engine.writes import Write
    from provisioner.model import State


class ConflictContract(Setting):
    """No update is lost, and nothing is written that does not fit."""

    def test_each_commit_raises_the_serial_by_one(self, backend: Factory) -> None:
        """Serial counts commits, lineage stays, and ``commit`` returns what ``read`` then says."""
        store = backend()
        self.need(store, "atomic")
        bases = [self.commit_role(store, f"Serial {number}") for number in range(3)]
        assert store.read().base == bases[-1]
        assert [base.serial - bases[0].serial for base in bases] == [0, 1, 2]
        assert len({base.lineage for base in bases}) == 1
        assert len({base.digest for base in bases}) == 3

    def test_a_stale_base_is_refused(self, backend: Factory) -> None:
        """A commit made from an older version changes nothing, though its writes would fit."""
        first, second = backend(), backend()
        self.need(first, "atomic")
        stale = second.read()
        self.commit_role(first, "Faster")
        held = first.read()
        writes = (CreateRole(self.role("Slower")),)
        with pytest.raises(StateMoved):
            second.commit(stale.base, writes, replay(stale.state, writes), run(2))
        assert backend().read() == held

    def test_of_two_racing_commits_exactly_one_wins(self, backend: Factory) -> None:
        """Two handles commit from the same version at the same time; the loser is told."""
        self.need(backend(), "atomic")
        start = threading.Barrier(2)
        outcomes: list[str] = []

        def race(name: str) -> None:
            store = backend()
            read = store.read()
            writes = (CreateRole(self.role(name)),)
            after = replay(read.state, writes)
            start.wait(timeout=10)
            try:
                store.commit(read.base, writes, after, run())
            except StateMoved:
                outcomes.append("moved")
            else:
                outcomes.append(name)

        threads = [threading.Thread(target=race, args=(name,)) for name in ("Left", "Right")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        assert len(outcomes) == 2, "a racer came to no end, or to an unexpected error"
        winners = [name for name in outcomes if name != "moved"]
        assert len(winners) == 1, outcomes
        roles = backend().read().state.roles
        assert {"Left", "Right"} & roles.keys() == set(winners)

    def test_a_taken_name_is_refused(self, backend: Factory) -> None:
        """Names are unique whatever their case; the refusal changes nothing."""
        store = backend()
        carry_out(store, CreateRole(self.role("Taken")))
        self.refused(backend, CreateRole(self.role("TAKEN", self.privileges[1])))

    def test_deleting_a_held_role_is_refused(self, backend: Factory) -> None:
        """Nobody loses access as a side effect."""
        store = backend()
        self.need(store, "assignments")
        held = frozenset({"Held"})
        made = carry_out(
            store,
            CreateRole(self.role("Held")),
            SetAssignment(self.users[0], frozenset(), held),
        )
        self.refused(backend, DeleteRole(made.state.roles["Held"]))

    def test_deleting_an_included_role_is_refused(self, backend: Factory) -> None:
        """No role loses privileges as a side effect."""
        store = backend()
        self.need(store, "includes")
        outer = replace(Role("Outer"), includes=frozenset({"Inner"}))
        made = carry_out(store, CreateRole(self.role("Inner")), CreateRole(outer))
        self.refused(backend, DeleteRole(made.state.roles["Inner"]))

    def test_assigning_a_role_that_does_not_exist_is_refused(self, backend: Factory) -> None:
        """No assignment ever points to nothing."""
        self.need(backend(), "assignments")
        self.refused(backend, SetAssignment(self.users[0], frozenset(), frozenset({"Nowhere"})))

    def test_a_write_from_an_older_role_is_refused(self, backend: Factory) -> None:
        """A single write checks the object it changes: what another run did is not overwritten."""
        store = backend()
        old = carry_out(store, CreateRole(self.role("Contested"))).state.roles["Contested"]
        newer = replace(old, privileges=frozenset(self.privileges[1:2]))
        carry_out(store, UpdateRole(old, newer), number=2)
        held = store.read()
        with pytest.raises(StateMoved):
            backend().write(UpdateRole(old, replace(old, privileges=frozenset())))
        assert backend().read() == held

    def test_a_write_from_an_older_assignment_is_refused(self, backend: Factory) -> None:
        """Two runs that assign to the same user do not overwrite each other."""
        store = backend()
        self.need(store, "assignments")
        user, held = self.users[0], frozenset({"Mine"})
        carry_out(
            store,
            CreateRole(self.role("Mine")),
            CreateRole(self.role("Theirs")),
            SetAssignment(user, frozenset(), held),
        )
        with pytest.raises(StateMoved):
            backend().write(SetAssignment(user, frozenset(), frozenset({"Theirs"})))
        assert backend().read().state.assignments[user] == Assignment(user, held)

    def test_logins_are_compared_whatever_their_case(self, backend: Factory) -> None:
        """The same person written in capitals is not a second one."""
        store = backend()
        self.need(store, "assignments")
        user, held = self.users[0], frozenset({"Held"})
        carry_out(
            store,
            CreateRole(self.role("Held")),
            SetAssignment(user, frozenset(), held),
        )
        after = carry_out(store, SetAssignment(user.upper(), held, frozenset()), number=2)
        assert after.state.assignments.get(user.casefold()) is None

    def refused(self, backend: Factory, write: Write) -> None:
        """Check that the store refuses a write that does not fit, and stays as it is."""
        store = backend()
        held = store.read()
        with pytest.raises(ProvisionerError):
            _send(store, write)
        assert backend().read() == held


def _send(store: Backend, write: Write) -> None:
    if not store.describe().capabilities.atomic:
        store.write(write)
        return
    held = store.read()
    store.commit(held.base, (write,), _forced(held.state, write), run(9))


def _forced(state: State, write: Write) -> State:
    """Return the state that a store would hold which checked nothing."""
    roles, assignments = dict(state.roles), dict(state.assignments)
    match write:
        case CreateRole(role):
            roles[role.name] = role
        case DeleteRole(before):
            del roles[before.name]
        case SetAssignment(user=user, after=after):
            assignments[user.casefold()] = Assignment(user, after)
    return replace(state, roles=roles, assignments=assignments)
