"""The options of a target over HTTP: what is right, what is wrong, and where secrets come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from provisioner.backends.http.transport.settings import HttpSettings, read_settings
from provisioner.errors import InvalidInput
from provisioner.model import Place

if TYPE_CHECKING:
    from pathlib import Path

PLACE = Place("provisioner.yaml", 4, 3)
URL = "https://roles.example.com/us-na"


def read(
    folder: Path,
    url: str = URL,
    env: dict[str, str] | None = None,
    *,
    insecure: bool = False,
    **options: Any,
) -> HttpSettings:
    given = {"url": url, **options}
    return read_settings(given, folder, PLACE, insecure_http=insecure, environ=env or {})


def wrong(folder: Path, *args: Any, **more: Any) -> str:
    with pytest.raises(InvalidInput) as error:
        read(folder, *args, **more)
    return " | ".join(f"{d.message} -> {d.remedy}" for d in error.value.diagnostics)


def test_a_target_needs_no_more_than_its_url(tmp_path: Path) -> None:
    assert read(tmp_path) == HttpSettings(URL)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://Roles.Example.com:443/us-na/", URL),
        ("https://roles.example.com", "https://roles.example.com"),
        ("https://roles.example.com:8443/", "https://roles.example.com:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://localhost:80/a", "http://localhost/a"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_url_has_one_way_to_be_written(tmp_path: Path, url: str, kept: str) -> None:
    """It is the target's identity in plans."""
    assert read(tmp_path, url).url == kept


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://roles.example.com", "is not encrypted"),
        ("http://10.0.0.1", "is not encrypted"),
        ("http://localhost.example.com", "is not encrypted"),
        ("ftp://roles.example.com", "is no address that begins with https://"),
        ("roles.example.com", "is no address"),
        ("https://", "is no address"),
        ("https://roles.example.com:99999", "has a port that is no number from 1 to 65535"),
        ("https://roles.example.com:0", "has a port that is no number"),
        ("https://roles.example.com:https", "has a port that is no number"),
        ("https://roles.example.com/a b", "is no address"),
        ("https://röles.example.com", "is no address"),
        ("https://roles.example.com/?tenant=1", "must end before any `?` or `#`"),
        ("https://roles.example.com/#a", "must end before any `?` or `#`"),
        ("https://[::1", "is no address"),
    ],
)
def test_a_url_that_is_wrong(tmp_path: Path, url: str, message: str) -> None:
    assert message in wrong(tmp_path, url)


def test_a_password_in_a_url_is_refused_and_not_repeated(tmp_path: Path) -> None:
    for url in ("https://ada:hunter2@example.com", "https://ada:hunter2@exa mple.com"):
        assert "hunter2" not in wrong(tmp_path, url)


def test_what_is_not_encrypted_has_to_be_asked_for(tmp_path: Path) -> None:
    assert "--insecure-http" in wrong(tmp_path, "http://roles.example.com")
    assert read(tmp_path, "http://roles.example.com", insecure=True).url.startswith("http:")


def test_a_token_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    token = read(tmp_path, env={"T": "from-env"}, token_env="T").token
    assert token is not None
    assert token.reveal() == "from-env"
    token = read(tmp_path, token_file="token").token
    assert token is not None
    assert token.reveal() == "from-a-file"


def test_secrets_that_are_not_there_are_named_by_where_they_should_be(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "latin").write_bytes(b"\xff")
    (tmp_path / "two").write_text("a token")
    assert "token_env: the variable T is not set" in wrong(tmp_path, token_env="T")
    assert "the variable T is empty" in wrong(tmp_path, env={"T": ""}, token_env="T")
    assert "is empty" in wrong(tmp_path, token_file="empty")
    assert "No such file" in wrong(tmp_path, token_file="nowhere")
    assert "it is not UTF-8" in wrong(tmp_path, token_file="latin")
    assert "is no token" in wrong(tmp_path, token_file="two")
    assert "a b" not in wrong(tmp_path, env={"T": "a b"}, token_env="T")
    both = wrong(tmp_path, env={"T": "x"}, token_env="T", token_file="two")
    assert "keep one of them" in both


def test_a_user_name_and_password(tmp_path: Path) -> None:
    env = {"U": "ada", "P": "hunter 2ä"}
    found = read(tmp_path, env=env, username_env="U", password_env="P")
    assert found.username == "ada"
    assert found.password is not None
    assert found.password.reveal() == "hunter 2ä"
    assert "hunter" not in repr(found)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as error:
        read(tmp_path, "http://x.example", token_env="T", ca_file="ca.pem", client_key="key.pem")
    assert len(error.value.diagnostics) == 5
    assert {found.place for found in error.value.diagnostics} == {PLACE}


@pytest.mark.parametrize(
    ("url", "env", "proxy"),
    [
        (URL, {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        (URL, {"https_proxy": "p:1"}, "http://p:1"),
        (URL, {"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:1"}, "http://low:1"),
        (URL, {"HTTP_PROXY": "http://p:1"}, None),
        (URL, {"ALL_PROXY": "http://p:1"}, "http://p:1"),
        (URL, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        (URL, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "other.com, example.com"}, None),
        (URL, {"HTTPS_PROXY": "http://p:1", "no_proxy": ".example.com"}, None),
        (URL, {"HTTPS_PROXY": "http://p:1", "no_proxy": "*.example.com"}, None),
        (URL, {"HTTPS_PROXY": "http://p:1", "no_proxy": "ample.com"}, "http://p:1"),
        (URL, {"HTTPS_PROXY": "http://p:1", "no_proxy": "roles.example.com:8443"}, "http://p:1"),
        ("https://10.1.2.3", {"HTTPS_PROXY": "http://p:1", "no_proxy": "10.0.0.0/8"}, None),
        ("https://127.0.0.1", {"HTTPS_PROXY": "http://p:1"}, None),
        ("http://a.example", {"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ("http://a.example", {"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, None),
    ],
)
def test_the_proxy_of_the_environment(
    tmp_path: Path, url: str, env: dict[str, str], proxy: str | None
) -> None:
    found = read(tmp_path, url, env, insecure=True).proxy
    assert (found.reveal() if found else None) == proxy


def test_the_project_file_overrules_the_environment(tmp_path: Path) -> None:
    env = {"HTTPS_PROXY": "http://p:1"}
    assert read(tmp_path, env=env, proxy="none").proxy is None
    found = read(tmp_path, env=env, proxy="http://q:2").proxy
    assert found is not None
    assert found.reveal() == "http://q:2"
    assert "no place in the project file" in wrong(tmp_path, proxy="http://a:b@q:2")
    assert "is no address" in wrong(tmp_path, proxy="socks5://q:2")
