"""APIs that want a login first: one token for all, a new one when it is no longer taken."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.backends.http.objects.backend import ObjectBackend
from provisioner.backends.http.objects.calls import AuthorizedClient
from provisioner.backends.http.profile.definition import Call, Login
from provisioner.backends.http.profile.expressions import compiled
from provisioner.backends.http.profile.loading import load_profile
from provisioner.backends.http.transport.messages import LostReply, NotSent, Reply, Request
from provisioner.backends.http.transport.settings import Secret
from provisioner.desired.load import read_document
from provisioner.diagnostics import Diagnostic
from provisioner.engine.writes import CreateRole
from provisioner.errors import BackendError, InvalidInput
from provisioner.model import Place, Role
from tests.http.small_api import Answer, Asked, JsonServer
from tests.http.small_panel import PROFILE, SmallPanel, opened

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct horse"  # noqa: S105 - of a server that lives in this test
LOGIN = {
    "path": "/login",
    "body": {"user": "{username}", "secret": "{password}"},
    "token": "auth.token",
}


class Guarded:
    """A panel that wants a token. ``good`` are the tokens that it takes."""

    def __init__(self) -> None:
        self.panel = SmallPanel()
        self.good: set[str] = set()
        self.logins: list[Any] = []
        self.answer: Any = None

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/login":
            self.logins.append(asked.body)
            if asked.body != {"user": "ci", "secret": PASSWORD}:
                return Answer(403, {"message": "who are you?"})
            token = f"token-{len(self.logins)}"
            self.good.add(token)
            return Answer(200, self.answer or {"auth": {"token": token}})
        if asked.headers.get("Authorization", "").removeprefix("Bearer ") not in self.good:
            return Answer(401, {"message": "log in first"})
        return self.panel(asked)


def handle(server: JsonServer, folder: Path, **settings: Any) -> ObjectBackend:
    profile = deepcopy(PROFILE) | {"login": LOGIN}
    opened_by_name = {"username": "ci", "password": Secret(PASSWORD)} | settings
    (folder / "guarded.yaml").write_text(json.dumps(profile))
    loaded = load_profile("guarded.yaml", folder, read_document)
    chosen = server.settings(**opened_by_name)
    return ObjectBackend(server.client(**opened_by_name), loaded, chosen, place=PLACE)


PLACE = Place("provisioner.yaml", 5, 3)


def test_one_login_serves_everything(tmp_path: Path) -> None:
    panel = Guarded()
    with JsonServer(panel) as server:
        store = handle(server, tmp_path)
        store.read()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(store.write, [CreateRole(Role(f"R{n}")) for n in range(8)]))
        assert panel.logins == [{"user": "ci", "secret": PASSWORD}]
        assert len(panel.panel.roles) == 8


def test_a_token_that_is_no_longer_taken_is_renewed_once_for_all_threads(tmp_path: Path) -> None:
    panel = Guarded()
    with JsonServer(panel) as server:
        store = handle(server, tmp_path)
        store.read()
        panel.good.clear()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(store.write, [CreateRole(Role(f"R{n}")) for n in range(8)]))
        assert len(panel.logins) == 2
        assert len(panel.panel.roles) == 8


def test_a_fresh_token_that_is_not_taken_is_an_error(tmp_path: Path) -> None:
    panel = Guarded()
    panel.answer = {"auth": {"token": "useless"}}
    with JsonServer(panel) as server:
        with pytest.raises(BackendError, match="log in first"):
            handle(server, tmp_path).read()
        assert len(panel.logins) == 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"auth": {"token": None}}, "auth.token: there is no token"),
        ({"auth": {"token": {"v": "very-s3cret"}}}, "auth.token: there is no token"),
        ({"auth": {"token": "very-s3cret\r\nX: y"}}, "auth.token: there is no token"),
        (["very-s3cret"], "auth.token: there is no token"),
    ],
)
def test_an_answer_without_a_token_is_an_error_that_shows_none_of_it(
    tmp_path: Path, answer: Any, message: str
) -> None:
    panel = Guarded()
    panel.answer = answer
    with JsonServer(panel) as server:
        with pytest.raises(BackendError) as caught:
            handle(server, tmp_path).read()
        assert message in str(caught.value)
        assert "s3cret" not in repr(caught.value.diagnostics)


def test_a_refused_login_shows_no_secret(tmp_path: Path) -> None:
    with JsonServer(Guarded()) as server:
        store = handle(server, tmp_path, password=Secret("wr0ng"))
        with pytest.raises(BackendError, match=r"could not log in: .*who are you") as caught:
            store.read()
        assert "wr0ng" not in repr(caught.value.diagnostics) + repr(caught.value)


def test_a_given_token_needs_no_login(tmp_path: Path) -> None:
    panel = Guarded()
    panel.good.add("given")
    with JsonServer(panel) as server:
        handle(server, tmp_path, token=Secret("given"), username=None, password=None).read()
        assert panel.logins == []


@pytest.mark.parametrize("missing", ["username", "password"])
def test_missing_credentials_are_said_when_the_target_is_opened(
    tmp_path: Path, missing: str
) -> None:
    with JsonServer(Guarded()) as server:
        with pytest.raises(InvalidInput) as caught:
            handle(server, tmp_path, **{missing: None})
        (found,) = caught.value.diagnostics
        assert found.place == PLACE
        assert "password_env" in (found.remedy or "")


def test_a_lost_login_is_tried_again(tmp_path: Path) -> None:
    """A login changes nothing that matters."""
    panel = Guarded()
    lost = [True]

    def answer(asked: Asked) -> Answer:
        return Answer(lost=lost.pop()) if asked.path == "/login" and lost else panel(asked)

    with JsonServer(answer) as server:
        handle(server, tmp_path).read()
        assert len(panel.logins) == 1


def test_without_login_nothing_is_sent_along(tmp_path: Path) -> None:
    with JsonServer(SmallPanel()) as server:
        opened(server, PROFILE, tmp_path).read()
        assert all("Authorization" not in asked.headers for asked in server.asked)


@pytest.mark.parametrize("again", ["answered", "not sent"])
def test_a_change_that_may_have_happened_stays_so_over_a_second_login(again: str) -> None:
    """Lost, then a 401 at the repetition, then a refusal that its own effect may have caused."""
    client = SentTwice(again)
    session = AuthorizedClient(client, Login(Call("POST", "/login"), compiled("token")))  # type: ignore[arg-type]
    change = Request("PUT", "/roles/1", repeatable=True)
    if again == "answered":
        reply = session.send(change)
        assert (reply.status, reply.perhaps_repeated) == (412, True)
    else:
        with pytest.raises(LostReply, match="nobody answers"):
            session.send(change)


class SentTwice:
    """A client whose first change was perhaps carried out before its token ran out."""

    def __init__(self, again: str) -> None:
        self.again, self.changes = again, 0

    def send(self, request: Request) -> Reply:
        if request.path == "/login":
            return Reply("/login", 200, {}, {"token": f"t{self.changes}"})
        self.changes += 1
        if self.changes == 1:
            return Reply("/roles/1", 401, {}, None, perhaps_repeated=True)
        if self.again == "not sent":
            raise NotSent(Diagnostic("no-answer", "nobody answers"))
        return Reply("/roles/1", 412, {}, None)


def test_who_logs_in_and_what_administers_is_told(tmp_path: Path) -> None:
    panel = Guarded()
    with JsonServer(panel) as server:
        assert handle(server, tmp_path).read().subject == "ci"
        panel.good.add("given")
        assert handle(server, tmp_path, token=Secret("given")).read().subject is None
    profile = deepcopy(PROFILE)
    profile["roles"]["administrators"] = ["Admin"]
    with JsonServer(SmallPanel()) as server:
        snapshot = opened(server, profile, tmp_path).read()
    assert snapshot.subject is None
    assert snapshot.administrators == {"Admin"}
