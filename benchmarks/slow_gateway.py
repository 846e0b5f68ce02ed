"""A gateway that takes its time: it answers each request after so many milliseconds.

Just enough of schemas/gateway.openapi.yaml to be read whole and written object by object, in one
thread of a process of its own, so that it costs the measured client as little as possible. Not a
benchmark itself; `http_apply.py` starts it.

Usage: python benchmarks/slow_gateway.py ROLES MILLISECONDS
Prints its port, then serves until its standard input is closed.
"""

from __future__ import annotations

import asyncio
import json
import selectors
import sys
from typing import Any

CAN = ("history", "recording", "assignments", "includes", "descriptions", "renames", "protection")
CAPABILITIES = {
    **dict.fromkeys(CAN, True),
    "state": True,
    "changesets": False,
    "closed_users": False,
}
ABOUT = {"contract": "1.0", "panel": "slow", "product": "slow", "capabilities": CAPABILITIES}


class Panel:
    """Roles in memory, each with the number of the write that made it what it is."""

    def __init__(self, roles: int) -> None:
        self.serial = 0
        self.roles: dict[str, dict[str, Any]] = {}
        for number in range(roles):
            self.put(
                {
                    "id": f"r-{number}",
                    "name": f"Role {number:04d}",
                    "description": "",
                    "privileges": ["ACCOUNTS_VIEW_DET"],
                    "includes": [],
                    "protected": False,
                    "default": False,
                }
            )

    def put(self, role: dict[str, Any]) -> dict[str, Any]:
        """Store a role under a new version."""
        self.serial += 1
        stored = self.roles[role["id"]] = {**role, "etag": f'"{self.serial}"'}
        return stored

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: Any
    ) -> tuple[int, str | None, Any]:
        """Return status, ETag and body of a reply."""
        match method, path.split("/")[1:]:
            case "GET", ["state"]:
                return 200, f'"{self.serial}"', self.state()
            case "GET", ["capabilities"]:
                return 200, None, ABOUT
            case "POST", ["runs"]:
                return 201, None, {"run": 1}
            case "PUT", ["roles", id]:
                current = self.roles[id]
                if headers.get("if-match") != current["etag"]:
                    return 412, None, {"detail": "another version"}
                stored = self.put({**current, **body})
                return 200, stored["etag"], stored
        return 404, None, {"detail": path}

    def state(self) -> dict[str, Any]:
        """The reply to GET /state."""
        names = ("ACCOUNTS_VIEW_DET", "ARDOCS_VIEW")
        more: dict[str, Any] = {
            "group": None,
            "summary": "",
            "requires": [],
            "internal": False,
            "sensitive": False,
        }
        return {
            **ABOUT,
            "subject": {"login": "bench", "scopes": ["read", "write"]},
            "lineage": "00000000-0000-0000-0000-000000000000",
            "serial": self.serial,
            "recorded": ["roles"],
            "policies": [],
            "catalogue": {"name": "slow", "privileges": [{"name": n, **more} for n in names]},
            "roles": sorted(self.roles.values(), key=lambda role: role["name"]),
            "users": [],
        }


class Connection(asyncio.Protocol):
    """One connection. All work is done on arrival, so that it lies within the delay."""

    def __init__(self, panel: Panel, delay: float) -> None:
        self.panel, self.delay = panel, delay
        self.data = b""
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete, in due time."""
        due = self.loop.time() + self.delay
        self.data += data
        head, found, rest = self.data.partition(b"\r\n\r\n")
        if not found:
            return
        request, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length") or 0)
        if len(rest) < length:
            return
        self.data = rest[length:]
        body = json.loads(rest[:length]) if length else None
        method, path, _ = request.split(" ")
        status, etag, document = self.panel.answer(method, path, headers, body)
        content = json.dumps(document).encode()
        tag = f"ETag: {etag}\r\n" if etag else ""
        reply = (
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{tag}"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        self.loop.call_at(due, self.transport.write, reply.encode() + content)


async def serve(panel: Panel, delay: float) -> None:
    """Answer every connection until standard input is closed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(panel, delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    # epoll waits whole milliseconds, which would make every answer late; select does not.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    loop.run_until_complete(serve(Panel(int(sys.argv[1])), float(sys.argv[2]) / 1000))
