"""A checkout that somebody else wrote, a trust file beside it, and a server nobody may ask."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import Answer, Shell, panel, shell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["panel", "shell"]

# Secrets of the machine that a run has around it, and that no branch may have.
CANARIES = {
    "AWS_SECRET_ACCESS_KEY": "canary-of-aws-0123456789",
    "PANEL_TOKEN": "canary-of-the-panel-0123",
    "HTTP_PASSWORD": "canary-of-a-password-012",
}
FILE_CANARY = "canary-in-a-file-0123456"
ROLES = """\
version: 1
roles:
  Clerk: {privileges: [ARDOCS_VIEW]}
users:
  ada@example.com: {roles: [Clerk]}
"""


class Canary:
    """A server that has to stay alone: connecting works, and is remembered by the system."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def was_reached(self) -> bool:
        """Whether anybody has connected."""
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._listener.close()


@dataclass(frozen=True)
class Branch(Shell):
    """A checkout as a stranger's branch left it, and the command line in it.

    ``outside`` is the folder that holds the checkout, the trust file and the machine's own files.
    """

    folder: Path
    outside: Path
    canary: Canary

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return super().environment({**CANARIES, **(more or {})})

    def project(self, target: str, more: str = "") -> None:
        """Write a project file with one target ``p``."""
        text = f"version: 1\nsources: [roles.yaml]\n{more}targets:\n  p: {{{target}}}\n"
        self.write("provisioner.yaml", text)

    def trust(self, text: str = "") -> str:
        """Write the trust file; return its path."""
        file = self.outside / "trust.yaml"
        file.write_text(f"version: 1\n{text}")
        file.chmod(0o600)
        return str(file)

    def said(self, answer: Answer) -> str:
        """All that a command said, on one line; and that it kept every secret and stayed home."""
        said = " ".join((answer.out + answer.err).split())
        for secret in (*CANARIES.values(), FILE_CANARY):
            assert secret not in said
        assert not self.canary.was_reached()
        assert "internal error" not in said
        assert "Traceback" not in said
        return said

    def refused(self, *words: str, env: Mapping[str, str] | None = None) -> str:  # type: ignore[override]
        """Run a command that has to be refused by the trust file; return what it said."""
        before = self.files()
        answer = self(*words, "--trust", str(self.outside / "trust.yaml"), env=env)
        assert answer.code == 1, answer.out
        assert self.files() == before
        return self.said(answer)


@pytest.fixture
def canary() -> Iterator[Canary]:
    server = Canary()
    yield server
    server.close()


@pytest.fixture
def branch(tmp_path: Path, canary: Canary) -> Branch:
    folder = tmp_path / "checkout"
    (folder / ".git").mkdir(parents=True)
    made = Branch(folder, tmp_path, canary)
    made.write("roles.yaml", ROLES)
    (tmp_path / "secret").write_text(FILE_CANARY)
    made.trust()
    return made


@pytest.fixture
def panel_branch(branch: Branch, panel: Shell) -> Branch:
    """The same, with the adapter of ``tests/cli/panel.py`` installed beside it."""
    installed = {"PYTHONPATH": str(panel.folder / "installed"), "PYTHONDONTWRITEBYTECODE": "1"}

    class WithPanel(Branch):
        def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
            return super().environment({**installed, **(more or {})})

    return WithPanel(branch.folder, branch.outside, branch.canary)
