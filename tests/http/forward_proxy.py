"""A small HTTP proxy on loopback: it forwards, makes tunnels, and may want a password."""

from __future__ import annotations

import base64
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.http.scripted_server import ScriptedServer, reply

if TYPE_CHECKING:
    from tests.http.scripted_server import Received


class ForwardProxy(ScriptedServer):
    """Forwards plain requests and CONNECT to wherever they want to go.

    ``login`` is ``name:password``; ``refuses`` answers each CONNECT with that status.
    """

    def __init__(self, login: str | None = None, refuses: int | None = None) -> None:
        super().__init__(self._forward)
        self._login = login and "Basic " + base64.b64encode(login.encode()).decode()
        self._refuses = refuses

    def _forward(self, request: Received, peer: socket.socket) -> bool:
        if self._login and request.headers.get("proxy-authorization") != self._login:
            peer.sendall(reply(407, Proxy_Authenticate="Basic"))
            return False
        if self._refuses:
            peer.sendall(reply(self._refuses))
            return False
        if request.method == "CONNECT":
            host, _, port = request.target.rpartition(":")
            with socket.create_connection((host, int(port)), 5) as upstream:
                peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pump, args=(upstream, peer), daemon=True)
                back.start()
                _pump(peer, upstream)
                back.join(5)
            return False
        parts = urlsplit(request.target)
        with socket.create_connection((parts.hostname, parts.port), 5) as upstream:
            lines = [f"{request.method} {parts.path}?{parts.query} HTTP/1.1", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in request.headers.items()]
            head = "\r\n".join(lines) + "\r\n\r\n"
            upstream.sendall(head.encode() + request.body)
            upstream.shutdown(socket.SHUT_WR)
            _pump(upstream, peer)
        return False


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
