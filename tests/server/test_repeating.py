"""Idempotency keys: a request that is sent again is carried out once."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from provisioner.server.database import tables
from provisioner.server.http.tokens import Tokens, append_token
from tests.server.client import RUN, Client, new_role, problem
from tests.server.running import LOGIN, WRITER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def same(one: Any, other: Any) -> bool:
    names = ("ETag", "Location", "content-type")
    told = [[reply.headers.get(name) for name in names] for reply in (one, other)]
    return told[0] == told[1] and one.content == other.content


def test_the_same_request_gets_the_first_reply(gateway: Client):
    first = gateway.post("/roles", new_role("Once"), key="one")
    again = gateway.post("/roles", new_role("Once"), key="one")
    assert (first.status_code, again.status_code) == (201, 201)
    assert same(first, again)
    assert problem(gateway.post("/roles", new_role("Once"), key="two")) == (409, "name-taken")


def test_it_does_so_whatever_happened_since(gateway: Client):
    first = gateway.post("/roles", new_role("Once"), key="one")
    gateway.delete(f"/roles/{first.json()['id']}")
    before = gateway.content()
    assert same(first, gateway.post("/roles", new_role("Once"), key="one"))
    assert gateway.content() == before


def test_a_changeset_is_looked_up_before_its_version_is_judged(gateway: Client):
    etag = gateway.get("/state").headers["ETag"]
    writes = [{"op": "create_role", "ref": "new-1", **new_role("Once")}]
    first = gateway.commit(*writes, match=etag, key="k")
    for match in (etag, '"other"', None):
        again = gateway.commit(*writes, match=match, key="k")
        assert (again.status_code, same(first, again)) == (200, True)
    assert gateway.state()["serial"] == 1


def test_a_recorded_run_is_recorded_once(gateway: Client):
    body = {"run": RUN, "recorded": ["roles"], "policies": []}
    assert [gateway.post("/runs", body, key="k").json() for _ in range(2)] == [{"run": 1}] * 2
    assert len(gateway.listed("/runs")) == 2


def test_a_key_is_not_taken_for_another_request(
    open_gateway: Callable[..., Client], tmp_path: Path
):
    file = tmp_path / "tokens"
    other_token = append_token(file, LOGIN, may_write=True)
    gateway = open_gateway(tokens=Tokens(file, WRITER, LOGIN))
    body = new_role("Once")
    gateway.post("/roles", body, key="k")
    before = gateway.content()
    spaced = json.dumps(body, indent=1).encode()
    plain = {"Content-Type": "application/json"}
    for reply in (
        gateway.post("/roles", new_role("Other"), key="k"),
        gateway.post("/runs", {"run": RUN, "recorded": [], "policies": []}, key="k"),
        gateway.ask("POST", "/roles", data=spaced, headers=plain, key="k"),
        gateway.with_token(other_token).post("/roles", body, key="k"),
    ):
        assert problem(reply) == (422, "idempotency-key-reused")
    assert gateway.content() == before


def test_a_refused_request_leaves_its_key_free(gateway: Client):
    refused = gateway.post("/roles", new_role("x", includes=["r-none"]), key="k")
    assert problem(refused) == (422, "invalid")
    assert gateway.post("/roles", new_role("x"), key="k").status_code == 201


def test_a_post_without_a_sound_key_is_refused(gateway: Client):
    for key in (None, "", "é".encode().decode("latin-1"), "x" * 256, "a\tb"):
        headers = {} if key is None else {"Idempotency-Key": key.encode("latin-1")}
        reply = gateway.ask("POST", "/roles", json=new_role(), headers=headers)
        assert problem(reply) == (400, "idempotency-key-missing"), key
    assert gateway.post("/roles", new_role(), key="x" * 255).status_code == 201


def test_the_same_key_at_the_same_time_is_carried_out_once(
    gateway: Client, open_gateway: Callable[..., Client]
):
    others = [gateway, open_gateway()]
    body = new_role("Once")
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as threads:
        clients = [others[n % 2].with_token(WRITER) for n in range(8)]
        replies = list(threads.map(lambda c: c.post("/roles", body, key=key), clients))
    assert {reply.status_code for reply in replies} == {201}
    assert all(same(replies[0], reply) for reply in replies)
    assert gateway.state()["serial"] == 1


def test_replies_are_kept_for_a_day_and_then_forgotten(gateway: Client):
    body = new_role("Once")
    day = 24 * 3600
    for age, status in ((day, 201), (8 * day, 409)):
        gateway.post("/roles", body, key="old")
        with gateway.app.state.gateway.database.writing() as connection:
            replies = tables.REPLIES
            connection.execute(sa.update(replies).values(at=replies.c.at - age))
        gateway.role()
        assert gateway.post("/roles", body, key="old").status_code == status
