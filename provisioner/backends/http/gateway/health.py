"""What ``doctor`` says of a gateway of our contract: what it is, and what the token may do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from provisioner.backends.base import Check
from provisioner.backends.http.transport.health import examine_connection, unreachable
from provisioner.errors import ProvisionerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioner.backends.http.transport.settings import HttpSettings


class Gateway(Protocol):
    """What is asked of a gateway here."""

    def about(self) -> Mapping[str, Any]:
        """The contract version, the panel, the product."""
        ...

    def whoami(self) -> Mapping[str, Any]:
        """The login (or None) and the scopes of the token."""
        ...


def examine_gateway(gateway: Gateway, settings: HttpSettings) -> Iterator[Check]:
    """Look at a gateway of our contract."""
    try:
        yield from examine_connection(settings)
        started = time.perf_counter()
        about = gateway.about()
        took = (time.perf_counter() - started) * 1000
        yield Check("reachable", "ok", f"{settings.url} answers in {took:.0f} ms")
        told = f"panel `{about['panel']}`, contract {about['contract']}, {about['product']}"
        yield Check("gateway", "ok", told)
        yield _rights(gateway.whoami())
    except ProvisionerError as error:
        yield unreachable(error)


def _rights(told: Mapping[str, Any]) -> Check:
    who = f"the token of {told['login']}" if told["login"] else "a token of no particular user"
    if len(told["scopes"]) > 1:
        return Check("rights", "ok", f"{who}: read and write")
    [only] = told["scopes"]
    refused = {"read": "`apply`", "write": "reading"}[only]
    return Check("rights", "warning", f"{who}: {only} only; {refused} will be refused")
