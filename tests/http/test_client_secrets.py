"""What a server repeats of a secret is not shown."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Final
from urllib.parse import quote, quote_plus

import pytest

from provisioner.backends.http.transport.messages import Request
from provisioner.backends.http.transport.refusals import refusal
from provisioner.backends.http.transport.settings import Secret
from provisioner.errors import BackendError
from tests.http.scripted_server import TOKEN, ScriptedServer, client_of, json_reply, reply, sending
from tests.http.test_gateway_contract import opened

PASSWORD = "a-password-nobody-may-see"  # noqa: S105 - for tests


@pytest.mark.parametrize("secret", [TOKEN, PASSWORD, "token-from-a-login"])
@pytest.mark.parametrize("status", [401, 422, 500])
@pytest.mark.parametrize("as_json", [True, False])
def test_a_secret_that_comes_back_is_not_shown(secret: str, status: int, as_json: bool) -> None:
    said = f"bad credentials {secret}!"
    answer = json_reply({"detail": said}, status) if as_json else reply(status, said.encode())
    headers = {"Authorization": "Bearer token-from-a-login"} if secret.startswith("token") else {}
    with ScriptedServer(sending(answer)) as server:
        client = client_of(server.url, password=Secret(PASSWORD), sleep=lambda _: None)
        request = Request("GET", "/roles", headers=headers)
        if status == 500:
            with pytest.raises(BackendError) as caught:
                client.send(request)
            shown = str(caught.value)
        else:
            shown = str(refusal(client.send(request), "read the roles"))
    assert "***" in shown
    assert secret not in shown


def test_a_page_with_a_secret_in_it_is_shown_without() -> None:
    page = reply(200, f"<p>{TOKEN}</p>".encode(), Content_Type="text/html")
    with ScriptedServer(sending(page)) as server, pytest.raises(BackendError) as caught:
        client_of(server.url, sleep=lambda _: None).send(Request("GET", "/roles"))
    assert TOKEN not in str(caught.value)


HARD: Final = 'pa"ss/wörd+and more'


def every_letter_escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"message": f"bad {HARD}"}).encode(),
        json.dumps({"message": f"bad {HARD}"}, ensure_ascii=False).encode(),
        json.dumps({"message": f"bad {HARD}"}).replace("/", "\\/").encode(),
        json.dumps({"message": {f"field {HARD}": [HARD]}}).encode(),
        f'{{"message": "{every_letter_escaped(HARD)}"}}'.encode(),
        f"not JSON: {HARD}".encode(),
        f"not JSON: {json.dumps(HARD)}".encode(),
        f"not JSON: ?a={quote(HARD)}&b={quote(HARD, safe='')}&c={quote_plus(HARD)}".encode(),
        f"<p>{''.join(f'&#{ord(character)};' for character in HARD)}".encode(),
        b"x" * 190 + HARD.encode(),
    ],
)
def test_however_a_secret_is_written_it_is_not_shown(body: bytes) -> None:
    answer = reply(401, body, Content_Type="application/json")
    with ScriptedServer(sending(answer)) as server:
        client = client_of(server.url, password=Secret(HARD))
        shown = str(refusal(client.send(Request("POST", "/login")), "log in"))
    assert "***" in shown
    assert not [
        half for half in ("ss/w", "ss\\/w", "ss%2Fw", "rd+a", "rd%2B", "\\u0070") if half in shown
    ]


SAID: Final = {
    "a text instead of a state": json_reply(TOKEN),
    "a name that stands twice": reply(
        200, f'{{"{TOKEN}": 1, "{TOKEN}": 2}}'.encode(), Content_Type="application/json"
    ),
    "the version of the contract": json_reply({"contract": TOKEN}),
    "an ETag": reply(200, b"{}", Content_Type="application/json", ETag=f'W/"{TOKEN}"'),
    "a place to go to": reply(302, b"", Location=f"https://sso.example.com/?token={TOKEN}"),
    "a type": reply(200, b"hi", Content_Type=f"text/{TOKEN}"),
    "its half": reply(302, b"", Location=f"https://sso.example.com/{'x' * 170}{TOKEN}"),
}


@pytest.mark.parametrize("answer", SAID.values(), ids=SAID)
def test_a_secret_in_a_good_reply_is_not_shown_either(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PANEL_TOKEN", TOKEN)
    with ScriptedServer(sending(answer)) as server, pytest.raises(BackendError) as caught:
        opened(server.url, total_timeout=1).read()
    assert TOKEN[:8].lower() not in str(caught.value).lower()


def test_what_is_read_stays_as_it_is() -> None:
    """Secrets are taken out of messages only: what a role is called must not change."""
    with ScriptedServer(sending(json_reply({"name": TOKEN}))) as server:
        assert client_of(server.url).send(Request("GET", "/roles")).body == {"name": TOKEN}


def test_what_a_proxy_says_of_its_password_is_not_shown() -> None:
    told = b64encode(b"puser:PROXYSECRET").decode()
    answer = reply(403, f"bad credentials: Basic {told} (PROXYSECRET)".encode())
    with ScriptedServer(sending(answer)) as server:
        proxy = Secret(server.url.replace("http://", "http://puser:PROXYSECRET@"))
        client = client_of("http://panel.example.com", proxy=proxy)
        shown = str(refusal(client.send(Request("GET", "/roles")), "read the roles"))
    assert "bad credentials: Basic *** (***)" in shown
