"""What is remembered beside the panel itself: audit, runs with their states, replies to POSTs."""

from __future__ import annotations

import time
import zlib
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from provisioner import strict_json
from provisioner.backends.attribution import now
from provisioner.documents import codec
from provisioner.server.database import tables as t
from provisioner.server.http.answers import Answer
from provisioner.server.http.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.server.panel.editing import Entry

# How many states of runs are kept, beside number 0.
KEPT_STATES: Final = 50
# The contract asks for a day; a weekend is when nobody looks.
_KEPT_REPLIES: Final = 3 * 24 * 3600

Document = dict[str, Any]


def add_audit(
    connection: sa.Connection, entries: Iterable[Entry], *, subject: str | None, serial: int
) -> None:
    """Append the changes that one request made."""
    first = _next(connection, t.AUDIT)
    at = now()
    rows = [
        {
            "number": number,
            "at": at,
            "subject": subject,
            "serial": serial,
            "action": entry.action,
            "object": entry.object,
            "before": _json(entry.before),
            "after": _json(entry.after),
        }
        for number, entry in enumerate(entries, first)
    ]
    if rows:
        connection.execute(sa.insert(t.AUDIT), rows)


def audit_after(connection: sa.Connection, number: int, limit: int) -> list[Document]:
    """Return the audit's items after a number, at most ``limit``."""
    query = sa.select(t.AUDIT).where(t.AUDIT.c.number > number)
    rows = connection.execute(query.order_by(t.AUDIT.c.number).limit(limit))
    return [
        {**row._mapping, "before": _parsed(row.before), "after": _parsed(row.after)}  # noqa: SLF001 - SQLAlchemy's public name
        for row in rows
    ]


def next_run(connection: sa.Connection) -> int:
    """Return the number that the next run will have."""
    return _next(connection, t.RUNS)


def add_run(
    connection: sa.Connection,
    number: int,
    run: Document | None,
    *,
    subject: str | None,
    serial: int,
    state: bytes,
) -> None:
    """Append a run and the state after it; drop the states that are too many.

    A run's end dates are kept with its state, and dropped with it.
    """
    told = dict(run or {})
    until = told.pop("until", None)
    row = {"number": number, "run": _json(told or None), "subject": subject, "serial": serial}
    connection.execute(sa.insert(t.RUNS), row)
    kept = {
        "number": number,
        "content": zlib.compress(state, 1),
        "until": None if until is None else zlib.compress(codec.line(until).encode(), 1),
    }
    connection.execute(sa.insert(t.SNAPSHOTS), kept)
    old = sa.between(t.SNAPSHOTS.c.number, 1, number - KEPT_STATES)
    connection.execute(sa.delete(t.SNAPSHOTS).where(old))


def runs_after(connection: sa.Connection, number: int, limit: int) -> list[Document]:
    """Return the runs after a number, at most ``limit``."""
    joined = t.RUNS.outerjoin(t.SNAPSHOTS, t.SNAPSHOTS.c.number == t.RUNS.c.number)
    columns = (t.RUNS.c.number, t.RUNS.c.run, t.RUNS.c.subject, t.SNAPSHOTS.c.until)
    kept = t.SNAPSHOTS.c.number.is_not(None).label("kept")
    query = sa.select(*columns, kept).select_from(joined).where(t.RUNS.c.number > number)
    return [
        {
            "number": row.number,
            "run": _with_dates(_parsed(row.run), row.until),
            "subject": row.subject,
            "has_state": bool(row.kept),
        }
        for row in connection.execute(query.order_by(t.RUNS.c.number).limit(limit))
    ]


def run_state(connection: sa.Connection, number: int) -> bytes | None:
    """Return the reply for a run's state; None where it is not kept."""
    query = sa.select(t.SNAPSHOTS.c.content).where(t.SNAPSHOTS.c.number == number)
    content = connection.execute(query).scalar_one_or_none()
    if content is None:
        return None
    return b'{"number":%d,%s' % (number, zlib.decompress(content)[1:])


def fingerprint(method: str, path: str, body: bytes, token: str) -> str:
    """Return what makes two requests the same."""
    whole = sha256()
    for part in (method.encode(), path.encode(), token.encode(), body):
        whole.update(b"%d " % len(part) + part)
    return whole.hexdigest()


def stored_reply(connection: sa.Connection, key: str, request: str) -> Answer | None:
    """Return the reply that a request with this key got before.

    Raises:
        Problem: The key came with another request.
    """
    found = connection.execute(sa.select(t.REPLIES).where(t.REPLIES.c.key == key)).one_or_none()
    if found is None:
        return None
    if found.request != request:
        detail = "this Idempotency-Key came with another request before; make a new one"
        raise Problem("idempotency-key-reused", detail)
    return Answer(found.status, found.body, strict_json.parse(found.headers, strict_json.NOTE))


def keep_reply(connection: sa.Connection, key: str, request: str, answer: Answer) -> None:
    """Keep a reply for repetitions; forget those that are old enough."""
    at = int(time.time())
    connection.execute(sa.delete(t.REPLIES).where(t.REPLIES.c.at < at - _KEPT_REPLIES))
    row = {
        "key": key,
        "request": request,
        "at": at,
        "status": answer.status,
        "headers": codec.line(answer.headers),
        "body": answer.body,
    }
    connection.execute(sa.insert(t.REPLIES), row)


def _next(connection: sa.Connection, table: sa.Table) -> int:
    """One more than the highest number. Whoever asks holds the panel's lock."""
    highest = connection.execute(sa.select(sa.func.max(table.c.number))).scalar_one()
    return 0 if highest is None and table is t.RUNS else int(highest or 0) + 1


def _with_dates(run: Document | None, until: bytes | None) -> Document | None:
    if run is None or until is None:
        return run
    return {**run, "until": strict_json.parse(zlib.decompress(until))}


def _json(document: Document | None) -> str | None:
    return None if document is None else codec.line(document)


def _parsed(text: str | None) -> Any:
    return None if text is None else strict_json.parse(text)
