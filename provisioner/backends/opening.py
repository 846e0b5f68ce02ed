"""What an adapter is given when it is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from provisioner.model import Place, State
from provisioner.trust.addresses import Address


class Opening(Struct, frozen=True):
    """What an adapter is opened with.

    ``options`` are the target's keys as written in the project file; paths among them are relative
    to ``folder``. ``initial`` is the state of a store that does not exist yet. ``read_yaml`` reads
    a YAML file and holds it against one of provisioner's schemas, by the schema's name.
    ``insecure_http`` allows to send secrets over connections that are not encrypted. ``within``
    holds the addresses that requests have to stay below; without any, the target's own counts.
    """

    options: Mapping[str, Any]
    folder: Path
    initial: State
    place: Place | None = None
    read_yaml: Callable[[str, str], Any] | None = None
    insecure_http: bool = False
    within: tuple[Address, ...] = ()
