"""A server killed at any moment: what it answered is there, and nothing is there by half."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from tests.server.client import RUN, VIEW, Client
from tests.server.running import WRITER, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

ROLES = 400
KILLS = {"sqlite": 15, "postgresql": 6}


def big_changeset(number: int, roles: list[str]) -> dict[str, Any]:
    """Creates many roles, gives them to people, and deletes those of the changeset before.

    ``roles`` are those, each before the ones that it includes.
    """
    make = [
        {
            "op": "create_role",
            "ref": f"new-{i}",
            "name": f"Role {number}/{i}",
            "description": "",
            "privileges": [VIEW],
            "includes": [f"new-{i - 1}"] if i % 7 == 6 else [],
            "protected": False,
        }
        for i in range(ROLES)
    ]
    give = [
        {"op": "assign", "login": f"user {i}", "roles": [f"new-{i}"]} for i in range(0, ROLES, 3)
    ]
    drop = [{"op": "delete_role", "role": id} for id in roles]
    run = {**RUN, "summary": f"run {number}"}
    return {"writes": [*make, *give, *drop], "recorded": ["roles"], "policies": [], "run": run}


def summary(client: Client) -> dict[str, Any]:
    """Everything that a changeset leaves, as far as it has to fit together."""
    state = client.state()
    runs = client.listed("/runs")
    kept = client.get(f"/runs/{runs[-1]['number']}/state").json()
    ids = {role["id"] for role in state["roles"]}
    for role in state["roles"]:
        assert set(role["includes"]) <= ids
    for user in state["users"]:
        assert set(user["roles"]) <= ids
    assert [role["id"] for role in kept["roles"]] == [role["id"] for role in state["roles"]]
    assert [user["roles"] for user in kept["users"]] == [user["roles"] for user in state["users"]]
    assert len(runs) == state["serial"] + 1
    numbers = {role["name"].split()[1].partition("/")[0] for role in state["roles"]}
    return {
        "serial": state["serial"],
        "generations": sorted(n for n in numbers if n.isdigit()),
        "roles": len(state["roles"]),
        "run": (runs[-1]["run"] or {}).get("summary"),
    }


def test_a_killed_server_loses_nothing_and_halves_nothing(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
):
    kills = KILLS[request.node.callspec.params["database"]]
    chance = random.Random(kills)
    attempt: Attempt | None = None
    outcomes = set()
    took = 0.5
    for _ in range(kills):
        with served(tmp_path, "--database", database) as gateway, opened(gateway.url) as client:
            if attempt is not None:
                serial = summary(client)["serial"]
                # What was under way is there as a whole or not at all; what was answered is there.
                assert serial == attempt.number or (
                    not attempt.is_answered and serial == attempt.number - 1
                )
                outcomes.add(serial == attempt.number)
                took = min(1.0, attempt.repeat(client))
            attempt = Attempt.on(client)
            with ThreadPoolExecutor(1) as thread:
                asking = thread.submit(attempt.send, client)
                wait([asking], chance.uniform(0, took * 1.1))
                gateway.kill()
    with served(tmp_path, "--database", database) as gateway, opened(gateway.url) as client:
        assert attempt is not None
        attempt.repeat(client)
    assert outcomes == {True, False}, "kills came only before, or only after, the commit"


@dataclass
class Attempt:
    """A changeset that leads to the serial ``number``, as it was sent."""

    number: int
    body: dict[str, Any]
    etag: str
    is_answered: bool = False

    @classmethod
    def on(cls, client: Client) -> Attempt:
        """Make the next changeset of a state."""
        reply = client.get("/state")
        state = reply.json()
        number = state["serial"] + 1
        includes = {r["id"]: r["includes"] for r in state["roles"] if not r["default"]}
        old = sorted(includes, key=lambda id: not includes[id])
        return cls(number, big_changeset(number, old), reply.headers["ETag"])

    def send(self, client: Client) -> None:
        """Send it; whether an answer comes is up to the one who kills."""
        with suppress(requests.RequestException):
            reply = client.post("/changesets", self.body, match=self.etag, key=f"key {self.number}")
            assert reply.status_code == 200, reply.text
            self.is_answered = True

    def repeat(self, client: Client) -> float:
        """Ask again, just as it was: now it is there, and once. Returns how long it took."""
        began = time.monotonic()
        self.send(client)
        took = time.monotonic() - began
        assert self.is_answered
        assert summary(client) == {
            "serial": self.number,
            "generations": [str(self.number)],
            "roles": ROLES + 3,
            "run": f"run {self.number}",
        }
        return took


@contextmanager
def opened(url: str) -> Iterator[Client]:
    """A client without a connection that a dead server left."""
    with Client(url, WRITER) as client:
        yield client
