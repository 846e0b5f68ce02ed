"""Running a real Flask-AppBuilder in its own environment, and opening targets on it."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

from provisioner.backends.opening import Opening
from provisioner.backends.registry import open_backend
from provisioner.desired.load import read_document
from provisioner.model import State
from tests.waiting import is_readable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.backends.base import Backend

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-flask-appbuilder" / "bin" / "python"
REQUIRED = "PROVISIONER_REQUIRE_FLASK_APPBUILDER"
PATIENCE = 60.0

LOGIN, PASSWORD = "admin", "only-for-tests"
USERS = ("ada@example.com", "grace@example.com", "hedy@example.com")
PRIVILEGES = ("can_get on Role", "can_put on Role", "can_get on User")
API = "/api/v1/security"


@dataclass(frozen=True)
class FlaskAppBuilder:
    """A server that listens. ``reset`` puts it back to an administrator and users without roles."""

    url: str
    pool: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)

    def reset(self) -> None:
        self.ask("POST", "/testing/reset")

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """Ask something, past provisioner; return the answer's JSON."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        reply = self.pool.request(method, f"{self.url}{path}", json=body, headers=headers)
        assert reply.status < 300, (method, path, reply.status, reply.data[:300])
        return reply.json()

    def administer(self, method: str, path: str, body: Any = None) -> Any:
        """Ask something of the security API as the administrator."""
        login = {"username": LOGIN, "password": PASSWORD, "provider": "db"}
        token = self.ask("POST", f"{API}/login", login)["access_token"]
        return self.ask(method, f"{API}{path}", body, token)

    def opened(self, **options: Any) -> Backend:
        """A handle of a target on the server; the password is in FAB_PASSWORD."""
        chosen = {"backend": "http", "url": self.url, "profile": "flask-appbuilder", **options}
        chosen |= {"username": LOGIN, "password_env": "FAB_PASSWORD"}
        return open_backend("http", Opening(chosen, Path(), State(), None, read_document))


def missing() -> str | None:
    """Why there is no server to test with; None if there can be one."""
    if PYTHON.exists():
        return None
    return f"no {PYTHON.parents[1].name}: `make test` makes it, as does `make flask-appbuilder`"


@contextmanager
def served(folder: Path) -> Iterator[FlaskAppBuilder]:
    """Run a server, with its database in a folder; it ends with its standard input."""
    script = Path(__file__).with_name("server.py")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [PYTHON, script, folder],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    with process:
        try:
            assert process.stdout is not None
            ready = is_readable(process.stdout, PATIENCE)
            line = process.stdout.readline() if ready else b""
            assert line, (folder / "server.log").read_text()
            yield FlaskAppBuilder(f"http://127.0.0.1:{json.loads(line)['port']}")
        finally:
            process.kill()
