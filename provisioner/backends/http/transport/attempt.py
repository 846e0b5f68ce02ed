"""One attempt of one request: connect, send, and receive all of the reply in time."""

from __future__ import annotations

import ssl
import time
from base64 import b64encode
from http.client import IncompleteRead
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3 import exceptions
from urllib3.util import Timeout

from provisioner.backends.http.transport.deadlines import POOLS, TIME, Sockets
from provisioner.backends.http.transport.receiving import (
    Failed,
    Raw,
    on_one_line,
    parsed,
    received,
)
from provisioner.backends.http.transport.redaction import Redaction
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.backends.http.transport.settings import HttpSettings


_ABOUT_OURS: Final = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")
_OWN: Final = "if it comes from your own authority, name that with `ca_file`"
# Codes of OpenSSL, see its X509_STORE_CTX_get_error(3).
_REMEDIES: Final = {
    9: "wait until it is valid, or set the clock of this machine",
    10: "have it renewed, or set the clock of this machine",
    62: "use a name in `url` that the certificate is for",
    64: "use a name in `url` that the certificate is for",
}


class Connections:
    """Sends requests over connections that are kept open. Many threads may use it at a time."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self.redaction = Redaction(settings)
        self._sockets = Sockets()
        login = _proxy_login(settings)
        self.redaction.learn_sent(login)
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
        self.redaction.learn_sent(headers)
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
                data = received(reply, settings.max_reply)
            except BaseException:
                reply.close()
                raise
            reply.release_conn()
        except (exceptions.HTTPError, OSError, ValueError) as error:
            # ValueError: urllib3 reads sizes of chunks that are none, such as -5.
            self._explain(error)
        return parsed(reply.status, reply.headers, data, method, self.redaction)

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
