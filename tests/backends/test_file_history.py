"""The history of a state file: what is kept, what a crash leaves, and repairing from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from provisioner.backends.file import FileBackend
from provisioner.backends.file.history import KEPT
from provisioner.engine.writes import CreateRole, DeleteRole, UpdateRole, replay
from provisioner.errors import BackendError, StateDamaged
from provisioner.model import Base, Role, State
from provisioner.testing.contract import carry_out, run, without_ids

if TYPE_CHECKING:
    from pathlib import Path

INITIAL = State({"Full Access": Role("Full Access", privileges=frozenset({"CONFIG_SECURITY"}))})


@pytest.fixture
def backend(tmp_path: Path) -> FileBackend:
    """Return a handle to a store that does not exist yet."""
    return FileBackend(tmp_path / "state.json", INITIAL)


def commit(backend: FileBackend, number: int) -> None:
    """Commit a new role, named after the number of the run."""
    carry_out(backend, CreateRole(Role(f"Role {number}")), number=number)


def entry(tmp_path: Path, number: int) -> Path:
    """Return the path of a history entry."""
    return tmp_path / "state.json.history" / f"{number:06d}.json"


def roles(state: State) -> set[str]:
    """Return the names of the roles that were added."""
    return set(state.roles) - {"Full Access"}


# Keeping


def test_a_store_that_was_never_written_has_its_initial_state_to_go_back_to(
    backend: FileBackend,
) -> None:
    """Entry 0 is there before the first run; reading makes no file."""
    assert [(kept.number, kept.run, kept.has_snapshot) for kept in backend.history()] == [
        (0, None, True)
    ]
    assert backend.state_after(0) == backend.read().state
    assert not list(backend._path.parent.iterdir())


def test_every_run_leaves_a_full_copy(backend: FileBackend, tmp_path: Path) -> None:
    """Entry N is the state file as run N left it, byte for byte."""
    for number in (1, 2):
        commit(backend, number)
        assert entry(tmp_path, number).read_bytes() == (tmp_path / "state.json").read_bytes()
    assert [kept.run for kept in backend.history()] == [None, run(1), run(2)]
    assert roles(backend.state_after(1)) == {"Role 1"}


def test_default_roles_keep_one_id_from_before_the_first_run(backend: FileBackend) -> None:
    """A store that was only read, its entry 0, and the first written state agree on it."""
    before = backend.read().state.roles["Full Access"]
    assert before.id
    commit(backend, 1)
    assert backend.state_after(0).roles["Full Access"] == before
    assert backend.read().state.roles["Full Access"] == before


def test_the_newest_states_are_kept_and_the_initial_one(
    backend: FileBackend, tmp_path: Path
) -> None:
    """The history does not grow for ever; a dropped state is an error to ask for."""
    for number in range(1, KEPT + 4):
        commit(backend, number)
    kept = [found.number for found in backend.history()]
    assert kept == [0, *range(4, KEPT + 4)]
    assert len(list(entry(tmp_path, 0).parent.iterdir())) == KEPT + 1
    assert roles(backend.state_after(4)) == {f"Role {number}" for number in range(1, 5)}
    with pytest.raises(BackendError, match="after run 3 is not kept"):
        backend.state_after(3)


@pytest.mark.parametrize("content", [b"", b"{}", None])
def test_a_damaged_entry_does_not_hide_the_others(
    backend: FileBackend, tmp_path: Path, content: bytes | None
) -> None:
    """It is listed without a state; asking for that state says what is wrong."""
    for number in (1, 2, 3):
        commit(backend, number)
    whole = entry(tmp_path, 2).read_bytes()
    damaged = content if content is not None else whole.replace(b"Role 2", b"Role X")
    entry(tmp_path, 2).write_bytes(damaged)
    assert [(kept.number, kept.has_snapshot) for kept in backend.history()] == [
        (0, True),
        (1, True),
        (2, False),
        (3, True),
    ]
    with pytest.raises(StateDamaged, match=r"000002\.json"):
        backend.state_after(2)
    commit(backend, 4)


def test_an_entry_under_another_number_is_not_believed(
    backend: FileBackend, tmp_path: Path
) -> None:
    """Copying entries about does not make them other states."""
    for number in (1, 2):
        commit(backend, number)
    entry(tmp_path, 1).write_bytes(entry(tmp_path, 2).read_bytes())
    assert [kept.has_snapshot for kept in backend.history()] == [True, False, True]
    with pytest.raises(StateDamaged, match="holds the state after run 2"):
        backend.state_after(1)


def test_an_entry_of_another_store_is_not_believed(backend: FileBackend, tmp_path: Path) -> None:
    """Lineage tells stores apart, even where the numbers fit."""
    other = FileBackend(tmp_path / "other.json", INITIAL)
    for number in (1, 2):
        commit(backend, number)
        commit(other, number)
    foreign = tmp_path / "other.json.history" / "000001.json"
    entry(tmp_path, 1).write_bytes(foreign.read_bytes())
    assert [kept.has_snapshot for kept in backend.history()] == [True, False, True]
    with pytest.raises(StateDamaged, match="another store"):
        backend.state_after(1)


def test_an_entry_that_no_state_file_followed_is_ignored(
    backend: FileBackend, tmp_path: Path
) -> None:
    """A crash between the two leaves a state that never was; the next commit overwrites it."""
    commit(backend, 1)
    held = (tmp_path / "state.json").read_bytes()
    commit(backend, 2)
    (tmp_path / "state.json").write_bytes(held)
    assert [kept.number for kept in backend.history()] == [0, 1]
    with pytest.raises(BackendError, match="after run 2 is not kept"):
        backend.state_after(2)
    commit(backend, 3)
    assert roles(backend.state_after(2)) == {"Role 1", "Role 3"}


def test_a_lost_history_does_not_hinder(backend: FileBackend, tmp_path: Path) -> None:
    """Without its folder, the latest state is still there, and runs go on."""
    commit(backend, 1)
    for path in entry(tmp_path, 0).parent.iterdir():
        path.unlink()
    assert [kept.number for kept in backend.history()] == [0, 1]
    assert roles(backend.state_after(1)) == {"Role 1"}
    commit(backend, 2)
    assert [kept.number for kept in backend.history()] == [0, 2]


# Repairing


def break_file(tmp_path: Path) -> bytes:
    """Cut the state file in half; return what is left."""
    path = tmp_path / "state.json"
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half)
    return half


def test_a_damaged_state_file_is_replaced_from_its_history(
    backend: FileBackend, tmp_path: Path
) -> None:
    """The damaged file is kept aside, the lineage stays, the serial is above all others."""
    for number in (1, 2, 3):
        commit(backend, number)
    lineage = backend.read().base.lineage
    half = break_file(tmp_path)
    fresh = FileBackend(tmp_path / "state.json", INITIAL)
    with pytest.raises(StateDamaged, match="cut off"):
        fresh.read()
    assert [kept.number for kept in fresh.history()] == [0, 1, 2, 3]
    newest = fresh.read_newest_snapshot()
    assert newest.base.serial == 3
    writes = (DeleteRole(newest.state.roles["Role 3"]),)
    base = fresh.commit_over_broken(writes, replay(newest.state, writes), run(4))
    assert (base.lineage, base.serial) == (lineage, 4)
    assert fresh.read().base == base
    assert fresh.read().state == fresh.state_after(2)
    assert (tmp_path / "state.json.broken-4").read_bytes() == half
    commit(fresh, 5)


def test_a_sound_state_file_is_not_replaced(backend: FileBackend, tmp_path: Path) -> None:
    """Repairing what is not broken would go around the comparison of versions."""
    for state in ("missing", "sound"):
        if state == "sound":
            commit(backend, 1)
        before = list(tmp_path.iterdir())
        with pytest.raises(BackendError, match="is not damaged"):
            backend.read_newest_snapshot()
        with pytest.raises(BackendError, match="is not damaged"):
            backend.commit_over_broken((), backend.read().state, run(2))
        assert len(list(tmp_path.iterdir())) <= len(before) + 1, "the commit lock at most"


def test_a_state_of_a_newer_version_is_not_replaced(backend: FileBackend, tmp_path: Path) -> None:
    """An old provisioner must not take a new one's state for damage."""
    commit(backend, 1)
    path = tmp_path / "state.json"
    path.write_bytes(path.read_bytes().replace(b'"version": 1', b'"version": 2'))
    before = path.read_bytes()
    with pytest.raises(StateDamaged, match="newer provisioner"):
        backend.commit_over_broken((), INITIAL, run(2))
    assert path.read_bytes() == before


@pytest.mark.parametrize("initial_kept", [True, False])
def test_a_state_file_that_is_gone_is_not_an_empty_store(
    backend: FileBackend, tmp_path: Path, initial_kept: bool
) -> None:
    """Its history shows that it was there, so nothing is planned from nothing."""
    commit(backend, 1)
    if not initial_kept:
        commit(backend, 2)
        entry(tmp_path, 0).unlink()
    (tmp_path / "state.json").unlink()
    with pytest.raises(StateDamaged, match="is gone, but its history"):
        backend.read()
    with pytest.raises(StateDamaged):
        backend.commit(Base(), (), INITIAL, run(3))
    newest = backend.read_newest_snapshot()
    backend.commit_over_broken((), newest.state, run(3))
    assert "Role 1" in backend.read().state.roles
    assert not list(tmp_path.glob("*.broken-*"))


def test_repair_starts_from_the_state_that_the_damaged_file_claims(
    backend: FileBackend, tmp_path: Path
) -> None:
    """Not from an entry above it, which a crash may have left."""
    commit(backend, 1)
    held = (tmp_path / "state.json").read_bytes()
    commit(backend, 2)
    (tmp_path / "state.json").write_bytes(held.replace(b"CONFIG_SECURITY", b"CONFIG_EVERYTHING"))
    newest = backend.read_newest_snapshot()
    assert newest.base.serial == 1
    assert backend.commit_over_broken((), newest.state, run(3)).serial == 3


def test_repair_skips_damaged_entries(backend: FileBackend, tmp_path: Path) -> None:
    """The newest sound state counts; without any, there is nothing to go back to."""
    for number in (1, 2):
        commit(backend, number)
    break_file(tmp_path)
    entry(tmp_path, 2).write_bytes(b"")
    assert backend.read_newest_snapshot().base.serial == 1
    for number in (0, 1):
        entry(tmp_path, number).write_bytes(b"")
    with pytest.raises(BackendError, match="no sound state"):
        backend.read_newest_snapshot()


# What a commit refuses


def test_writes_must_lead_to_the_announced_state(backend: FileBackend, tmp_path: Path) -> None:
    """What is stored is what the plan showed, or nothing is."""
    commit(backend, 1)
    read = backend.read()
    role = read.state.roles["Role 1"]
    writes = (UpdateRole(role, replace(role, privileges=frozenset({"A"}))),)
    before = (tmp_path / "state.json").read_bytes()
    with pytest.raises(BackendError, match="role Role 1; nothing was changed"):
        backend.commit(read.base, writes, read.state, run(2))
    assert (tmp_path / "state.json").read_bytes() == before


def test_single_writes_are_runs_of_their_own(backend: FileBackend) -> None:
    """A caller that writes object by object gets a file that is whole after each."""
    backend.write(CreateRole(Role("One")))
    backend.write(CreateRole(Role("Two")))
    backend.record(run(3), frozenset({"roles"}), ())
    assert roles(backend.read().state) == {"One", "Two"}
    assert backend.read().state.recorded == {"roles"}
    assert [kept.number for kept in backend.history()] == [0, 1, 2, 3]
    assert without_ids(backend.state_after(0)) == INITIAL
