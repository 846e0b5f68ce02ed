"""What ``doctor`` says of a target over HTTP: the connection, the rights, the versions."""

from __future__ import annotations

import socket
import ssl
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from provisioner.backends.base import Check
from provisioner.backends.http.transport.attempt import tls_context
from provisioner.backends.http.transport.settings import is_loopback
from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
)
from provisioner.errors import ProvisionerError
from provisioner.model import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioner.backends.http.gateway.backend import GatewayBackend
    from provisioner.backends.http.objects.backend import ObjectBackend
    from provisioner.backends.http.transport.settings import HttpSettings
    from provisioner.engine.writes import Write
    from provisioner.model import Snapshot

_SHOWN: Final = 5
SOON: Final = 21
"""Days before a certificate's end from which on it is worth a warning."""


def examine_gateway(backend: GatewayBackend, settings: HttpSettings) -> Iterator[Check]:
    """Look at a gateway of our contract."""
    try:
        yield from _connection(settings)
        started = time.perf_counter()
        about = backend.about()
        took = (time.perf_counter() - started) * 1000
        yield Check("reachable", "ok", f"{settings.url} answers in {took:.0f} ms")
        told = f"panel `{about['panel']}`, contract {about['contract']}, {about['product']}"
        yield Check("gateway", "ok", told)
        yield _rights(backend.whoami())
    except ProvisionerError as error:
        yield _failure(error)


def examine_api(backend: ObjectBackend, settings: HttpSettings) -> Iterator[Check]:
    """Look at an API that a profile describes: whether it can be read shows by reading it."""
    try:
        yield from _connection(settings)
        started = time.perf_counter()
        snapshot = backend.read()
        took = (time.perf_counter() - started) * 1000
        yield Check("reachable", "ok", f"{settings.url}, read whole in {took:.0f} ms")
        yield from _requests(backend, snapshot)
        detail = "reading is allowed; whether writing is, only a write would tell"
        yield Check("rights", "ok", detail)
    except ProvisionerError as error:
        yield _failure(error)


def _requests(backend: ObjectBackend, snapshot: Snapshot) -> Iterator[Check]:
    """Look for the requests, lists and versions that changes of every kind need."""
    found = [each for each in backend.foresee(_changes(snapshot)) if each.severity == "error"]
    alone = [each.message for each in found if each.id == "unaddressable"]
    if alone:
        more = f" and {len(alone) - _SHOWN} more" if len(alone) > _SHOWN else ""
        yield Check("users", "warning", f"{'; '.join(alone[:_SHOWN])}{more}")
    missing = [each for each in found if each.id != "unaddressable"]
    if missing:
        remedies = "; ".join(dict.fromkeys(each.remedy for each in missing if each.remedy))
        told = "; ".join(each.message for each in missing)
        yield Check("requests", "error", f"{told} ({remedies})" if remedies else told)
    elif backend.tells_requests:
        yield Check("requests", "ok", "the API has all that the profile's changes need")
    else:
        detail = "the lists that changes need are there; the changes themselves only a change shows"
        yield Check("requests", "ok", detail)


def _changes(snapshot: Snapshot) -> tuple[Write, ...]:
    """A change of every kind to something that is there; none of them is ever made."""
    roles = snapshot.state.roles
    writes: list[Write] = [CreateRole(Role("provisioner", privileges=_some(snapshot)))]
    role = roles[min(roles)] if roles else None
    held: frozenset[str] = frozenset()
    if role is not None:
        held = frozenset({role.name})
        other = replace(role, description=f"{role.description}.", privileges=_some(snapshot, role))
        writes += [UpdateRole(role, other), RenameRole(role, role.name), DeleteRole(role)]
    logins = {each.user for each in snapshot.state.assignments.values()} | (snapshot.users or set())
    for login in sorted(logins):
        writes += [
            SetAssignment(login, held, frozenset()),
            SetAssignment(login, frozenset(), held),
        ]
    return tuple(writes)


def _some(snapshot: Snapshot, role: Role | None = None) -> frozenset[str]:
    """A privilege of the catalogue, one that the role does not have if there is one."""
    names = set(snapshot.catalogue.privileges) if snapshot.catalogue else set()
    left = names - role.privileges if role else names
    return frozenset(sorted(left or names)[:1])


def _failure(error: ProvisionerError) -> Check:
    found = error.diagnostics[0]
    return Check(
        "reachable", "error", found.message + (f" ({found.remedy})" if found.remedy else "")
    )


def _rights(told: Mapping[str, Any]) -> Check:
    who = f"the token of {told['login']}" if told["login"] else "a token of no particular user"
    if len(told["scopes"]) > 1:
        return Check("rights", "ok", f"{who}: read and write")
    [only] = told["scopes"]
    refused = {"read": "`apply`", "write": "reading"}[only]
    return Check("rights", "warning", f"{who}: {only} only; {refused} will be refused")


def _connection(settings: HttpSettings) -> Iterator[Check]:
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
