"""Serving an application on a socket until a signal says stop."""

from __future__ import annotations

import errno
import socket
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import uvicorn

from provisioner import signals
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput
from provisioner.server.http.connections import Connection, Crowd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from starlette.applications import Starlette

GRACE: Final = 30


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. ``port`` 0 picks a free one. With a certificate: HTTPS only."""

    host: str
    port: int
    tls_cert: str | None = None
    tls_key: str | None = None


def bound(address: Address) -> socket.socket:
    """Return a socket that is bound to the address.

    Raises:
        InvalidInput: It can't be, or the certificate can't be used.
    """
    if address.tls_cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # An empty password, so that an encrypted key fails instead of asking.
            context.load_cert_chain(address.tls_cert, address.tls_key, password="")
        except (OSError, ValueError) as error:
            what = f"can't use the certificate and its key: {error}"
            raise InvalidInput(Diagnostic("tls", what, address.tls_cert)) from error
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listening = socket.create_server((address.host, address.port), family=family)
    except (OSError, OverflowError) as error:
        # Python repeats the address behind what the system says.
        why = (getattr(error, "strerror", None) or str(error)).partition(" (while ")[0]
        what = f"can't listen on {address.host} port {address.port}: {why}"
        is_port = getattr(error, "errno", None) in (errno.EADDRINUSE, errno.EACCES)
        remedy = (
            "choose another --port; 0 picks a free one"
            if is_port
            else "--host is an address or a name of this machine"
        )
        raise InvalidInput(Diagnostic("listen", what, None, remedy)) from error
    # Connections inherit it. asyncio sets it itself, but only where the socket names its protocol;
    # without, a reply in two parts waits 40 ms for the acknowledgement of the first.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def url_of(listening: socket.socket, *, tls: bool) -> str:
    """Return the URL that a bound socket is reached by."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}"


def serve(
    app: Starlette, listening: socket.socket, address: Address, announce: Callable[[], None]
) -> None:
    """Serve until a signal asks to stop, then finish the requests in flight (30 seconds at most).

    ``announce`` is called once requests are answered. Must run in the main thread.
    """
    config = uvicorn.Config(
        app,
        # h11, whatever else is installed: it bounds what a request may hold before its body.
        http=partial(Connection, crowd=Crowd()),  # type: ignore[arg-type]
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        ssl_certfile=address.tls_cert,
        ssl_keyfile=address.tls_key,
    )
    server = _Server(config, app, announce)
    signals.answer(server.handle_exit)
    server.run([listening])


class _Server(uvicorn.Server):
    """uvicorn's server, which also says when it listens and when it begins to stop."""

    def __init__(
        self, config: uvicorn.Config, app: Starlette, announce: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._gateway = app.state.gateway
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals as they are: ignored ones ignored, the others answered here."""
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self._gateway.draining = True
        super().handle_exit(sig, frame)
