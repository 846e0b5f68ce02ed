"""One running gateway: the panel it serves, and the transactions that requests run in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from provisioner.server.database import records
from provisioner.server.database.connection import Database
from provisioner.server.database.store import Store
from provisioner.server.http.requests import idempotency_key
from provisioner.server.panel.rendering import Rendering
from provisioner.server.routes.reads import Look
from provisioner.server.routes.writes import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from provisioner.server.http.answers import Answer
    from provisioner.server.http.requests import Call
    from provisioner.server.http.tokens import Subject
    from provisioner.server.panel.version import Version
    from provisioner.server.settings import Settings


class Gateway:
    """Opens the database, brings it up to date, and answers calls.

    ``draining`` is set when the process is about to stop.

    Raises:
        InvalidInput: The database's URL is wrong, or it holds another panel.
        BackendError: The database can't be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store()
        self.rendering = Rendering(settings.catalogue)
        self.draining = False
        # One connection more for the one that writes, and one so that readiness can be asked for
        # while all threads are busy.
        connections = settings.threads + 2
        self.database = Database(
            settings.database, patience=settings.patience, connections=connections
        )
        try:
            self.database.prepare(self._seed)
            with self.database.reading() as connection:
                self.panel = self.store.current(connection).panel
        except BaseException:
            self.database.close()
            raise
        self.threads = ThreadPoolExecutor(settings.threads, "gateway")
        # Of their own: those that wait for their turn must not keep others from reading.
        self.writers = ThreadPoolExecutor(settings.threads, "gateway-writes")

    def close(self) -> None:
        """Finish what runs, and close the database."""
        self.threads.shutdown()
        self.writers.shutdown()
        self.database.close()

    def read(self, handler: Callable[[Look, Call], Answer], call: Call) -> Answer:
        """Answer a call that reads, from one version of everything."""
        with self.database.reading() as connection:
            return handler(self._look(connection), call)

    def write(self, handler: Callable[[Change, Call], Answer], call: Call) -> Answer:
        """Answer a call that writes: all that it does is committed at once, or nothing.

        A POST that was carried out before gets the reply that it got then.
        """
        key = idempotency_key(call.headers) if call.method == "POST" else None
        request = records.fingerprint(call.method, call.path, call.body, call.subject.token)
        with self.database.only_writer():
            change: Change | None = None
            committed = False
            try:
                with self.database.writing() as connection:
                    before = self.store.current(connection, lock=True)
                    if key and (stored := records.stored_reply(connection, key, request)):
                        return stored
                    change = self._change(connection, before, call.subject)
                    answer = handler(change, call)
                    if key:
                        records.keep_reply(connection, key, request, answer)
                committed = True
            finally:
                if change is not None:
                    change.give_back(committed=committed)
        return answer

    def _look(self, connection: sa.Connection) -> Look:
        version = self.store.current(connection)
        return Look(self.settings.catalogue, self.rendering, connection, version)

    def _change(self, connection: sa.Connection, before: Version, subject: Subject) -> Change:
        catalogue = self.settings.catalogue
        return Change(catalogue, self.rendering, self.store, connection, before, subject)

    def _seed(self, connection: sa.Connection) -> None:
        if self.store.seed(connection, self.settings.panel, self.settings.catalogue):
            version = self.store.current(connection)
            state = self.rendering.run_state(version)
            records.add_run(connection, 0, None, subject=None, serial=0, state=state)
