"""A small JSON API on loopback, for tests: what it answers is up to them, down to lost answers.

::

    with JsonServer(lambda asked: Answer(200, {"items": []})) as server:
        server.url, server.asked
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct, field

from provisioner.backends.http.transport.client import Client
from provisioner.backends.http.transport.settings import HttpSettings

if TYPE_CHECKING:
    from collections.abc import Callable


class Asked(Struct, frozen=True):
    """A request. ``path`` is as it was sent, ``steps`` are its decoded segments."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(unquote(step) for step in self.path.strip("/").split("/"))


class Answer(Struct, frozen=True):
    """An answer; ``lost`` means that the connection ends instead of it."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    lost: bool = False


class JsonServer:
    """Serves what ``answer`` says, one connection a thread; ``asked`` is all that was asked."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                data = self.rfile.read(length)
                parts = urlsplit(self.path)
                asked = Asked(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query, keep_blank_values=True)),
                    {name.title(): value for name, value in self.headers.items()},
                    json.loads(data) if data else None,
                )
                outer.asked.append(asked)
                answer = outer.answer(asked)
                if answer.lost:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                body = b"" if answer.status == 204 else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Write nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def settings(self, **more: Any) -> HttpSettings:
        return HttpSettings(self.url, total_timeout=10, reply_timeout=5, read_timeout=5, **more)

    def client(self, **more: Any) -> Client:
        """A client that does not wait before it tries again."""
        return Client(self.settings(**more), sleep=lambda _: None)
