"""The reference gateway, reached over HTTP, keeps the backend contract in every way it offers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.backends.opening import Opening
from provisioner.backends.registry import open_backend
from provisioner.desired.load import read_document
from provisioner.model import State
from provisioner.testing.contract import BackendContract, Factory

if TYPE_CHECKING:
    from provisioner.backends.base import Backend


KNOWN = ("ACCOUNTS_VIEW_DET", "ARDOCS_CREATE", "ARDOCS_VIEW")


def opened(url: str, **options: Any) -> Backend:
    """A handle of a target on the gateway."""
    chosen = {"backend": "http", "url": url, "token_env": "PANEL_TOKEN", **options}
    return open_backend("http", Opening(chosen, Path(), State(), None, read_document))


class TestGateway(BackendContract):
    """Whole-state reads and changesets."""

    locks = False
    privileges = KNOWN

    @pytest.fixture
    def backend(self, gateway_url: str) -> Factory:
        """Return handles to one fresh gateway."""
        return lambda: opened(gateway_url)


class TestGatewayObjectwise(BackendContract):
    """Whole-state reads, and writes object by object."""

    locks = False
    privileges = KNOWN

    @pytest.fixture
    def backend(self, gateway_url: str) -> Factory:
        """Return handles to one fresh gateway."""
        return lambda: opened(gateway_url, changesets=False)
