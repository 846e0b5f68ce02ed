"""One Flask-AppBuilder for each process of tests, put back to its beginning for each test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.http.flask_appbuilder.running import PASSWORD, REQUIRED, missing, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.http.flask_appbuilder.running import FlaskAppBuilder


@pytest.fixture(scope="session")
def flask_appbuilder_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[FlaskAppBuilder]:
    if reason := missing():
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with served(tmp_path_factory.mktemp("flask-appbuilder")) as server:
        yield server


@pytest.fixture
def panel(
    flask_appbuilder_server: FlaskAppBuilder, monkeypatch: pytest.MonkeyPatch
) -> FlaskAppBuilder:
    """A Flask-AppBuilder with an administrator, and users who hold nothing."""
    monkeypatch.setenv("FAB_PASSWORD", PASSWORD)
    flask_appbuilder_server.reset()
    return flask_appbuilder_server
