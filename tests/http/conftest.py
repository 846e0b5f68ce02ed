"""A reference gateway on each of its databases, for backends to reach over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioner.server.app import create_app
from tests.postgresql import postgresql_server  # noqa: F401 - a fixture
from tests.server.conftest import database, proxy  # noqa: F401 - fixtures
from tests.server.running import WRITER, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.conftest import Proxy


@pytest.fixture
def gateway_url(
    database: str,  # noqa: F811
    proxy: Proxy,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """A fresh gateway; its token is in PANEL_TOKEN."""
    monkeypatch.setenv("PANEL_TOKEN", WRITER)
    app = create_app(settings(database))
    yield proxy.add(app)
    app.state.gateway.close()
