"""The part of the contract that is about runs: locks, and the history."""

from __future__ import annotations

import threading
from datetime import date

import pytest

from provisioner.engine.writes import CreateRole
from provisioner.errors import BackendError, LockHeld
from provisioner.model import Ending
from provisioner.testing.contract.setting import Factory, Setting, carry_out, run, without_ids


class RunContract(Setting):
    """Runs keep out of each other's way, and are remembered."""

    def test_a_lock_excludes_other_handles(self, backend: Factory) -> None:
        """The second is told who holds it; afterwards it is free."""
        first, second = self.locking(backend), backend()
        with first.lock("apply", 0.0):
            owner = second.owner()
            assert owner is not None
            assert owner.operation == "apply"
            with pytest.raises(LockHeld, match="apply"), second.lock("plan", 0.0):
                pytest.fail("two handles hold the lock")
        assert first.owner() is None
        with second.lock("plan", 0.0):
            pass

    def test_a_lock_is_waited_for(self, backend: Factory) -> None:
        """A timeout in seconds is time in which the other may finish."""
        first, second = self.locking(backend), backend()
        release, locked = threading.Event(), threading.Event()

        def hold() -> None:
            with first.lock("apply", 0.0):
                locked.set()
                release.wait(timeout=10)

        holder = threading.Thread(target=hold)
        holder.start()
        assert locked.wait(timeout=10)
        threading.Timer(0.1, release.set).start()
        with second.lock("apply", 10.0):
            pass
        holder.join(timeout=10)

    def test_an_error_releases_the_lock(self, backend: Factory) -> None:
        """What fails inside of the block leaves no lock behind."""
        store = self.locking(backend)
        with pytest.raises(RuntimeError, match="on purpose"), store.lock("apply", 0.0):
            raise RuntimeError("on purpose")
        assert store.owner() is None
        with backend().lock("apply", 0.0):
            pass

    def test_unlock_leaves_a_living_holder_alone(self, backend: Factory) -> None:
        """Only ``force`` takes the lock from a run that lives; nothing to unlock is no error."""
        first, second = self.locking(backend), backend()
        assert second.unlock() is None
        with first.lock("apply", 0.0):
            with pytest.raises(LockHeld):
                second.unlock()
            taken = second.unlock(force=True)
            assert taken is not None
            with second.lock("apply", 0.0):
                pass
        with second.lock("apply", 0.0):
            pass

    def test_history_tells_every_run(self, backend: Factory) -> None:
        """Entry 0 is the state before any run; each later one names its run."""
        store = backend()
        self.need(store, "history")
        initial = store.read().state
        states = [
            carry_out(store, CreateRole(self.role(f"Kept {number}")), number=number).state
            for number in (1, 2)
        ]
        entries = store.history()
        assert [entry.number for entry in entries] == list(range(len(entries)))
        assert entries[0].run is None
        assert [entry.run for entry in entries[-2:]] == [run(1), run(2)]
        assert without_ids(store.state_after(0)) == without_ids(initial)
        assert [store.state_after(entry.number) for entry in entries[-2:]] == states

    def test_history_gives_back_the_end_dates_of_each_run(self, backend: Factory) -> None:
        """As they were recorded; "nothing ends" is something else than "nothing was said"."""
        store = backend()
        self.need(store, "history")
        ends = (
            Ending(self.users[0], "Ends 1", date(2028, 2, 29)),
            Ending(self.users[1], 'Not "there"', date(2030, 12, 31)),
        )
        for number, until in enumerate((ends, (), None), 1):
            write = CreateRole(self.role(f"Ends {number}"))
            carry_out(store, write, number=number, until=until)
        runs = [entry.run for entry in backend().history()[-3:]]
        assert [told and told.until for told in runs] == [ends, (), None]

    def test_a_state_that_is_not_kept_is_an_error(self, backend: Factory) -> None:
        """A number beyond the last run is refused, never an empty state."""
        store = backend()
        self.need(store, "history")
        with pytest.raises(BackendError):
            store.state_after(len(store.history()))
