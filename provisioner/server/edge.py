"""The outermost layer: a limit, a name for each request, its log line, and what nobody foresaw."""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect

from provisioner.server.database import first_line
from provisioner.server.problems import Problem, problem_for, problem_response, unavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TRACE: Final = "provisioner.trace"
_HEALTH: Final = frozenset({"/livez", "/readyz"})
_GONE: Final = 499
_log = logging.getLogger("provisioner.server")
_access = logging.getLogger("provisioner.access")


@dataclass(slots=True)
class Trace:
    """What the log tells of one request."""

    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    login: str | None = None
    status: int = 0


class Edge:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, max_in_flight: int) -> None:
        self._app = app
        self._most = max_in_flight
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong, with a problem document."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace = scope[TRACE] = Trace()
        began = time.monotonic()

        async def noting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                trace.status = message["status"]
            await send(message)

        self._in_flight += 1
        try:
            if self._in_flight > self._most and scope["path"] not in _HEALTH:
                raise unavailable("too many requests at once")  # noqa: TRY301 - one place answers
            if "\n" in scope["path"]:
                # What routes are matched by would take a path with a line break at its end.
                raise Problem("not-found", "there is no such path")  # noqa: TRY301
            await self._app(scope, receive, noting_send)
        except ClientDisconnect:
            trace.status = _GONE
        except Exception as error:  # noqa: BLE001 - the outermost edge
            problem = problem_for(error)
            _note(trace.request_id, problem, error)
            if not trace.status:
                found = problem or Problem("internal-error", "a defect of the gateway")
                response = problem_response(found, trace.request_id)
                await response(scope, receive, noting_send)
        finally:
            self._in_flight -= 1
            # The path as it came, percent-encoded: nothing in it can break the line.
            path = scope.get("raw_path", b"").partition(b"?")[0].decode("ascii", "replace")
            taken = (time.monotonic() - began) * 1000
            _access.info(
                "%s %s %d %.0fms %s %s",
                *(scope["method"], path, trace.status, taken),
                *(trace.login or "-", trace.request_id),
            )


def _note(request_id: str, problem: Problem | None, error: Exception) -> None:
    """Log what is not the client's fault: a defect whole, what was foreseen on one line."""
    if problem is None:
        _log.error("request %s failed", request_id, exc_info=error)
    elif problem.status >= 500:
        why = "" if error is problem else f" ({first_line(error)})"
        _log.error("request %s failed: %s%s", request_id, problem.detail, why)
