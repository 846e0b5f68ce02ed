"""A PostgreSQL server for tests: the one that is named, or a private one for as long as they run.

Fixtures, to be imported by a folder's conftest::

    from tests.postgresql import postgresql, postgresql_server  # noqa: F401

``postgresql`` is the URL of a schema of one's own. ``PROVISIONER_TEST_POSTGRESQL`` names a server
whose user may create schemas. Without it and without PostgreSQL's programs, tests are skipped, or
fail if ``PROVISIONER_REQUIRE_POSTGRESQL=1``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Iterator

# A tests' server loses nothing that anybody wants back.
FAST = "-c fsync=off -c synchronous_commit=on -c full_page_writes=off -c max_connections=300"
# Stops the server and removes its files once the test run is gone, however that ended. The run may
# be another user's, to whom no signal can be sent, not even number 0.
WATCHER = """\
(
    while [ -e "/proc/$1" ] || kill -0 "$1" 2>/dev/null; do sleep 0.3; done
    "$2" -D "$3/data" -m immediate -w stop
    rm -rf "$3"
) &
"""


class NoPostgresql(Exception):
    """There is no server, and none can be started. The message says why."""


def server(shared: Path) -> str:
    """Return the URL of a running server; all that have the same folder have the same one.

    Raises:
        NoPostgresql: With the reason.
    """
    named = os.environ.get("PROVISIONER_TEST_POSTGRESQL")
    if named:
        return named.replace("postgresql+psycopg:", "postgresql:", 1)
    try:
        import psycopg  # noqa: F401 - without it, a server is of no use
    except ImportError as error:
        raise NoPostgresql("psycopg is not installed") from error
    with FileLock(shared / "postgresql.lock"):
        known = shared / "postgresql.url"
        if not known.exists():
            known.write_text(_start(_programs()))
        return known.read_text()


@contextmanager
def schema(url: str) -> Iterator[str]:
    """A schema of one's own on a server: the URL of a database that holds nothing yet."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")  # type: ignore[arg-type,unused-ignore]
    options = quote(f"-csearch_path={name}", safe="")
    try:
        yield f"{url}{'&' if '?' in url else '?'}options={options}"
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {name} CASCADE")  # type: ignore[arg-type,unused-ignore]


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The URL of a server; the tests that ask for it are skipped where there is none."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    try:
        return server(shared)
    except NoPostgresql as error:
        if os.environ.get("PROVISIONER_REQUIRE_POSTGRESQL") == "1":
            pytest.fail(f"no PostgreSQL: {error}")
        pytest.skip(f"no PostgreSQL: {error}")


@pytest.fixture
def postgresql(postgresql_server: str) -> Iterator[str]:
    """The URL of an empty schema of one's own."""
    with schema(postgresql_server) as url:
        yield url


def _programs() -> Path:
    on_path = shutil.which("initdb")
    found = [Path(on_path).parent] if on_path else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in found:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    raise NoPostgresql("neither PROVISIONER_TEST_POSTGRESQL nor PostgreSQL's programs are there")


def _start(programs: Path) -> str:
    """Start a server in a folder of its own, reached by a socket there; return its URL."""
    folder = Path(tempfile.mkdtemp(prefix="provisioner-pg-"))
    before = _as_its_user(folder)
    run = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-N"]
    _run([*before, *run, "-E", "UTF8", "--no-locale"])
    options = f"-c listen_addresses= -c unix_socket_directories={folder} {FAST}"
    start = [programs / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-o", options]
    _run([*before, *start, "-w", "start"])
    # Under xdist this process is a worker, which may end before others that use the server.
    run_by = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    _run([*before, "sh", "-c", WATCHER, "watcher", str(run_by), programs / "pg_ctl", folder])
    return f"postgresql://postgres@/postgres?host={quote(str(folder), safe='')}"


def _as_its_user(folder: Path) -> list[str]:
    """What goes before a command: PostgreSQL refuses to run as root."""
    if os.getuid():
        return []
    users = {user.pw_name: user for user in pwd.getpwall()}
    user = users.get("postgres") or users.get("nobody")
    if user is None or shutil.which("setpriv") is None:
        raise NoPostgresql("it does not run as root, and there is no other user for it")
    os.chown(folder, user.pw_uid, user.pw_gid)
    ids = ("--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups")
    return ["setpriv", *ids]


def _run(command: list[Any]) -> None:
    done = subprocess.run(
        command,
        cwd="/",
        stdin=subprocess.DEVNULL,
        # Not pipes: the server inherits them, and reading would wait for its end.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=120,
        check=False,
        start_new_session=True,
    )
    if done.returncode:
        what = " ".join(map(str, command))
        raise NoPostgresql(f"`{what}` ended with {done.returncode}")
