"""A real Flask-AppBuilder, through its profile, keeps the contract of backends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioner.testing.contract import BackendContract, Factory
from tests.http.flask_appbuilder.running import PRIVILEGES, USERS

if TYPE_CHECKING:
    from tests.http.flask_appbuilder.running import FlaskAppBuilder


class TestFlaskAppBuilder(BackendContract):
    """Roles by name and id, privileges listed apart, users made elsewhere, no ETags."""

    privileges = PRIVILEGES
    users = USERS
    locks = False

    @pytest.fixture
    def backend(self, panel: FlaskAppBuilder) -> Factory:
        """Return handles to one server that is as it began."""
        return panel.opened
