"""Whose turn it is: in order, so many at a time, and less where the server says it is too much."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from provisioner.backends.http.transport.client import Client
from provisioner.backends.http.transport.messages import NotSent, Request
from provisioner.backends.http.transport.send_queue import LONGEST, SendQueue
from provisioner.backends.http.transport.settings import HttpSettings
from tests.http.scripted_server import ScriptedServer, json_reply, reply
from tests.http.small_api import Answer, Asked, JsonServer
from tests.http.small_panel import SmallPanel, apart, opened
from tests.http.test_client_retries import FakeTime, timed_client

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.http.scripted_server import Received

GET = Request("GET", "/roles")
OK = json_reply({"ok": True})


def test_places_go_round_in_the_order_of_asking() -> None:
    """Whoever has finished and asks again stands behind those who have waited."""
    time = FakeTime()
    queue = SendQueue(1, time.clock, time.sleep)
    order: list[str] = []

    def take(name: str) -> None:
        with queue.taking():
            order.append(name)

    threads = [threading.Thread(target=take, args=(name,)) for name in ("first", "second")]
    with queue.taking():
        for count, thread in enumerate(threads, 1):
            thread.start()
            eventually(queue, count)
    take("again")
    for thread in threads:
        thread.join(10)
    assert order == ["first", "second", "again"]


def eventually(queue: SendQueue, queued: int) -> None:
    for _ in range(10_000):
        if queue.queued == queued:
            return
        threading.Event().wait(0.001)
    pytest.fail(f"there never were {queued} in the queue")


def test_at_most_so_many_have_a_place() -> None:
    time = FakeTime()
    queue = SendQueue(3, time.clock, time.sleep)
    inside, most, guard = 0, 0, threading.Lock()

    def take(_: int) -> None:
        nonlocal inside, most
        with queue.taking():
            with guard:
                inside += 1
                most = max(most, inside)
            threading.Event().wait(0.001)
            with guard:
                inside -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(take, range(120)))
    assert most == 3


def test_after_too_much_there_is_half_at_a_time_and_later_more_again() -> None:
    time = FakeTime()
    queue = SendQueue(8, time.clock, time.sleep)
    with queue.taking() as slot:
        queue.refused(slot, 1.0)
        queue.refused(slot, 1.0)  # of the same moment: it says nothing new
    assert queue.at_a_time == 4
    before = time.now
    with queue.taking() as slot:
        assert time.now == before + 1.0
        queue.refused(slot, 0.0)
    assert queue.at_a_time == 2
    assert queue.pause > 0
    for _ in range(1000):
        queue.answered()
    assert (queue.at_a_time, queue.pause) == (8, 0)


def test_a_server_that_takes_ten_a_second_is_read_whole() -> None:
    """Every window that is full is refused, and no request fails for it."""
    time = FakeTime()
    windows: dict[int, int] = {}
    guard = threading.Lock()

    def answer(_: Received, peer: socket.socket) -> None:
        with guard:
            window = int(time.now)
            windows[window] = windows.get(window, 0) + 1
            full = windows[window] > 10
        peer.sendall(reply(429) if full else OK)

    with ScriptedServer(answer) as server:
        client = timed_client(server.url, time, total_timeout=30.0)
        for _ in range(400):
            assert client.send(GET).status == 200
    refused = sum(max(count - 10, 0) for count in windows.values())
    assert refused < 100, refused


def test_a_server_that_refuses_side_by_side_is_asked_one_by_one(tmp_path: Path) -> None:
    """Nothing fails on a server that answers 429 to whoever comes while it is busy."""
    panel = SmallPanel(apart=True)
    for number in range(60):
        panel.add(f"Role {number}", 1)
    busy = threading.Lock()

    def answer(asked: Asked) -> Answer:
        if not busy.acquire(blocking=False):
            return Answer(429, {"message": "one at a time"})
        try:
            threading.Event().wait(0.002)
            return panel(asked)
        finally:
            busy.release()

    with JsonServer(answer) as server:
        backend = opened(server, apart(), tmp_path)
        assert len(backend.read().state.roles) == 60
        assert len(backend.read().state.roles) == 60


def test_a_server_that_always_has_too_much_is_given_up_in_time() -> None:
    time = FakeTime()
    with ScriptedServer(lambda _, peer: peer.sendall(reply(429))) as server:
        began = time.now
        with pytest.raises(NotSent, match="429"):
            timed_client(server.url, time).send(Request("POST", "/roles", body={}))
    # Once more, it may be held back for as long as the others.
    assert time.now - began <= 8 + LONGEST


def test_waiting_for_a_turn_is_not_the_time_of_the_server() -> None:
    """Each request has its own time, however many were before it."""
    time = FakeTime()
    count = 20

    def answer(_: Received, peer: socket.socket) -> None:
        time.now += 1.0
        peer.sendall(OK)

    with ScriptedServer(answer) as server:
        settings = HttpSettings(server.url, concurrency=1, total_timeout=5.0)
        client = Client(settings, clock=time.clock, sleep=time.sleep)
        with ThreadPoolExecutor(count) as pool:
            replies = list(pool.map(client.send, [GET] * count))
        client.close()
    assert [each.status for each in replies] == [200] * count
