"""Sends the requests of a profile: placeholders filled, logged in, preconditions attached."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import unquote
from uuid import uuid4

from msgspec.structs import replace

from provisioner.backends.http.profile.expressions import Unusable
from provisioner.backends.http.profile.template import Unfillable, filled, filled_path, filled_text
from provisioner.backends.http.transport.messages import LostReply, Request
from provisioner.backends.http.transport.refusals import refusal
from provisioner.diagnostics import Diagnostic
from provisioner.errors import BackendError, ProvisionerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.backends.http.profile.definition import Call, Login
    from provisioner.backends.http.transport.client import Client
    from provisioner.backends.http.transport.messages import Reply

UNAUTHORIZED: Final = 401


class AuthorizedClient:
    """One client, and the token that a profile's login gives.

    ``credentials`` fill the placeholders of the login: username and password. Any number of threads
    may use it at a time.
    """

    def __init__(
        self, client: Client, login: Login | None, credentials: Mapping[str, str] | None = None
    ) -> None:
        self._client = client
        self._login = login
        self._credentials = credentials or {}
        self._guard = threading.Lock()
        self._token: str | None = None

    def send(self, request: Request) -> Reply:
        """Send a request; when its token is no longer taken, log in again, once."""
        if self._login is None:
            return self._client.send(request)
        token = self._valid_token(refused=None)
        first = self._client.send(_with_token(request, token))
        if first.status != UNAUTHORIZED:
            return first
        # This attempt was refused before anything was done; one before it may have got through.
        try:
            token = self._valid_token(refused=token)
            second = self._client.send(_with_token(request, token))
        except ProvisionerError as error:
            if first.perhaps_repeated and request.method != "GET":
                raise LostReply(error.diagnostics) from error
            raise
        repeated = first.perhaps_repeated or second.perhaps_repeated
        return replace(second, perhaps_repeated=repeated)

    def _valid_token(self, *, refused: str | None) -> str:
        with self._guard:
            if self._token is None or self._token == refused:
                self._token = self._log_in()
            return self._token

    def _log_in(self) -> str:
        assert self._login is not None  # noqa: S101 - for the type checker
        # Logging in twice does no harm, so a lost answer is no reason to give up.
        request = replace(request_of(self._login.call, self._credentials), repeatable=True)
        reply = self._client.send(request)
        if reply.status >= 400:
            raise refusal(reply, "log in")
        try:
            token = self._login.token.of(reply.body)
        except Unusable:
            token = None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            # What was found instead may be a part of a secret, so it is not shown.
            bad_reply(where(reply), f"{self._login.token.text}: there is no token")
        return token


def request_of(call: Call, values: Mapping[str, object], etag: str | None = None) -> Request:
    """Return the request that a call makes with these values.

    It may be repeated where the API can tell: by the object's ETag, or by its own key.
    """
    try:
        path = filled_path(call.path, values)
    except Unfillable as error:
        raise BackendError(Diagnostic("bad-address", f"{call.method}: {error}")) from error
    if call.match and (etag is None or etag.startswith("W/")):
        shown = "none" if etag is None else f"the weak {etag}"
        message = f"{call.method} {path}: needs the ETag of the object, and the API gave {shown}"
        raise BackendError(Diagnostic("no-etag", f"{message}; nothing was changed"))
    key = str(uuid4()) if call.key else None
    return Request(
        call.method,
        path,
        tuple((name, filled_text(value, values)) for name, value in call.query),
        filled(call.body, values),
        {"If-Match": etag} if call.match and etag is not None else {},
        key=key,
        repeatable=call.method == "GET" or key is not None or call.match,
    )


def _with_token(request: Request, token: str) -> Request:
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})


def where(reply: Reply, method: str = "GET") -> str:
    """Return what was asked, as it is shown in messages."""
    return f"{method} {unquote(reply.url)}"


def bad_reply(where: str, why: str, way_out: str | None = None) -> NoReturn:
    """Raise the error for an answer that is not what the profile says; maybe with a way out."""
    remedy = "the answer is not what the profile says; nothing was concluded from it"
    remedy += f"; {way_out}" if way_out else ""
    raise BackendError(Diagnostic("bad-reply", f"{where}: {why}", None, remedy))
