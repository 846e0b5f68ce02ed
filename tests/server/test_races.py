"""Many clients and several servers at once: nothing gets lost, nothing gets mixed."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.server.app import create_app
from provisioner.server.database.connection import Database
from provisioner.server.database.store import Store
from tests.server.client import Client, problem, role_content
from tests.server.running import WRITER, settings

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS = 8


def test_of_many_writes_to_one_version_exactly_one_wins(
    gateway: Client, open_gateway: Callable[..., Client]
):
    servers = [gateway, open_gateway()]
    role = gateway.role()
    path = f"/roles/{role['id']}"
    etag = role["etag"]
    clients = [servers[n % 2].with_token(WRITER) for n in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        for attempt in range(4):

            def write(n: int, etag: str = etag, attempt: int = attempt) -> Any:
                return clients[n].put(path, role_content(description=f"{attempt}.{n}"), etag)

            replies = list(threads.map(write, range(CLIENTS)))
            winners = [reply for reply in replies if reply.status_code == 200]
            assert len(winners) == 1
            won = winners[0]
            lost = [problem(reply) for reply in replies if reply is not won]
            assert lost == [(412, "precondition-failed")] * (CLIENTS - 1)
            assert all(server.get(path).json() == won.json() for server in servers)
            etag = won.headers["ETag"]
    assert gateway.state()["serial"] == 1 + 4


def test_of_two_changesets_one_wins_whole(gateway: Client, open_gateway: Callable[..., Client]):
    servers = [gateway.with_token(WRITER), open_gateway()]
    for attempt in range(4):
        etag = gateway.get("/state").headers["ETag"]

        def commit(n: int, etag: str = etag, attempt: int = attempt) -> Any:
            writes = [
                {"op": "create_role", "ref": f"new-{i}", "name": f"{attempt}-{n}-{i}"}
                | role_content()
                for i in range(30)
            ]
            return servers[n].commit(*writes, match=etag)

        with ThreadPoolExecutor(2) as threads:
            replies = list(threads.map(commit, range(2)))
        assert sorted(reply.status_code for reply in replies) == [200, 412]
        winner = [reply.status_code for reply in replies].index(200)
        names = {role["name"] for role in gateway.listed("/roles")}
        assert {name for name in names if name.startswith(f"{attempt}-")} == {
            f"{attempt}-{winner}-{i}" for i in range(30)
        }


def test_what_one_server_writes_the_other_shows(
    gateway: Client, open_gateway: Callable[..., Client]
):
    other = open_gateway()
    for number in range(3):
        for one, two in ((gateway, other), (other, gateway)):
            role = one.role()
            one.give(f"user {number}", role["id"])
            assert two.get("/state").content == one.get("/state").content
            assert two.get(f"/roles/{role['id']}").json() == role


def test_reads_see_one_version_while_others_write(
    gateway: Client, open_gateway: Callable[..., Client]
):
    """Each write puts the same text into two roles; no reader may ever see them differ."""
    roles = [gateway.role()["id"] for _ in range(2)]
    reader = open_gateway()
    stop = False

    def write() -> None:
        number = 0
        while not stop:
            number += 1
            content = role_content(description=str(number))
            writes = [{"op": "update_role", "role": role, **content} for role in roles]
            assert gateway.commit(*writes, match="*").status_code == 200

    with ThreadPoolExecutor(1) as thread:
        writing = thread.submit(write)
        try:
            for _ in range(40):
                state = reader.state()
                told = {r["description"] for r in state["roles"] if r["id"] in roles}
                assert len(told) == 1
                page = reader.get("/roles?limit=1000").json()["items"]
                assert len({r["description"] for r in page if r["id"] in roles}) == 1
        finally:
            stop = True
        writing.result()


def test_a_database_that_is_locked_for_too_long_is_unavailable(
    open_gateway: Callable[..., Client], database: str, caplog: pytest.LogCaptureFixture
):
    gateway = open_gateway(patience=0.3)
    role = gateway.role()
    path, content = f"/roles/{role['id']}", role_content(description="x")
    before = gateway.state()
    other = Database(database)
    with other.writing() as connection:
        Store().current(connection, lock=True)
        refused = gateway.put(path, content)
        assert problem(refused) == (503, "unavailable")
        assert "Retry-After" in refused.headers
        assert gateway.state() == before
    other.close()
    # One line, and no traceback that leads nowhere.
    (told,) = [each for each in caplog.records if each.name == "provisioner.server"]
    assert "is locked for too long; nothing was changed" in told.getMessage()
    assert "\n" not in told.getMessage()
    assert not told.exc_info
    assert gateway.put(path, content).status_code == 200


def _start(database: str, barrier: Any, results: Any) -> None:
    barrier.wait()
    app = create_app(settings(database))
    with app.state.gateway.database.reading() as connection:
        version = app.state.gateway.store.current(connection)
    app.state.gateway.close()
    results.put((version.lineage, version.serial, len(version.names)))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_servers_that_start_at_once_on_an_empty_database_all_come_up(database: str):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(3), context.Queue()
    processes = [
        context.Process(target=_start, args=(database, barrier, results)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    found = {results.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert len(found) == 1
