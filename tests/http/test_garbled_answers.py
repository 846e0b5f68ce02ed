"""Answers with anything in them wrong: an error that can be read, or all that the answer says.

The changes are drawn from seeds: the checks try the same ones every time, `make soak` many others.
"""

from __future__ import annotations

import os
import random
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

from provisioner.backends.http.transport.messages import Request
from provisioner.errors import BackendError, ProvisionerError
from tests.http.raw_server import RawServer, reply
from tests.http.scripted_server import client_of
from tests.http.small_api import Answer, Asked, JsonServer
from tests.http.small_panel import PROFILE, SmallPanel, apart
from tests.http.small_panel import opened as opened_by_profile
from tests.http.test_gateway_contract import opened
from tests.server.client import VIEW, Client
from tests.server.running import WRITER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_Found = TypeVar("_Found")
FIRST: Final = int(os.environ.get("PROVISIONER_SOAK_FROM", "0"))
TIMES: Final = int(os.environ.get("PROVISIONER_SOAK_RUNS", "500")) // 500
WRONG: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1.5, 10**400, "", " ", "a\nb", "\x1b[2J", "\u202e", "\x00", "ß"),
    *("A" * 5000, [], [[]], [None], {}, {"a": 1}),
)
BYTES: Final = (
    *(b"\r\n", b"\n", b"\x00", b"\xff\xfe", b"\x1b[2J", b" folded\r\n", b": x\r\n", b"A" * 70_000),
    *(b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"Content-Length: %d\r\n" % 10**20),
    *(b"Transfer-Encoding: chunked\r\n", b"5\r\nabcde\r\n", b"0\r\n\r\n", b"HTTP/2 200\r\n"),
    *(b"Content-Encoding: gzip\r\n", b"Content-Encoding: deflate, br\r\n", b"ETag: \xff\r\n"),
    *(b"HTTP/1.1 100 Continue\r\n\r\n", b"Location: http://[::1\r\n", b"Retry-After: 0\r\n"),
    *(b"NaN", b"1e999", b'{"a": 1, "a": 2}', b"[" * 2000, b'"\\ud800"'),
)
STATUSES: Final = (200, 200, 200, 204, 206, 301, 302, 304, 400, 404, 409, 412, 429, 500, 503, 999)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something is in a JSON document."""
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, child in pairs:
        yield (*place, key)
        yield from places(child, (*place, key))


def at(document: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        document = document[key]
    return document


def garbled(document: Any, chance: random.Random) -> Any:
    """The document with something left out, replaced, added, doubled or exchanged."""
    document = deepcopy(document)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        found = list(places(document))
        if not found:
            break
        *up, key = chance.choice(found)
        holder = at(document, tuple(up))
        match chance.randrange(4):
            case 0:
                del holder[key]
            case 1:
                holder[key] = deepcopy(chance.choice(WRONG))
            case 2 if isinstance(holder, list):
                holder.append(deepcopy(holder[key]))
            case 2:
                holder[f"more-{key}"] = 1
            case _:
                holder[key] = deepcopy(at(document, chance.choice(found)))
    return document


def outcome(ask: Callable[[], _Found]) -> _Found | None:
    """What is found; None if it is refused by an error that says where."""
    try:
        return ask()
    except ProvisionerError as error:
        unplaced = [d.message for d in error.diagnostics if "http://127.0.0.1" not in d.message]
    assert unplaced == []
    return None


def test_a_gateway_s_garbled_answers_lose_nothing(gateway_url: str) -> None:
    gateway = Client(gateway_url, WRITER)
    inner = gateway.role("Inner", privileges=[VIEW])
    gateway.give("ada", gateway.role("Outer", includes=[inner["id"]])["id"])
    told = {
        path: gateway.get(path).json()
        for path in ("/state", "/capabilities", "/whoami", "/runs", "/runs/1/state")
    }
    answers = dict(told)
    etag = {"ETag": '"1"'}
    with JsonServer(lambda asked: Answer(200, answers[asked.path], etag)) as server:
        for seed in range(FIRST, FIRST + 300 * TIMES):
            chance = random.Random(seed)
            path = chance.choice(list(told))
            answers = {**told, path: garbled(told[path], chance)}
            assert_whole_or_refused(server.url, path, answers[path])


def assert_whole_or_refused(url: str, path: str, document: Any) -> None:
    backend: Any = opened(url)
    asked: dict[str, Callable[[], Any]] = {
        "/state": lambda: backend.read().state,
        "/runs/1/state": lambda: backend.state_after(1),
        "/runs": backend.history,
        "/capabilities": backend.describe,
        "/whoami": backend.whoami,
    }
    found = outcome(asked[path])
    if found is None:
        return
    if path.endswith("state"):
        assert sorted(found.roles) == sorted(role["name"] for role in document["roles"])
        names = {role["id"]: role["name"] for role in document["roles"]}
        given = {
            user["login"].casefold(): {names[id] for id in user["roles"]}
            for user in document["users"]
            if user["roles"]
        }
        assert {login: set(held.roles) for login, held in found.assignments.items()} == given
    elif path == "/runs":
        assert len(found) == len(document["items"])


@pytest.mark.parametrize(("member", "value"), [("number", 7), ("lineage", "of-another-store")])
def test_the_state_of_another_run_is_not_what_was_asked_for(
    gateway_url: str, member: str, value: object
) -> None:
    """A rollback to it would delete what it does not hold."""
    gateway = Client(gateway_url, WRITER)
    gateway.role("Inner", privileges=[VIEW])
    paths = ("/state", "/capabilities", "/runs/0/state")
    told = {path: gateway.get(path).json() for path in paths}
    told["/runs/0/state"] |= {member: value}
    with JsonServer(lambda asked: Answer(200, told[asked.path], {"ETag": '"1"'})) as server:
        backend = opened(server.url)
        backend.read()
        with pytest.raises(BackendError, match=rf"/runs/0/state: {member}: "):
            backend.state_after(0)


@pytest.mark.parametrize("kind", ["inline", "apart"])
def test_a_profile_s_garbled_answers_lose_nothing(tmp_path: Path, kind: str) -> None:
    panel = SmallPanel(apart=kind == "apart")
    panel.add("Wide", 3, inner=(panel.add("Base", 1, 2, text="the base"),))
    panel.people[1]["roles"] = [1, 2]
    profile = apart() if kind == "apart" else PROFILE
    seen: dict[str, Any] = {}

    def meddle(asked: Asked, act: Callable[[], Answer]) -> Answer:
        answer = act()
        if asked.path == path:
            # The same for every attempt: a list is read again when it seems to have changed.
            seen[path] = garbled(answer.body, random.Random(seed))
            return Answer(200, seen[path])
        return answer

    panel.meddle = meddle
    paths = ["/roles", "/people", "/perms", *(["/roles/1/perms"] if kind == "apart" else [])]
    with JsonServer(panel) as server:
        for seed in range(FIRST, FIRST + 200 * TIMES):
            path = random.Random(seed).choice(paths)
            read = opened_by_profile(server, profile, tmp_path).read
            if (snapshot := outcome(read)) is None:
                continue
            state = snapshot.state
            if path == "/roles":
                assert len(state.roles) == len(seen[path]["data"])
            if path == "/people":
                holders = [person for person in seen[path]["data"] if person["roles"]]
                assert len(state.assignments) == len(holders)


def test_bytes_that_are_no_answer_are_an_error() -> None:
    for seed in range(FIRST, FIRST + 60 * TIMES):
        chance = random.Random(seed)
        data = bytearray(
            reply(chance.choice((b"{}", b"[]", b"null", b"")), chance.choice(STATUSES))
        )
        for _ in range(chance.randrange(4)):
            place = chance.randrange(len(data) + 1)
            match chance.randrange(3):
                case 0:
                    data[place:place] = chance.choice(BYTES)
                case 1:
                    del data[place : place + chance.randrange(1, 20)]
                case _:
                    data[place : place + 1] = bytes([chance.randrange(256)])
        assert_answer_or_error(bytes(data), chance.choice(("GET", "PUT", "POST", "DELETE")))


def assert_answer_or_error(data: bytes, method: str) -> None:
    with RawServer(lambda connection: connection.sendall(data)) as server:
        client = client_of(server.url, total_timeout=0.6, read_timeout=0.2)
        answer = outcome(lambda: client.send(Request(method, "/roles")))
        assert answer is None or answer.status < 500
        client.close()
