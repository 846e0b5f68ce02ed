"""Answers of a gateway that can't be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioner.errors import BackendError
from provisioner.server.panel.rendering import CAPABILITIES
from tests.http.small_api import Answer, JsonServer
from tests.http.test_gateway_contract import opened

if TYPE_CHECKING:
    from provisioner.backends.base import Backend
    from tests.http.small_api import Asked


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


def test_a_run_with_a_date_that_there_is_not_is_no_run() -> None:
    """What would come back for good, or not at all, is not guessed."""
    about = {
        "contract": "1.1",
        "panel": "p",
        "product": "x",
        "capabilities": dict.fromkeys(CAPABILITIES, True),
    }
    run = {
        **dict.fromkeys(("at", "by", "operation", "summary"), "x"),
        "plan": None,
        "until": [{"login": "ada", "role": "Sales", "until": "2027-02-29"}],
    }
    item = {"number": 1, "run": run, "subject": None, "has_state": True}
    page = {"items": [item], "next": None, "version": "1"}

    def answer(asked: Asked) -> Answer:
        return Answer(200, page if asked.path == "/runs" else about)

    with JsonServer(answer) as server:
        store: Backend = opened(server.url)
        with pytest.raises(BackendError, match=r"run\.until\[0\]: there is no date 2027-02-29"):
            store.history()
