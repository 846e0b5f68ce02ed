"""Requests that can't be answered: each gets the problem that says why."""

from __future__ import annotations

import json
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from provisioner.server.http.problems import PROBLEMS
from provisioner.server.http.tokens import Tokens, append_token
from provisioner.server.panel.editing import Editing
from tests.server.client import RUN, Client, new_role, problem
from tests.server.running import WRITER
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """None of this depends on the kind of database."""
    return str(tmp_path_factory.mktemp("database") / "gateway.sqlite")


def post(gateway: Client, body: bytes, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return gateway.ask("POST", "/roles", data=body, key="k", headers={**JSON, **named})


def test_what_is_no_json_is_malformed(gateway: Client):
    good = json.dumps(new_role("Good"))
    for body in (
        b"",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf" + good.encode(),
        good.encode("utf-16"),
        good.replace('"protected"', '"name": "Twice", "protected"').encode(),
        good.replace("false", "NaN").encode(),
        good.replace("false", "-Infinity").encode(),
        good.replace("false", "1e999").encode(),
        good.replace("false", "1" * 5000).encode(),
        good.replace("Good", "\\ud800").encode(),
        b"[" * 100_000,
        good.encode() + b"x",
    ):
        assert problem(post(gateway, body)) == (400, "malformed"), body[:60]
    assert gateway.state()["serial"] == 0


def test_a_body_is_nested_only_so_deep(open_gateway: Callable[..., Client]):
    gateway = open_gateway()
    # What is read may still be no policy.
    for depth, expected in ((61, 422), (62, 400), (984, 400)):
        # The body, its list of policies and a policy are three levels more.
        document = {"run": RUN, "recorded": [], "policies": [{"name": "p", "id": "deep"}]}
        nested = "[" * depth + "]" * depth
        body = json.dumps(document).replace('"deep"', nested).encode()
        reply = gateway.ask("POST", "/runs", data=body, headers=JSON, key=f"{depth}")
        assert reply.status_code == expected, (depth, reply.text)


def test_json_ends_with_a_line_break(gateway: Client):
    for path in ("/state", "/roles", "/capabilities", "/livez", "/readyz", "/nowhere"):
        assert gateway.get(path).content.endswith(b"}\n"), path
    # A reply that is given again is the same to the last byte.
    body = json.dumps(new_role()).encode()
    first, again = (post(gateway, body, Idempotency_Key="again") for _ in range(2))
    assert first.content == again.content
    assert first.content.endswith(b"}\n")


def test_a_refused_write_is_logged_with_its_login(
    open_gateway: Callable[..., Client], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    file = tmp_path / "tokens"
    reader = append_token(file, "reader@example.com", may_write=False)
    gateway = open_gateway(tokens=Tokens(file)).with_token(reader)
    with caplog.at_level(logging.INFO):
        assert problem(gateway.post("/roles", new_role())) == (403, "forbidden")
        until(lambda: len(lines_of(caplog)) == 1)
    assert lines_of(caplog)[0].split()[4] == "reader@example.com"


def test_json_that_is_no_object_has_the_wrong_shape(gateway: Client):
    for body in (b"null", b"[]", b'"x"', b"1", b"1.5"):
        assert problem(post(gateway, body)) == (422, "invalid")


def test_only_json_is_taken(gateway: Client):
    body = json.dumps(new_role()).encode()
    for kind in ("text/plain", "application/json; charset=latin-1", "application/jsonx", ""):
        refused = post(gateway, body, Content_Type=kind)
        assert problem(refused) == (415, "unsupported-media-type"), kind
    assert problem(post(gateway, body, Content_Encoding="gzip"))[0] == 415
    for kind in ("application/json;charset=UTF-8", "Application/JSON"):
        assert post(gateway, body, Content_Type=kind).status_code == 201


def test_a_body_that_is_too_large_is_refused(open_gateway: Callable[..., Client]):
    gateway = open_gateway(max_body=1000)
    assert problem(post(gateway, b"x" * 1001)) == (413, "too-large")
    chunks = (b"x" * 100 for _ in range(20))
    reply = gateway.ask("POST", "/roles", data=chunks, key="k", headers=JSON)
    assert problem(reply) == (413, "too-large")
    assert problem(post(gateway, b" " * 1000)) == (400, "malformed")


def test_a_body_of_very_many_parts_is_refused_before_it_fills_the_memory(gateway: Client):
    body = b'{"writes":[' + b"{}," * 3_000_000 + b"{}]}"
    refused = post(gateway, body)
    assert problem(refused) == (413, "too-large")


def test_a_body_that_does_not_come_is_not_waited_for(open_gateway: Callable[..., Client]):
    gateway = open_gateway(patience=0.3)
    address = urlsplit(gateway.url)
    head = (
        f"POST {address.path}/roles HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {WRITER}\r\n"
        "Content-Type: application/json\r\nIdempotency-Key: k\r\nContent-Length: 10\r\n\r\n{"
    )
    with closing(socket.create_connection((address.hostname, address.port), 10)) as connection:
        connection.sendall(head.encode())
        assert b" 400 " in connection.recv(65536).splitlines()[0]


def test_unknown_paths_and_methods_are_told(gateway: Client):
    paths = ("/", "/nothing", "/roles/", "/roles/x/y", "/runs/0", "/state/", "//state")
    for path in (*paths, "/state%0A", "/livez%0A", "/users/a%0Ab", "/STATE"):
        assert problem(gateway.get(path)) == (404, "not-found"), path
    for method, path, allowed in (
        ("PATCH", "/roles", "GET, HEAD, POST"),
        ("DELETE", "/users/ada", "GET, HEAD, PUT"),
        ("GET", "/changesets", "POST"),
        ("POST", "/livez", "GET, HEAD"),
        ("OPTIONS", "/roles/x/name", "PUT"),
        ("TRACE", "/state", "GET, HEAD"),
    ):
        refused = gateway.ask(method, path)
        assert problem(refused) == (405, "method-not-allowed")
        assert refused.headers["Allow"] == allowed


def test_nobody_gets_in_without_a_token(gateway: Client):
    for path in ("/state", "/whoami", "/capabilities", "/roles/x", "/audit"):
        refused = gateway.with_token(None).get(path)
        assert problem(refused) == (401, "unauthorized")
        assert refused.headers["WWW-Authenticate"] == "Bearer"
    for given in ("Bearer wrong", "Bearer", f"Basic {WRITER}", WRITER, f"Bearer {WRITER} x", ""):
        refused = gateway.with_token(None).get("/state", headers={"Authorization": given})
        assert problem(refused) == (401, "unauthorized"), given
    easy = gateway.with_token(None).get("/state", headers={"Authorization": f"bearer {WRITER}"})
    assert easy.status_code == 200


def test_a_defect_tells_nothing_of_the_inside(
    gateway: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(*_: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Editing, "create", broken)
    with caplog.at_level(logging.INFO):
        reply = gateway.post("/roles", new_role())
    assert problem(reply) == (500, "internal-error")
    assert "secret" not in reply.text
    name = reply.json()["instance"].removeprefix("urn:uuid:")
    (told,) = [record for record in caplog.records if record.name == "provisioner.server"]
    assert name in told.getMessage()
    assert told.exc_info
    assert "secret detail" in str(told.exc_info[1])
    monkeypatch.undo()
    assert gateway.post("/roles", new_role()).status_code == 201


def test_each_request_leaves_one_line_without_its_token(
    gateway: Client, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO):
        gateway.get("/roles?limit=1")
        gateway.with_token("a-token-that-nobody-knows").get("/users/a%0Ab")
        # A line is written once its reply is on the way.
        until(lambda: len(lines_of(caplog)) == 2)
    lines = lines_of(caplog)
    assert [line.split()[:3] for line in lines] == [
        ["GET", "/roles", "200"],
        ["GET", "/users/a%0Ab", "404"],
    ]
    assert lines[0].split()[4] == "ci@example.com"
    assert WRITER not in caplog.text
    assert "nobody-knows" not in caplog.text


def test_too_many_requests_at_once_are_sent_away(open_gateway: Callable[..., Client]):
    gateway = open_gateway(max_in_flight=1)

    def wait_for_the_lock() -> None:
        # The one place may be taken by a question from below at that moment.
        until(lambda: gateway.with_token(WRITER).post("/roles", new_role()).status_code == 201)

    with ThreadPoolExecutor(1) as thread:
        with gateway.app.state.gateway.database.writing():
            waiting = thread.submit(wait_for_the_lock)
            until(lambda: gateway.get("/whoami").status_code == 503)
            refused = gateway.get("/whoami")
            assert problem(refused) == (503, "unavailable")
            assert int(refused.headers["Retry-After"]) > 0
            assert gateway.get("/livez").status_code == 200
            # It would be of no use to send more here.
            assert gateway.get("/readyz").status_code == 503
        waiting.result()
        assert gateway.get("/readyz").status_code == 200
    assert gateway.get("/whoami").status_code == 200


def test_a_gateway_that_is_about_to_stop_is_not_ready(gateway: Client):
    gateway.app.state.gateway.draining = True
    refused = gateway.get("/readyz")
    assert problem(refused) == (503, "unavailable")
    assert "Retry-After" in refused.headers
    assert gateway.get("/livez").status_code == 200
    assert gateway.get("/state").status_code == 200


def test_every_problem_is_in_the_contract(gateway: Client):
    text = gateway.get("/openapi.yaml").text
    for id, (status, _) in PROBLEMS.items():
        assert f"| `{id}` | {status} |" in text


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "provisioner.access"]
