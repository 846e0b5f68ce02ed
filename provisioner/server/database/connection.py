"""The database: which one, its transactions, and bringing its tables up to date.

A write transaction takes the panel's lock first (``store``), so writes come one after the other,
whatever the number of processes. A read transaction sees one version from beginning to end.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, make_url

from provisioner.diagnostics import Diagnostic
from provisioner.errors import BackendError, InvalidInput
from provisioner.server.database.failures import Busy, CommitFailed, first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
# Any number will do, as long as all versions of provisioner ask for the same one.
_ADVISORY_LOCK: Final = 7_305_814_426_013


class Database:
    """One SQLite file or PostgreSQL database.

    Args:
        location: A file name, or a URL (``sqlite:``, ``postgresql:``).
        patience: Seconds to wait for a lock or a connection.
        connections: The most that are open at a time.

    Raises:
        InvalidInput: The URL is wrong, or its driver is not installed.
    """

    def __init__(self, location: str, *, patience: float = 10.0, connections: int = 20) -> None:
        url = _url(location)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.shown = _shown(url)
        self._patience = patience
        self._write_lock = threading.RLock()
        if self.is_sqlite:
            arguments: dict[str, Any] = {"timeout": patience, "isolation_level": None}
        else:
            arguments = {
                "connect_timeout": max(2, int(patience)),
                # Whatever the environment says: of SQL_ASCII the driver makes bytes, not text.
                "client_encoding": "utf8",
            }
        try:
            self.engine = sa.create_engine(
                url,
                connect_args=arguments,
                pool_size=connections,
                max_overflow=0,
                pool_timeout=patience,
                pool_pre_ping=not self.is_sqlite,
            )
        except ImportError as error:
            remedy = (
                "install it with its extra `postgresql`: pip install '.[server,postgresql]' in its "
                "folder"
            )
            what = "the driver for PostgreSQL is not installed"
            raise InvalidInput(Diagnostic("driver-missing", what, self.shown, remedy)) from error
        if self.is_sqlite:
            event.listen(self.engine, "connect", _set_up_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one version of everything."""
        with self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    @contextmanager
    def only_writer(self) -> Iterator[None]:
        """Be the only thread of this process that writes.

        A queue within the process is fair and cheap; between processes the database's lock holds.

        Raises:
            Busy: Another thread took too long.
        """
        if not self._write_lock.acquire(timeout=self._patience):
            raise Busy
        try:
            yield
        finally:
            self._write_lock.release()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that writes; committed at the end of the block, unless that raises.

        Raises:
            Busy: Another thread took too long.
            CommitFailed: The block is done, but whether it is committed is not known.
        """
        with self.only_writer(), self.engine.connect() as connection:
            connection.execution_options(writing=True)
            transaction = connection.begin()
            try:
                if not self.is_sqlite:
                    limit = int(self._patience * 1000)
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {limit}")
                yield connection
            except BaseException:
                with suppress(exc.DBAPIError):
                    transaction.rollback()
                raise
            try:
                transaction.commit()
            except exc.DBAPIError as error:
                raise CommitFailed from error

    def answers(self) -> bool:
        """Whether the database answers a query now."""
        try:
            with self.reading() as connection:
                connection.execute(sa.text("SELECT 1 FROM panel"))
        except exc.SQLAlchemyError:
            return False
        return True

    def prepare(self, seed: Callable[[sa.Connection], None]) -> None:
        """Bring the tables up to date, then ``seed``: in one transaction, one process at a time.

        Raises:
            BackendError: The database can't be reached, is none, or is from a newer version.
        """
        try:
            if self.is_sqlite:
                self._prepare_file()
            with self.writing() as connection:
                if not self.is_sqlite:
                    self._require_unicode(connection)
                    lock = sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)
                    connection.execute(sa.select(lock))
                self._migrate(connection)
                seed(connection)
        except (exc.DBAPIError, exc.TimeoutError, Busy, CommitFailed, OSError) as error:
            what = f"can't open the database: {first_line(error)}"
            raise BackendError(Diagnostic("database", what, self.shown)) from error

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _require_unicode(self, connection: sa.Connection) -> None:
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            what = f"the database's encoding is {encoding}, which does not hold every name"
            remedy = "make one with `createdb --encoding=UTF8 --template=template0 NAME`"
            raise BackendError(Diagnostic("database-encoding", what, self.shown, remedy))

    def _prepare_file(self) -> None:
        """Make the file, for its owner only, and turn its write-ahead log on, which is kept."""
        path = Path(self.engine.url.database or "")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        # Changing the journal needs the whole file, and SQLite does not wait for it: another
        # server that starts at the same time may hold it.
        deadline = time.monotonic() + self._patience
        while True:
            try:
                connection = sqlite3.connect(path, timeout=self._patience)
                try:
                    connection.execute("PRAGMA journal_mode = WAL")
                finally:
                    connection.close()
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            except sqlite3.DatabaseError as error:
                raise OSError(str(error)) from error
            else:
                return

    def _migrate(self, connection: sa.Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if unknown := set(MigrationContext.configure(connection).get_current_heads()) - known:
            what = f"the database is from a newer version of provisioner ({min(unknown)})"
            remedy = "upgrade provisioner"
            raise BackendError(Diagnostic("database-newer", what, self.shown, remedy))
        command.upgrade(config, "head")


def _url(location: str) -> URL:
    if ":" not in location or location.startswith(("/", ".")):
        return URL.create("sqlite", database=location)
    wrong = "is no file name, and no URL of a SQLite or PostgreSQL database"
    try:
        url = make_url(location)
    except (exc.ArgumentError, ValueError) as error:
        raise InvalidInput(Diagnostic("database-url", f"--database {wrong}")) from error
    match url.get_backend_name():
        case "postgresql" | "postgres" if "@" in (url.host or ""):
            # What stands before it may be the end of a password.
            why = "holds an `@` in the password or host"
            remedy = "write it as %40 there"
            raise InvalidInput(Diagnostic("database-url", f"--database {why}", None, remedy))
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+psycopg")
        case "sqlite" if url.database and url.database != ":memory:":
            return URL.create("sqlite", database=url.database)
    raise InvalidInput(Diagnostic("database-url", f"--database {wrong}"))


def _shown(url: URL) -> str:
    """The database as people are told, without user and password."""
    if url.get_backend_name() == "sqlite":
        return f"SQLite {url.database}"
    host = url.host or url.query.get("host") or "local"
    return f"PostgreSQL {host}/{url.database or ''}"


def _set_up_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: sa.Connection) -> None:
    """Begin as meant: Python's own module would begin late, and never for reads."""
    writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
