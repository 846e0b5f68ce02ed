"""A rollback over HTTP brings assignments back with the dates they had."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import JSONResponse

from provisioner.model import Ending
from provisioner.server.app import create_app
from tests.cli.test_http_target import ENV, PROJECT
from tests.http.test_gateway_contract import opened
from tests.server.running import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tests.cli.conftest import Answer, Shell
    from tests.server.conftest import Proxy

PLAIN = """\
version: 1
roles: {Clerk: {privileges: [ARDOCS_VIEW]}}
users:
  ada@example.com: {roles: [Clerk]}
"""
DATED = f"""\
{PLAIN}\
  con@example.com: {{roles: [{{role: Clerk, until: 2020-06-30}}]}}
  eve@example.com: {{roles: [{{role: Clerk, until: 2099-12-31}}]}}
"""
APPLY = ("apply", "--auto-approve", "--max-change-percent", "100")
BACK = ("rollback", "1", "--auto-approve", "--max-change-percent", "100")
WAYS = pytest.mark.parametrize("more", ["", ", changesets: false"], ids=["at once", "one by one"])


class Older:
    """A gateway of version 1.0: it knows no end dates, and refuses what it does not know."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = [await receive()]
        while asked[-1].get("more_body"):
            asked.append(await receive())
        body = b"".join(part.get("body", b"") for part in asked)
        if b'"until"' in body:
            what = {"type": "urn:provisioner:problem:invalid", "title": "x", "detail": "until"}
            await JSONResponse({**what, "status": 422}, 422)(scope, receive, send)
            return
        answered: list[Message] = []

        async def whole() -> Message:
            return {"type": "http.request", "body": body}

        async def keep(part: Any) -> None:
            answered.append(part)

        await self.app(scope, whole, keep)
        text = b"".join(part.get("body", b"") for part in answered)
        text = text.replace(b',"end_dates":true', b"").replace(b'"1.1"', b'"1.0"')
        headers = {**dict(answered[0]["headers"]), b"content-length": b"%d" % len(text)}
        await send({**answered[0], "headers": list(headers.items())})
        await send({"type": "http.response.body", "body": text})


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ASGIApp]:
    """A gateway that nobody has used yet."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    made = create_app(settings(folder / "gateway.sqlite"))
    yield made
    made.state.gateway.close()


def applied(shell: Shell, source: str, *options: str) -> None:
    shell.write("roles.yaml", source)
    answer = shell(*APPLY, *options, env=ENV)
    assert answer.code == 0, answer.err + answer.out


def holders(shell: Shell) -> list[str]:
    users = shell("users", "--format", "json", env=ENV).document["users"]
    return [user["user"].partition("@")[0] for user in users]


def text(answer: Answer) -> str:
    return " ".join(answer.out.split())


@WAYS
def test_a_rollback_over_http_knows_when_assignments_end(
    app: ASGIApp, proxy: Proxy, shell: Shell, more: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has ended is left out and named; what ends later comes back until then."""
    url = proxy.add(app)
    shell.write("provisioner.yaml", PROJECT.format(url=url, more=more))
    applied(shell, DATED, "--as-of", "2020-01-01")
    applied(shell, PLAIN)
    assert holders(shell) == ["ada"]
    answer = shell(*BACK, env=ENV)
    assert answer.code == 0, answer.err + answer.out
    ended = "con@example.com does not get `Clerk` back: that ended on 2020-06-30"
    assert ended in text(answer)
    assert "eve@example.com + Clerk, until 2099-12-31" in text(answer)
    assert holders(shell) == ["ada", "eve"]
    monkeypatch.setenv(*next(iter(ENV.items())))
    told = [entry.run and entry.run.until for entry in opened(url).history()]
    con = Ending("con@example.com", "Clerk", date(2020, 6, 30))
    eve = Ending("eve@example.com", "Clerk", date(2099, 12, 31))
    assert told == [None, (con, eve), (), (eve,)]


@WAYS
def test_a_gateway_without_end_dates_works_as_before(
    app: ASGIApp, proxy: Proxy, shell: Shell, more: str
) -> None:
    """It is not told of them, and a rollback goes by those of the sources."""
    shell.write("provisioner.yaml", PROJECT.format(url=proxy.add(Older(app)), more=more))
    applied(shell, DATED, "--as-of", "2020-01-01")
    applied(shell, DATED)
    assert holders(shell) == ["ada", "eve"]
    answer = shell(*BACK, env=ENV)
    assert answer.code == 0, answer.err + answer.out
    assert "con@example.com does not get `Clerk` back: that ended on 2020-06-30" in text(answer)
    applied(shell, PLAIN)
    assert shell(*BACK, env=ENV).code == 0
    assert holders(shell) == ["ada", "con", "eve"]
