"""Gateways with a fault planted in them: the tests must tell them from sound ones."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.documents.codec import compact
from provisioner.server import gateway
from provisioner.server.database import records
from provisioner.server.database.connection import Database
from provisioner.server.database.store import Store
from provisioner.server.http import answers, paging
from provisioner.server.panel import rendering
from provisioner.server.panel.editing import Editing
from provisioner.server.routes import writes
from tests.server import (
    test_changesets,
    test_races,
    test_repeating,
    test_roles,
    test_runs_and_audit,
    test_state,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.server.client import Client


@pytest.fixture
def database(tmp_path: Path) -> str:
    """One kind is enough to see whether a test looks closely."""
    return str(tmp_path / "gateway.sqlite")


def no_precondition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "require_match", lambda *_: None)


def weak_etags_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = answers.require_match
    monkeypatch.setattr(
        writes, "require_match", lambda given, etag: sound((given or "").replace("W/", ""), etag)
    )


def no_idempotency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "keep_reply", lambda *_: None)


def keys_looked_up_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """`If-Match` is judged first."""
    sound = gateway.Gateway.write

    def write(self: Any, handler: Any, call: Any) -> Any:
        if call.path == "/changesets":
            with self.database.reading() as connection:
                version = self.store.current(connection)
            answers.require_match(call.if_match, self.rendering.state_etag(version, call.subject))
        return sound(self, handler, call)

    monkeypatch.setattr(gateway.Gateway, "write", write)


def stale_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Store.current

    def current(self: Any, connection: Any, *, lock: bool = False) -> Any:
        return self._newest or sound(self, connection, lock=lock)

    monkeypatch.setattr(Store, "current", current)


def unlocked_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write decides by what it saw before it had the lock."""

    @contextmanager
    def writing(self: Any) -> Iterator[Any]:
        with self.engine.connect() as connection, connection.begin():
            yield connection

    monkeypatch.setattr(Database, "writing", writing)


def no_cycle_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Editing, "_reaches", lambda *_: False)


def no_default_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Editing.__init__

    def init(self: Any, *given: Any) -> None:
        sound(self, *given)
        self._defaults = frozenset()

    monkeypatch.setattr(Editing, "__init__", init)


def etag_by_serial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every object changes its version with every write to the panel."""
    monkeypatch.setattr(
        rendering.Rendering,
        "role",
        lambda _, version, role: rendering.Rendered(
            role,
            compact(rendering._role_document(role, version)),
            f'"{version.serial}"',
        ),
    )


def etag_for_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        rendering.Rendering, "state_etag", lambda _, version, __: f'"{version.mark}"'
    )


def pages_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = paging.slice_after

    def overlapping(keys: Any, call: Any, kind: str) -> Any:
        chosen, following = sound(keys, call, kind)
        if following and len(chosen) > 1:
            following = paging.cursor(kind, chosen[-2])
        return chosen, following

    monkeypatch.setattr(paging, "slice_after", overlapping)


def audit_without_no_ops_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The serial grows with requests that change nothing."""
    sound = writes.Change.save

    def save(self: Any) -> Any:
        if not self.editing.entries:
            self._save(self._edited(), [])
        return sound(self)

    monkeypatch.setattr(writes.Change, "save", save)


def snapshot_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = rendering.Rendering.run_state
    last: list[Any] = []

    def run_state(self: Any, version: Any) -> bytes:
        last.append(version)
        return sound(self, last[max(0, len(last) - 2)])

    monkeypatch.setattr(rendering.Rendering, "run_state", run_state)


@pytest.mark.parametrize(
    ("plant", "test"),
    [
        (no_precondition, test_races.test_of_many_writes_to_one_version_exactly_one_wins),
        (no_precondition, test_changesets.test_a_changeset_made_from_another_state_is_refused),
        (weak_etags_fit, test_roles.test_an_if_match_that_does_not_fit_is_refused),
        (no_idempotency, test_repeating.test_the_same_request_gets_the_first_reply),
        (no_idempotency, test_repeating.test_the_same_key_at_the_same_time_is_carried_out_once),
        (
            keys_looked_up_too_late,
            test_repeating.test_a_changeset_is_looked_up_before_its_version_is_judged,
        ),
        (stale_cache, test_races.test_what_one_server_writes_the_other_shows),
        (stale_cache, test_races.test_of_many_writes_to_one_version_exactly_one_wins),
        (unlocked_writes, test_races.test_of_many_writes_to_one_version_exactly_one_wins),
        (no_cycle_check, test_roles.test_no_role_includes_itself),
        (
            no_default_roles,
            test_roles.test_default_roles_are_neither_deleted_nor_renamed_but_may_be_changed,
        ),
        (
            etag_by_serial,
            test_roles.test_renaming_an_included_role_does_not_touch_those_that_include_it,
        ),
        (etag_for_everybody, test_state.test_the_state_s_etag_depends_on_who_asks),
        (pages_overlap, test_state.test_lists_come_in_pages_that_hold_each_item_once),
        (
            audit_without_no_ops_left_out,
            test_roles.test_a_request_that_changes_nothing_leaves_serial_and_etag,
        ),
        (snapshot_before_the_run, test_runs_and_audit.test_each_run_keeps_the_state_that_it_left),
    ],
    ids=lambda value: value.__name__.removeprefix("test_"),
)
def test_a_planted_fault_is_found(
    plant: Callable[[pytest.MonkeyPatch], None],
    test: Callable[..., None],
    open_gateway: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    plant(monkeypatch)
    offered = {"open_gateway": open_gateway, "tmp_path": tmp_path}
    wanted = test.__code__.co_varnames[: test.__code__.co_argcount]
    if "gateway" in wanted:
        offered["gateway"] = open_gateway()
    with pytest.raises(AssertionError):
        test(**{name: offered[name] for name in wanted})
