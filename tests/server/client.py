"""A client for tests: says what is asked as briefly as a test wants to read it."""

from __future__ import annotations

import itertools
import uuid
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import requests

from provisioner.documents.gateway import shapes
from tests.server.running import bearer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from starlette.applications import Starlette

RUN = {
    "at": "2026-01-01T00:00:00Z",
    "by": "ada@desk",
    "operation": "apply",
    "summary": "tests",
    "plan": None,
}
VIEW, EDIT = "ACCOUNTS_VIEW_DET", "ACCOUNTS_CREATE_MODIFY"
_names = itertools.count(1)


class Client:
    """One token at one gateway. Every reply that is a problem is checked to be one."""

    def __init__(self, url: str, token: str | None, app: Starlette | None = None) -> None:
        self.url = url
        self.app: Any = app
        self.session = requests.Session()
        # Nothing from the surroundings: no proxy, no .netrc, no other certificates.
        self.session.trust_env = False
        self.token = token

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.session.close()

    def with_token(self, token: str | None) -> Client:
        """The same gateway, asked by somebody else."""
        return Client(self.url, token, self.app)

    def ask(
        self,
        method: str,
        path: str,
        *,
        match: str | None = None,
        unless: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str | bytes] | None = None,
        **more: Any,
    ) -> requests.Response:
        """Send one request; ``match``, ``unless`` and ``key`` become its headers."""
        given = {"If-Match": match, "If-None-Match": unless, "Idempotency-Key": key}
        sent: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if self.token is not None:
            sent.update(bearer(self.token))
        sent.update(headers or {})
        reply = self.session.request(method, self.url + path, headers=sent, timeout=60, **more)
        if reply.status_code >= 400 and method != "HEAD":
            assert reply.headers["content-type"] == "application/problem+json"
            assert shapes.valid("Problem", reply.json())
            assert reply.json()["status"] == reply.status_code
        return reply

    def get(self, path: str, **more: Any) -> requests.Response:
        """GET."""
        return self.ask("GET", path, **more)

    def put(self, path: str, document: Any, match: str | None = "*") -> requests.Response:
        """PUT, whatever the version, unless one is given."""
        return self.ask("PUT", path, json=document, match=match)

    def post(self, path: str, document: Any, **more: Any) -> requests.Response:
        """POST with a new key, unless one is given."""
        more.setdefault("key", str(uuid.uuid4()))
        return self.ask("POST", path, json=document, **more)

    def delete(self, path: str, match: str | None = "*") -> requests.Response:
        """DELETE, whatever the version, unless one is given."""
        return self.ask("DELETE", path, match=match)

    def role(self, name: str | None = None, **content: Any) -> Any:
        """Create a role and return it."""
        reply = self.post("/roles", new_role(name, **content))
        assert reply.status_code == 201, reply.text
        return reply.json()

    def give(self, login: str, *ids: str) -> Any:
        """Give a user exactly these roles."""
        reply = self.put(f"/users/{quote(login, safe='')}", {"roles": list(ids)})
        assert reply.status_code == 200, reply.text
        return reply.json()

    def commit(self, *writes: Any, **more: Any) -> requests.Response:
        """Commit a changeset, by default on the newest state."""
        if "match" not in more:
            more["match"] = self.get("/state").headers["ETag"]
        recording = {n: more.pop(n, []) for n in ("recorded", "policies")}
        run = more.pop("run", RUN)
        return self.post("/changesets", {"writes": list(writes), **recording, "run": run}, **more)

    def state(self) -> Any:
        """The state, whose shape is checked."""
        document = self.get("/state").json()
        assert shapes.valid("State", document)
        return document

    def content(self) -> Any:
        """What the state holds, without what tells versions apart."""
        state = self.state()
        return {part: state[part] for part in ("recorded", "policies", "roles", "users")}

    def listed(self, path: str, limit: int = 1000) -> list[Any]:
        """All items of a list, page by page."""
        items: list[Any] = []
        cursor = ""
        while True:
            page = self.get(f"{path}?limit={limit}{cursor}").json()
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = f"&cursor={quote(page['next'], safe='')}"


def new_role(name: str | None = None, **content: Any) -> dict[str, Any]:
    """The body that creates a role."""
    return {"name": name or f"Role {next(_names)}", **role_content(**content)}


def role_content(**content: Any) -> dict[str, Any]:
    """The body that replaces a role's content."""
    plain = {"description": "", "privileges": [VIEW], "includes": [], "protected": False}
    return {**plain, **content}


def problem(reply: requests.Response) -> tuple[int, str]:
    """The status and the id of a reply that is a problem."""
    assert reply.status_code >= 400, reply.text
    return reply.status_code, reply.json()["type"].removeprefix("urn:provisioner:problem:")


def pointers(reply: requests.Response) -> list[str]:
    """Where the body was wrong."""
    return [error["pointer"] for error in reply.json()["errors"]]
