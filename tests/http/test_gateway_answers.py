"""Answers of a gateway that can't be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioner.errors import BackendError
from tests.http.small_api import Answer, JsonServer
from tests.http.test_gateway_contract import opened

if TYPE_CHECKING:
    from provisioner.backends.base import Backend


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANEL_TOKEN", "t0ken-for-tests")


@pytest.mark.parametrize("status", [202, 203, 206, 299])
def test_a_part_of_the_state_is_no_state(status: int) -> None:
    """Whatever it holds: something on the way may have changed it, or left things out."""
    with JsonServer(lambda _: Answer(status, {})) as server:
        store: Backend = opened(server.url)
        with pytest.raises(BackendError, match=f"read the state: the server answers {status}"):
            store.read()
