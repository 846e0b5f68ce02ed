"""Requests that ask for much: what is answered stays small, and what is too much is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.client import Client, new_role
from tests.server.test_requests import post

if TYPE_CHECKING:
    from collections.abc import Callable

MANY = 100_000
SMALL = 64 * 1024


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """None of this depends on the kind of database."""
    return str(tmp_path_factory.mktemp("database") / "gateway.sqlite")


def update(**content: Any) -> dict[str, Any]:
    body = {key: value for key, value in new_role(**content).items() if key != "name"}
    return {"op": "update_role", "role": "r-none", **body}


REQUESTS: dict[str, tuple[Callable[[Client], Any], int]] = {
    "privileges that nobody knows": (
        lambda g: g.post("/roles", new_role("A", privileges=[f"P{n}" for n in range(MANY)])),
        MANY,
    ),
    "privileges that are no text": (
        lambda g: g.post("/roles", new_role("A", privileges=list(range(MANY)))),
        MANY,
    ),
    "includes that nobody knows": (
        lambda g: g.post("/roles", new_role("A", includes=[f"r-{n}" for n in range(MANY)])),
        MANY,
    ),
    "roles that nobody knows": (
        lambda g: g.put("/users/ada", {"roles": [f"r-{n}" for n in range(MANY)]}),
        MANY,
    ),
    "writes that are none": (lambda g: g.commit(*[{"op": "none"}] * 5000), 5000),
    "writes that are wrong inside": (lambda g: g.commit(*[update(protected=1)] * 5000), 5000),
    "one write with much that is wrong": (
        lambda g: g.commit(update(privileges=list(range(MANY)))),
        MANY,
    ),
    "policies that are none": (lambda g: g.commit(policies=[{"name": "p"}] * 5000), 9999),
    "what stands there and nobody knows": (
        lambda g: g.post("/roles", {f"{n}" * 20: 1 for n in range(10_000)}),
        6,
    ),
    "numbers that are none": (lambda g: post(g, b"[%s0]" % (b"NaN, " * 5000)), 5000),
    "keys that stand twice": (
        lambda g: post(g, b"{%s}" % b", ".join(b'"%d": 1' % (n // 2) for n in range(10_000))),
        5000,
    ),
    "a long key twice": (lambda g: post(g, b'{"%s": 1, "%s": 1}' % ((b"k" * 10**6,) * 2)), 1),
    "a long name": (lambda g: g.post("/roles", new_role("n" * 10**6)), 1),
    "a long path": (lambda g: g.get(f"/roles/{'r' * 8000}"), 0),
    "a long query": (lambda g: g.get(f"/roles?{'r' * 8000}=1"), 0),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_no_reply_grows_with_its_request(gateway: Client, case: str):
    """At most fifty mistakes are told one by one; the others are counted, exactly."""
    ask, mistakes = REQUESTS[case]
    reply = ask(gateway)
    assert 400 <= reply.status_code < 500
    assert len(reply.content) < SMALL
    document = reply.json()
    told = document.get("errors", [])
    assert len(told) == min(50, mistakes), json.dumps(told)[:1000]
    assert len(told) + document.get("more_errors", 0) == mistakes
    assert gateway.state()["serial"] == 0
