"""Who may ask: token files, and what becomes of a request when they change."""

from __future__ import annotations

import logging
import os
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import InvalidInput
from provisioner.server.http.tokens import Tokens, append_token
from tests.server.client import RUN, Client, new_role, problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def database(tmp_path: Path) -> str:
    """None of this depends on the kind of database."""
    return str(tmp_path / "gateway.sqlite")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def test_a_new_token_is_kept_as_a_hash_only(file: Path):
    token = append_token(file, "ada@example.com", may_write=True)
    hashed = sha256(token.encode()).hexdigest()
    assert file.read_text() == f"sha256:{hashed} write ada@example.com\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(token) >= 43
    tokens = Tokens(file)
    subject = tokens.subject(token)
    assert subject is not None
    assert (subject.login, subject.may_write) == ("ada@example.com", True)
    assert token not in repr(tokens) + repr(vars(tokens)) + repr(subject)


def test_a_token_is_added_on_a_line_of_its_own(file: Path):
    file.write_text("# no newline at the end")
    append_token(file, "ada", may_write=False)
    append_token(file, "Bob the Builder", may_write=True)
    assert len(Tokens(file)) == 2


@pytest.mark.parametrize(
    "content",
    [b"version: 1\nroles: {}\n", b"{}", b"\xff\xfe", b"# a comment\nroles:\n", b"\0" * 99],
)
def test_a_token_is_added_to_no_other_file(file: Path, content: bytes):
    """A sources file, say, or a state: it stays as it was, to the byte and the mode."""
    file.write_bytes(content)
    file.chmod(0o644)
    with pytest.raises(InvalidInput, match="this is not a token file") as caught:
        append_token(file, "ada", may_write=True)
    assert caught.value.diagnostics[0].place == str(file)
    assert file.read_bytes() == content
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_token_is_not_added_through_a_link(file: Path, tmp_path: Path):
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="it is a link"):
        append_token(file, "ada", may_write=True)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "pipe"])
def test_tokens_are_kept_in_a_regular_file(path: str, tmp_path: Path):
    """Others have no end, or make one wait."""
    os.mkfifo(tmp_path / "pipe")
    for use in (Tokens, lambda file: append_token(file, "ada", may_write=True)):
        with pytest.raises(InvalidInput, match="it is not a regular file"):
            use(tmp_path / path)


def test_a_token_file_is_read_through_a_link(file: Path, tmp_path: Path):
    """As secrets are often mounted."""
    append_token(file, "ada", may_write=True)
    (tmp_path / "link").symlink_to(file)
    assert len(Tokens(tmp_path / "link")) == 1


def test_of_many_wrong_lines_the_first_are_told(file: Path):
    file.write_text("no token\n" * 1000)
    with pytest.raises(InvalidInput) as caught:
        Tokens(file)
    assert len(caught.value.diagnostics) == 51
    assert "950 more lines are none for a token" in str(caught.value)


def test_a_token_that_may_only_read_is_not_let_write(
    open_gateway: Callable[..., Client], file: Path
):
    writer = append_token(file, "w", may_write=True)
    reader = append_token(file, "r", may_write=False)
    gateway = open_gateway(tokens=Tokens(file)).with_token(reader)
    assert gateway.get("/whoami").json() == {"login": "r", "scopes": ["read"]}
    for reply in (
        gateway.post("/roles", new_role()),
        gateway.put("/roles/r-none", {}),
        gateway.put("/roles/r-none/name", {}),
        gateway.delete("/roles/r-none"),
        gateway.put("/users/ada", {"roles": []}),
        gateway.commit(),
        gateway.post("/runs", {"run": RUN, "recorded": [], "policies": []}),
    ):
        assert problem(reply) == (403, "forbidden")
    for path in ("/state", "/roles", "/users", "/runs", "/audit", "/privileges", "/capabilities"):
        assert gateway.get(path).status_code == 200
    assert gateway.with_token(writer).state()["serial"] == 0


def test_a_line_taken_out_revokes_its_token_at_once(
    open_gateway: Callable[..., Client], file: Path
):
    one = append_token(file, "one", may_write=True)
    two = append_token(file, "two", may_write=True)
    gateway = open_gateway(tokens=Tokens(file))
    assert gateway.with_token(one).get("/state").status_code == 200
    file.write_text(file.read_text().splitlines()[1] + "\n")
    assert problem(gateway.with_token(one).get("/state")) == (401, "unauthorized")
    assert gateway.with_token(two).get("/state").status_code == 200
    three = append_token(file, "three", may_write=False)
    assert gateway.with_token(three).get("/state").status_code == 200


def test_a_file_that_breaks_keeps_the_former_tokens(
    open_gateway: Callable[..., Client], file: Path, caplog: pytest.LogCaptureFixture
):
    token = append_token(file, "one", may_write=True)
    whole = file.read_text()
    gateway = open_gateway(tokens=Tokens(file)).with_token(token)
    with caplog.at_level(logging.ERROR):
        for broken in ("nonsense\n", whole.replace("sha256:", ""), whole.replace("write", "all")):
            file.write_text(broken)
            assert gateway.get("/state").status_code == 200
            assert gateway.get("/state").status_code == 200
        file.unlink()
        assert gateway.get("/state").status_code == 200
    told = [r.getMessage() for r in caplog.records if r.name == "provisioner.server"]
    assert len(told) == 4
    assert told[0].endswith(f"{file}:1:1: is no line for a token")
    file.write_text("# nobody\n")
    assert problem(gateway.get("/state")) == (401, "unauthorized")


def test_a_file_that_is_broken_from_the_start_is_an_error_with_its_place(file: Path):
    good = "sha256:" + "0" * 64
    file.write_text(
        f"\n  # comment\n{good} write ada\nmy-own-token write ada\n{good[:-1]} read x\n"
    )
    with pytest.raises(InvalidInput) as caught:
        Tokens(file)
    assert [str(d.place) for d in caught.value.diagnostics] == [f"{file}:4:1", f"{file}:5:1"]
    assert "my-own-token" not in str(caught.value)


def test_a_token_given_directly_has_a_length_to_it():
    with pytest.raises(InvalidInput):
        Tokens(token="x" * 15)
    with pytest.raises(InvalidInput):
        Tokens(token="x" * 16, login="a\nb")
    subject = Tokens(token="x" * 16).subject("x" * 16)
    assert subject is not None
    assert (subject.login, subject.may_write) == (None, True)
