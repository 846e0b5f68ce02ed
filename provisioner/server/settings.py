"""What a gateway is started with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioner.model import Catalogue
    from provisioner.server.http.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one gateway.

    ``database`` is a file (SQLite) or a URL. ``panel`` is the panel's id: a new database gets it
    (``sandbox`` if None), one that exists must have it (any if None). ``max_body`` is in bytes;
    ``patience`` in seconds, for the database's lock, a connection and a request's body.
    ``max_bodies`` bounds the bytes of all bodies that are held at a time, ``max_in_flight`` the
    requests of those who have a token. A body over ``large`` bytes is worked on alone.
    """

    database: str
    tokens: Tokens
    catalogue: Catalogue
    panel: str | None = None
    max_body: int = 64 * 1024 * 1024
    max_bodies: int = 128 * 1024 * 1024
    large: int = 1024 * 1024
    max_in_flight: int = 64
    threads: int = 16
    patience: float = 10.0
