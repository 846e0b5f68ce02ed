"""What is read as a whole: the state and its ETag, and lists page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from provisioner import catalogue, schemas
from provisioner.documents.gateway import shapes
from provisioner.server.http.tokens import Tokens, append_token
from tests.server.client import Client, problem
from tests.server.running import LOGIN, WRITER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_gateway_says_who_it_is_and_whom_it_takes_you_for(gateway: Client):
    about = gateway.get("/capabilities").json()
    assert shapes.valid("About", about)
    assert (about["contract"], about["panel"]) == ("1.1", "sandbox")
    assert [name for name, can in about["capabilities"].items() if not can] == ["closed_users"]
    assert gateway.get("/whoami").json() == {"login": LOGIN, "scopes": ["read", "write"]}


def test_the_state_holds_everything_in_one_version(gateway: Client):
    inner = gateway.role("B")
    outer = gateway.role("A", includes=[inner["id"]])
    user = gateway.give("ada", outer["id"])
    state = gateway.state()
    assert [role["name"] for role in state["roles"]] == sorted(r["name"] for r in state["roles"])
    assert inner in state["roles"]
    assert outer in state["roles"]
    assert state["users"] == [user]
    assert state["serial"] == 3
    assert state["subject"] == gateway.get("/whoami").json()
    assert {**gateway.get("/capabilities").json()}.items() <= state.items()
    assert state["catalogue"]["privileges"] == gateway.listed("/privileges")
    assert len(state["catalogue"]["privileges"]) == len(catalogue.shipped().privileges)


def test_the_state_s_etag_changes_with_everything_in_it(gateway: Client):
    seen = [gateway.get("/state").headers["ETag"]]
    role = gateway.role()
    seen.append(gateway.get("/state").headers["ETag"])
    gateway.give("ada", role["id"])
    seen.append(gateway.get("/state").headers["ETag"])
    seen.append(gateway.commit(recorded=["roles"]).headers["ETag"])
    assert gateway.get("/state").headers["ETag"] == seen[-1]
    assert len(set(seen)) == len(seen)


def test_a_state_that_came_back_to_what_it_was_has_another_etag(gateway: Client):
    before = gateway.get("/state").headers["ETag"]
    role = gateway.role()
    gateway.delete(f"/roles/{role['id']}")
    assert gateway.get("/state").headers["ETag"] != before


def test_the_state_s_etag_depends_on_who_asks(open_gateway: Callable[..., Client], tmp_path: Path):
    file = tmp_path / "tokens"
    reader = append_token(file, "reader@example.com", may_write=False)
    gateway = open_gateway(tokens=Tokens(file, WRITER, LOGIN))
    other = gateway.with_token(reader)
    etag = gateway.get("/state").headers["ETag"]
    assert other.get("/state").headers["ETag"] != etag
    assert other.get("/state", unless=etag).status_code == 200
    assert other.state()["subject"] == {"login": "reader@example.com", "scopes": ["read"]}


def test_an_unchanged_state_is_not_sent_again(gateway: Client):
    etag = gateway.get("/state").headers["ETag"]
    reply = gateway.get("/state", unless=etag)
    assert (reply.status_code, reply.content, reply.headers["ETag"]) == (304, b"", etag)
    gateway.role()
    assert gateway.get("/state", unless=etag).status_code == 200


def test_lists_come_in_pages_that_hold_each_item_once(gateway: Client):
    roles = [gateway.role(f"Role é {number}") for number in range(7)]
    for role in roles:
        gateway.give(f"Ünser/{role['name']}", role["id"])
    gateway.commit()
    for path in ("/roles", "/users", "/privileges", "/runs", "/audit"):
        whole = gateway.listed(path)
        assert len(whole) >= 2, path
        for limit in (1, 3, len(whole)):
            assert gateway.listed(path, limit) == whole, (path, limit)
    assert len(gateway.get("/privileges").json()["items"]) <= 100


def test_the_version_of_a_list_changes_with_each_write(gateway: Client):
    paths = ("/roles", "/users", "/privileges", "/runs", "/audit")
    before = {path: gateway.get(path).json()["version"] for path in paths}
    assert before == {path: gateway.get(path).json()["version"] for path in paths}
    gateway.role()
    after = {path: gateway.get(path).json()["version"] for path in paths}
    assert not set(before.values()) & set(after.values())


def test_a_bad_page_is_refused(gateway: Client):
    gateway.role()
    of_roles = gateway.get("/roles?limit=1").json()["next"]
    of_audit = "WyJhdWRpdCIsIDFd"
    assert gateway.get(f"/audit?cursor={of_audit}").status_code == 200
    for query in (
        *("limit=0", "limit=1001", "limit=x", "limit=", "limit=-1", "limit=1.0", "limit=%D9%A1"),
        *("limit=1&limit=2", "cursor=x", "cursor=", "cursor=!!", f"cursor={of_audit}", "page=2"),
        *("cursor=WyJyb2xlcyIsMV0", "cursor=W10", f"cursor={'A' * 5000}"),
        *("cursor=eyJhIjogMX0", "cursor=%00", "cursor=WyJyb2xlcyIsbnVsbF0"),
    ):
        assert problem(gateway.get(f"/roles?{query}")) == (400, "malformed"), query
    for query in (f"cursor={of_roles}", "cursor=WyJhdWRpdCIsIHRydWVd", "cursor=WyJhdWRpdCIsLTFd"):
        assert problem(gateway.get(f"/audit?{query}")) == (400, "malformed"), query
    assert problem(gateway.get("/state?limit=1")) == (400, "malformed")


def test_head_is_get_without_the_body(gateway: Client):
    reply = gateway.ask("HEAD", "/state")
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["ETag"] == gateway.get("/state").headers["ETag"]


def test_the_contract_and_health_need_no_token(gateway: Client):
    nobody = gateway.with_token(None)
    assert nobody.get("/livez").json() == {"status": "ok"}
    assert nobody.get("/readyz").json() == {"status": "ok"}
    served = nobody.get("/openapi.yaml")
    assert served.headers["content-type"] == "application/yaml"
    assert served.content == (schemas.folder() / "gateway.openapi.yaml").read_bytes()
    assert yaml.safe_load(served.text)["info"]["version"] == shapes.CONTRACT
