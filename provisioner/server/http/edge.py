"""The outermost layer: a limit, a name for each request, its log line, and what nobody foresaw."""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from provisioner.server.http.connections import CONNECTION
from provisioner.server.http.problems import Problem, problem_response
from provisioner.server.http.requests import find_subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from provisioner.server.http.limits import Asker, Places
    from provisioner.server.http.tokens import Tokens

TRACE: Final = "provisioner.trace"
_HEALTH: Final = frozenset({"/livez", "/readyz"})
_GONE: Final = 499
_CLOSE: Final = (b"connection", b"close")
_log = logging.getLogger("provisioner.server")
_access = logging.getLogger("provisioner.access")


@dataclass(slots=True)
class Trace:
    """What the log tells of one request."""

    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    login: str | None = None
    status: int = 0


class Edge:
    """ASGI middleware around everything else.

    Who shows no token gets one reply a connection: asking again and again without reading, they
    would keep it, and what it holds.

    ``explained`` gives what a client is told about an exception, and the cause that the log is told
    beside it; None for a defect.
    """

    def __init__(
        self,
        app: ASGIApp,
        places: Places,
        tokens: Tokens,
        explained: Callable[[Exception], tuple[Problem, str] | None],
    ) -> None:
        self._app = app
        self._places = places
        self._tokens = tokens
        self._explained = explained

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong, with a problem document."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace = scope[TRACE] = Trace()
        began = time.monotonic()

        is_known = find_subject(Headers(scope=scope), self._tokens) is not None
        if is_known and CONNECTION in scope:
            scope[CONNECTION].welcome()

        async def noting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                trace.status = message["status"]
                if not is_known:
                    message = {**message, "headers": [*message["headers"], _CLOSE]}
            await send(message)

        try:
            if "\n" in scope["path"]:
                # What routes are matched by would take a path with a line break at its end.
                raise Problem("not-found", "there is no such path")  # noqa: TRY301
            with self._places.one(_kind(scope["path"], is_known=is_known)):
                await self._app(scope, receive, noting_send)
        except ClientDisconnect:
            trace.status = _GONE
        except Exception as error:  # noqa: BLE001 - the outermost edge
            told = self._explained(error)
            _note(trace.request_id, told, error)
            if not trace.status:
                defect = Problem("internal-error", "a defect of the gateway")
                response = problem_response(told[0] if told else defect, trace.request_id)
                await response(scope, receive, noting_send)
        finally:
            # The path as it came, percent-encoded: nothing in it can break the line.
            path = scope.get("raw_path", b"").partition(b"?")[0].decode("ascii", "replace")
            taken = (time.monotonic() - began) * 1000
            _access.info(
                "%s %s %d %.0fms %s %s",
                *(scope["method"], path, trace.status, taken),
                *(trace.login or "-", trace.request_id),
            )


def _kind(path: str, *, is_known: bool) -> Asker:
    if path in _HEALTH:
        return "health"
    return "known" if is_known else "stranger"


def _note(request_id: str, told: tuple[Problem, str] | None, error: Exception) -> None:
    """Log what is not the client's fault: a defect whole, what was foreseen on one line."""
    if told is None:
        _log.error("request %s failed", request_id, exc_info=error)
    elif told[0].status >= 500:
        problem, cause = told
        why = f" ({cause})" if cause else ""
        _log.error("request %s failed: %s%s", request_id, problem.detail, why)
