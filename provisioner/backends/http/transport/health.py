"""What ``doctor`` says of the way to a target over HTTP: proxy, TLS, the certificate."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from provisioner.backends.base import Check
from provisioner.backends.http.transport.attempt import tls_context
from provisioner.backends.http.transport.proxies import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.backends.http.transport.settings import HttpSettings
    from provisioner.errors import ProvisionerError

SOON: Final = 21
"""Days before a certificate's end from which on it is worth a warning."""


def examine_connection(settings: HttpSettings) -> Iterator[Check]:
    """Look at what lies between here and the server, without a request."""
    if settings.proxy is not None:
        host = urlsplit(settings.proxy.reveal()).hostname
        yield Check("proxy", "ok", f"over {host}")
    if not settings.is_encrypted:
        if is_loopback(urlsplit(settings.url).hostname or ""):
            yield Check("TLS", "ok", "none, and none needed: nothing leaves this machine")
        else:
            risk = "none: what is sent, the token too, can be read on the way"
            yield Check("TLS", "warning", risk)
    elif settings.proxy is None:
        yield from _certificate(settings)


def unreachable(error: ProvisionerError) -> Check:
    """What is said of a target that did not answer as it should."""
    found = error.diagnostics[0]
    return Check(
        "reachable", "error", found.message + (f" ({found.remedy})" if found.remedy else "")
    )


def _certificate(settings: HttpSettings) -> Iterator[Check]:
    """The certificate of a direct connection. What fails here fails, better told, in a request."""
    parts = urlsplit(settings.url)
    address = (parts.hostname or "", parts.port or 443)
    context = tls_context(settings)
    try:
        with (
            socket.create_connection(address, timeout=settings.connect_timeout) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as secured,
        ):
            version, certificate = secured.version(), secured.getpeercert() or {}
    except OSError:
        return
    seconds = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    end = datetime.fromtimestamp(seconds, UTC)
    days = (end - datetime.now(UTC)).days
    detail = f"{version}, the certificate is good until {end:%Y-%m-%d} ({days} days)"
    yield Check("TLS", "warning" if days < SOON else "ok", detail)
