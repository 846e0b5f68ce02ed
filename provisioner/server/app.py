"""The application: which route does what, and what each request passes on its way there."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from provisioner.documents.gateway import shapes
from provisioner.server.database.failures import explained
from provisioner.server.gateway import Gateway
from provisioner.server.http import paging, requests
from provisioner.server.http.edge import TRACE, Edge
from provisioner.server.http.limits import Places, Room
from provisioner.server.http.problems import Problem, unavailable
from provisioner.server.routes import reads, writes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from concurrent.futures import Executor

    from starlette.requests import Request

    from provisioner.server.http.answers import Answer
    from provisioner.server.settings import Settings


@dataclass(frozen=True, slots=True)
class ReadingRoute:
    """A route that reads. ``query`` are the parameters that it takes."""

    answer: Callable[[reads.Look, requests.Call], Answer]
    query: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class WritingRoute:
    """A route that writes. ``shape`` is that of the body; None for a request without."""

    answer: Callable[[writes.Change, requests.Call], Answer]
    shape: str | None = None


Method = ReadingRoute | WritingRoute
# Path: its methods. HEAD goes with GET.
ROUTES: Final[dict[str, dict[str, Method]]] = {
    "/capabilities": {"GET": ReadingRoute(reads.capabilities)},
    "/whoami": {"GET": ReadingRoute(reads.whoami)},
    "/privileges": {"GET": ReadingRoute(reads.privileges, paging.PARAMETERS)},
    "/state": {"GET": ReadingRoute(reads.state)},
    "/roles": {
        "GET": ReadingRoute(reads.roles, paging.PARAMETERS),
        "POST": WritingRoute(writes.create_role, "NewRole"),
    },
    "/roles/{id}": {
        "GET": ReadingRoute(reads.role),
        "PUT": WritingRoute(writes.update_role, "RoleContent"),
        "DELETE": WritingRoute(writes.delete_role),
    },
    "/roles/{id}/name": {"PUT": WritingRoute(writes.rename_role, "NewName")},
    "/users": {"GET": ReadingRoute(reads.users, paging.PARAMETERS)},
    "/users/{login:path}": {
        "GET": ReadingRoute(reads.user),
        "PUT": WritingRoute(writes.set_assignment, "Holding"),
    },
    "/changesets": {"POST": WritingRoute(writes.commit_changeset, "Changeset")},
    "/runs": {
        "GET": ReadingRoute(reads.runs, paging.PARAMETERS),
        "POST": WritingRoute(writes.record_run, "Recording"),
    },
    "/runs/{number}/state": {"GET": ReadingRoute(reads.run_state)},
    "/audit": {"GET": ReadingRoute(reads.audit, paging.PARAMETERS)},
}
_USERS: Final = b"/users/"


def create_app(settings: Settings) -> Starlette:
    """Open the database, bring it up to date, and return the application that serves it.

    ``app.state.gateway`` is the ``Gateway``; it is closed when the server stops the application.

    Raises:
        InvalidInput: The database's URL is wrong, or it holds another panel.
        BackendError: The database can't be used.
    """
    gateway = Gateway(settings)
    places = Places(settings.max_in_flight)
    bodies = _Bodies(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            gateway.close()

    app = Starlette(
        routes=[
            *(
                _route(path, _Endpoint(gateway, bodies, methods))
                for path, methods in ROUTES.items()
            ),
            _route("/livez", _get_only(_alive)),
            _route("/readyz", _get_only(_Readiness(gateway, places))),
            _route("/openapi.yaml", _get_only(_contract)),
        ],
        middleware=[Middleware(Edge, places=places, tokens=settings.tokens, explained=explained)],
        exception_handlers={404: _no_such_path},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.gateway = gateway
    return app


def _route(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    """A route for all methods: those that it lacks are answered by the endpoint itself."""

    async def answered(request: Request) -> Response:
        return await endpoint(request)

    route = Route(path, answered)
    route.methods = None  # Starlette's word for "any"
    return route


class _Endpoint:
    """All methods of one path."""

    def __init__(self, gateway: Gateway, bodies: _Bodies, methods: dict[str, Method]) -> None:
        self._gateway = gateway
        self._bodies = bodies
        self._methods = methods

    async def __call__(self, request: Request) -> Response:
        gateway = self._gateway
        name = "GET" if request.method == "HEAD" else request.method
        method = self._methods.get(name)
        if method is None:
            raise _not_allowed(self._methods)
        tokens, headers = gateway.settings.tokens, request.headers
        subject = requests.authenticated(headers, tokens)
        request.scope[TRACE].login = subject.login
        if isinstance(method, WritingRoute):
            requests.require_write(subject)
        call = requests.Call(
            name,
            request.scope["raw_path"].decode("ascii", "replace"),
            subject,
            _path_parameters(request),
            requests.checked_query(
                request.query_params.multi_items(),
                method.query if isinstance(method, ReadingRoute) else frozenset(),
            ),
            headers,
        )
        if isinstance(method, WritingRoute):
            has_body = method.shape is not None
            async with self._bodies.body(request, has_body=has_body) as body:
                answer = await _in_thread(gateway.writers, _answer, gateway, method, call, body)
        else:
            answer = await _in_thread(gateway.threads, _answer, gateway, method, call, b"")
        # Whoever reads it in a terminal finds the next prompt on a line of its own.
        text = answer.body + b"\n" if answer.body else b""
        return Response(text, answer.status, answer.headers, _media_type(answer))


class _Bodies:
    """The bodies of requests that are held at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._room = Room(settings.max_bodies)
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def body(self, request: Request, *, has_body: bool) -> AsyncIterator[bytes]:
        """Read a body and keep room for it during the block; for a large one, keep others out.

        Raises:
            Problem: It can't be read, there is no room, or other large ones take too long.
        """
        settings = self._settings
        with self._room.share() as share:
            body = b""
            if has_body:
                body = await requests.read_body(
                    request, share, settings.max_body, settings.patience
                )
            if len(body) <= settings.large:
                yield body
                return
            # Read, it takes many times its size, and while it is read nobody else is heard.
            try:
                async with asyncio.timeout(settings.patience):
                    await self._alone.acquire()
            except TimeoutError as error:
                raise unavailable("too many large requests at once") from error
            try:
                yield body
            finally:
                self._alone.release()


async def _in_thread(threads: Executor, work: Callable[..., Answer], *given: Any) -> Answer:
    return await asyncio.get_running_loop().run_in_executor(threads, work, *given)


def _answer(gateway: Gateway, method: Method, call: requests.Call, body: bytes) -> Answer:
    """Everything of a request that computes or waits, in a thread."""
    if isinstance(method, ReadingRoute):
        return gateway.read(method.answer, call)
    if call.method == "POST":
        requests.idempotency_key(call.headers)
    if method.shape:
        document = requests.parsed(body)
        requests.require_shape(method.shape, document)
        call = replace(call, body=body, document=document)
    return gateway.write(method.answer, call)


def _path_parameters(request: Request) -> dict[str, str]:
    """The path's parameters; a login from the bytes, for the server decodes them leniently."""
    parameters: dict[str, str] = dict(request.path_params)
    if "login" in parameters:
        before, _, raw = request.scope["raw_path"].partition(b"?")[0].partition(_USERS)
        if b"%" in before:
            # Decoded, the path has its login in another place than as it was sent.
            raise Problem("not-found", "there is no such path")
        try:
            parameters["login"] = unquote_to_bytes(raw).decode()
        except UnicodeDecodeError as error:
            raise Problem("malformed", "the login in the path is not UTF-8") from error
    return parameters


def _media_type(answer: Answer) -> str | None:
    return "application/json" if answer.body else None


def _not_allowed(methods: Any) -> Problem:
    allowed = sorted({*methods, *(["HEAD"] if "GET" in methods else [])})
    detail = f"only {', '.join(allowed)} here"
    return Problem("method-not-allowed", detail, headers={"Allow": ", ".join(allowed)})


def _get_only(
    endpoint: Callable[[], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            raise _not_allowed(["GET"])
        return await endpoint()

    return answered


def _ok() -> Response:
    return Response(b'{"status": "ok"}\n', media_type="application/json")


async def _alive() -> Response:
    return _ok()


async def _contract() -> Response:
    return Response(_contract_text(), media_type="application/yaml")


_contract_text: Final = cache(shapes.contract_text)


class _Readiness:
    """Whether requests can be answered now. However many ask, the database is asked once."""

    def __init__(self, gateway: Gateway, places: Places) -> None:
        self._gateway = gateway
        self._places = places
        self._asked: asyncio.Future[bool] | None = None

    async def __call__(self) -> Response:
        if self._gateway.draining:
            raise unavailable("the gateway is shutting down")
        if self._places.is_full:
            raise unavailable("too many requests at once")
        if self._asked is None or self._asked.done():
            self._asked = asyncio.ensure_future(asyncio.to_thread(self._gateway.database.answers))
        if not await asyncio.shield(self._asked):
            raise unavailable("the database does not answer")
        return _ok()


async def _no_such_path(_: Request, __: Exception) -> Response:
    raise Problem("not-found", "there is no such path")
