"""One attempt of one request: connect, send, and receive all of the reply in time."""

from __future__ import annotations

import ssl
import sys
import time
from base64 import b64encode
from collections.abc import Mapping
from html import unescape
from http.client import IncompleteRead
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn
from urllib.parse import unquote, urlsplit

import urllib3
from msgspec import Struct
from msgspec.structs import replace
from urllib3 import exceptions
from urllib3.util import Timeout

from provisioner.backends.http.transport.deadlines import POOLS, TIME, Sockets
from provisioner.backends.http.transport.redaction import Discretion
from provisioner.diagnostics import Diagnostic
from provisioner.documents import strict_json
from provisioner.errors import InvalidInput

if TYPE_CHECKING:
    from provisioner.backends.http.transport.settings import HttpSettings

Certainty = Literal["not-sent", "final", "lost", "lost-for-good"]

_PIECE: Final = 1 << 16
_SHOWN: Final = 200
_DIGITS: Final = 20
_MAY_BE_EMPTY: Final = frozenset({"HEAD", "OPTIONS", "DELETE", "PUT", "POST"})
_LOOKED_THROUGH: Final = 1 << 16
_ABOUT_OURS: Final = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")
_OWN: Final = "if it comes from your own authority, name that with `ca_file`"
# Codes of OpenSSL, see its X509_STORE_CTX_get_error(3).
_REMEDIES: Final = {
    9: "wait until it is valid, or set the clock of this machine",
    10: "have it renewed, or set the clock of this machine",
    62: "use a name in `url` that the certificate is for",
    64: "use a name in `url` that the certificate is for",
}
# `max_reply` bounds the size; an answer in time is worth more than all that is wrong in one.
_REPLY: Final = replace(strict_json.FILE, size=sys.maxsize, searched=200_000)


class Raw(Struct, frozen=True):
    """A whole reply. ``body`` is parsed JSON; None where there was none, or none is due."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Failed(Exception):
    """There is no usable reply; the message says why.

    ``certainty``: "not-sent" if the server certainly never saw the request, "final" if it did not
    and trying again would change nothing; "lost" if it may have acted on it,
    "lost-for-good" if it may, and would answer the same again.
    """

    def __init__(self, why: str, certainty: Certainty, remedy: str | None = None) -> None:
        super().__init__(why)
        self.certainty = certainty
        self.remedy = remedy


class Exchange:
    """Sends requests over connections that are kept open. Many threads may use it at a time."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self.discretion = Discretion(settings)
        self._sockets = Sockets()
        login = _proxy_login(settings)
        self.discretion.learn_sent(login)
        self._pools = _pools(settings, login)
        # All requests go to one place, so the pool of its connections is looked up once.
        self._pool = self._pools.connection_from_url(settings.url)
        # A proxy that sees what is asked wants to be told where, too.
        parts = urlsplit(settings.url)
        is_seen = settings.proxy is not None and not settings.is_encrypted
        self._dropped = 0 if is_seen else len(f"{parts.scheme}://{parts.netloc}")

    def attempt(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, end: float
    ) -> Raw:
        """Send once and receive the whole reply before ``end``, on the clock of ``monotonic``.

        Raises:
            Failed: It did not work out.
        """
        settings = self._settings
        self.discretion.learn_sent(headers)
        TIME.begin(end, settings.read_timeout, self._sockets, has_body=body is not None)
        connect = min(settings.connect_timeout, max(end - time.monotonic(), 0.001))
        try:
            reply = self._pool.urlopen(
                method,
                url[self._dropped :] or "/",
                body=body,
                headers=headers,
                timeout=Timeout(connect=connect, read=settings.read_timeout),
                retries=False,
                redirect=False,
                assert_same_host=False,  # a proxy's pool is asked for other hosts
                preload_content=False,
            )
            try:
                data = _received(reply, settings.max_reply)
            except BaseException:
                reply.close()
                raise
            reply.release_conn()
        except (exceptions.HTTPError, OSError, ValueError) as error:
            # ValueError: urllib3 reads sizes of chunks that are none, such as -5.
            self._explain(error)
        return _parsed(reply.status, reply.headers, data, method, self.discretion)

    def close(self) -> None:
        """Close all connections, those in use as well: what waits for an answer gets none."""
        self._sockets.cut()
        self._pools.clear()

    def _explain(self, error: Exception) -> NoReturn:
        """Turn what went wrong on the way into a failure that people understand."""
        cause = _root(error)
        proxied = isinstance(error, exceptions.ProxyError)
        if _is_about_ours(cause):
            # With TLS 1.3 this comes after the first request, which the server has not read then.
            why = f"the server does not take the client's certificate: {_reason(cause)}"
            raise Failed(why, "final", "name the right one with `client_cert`") from error
        if TIME.is_sent and not proxied:
            raise Failed(self._lost(error, cause), "lost") from error
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = f"the server's certificate is not trusted: {on_one_line(cause.verify_message)}"
            raise Failed(why, "final", _REMEDIES.get(cause.verify_code, _OWN)) from error
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            why = f"TLS failed: {_reason(cause)}"
            raise Failed(why, "final", "check that `url` speaks TLS") from error
        over = "the proxy: " if proxied else ""
        if proxied and "407" in str(cause):
            raise Failed("the proxy wants a user name and password (407)", "final") from error
        remedy = "see that it runs, and that `url` in the project file is right"
        raise Failed(f"{over}{_connecting(error, cause)}", "not-sent", remedy) from error

    def _lost(self, error: Exception, cause: BaseException) -> str:
        settings = self._settings
        if isinstance(error, exceptions.ReadTimeoutError) or isinstance(cause, TimeoutError):
            if time.monotonic() >= TIME.end:
                return f"no whole reply within {settings.reply_timeout:g} s"
            return f"the server was silent for {settings.read_timeout:g} s"
        if isinstance(error, exceptions.DecodeError):
            return "the reply can't be unpacked"
        # A body has an end that is announced; http.client and urllib3 have an error each for this.
        if isinstance(cause, IncompleteRead) or type(cause) is ValueError:
            return "the reply was cut off"
        return f"the connection broke off ({_shown(cause)})"


def _proxy_login(settings: HttpSettings) -> dict[str, str]:
    """The header that a proxy is shown, if its address holds a login."""
    parts = urlsplit(settings.proxy.reveal() if settings.proxy else "")
    if not parts.username:
        return {}
    # urllib3 knows Latin-1 only; proxies that say anything about it expect UTF-8 (RFC 7617, 2.1).
    login = unquote(f"{parts.username}:{parts.password or ''}").encode()
    return {"proxy-authorization": f"Basic {b64encode(login).decode()}"}


def _pools(settings: HttpSettings, proxy_login: dict[str, str]) -> urllib3.PoolManager:
    context = tls_context(settings) if settings.is_encrypted or settings.proxy else None
    common: dict[str, Any] = {"maxsize": settings.concurrency, "ssl_context": context}
    pools: urllib3.PoolManager
    if settings.proxy:
        parts = urlsplit(settings.proxy.reveal())
        bare = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        pools = urllib3.ProxyManager(
            bare, proxy_headers=proxy_login, proxy_ssl_context=context, **common
        )
    else:
        pools = urllib3.PoolManager(**common)
    pools.pool_classes_by_scheme = POOLS
    return pools


def tls_context(settings: HttpSettings) -> ssl.SSLContext:
    """Return what trusts the system's certificates, and those of the target's own authority.

    Raises:
        InvalidInput: A file of certificates can't be used.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    file = settings.ca_file
    try:
        if settings.ca_file:
            context.load_verify_locations(cafile=settings.ca_file)
        if settings.client_cert:
            file = settings.client_cert
            # Without a password of its own, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(settings.client_cert, settings.client_key, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        message = f"can't use the certificate file {file}: {_shown(error)}"
        remedy = "it must be PEM; a certificate and its key must belong together"
        raise InvalidInput(Diagnostic("certificate-file", message, None, remedy)) from error
    return context


def _received(reply: urllib3.BaseHTTPResponse, most: int) -> bytes:
    length = reply.headers.get("Content-Length", "")
    plain = not {"Content-Encoding", "Transfer-Encoding"} & reply.headers.keys()
    if length.isdecimal() and len(length) > _DIGITS:
        # Python refuses to read thousands of digits; then nobody knows where the reply ends.
        raise Failed(f"the reply's length is no number of bytes ({length[:_DIGITS]}...)", "lost")
    if plain and length.isdecimal() and int(length) <= most:
        return reply.read(decode_content=False)
    pieces: list[bytes] = []
    size = 0
    for piece in reply.stream(_PIECE, decode_content=True):
        size += len(piece)
        if size > most:
            why = f"the reply is larger than {most / 1_000_000:g} MB"
            raise Failed(why, "lost-for-good", "if that is right, raise `max_reply_mb`")
        pieces.append(piece)
    return b"".join(pieces)


def _parsed(
    status: int, headers: Mapping[str, str], data: bytes, method: str, discretion: Discretion
) -> Raw:
    """Read the body as JSON. Only a good reply must have one; what refuses may say it in prose.

    What is not a good reply may be shown, and may repeat what was sent.
    """
    is_good = 200 <= status < 300
    if not data:
        if is_good and status not in (204, 205) and method not in _MAY_BE_EMPTY:
            raise Failed("the reply is empty", "lost")
        return Raw(status, headers, None)
    if not _is_json(headers):
        if is_good:
            kind = on_one_line(discretion.message(_kind(headers))) or "no type"
            raise Failed(f"the reply is not JSON ({kind}: {_start(data, discretion)})", "lost")
        return Raw(status, headers, _start(data, discretion))
    try:
        document = strict_json.parse(data, _REPLY)
        return Raw(status, headers, document if is_good else discretion.cleaned(document))
    except strict_json.Unsound as error:
        if is_good:
            why = on_one_line(discretion.message(str(error)))
            raise Failed(f"the reply is not JSON: {why}", "lost") from error
        return Raw(status, headers, _start(data, discretion))


def _kind(headers: Mapping[str, str]) -> str:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _is_json(headers: Mapping[str, str]) -> bool:
    kind = _kind(headers)
    return kind == "application/json" or kind.endswith("+json")


def _is_about_ours(cause: BaseException) -> bool:
    """Whether the server refuses the certificate that it was shown, or wants one."""
    reason = (cause.reason or "") if isinstance(cause, ssl.SSLError) else ""
    return "ALERT" in reason and any(word in reason for word in _ABOUT_OURS)


def _reason(cause: BaseException) -> str:
    return str(getattr(cause, "reason", None) or cause).replace("_", " ").lower()


def _connecting(error: Exception, cause: BaseException) -> str:
    if isinstance(error, exceptions.NameResolutionError):
        return "the host's name is not known"
    if isinstance(cause, TimeoutError | exceptions.ConnectTimeoutError):
        return "the connection did not come about in time"
    return f"no connection ({_shown(cause)})"


def _root(error: BaseException) -> BaseException:
    """The error at the bottom of what urllib3 wrapped it in."""
    seen = {error}
    while True:
        inner = getattr(error, "original_error", None) or getattr(error, "reason", None)
        nested = next((a for a in error.args if isinstance(a, BaseException)), None)
        deeper = inner if isinstance(inner, BaseException) else nested
        deeper = deeper or error.__cause__ or error.__context__
        if deeper is None or deeper in seen:
            return error
        seen.add(deeper)
        error = deeper


def _shown(error: BaseException) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return on_one_line(text) or type(error).__name__


def _start(data: bytes, discretion: Discretion) -> str:
    """The beginning of a text from a server, on one line, for a message."""
    # Pages of HTML may write any character as a number.
    text = unescape(data[:_LOOKED_THROUGH].decode("utf-8", "replace"))
    return on_one_line(discretion.cleaned(text)[: 4 * _SHOWN])


def on_one_line(text: str) -> str:
    """The beginning of a foreign text, without anything that could disturb a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_SHOWN]
