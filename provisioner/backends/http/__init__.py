"""Targets behind an HTTP API: a gateway that speaks our contract, or what a profile describes.

Everything here loads only when such a target is opened. Inside, imports go one way: ``gateway`` and
``objects`` → ``profile`` and ``transport``, which know nothing of each other.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioner.backends.base import Backend
    from provisioner.backends.http.objects.backend import ObjectBackend
    from provisioner.backends.http.transport.client import Client
    from provisioner.backends.http.transport.settings import HttpSettings
    from provisioner.backends.opening import Opening


def open_http(opening: Opening) -> Backend:
    """Return the adapter for a target over HTTP. Does not reach for it.

    Raises:
        InvalidInput: Its options, or its profile, are wrong.
    """
    from provisioner.backends.http.transport.client import Client
    from provisioner.backends.http.transport.settings import read_settings

    settings = read_settings(
        opening.options,
        opening.folder,
        opening.place,
        insecure_http=opening.insecure_http,
        environ=os.environ,
        within=opening.within,
    )
    return backend_over(Client(settings), settings, opening)


def backend_over(client: Client, settings: HttpSettings, opening: Opening) -> Backend:
    """Return the adapter that reaches its target with a client of its own.

    Raises:
        InvalidInput: The profile is wrong.
    """
    from provisioner.backends.http.gateway.backend import GatewayBackend

    def objects() -> ObjectBackend:
        from provisioner.backends.http.objects.backend import ObjectBackend
        from provisioner.backends.http.profile.loading import load_profile

        read = opening.read_yaml
        profile = load_profile(settings.profile, opening.folder, read, place=opening.place)
        return ObjectBackend(client, profile, settings, place=opening.place)

    # Reading and committing at once take no profile, so that of our own contract waits.
    if settings.profile == "gateway":
        return GatewayBackend(client, objects, settings)
    backend = objects()
    if backend.speaks_contract:
        return GatewayBackend(client, lambda: backend, settings)
    return backend
