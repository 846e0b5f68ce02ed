"""Which proxy the environment names for an address, and which hosts need none."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: ``localhost``, or an address of its own network."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_from(url: str, environ: Mapping[str, str]) -> str | None:
    """The environment's proxy for an address, as curl and Python's urllib understand it.

    Capital HTTP_PROXY does not count where REQUEST_METHOD is set: there, a client of the web
    server may have set it (https://httpoxy.org).
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if is_loopback(host):
        return None
    lookup = _lookup(environ)
    if _is_exempt(host, parts.port, lookup("no_proxy") or ""):
        return None
    upper_counts = parts.scheme != "http" or "REQUEST_METHOD" not in environ
    name = f"{parts.scheme}_proxy"
    found = lookup(name) if upper_counts else environ.get(name)
    return found or lookup("all_proxy")


def _lookup(environ: Mapping[str, str]) -> Callable[[str], str | None]:
    return lambda name: environ.get(name) or environ.get(name.upper())


def _is_exempt(host: str, port: int | None, listed: str) -> bool:
    """Whether NO_PROXY names a host: itself, a domain above it, an address range, or ``*``."""
    for entry in (item.strip().lower() for item in listed.split(",")):
        if not entry:
            continue
        name, _, wanted = entry.partition(":") if entry.count(":") == 1 else (entry, "", "")
        if wanted and wanted != str(port):
            continue
        name = name.lstrip("*").lstrip(".")
        if entry == "*" or host == name or host.endswith(f".{name}") or _is_within(host, name):
            return True
    return False


def _is_within(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
