"""APIs of several kinds, each through its profile, keep the contract of backends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioner.backends.http.objects.backend import ObjectBackend
from provisioner.backends.http.profile.loading import load_profile
from provisioner.backends.http.transport.client import Client
from provisioner.backends.http.transport.settings import HttpSettings, Secret
from provisioner.desired.load import read_document
from provisioner.testing.contract import BackendContract, Factory
from tests.http.small_api import JsonServer
from tests.http.small_panel import (
    PROFILE,
    SmallPanel,
    apart,
    by_names,
    opened,
    versioned,
    versioned_apart,
)
from tests.server.running import WRITER

if TYPE_CHECKING:
    from collections.abc import Iterator


class TestGatewayObjects(BackendContract):
    """The reference gateway: objects with ETags, read from lists in pages."""

    privileges = ("ACCOUNTS_VIEW_DET", "ARDOCS_VIEW", "ARDOCS_CREATE")
    locks = False

    @pytest.fixture
    def database(self, tmp_path: Path) -> str:
        """One of its databases is enough: what it answers does not depend on that."""
        return str(tmp_path / "gateway.sqlite")

    @pytest.fixture
    def backend(self, gateway_url: str) -> Factory:
        """Return handles to one fresh gateway."""
        profile = load_profile("gateway", Path(), read_document)
        settings = HttpSettings(gateway_url, token=Secret(WRITER))
        return lambda: ObjectBackend(Client(settings), profile, settings)


class SmallPanelContract(BackendContract):
    """What the small panels share."""

    privileges = ("SEE", "EDIT", "DELETE", "BILL")
    locks = False


class TestSmallPanel(SmallPanelContract):
    """No versions: everything is read again just before, and just after."""

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Factory]:
        """Return handles to one fresh panel."""
        with JsonServer(SmallPanel()) as server:
            yield lambda: opened(server, PROFILE, tmp_path)


class TestVersionedSmallPanel(SmallPanelContract):
    """ETags, of roles in the object and of people in the header."""

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Factory]:
        """Return handles to one fresh panel."""
        with JsonServer(SmallPanel(etags=True)) as server:
            yield lambda: opened(server, versioned(), tmp_path)


class TestSmallPanelOfRelations(SmallPanelContract):
    """Grants and assignments are objects of their own."""

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Factory]:
        """Return handles to one fresh panel."""
        with JsonServer(SmallPanel(apart=True)) as server:
            yield lambda: opened(server, apart(), tmp_path)


class TestVersionedSmallPanelOfRelations(SmallPanelContract):
    """The same, each bound to a version that every one of them changes."""

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Factory]:
        """Return handles to one fresh panel."""
        with JsonServer(SmallPanel(etags=True, apart=True)) as server:
            yield lambda: opened(server, versioned_apart(), tmp_path)


class TestSmallPanelOfNames(SmallPanelContract):
    """References by name, and no way to read one object: lists are all there is."""

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Factory]:
        """Return handles to one fresh panel."""
        with JsonServer(SmallPanel(names=True)) as server:
            yield lambda: opened(server, by_names(), tmp_path)
