"""The console script, a hostile server and a terminal: what a user's runner sees, byte by byte."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import shell  # noqa: F401 - a fixture
from tests.http.scripted_server import ScriptedServer
from tests.printing.hostile import EVERYTHING, FORGED
from tests.printing.readers import calculated, obeyed
from tests.server.running import WRITER, served
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell

LOGIN = "::add-mask::x@example.com"
ROLES = """\
version: 1
roles:
  "##[group]Büro 漢": {privileges: [ARDOCS_VIEW], description: "##vso[task.x]y €"}
  "::set-output name=a::b": {privileges: [ARDOCS_VIEW]}
users:
  "::add-mask::x@example.com": {roles: ["##[group]Büro 漢"]}
  "a;=1+1": {roles: ["::set-output name=a::b"]}
  "\\uff1d1+1": {roles: ["##[group]Büro 漢"]}
"""
NARROW = (
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "cp1252:strict"},
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "C"},
)
COMMANDS = (
    "plan",
    "apply --auto-approve",
    "history",
    "roles",
    "access",
    "lint",
    "doctor",
    "import",
)


@pytest.fixture
def hostile(shell: Shell) -> Shell:  # noqa: F811 - the fixture
    """A project whose author wants more than roles."""
    shell.write("roles/::error::x.yaml", ROLES)
    shell.write("provisioner.yaml", "version: 1\nsources: [roles/]\n")
    return shell


def raw(shell: Shell, words: str, **env: str) -> tuple[int, bytes, bytes]:  # noqa: F811 - no fixture
    """Run it as a user does; what it printed, as bytes."""
    import subprocess

    done = subprocess.run(
        [shell.program, *words.split(" ")],
        cwd=shell.folder,
        env=shell.environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("env", NARROW, ids=str)
def test_nothing_fails_or_is_lost_where_the_terminal_holds_less(
    hostile: Shell, env: dict[str, str]
) -> None:
    """Text is escaped: `history` was an internal error, and JSON was nothing at all."""
    for words in COMMANDS:
        code, out, err = raw(hostile, words, **env)
        assert code == 0, err
        assert out
        assert b"internal error" not in err
        for view in ("latin-1", "ascii" if env.get("PYTHONIOENCODING") == "ascii" else "latin-1"):
            runners = [line for line in obeyed(out.decode(view)) if "terminal" not in line]
            assert not runners
    _, out, _ = raw(hostile, "roles", **env)
    assert b"B\\xfcro \\u6f22" in out or b"B\xfcro \\u6f22" in out or "Büro 漢".encode() in out


@pytest.mark.parametrize("env", NARROW, ids=str)
def test_json_says_the_same_in_every_encoding(hostile: Shell, env: dict[str, str]) -> None:
    for words in ("plan --format json", "validate --format json", "access --format json"):
        _, out, err = raw(hostile, words, **env)
        _, plain, _ = raw(hostile, words)
        assert json.loads(out) == json.loads(plain), err
        assert not obeyed(out.decode())


@pytest.mark.parametrize("env", NARROW, ids=str)
def test_a_sheet_reads_back_whatever_encoding_it_was_written_in(
    hostile: Shell, env: dict[str, str]
) -> None:
    for by in ("user", "role"):
        _, out, _ = raw(hostile, f"access --by {by} --format csv", **env)
        assert not calculated(out.decode())
        assert not obeyed(out.decode())
        hostile.write("old.csv", out)
        compared = hostile("access", "--by", by, "--against", "old.csv")
        assert "no difference" in compared.out


def test_a_saved_plan_is_utf_8_whatever_the_terminal_holds(hostile: Shell) -> None:
    raw(hostile, "plan --out narrow.json", PYTHONIOENCODING="ascii")
    raw(hostile, "plan --out wide.json")
    files = hostile.files()
    assert files["narrow.json"] == files["wide.json"]
    assert "Büro" in files["wide.json"].decode()


def test_standard_error_is_held_by_its_own_encoding(hostile: Shell) -> None:
    code, _, err = raw(hostile, "explain Bürö", PYTHONIOENCODING="ascii")
    assert code == 1
    assert rb"B\xfcr\xf6" in err


def test_a_question_on_a_terminal_obeys_nobody(hostile: Shell) -> None:
    answer = hostile.on_a_terminal("apply", "--no-color", keys="no\n", after="accepted")
    assert answer.code == 1
    assert not [line for line in obeyed(answer.out) if "terminal" not in line]
    assert "Apply these changes? Only `yes` is accepted" in answer.out


def test_colours_are_the_only_sequences_on_a_terminal(hostile: Shell) -> None:
    hostile.write("roles/more.yaml", 'version: 1\nroles: {R: {description: "\\e[2J\\e[8mx"}}\n')
    answer = hostile.on_a_terminal("plan")
    assert "\x1b[1m" in answer.out
    assert "\x1b[2J" not in answer.out
    assert "\x1b[8m" not in answer.out
    assert r"\x1b[2J\x1b[8mx" in answer.out


def test_a_file_named_like_a_command_is_a_file(hostile: Shell) -> None:
    hostile.write("roles/::error::x.yaml", "version: 1\nroles: {A: {privilege: []}}\n")
    answer = hostile("validate")
    assert not obeyed(answer.err)
    assert "unknown key `privilege`" in answer.err


PROBLEM = {"type": "about:blank", "title": EVERYTHING, "detail": EVERYTHING, "status": 403}


def hostile_reply(status: int, body: Any) -> bytes:
    """A reply of a server that wants more than to answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "application/problem+json" if status >= 400 else "application/json"
    headers = f"Content-Type: {kind}\r\nContent-Length: {len(data)}\r\nX-Request-Id: ::error::x"
    return f"HTTP/1.1 {status} ##[group]x\r\n{headers}\r\n\r\n".encode() + data


@pytest.mark.parametrize(
    "body", [PROBLEM, {"message": EVERYTHING}, EVERYTHING.encode("utf-8", "replace"), b"##[group]x"]
)
@pytest.mark.parametrize("status", [403, 422, 200])
def test_what_a_server_says_is_only_text(hostile: Shell, status: int, body: Any) -> None:
    def answer(_: Any, peer: socket.socket) -> None:
        peer.sendall(hostile_reply(status, body))

    with ScriptedServer(answer) as server:
        hostile.write(
            "provisioner.yaml",
            "version: 1\nsources: [roles/]\n"
            f'targets: {{panel: {{backend: http, url: "{server.url}", token_env: PANEL_TOKEN, '
            "total_timeout: 1}}\n",  # a good status with such a body is asked for again
        )
        for words in ("plan", "doctor", "roles", "history"):
            code, out, err = raw(hostile, words, PANEL_TOKEN="t" * 20)
            assert code == 1
            assert not obeyed((out + err).decode())
            assert not [ln for ln in (out + err).decode().splitlines() if ln.startswith(FORGED)]


def test_a_log_of_the_gateway_is_only_text(tmp_path: Path) -> None:
    """Whoever sends a request writes none of its lines."""
    with served(tmp_path) as gateway:
        host, _, port = gateway.url.removeprefix("http://").partition(":")
        for target in ("/##[group]x", "/##vso[task.x]y", "/travis_fold:start:x", "/%0a::error::x"):
            with socket.create_connection((host, int(port))) as peer:
                head = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
                peer.sendall(f"{head}Authorization: Bearer {WRITER}\r\n\r\n".encode())
                while peer.recv(65536):
                    pass
        gateway.stop()
        log = gateway.log.read_text()
        assert "group" in log
        assert not obeyed(log)
