"""Running the gateway: in a thread of this process, or as a user starts it.

::

    app = create_app(settings(tmp_path / "gateway.sqlite"))
    with serving(app) as url:
        requests.get(f"{url}/state", headers=bearer(WRITER))

    with served(tmp_path, env={"PROVISIONER_SERVE_TOKEN": WRITER}) as gateway:
        gateway.url
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from provisioner import catalogue
from provisioner.server.http.connections import Connection, Crowd
from provisioner.server.http.listening import Address, bound, url_of
from provisioner.server.http.tokens import Tokens
from provisioner.server.settings import Settings
from tests.waiting import PATIENCE, is_readable, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.applications import Starlette
    from starlette.types import ASGIApp

PROVISIONER = Path(sys.executable).with_name("provisioner")
WRITER = "writing-token-for-tests"
LOGIN = "ci@example.com"


def settings(database: str | Path, **more: Any) -> Settings:
    """Settings with the shipped catalogue and one token, ``WRITER``, of ``LOGIN``."""
    more.setdefault("tokens", Tokens(token=WRITER, login=LOGIN))
    more.setdefault("catalogue", catalogue.shipped())
    return Settings(str(database), **more)


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def serving(app: Starlette | ASGIApp, crowd: Crowd | None = None) -> Iterator[str]:
    """Serve an application on a free loopback port; the URL has no slash at its end."""
    config = uvicorn.Config(
        app,
        http=partial(Connection, crowd=crowd or Crowd()),  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=int(PATIENCE),
    )
    server = uvicorn.Server(config)
    listening = bound(Address("127.0.0.1", 0))
    url = url_of(listening, tls=False)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive())
    assert server.started
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the server did not stop"


@dataclass(frozen=True)
class Served:
    """A ``provisioner serve`` that listens: what it said, and where its standard error goes."""

    url: str
    line: str
    process: subprocess.Popen[str]
    log: Path

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def served(
    folder: Path, *words: str, env: Mapping[str, str] | None = None, port: int = 0
) -> Iterator[Served]:
    """Run ``provisioner serve`` in a folder, on a free port unless one is given.

    Without an environment of its own it has the token ``WRITER`` of ``LOGIN``. It is killed at the
    end, if it still runs.
    """
    if env is None:
        env = {"PROVISIONER_SERVE_TOKEN": WRITER, "PROVISIONER_SERVE_LOGIN": LOGIN}
    log = folder / f"serve-{time.monotonic_ns()}.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [PROVISIONER, "serve", "--port", str(port), *words],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with process:
        try:
            assert process.stdout is not None
            ready = is_readable(process.stdout, PATIENCE)
            line = process.stdout.readline().strip() if ready else ""
            assert line.startswith("provisioner serve: http"), (line, log.read_text())
            yield Served(line.split()[2], line, process, log)
        finally:
            process.kill()
