"""What a server repeats of a secret is not shown."""

from __future__ import annotations

import pytest

from provisioner.backends.http.client import Request, refusal
from provisioner.backends.http.settings import Secret
from provisioner.errors import BackendError
from tests.http.scripted_server import TOKEN, ScriptedServer, client_of, json_reply, reply, sending

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
