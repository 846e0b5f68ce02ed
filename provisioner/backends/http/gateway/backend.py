"""The gateway contract's own ways: the whole state in one read, changesets, runs and their states.

See schemas/gateway.openapi.yaml. What a gateway does not offer of these is done object by object.
"""

from __future__ import annotations

from contextlib import nullcontext
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from msgspec.structs import replace

from provisioner.backends.base import Description
from provisioner.backends.http.gateway.changesets import changeset_of
from provisioner.backends.http.gateway.health import examine_gateway
from provisioner.backends.http.gateway.replies import document_in, etag_in, not_as_agreed
from provisioner.backends.http.transport.messages import Request
from provisioner.backends.http.transport.redaction import redacted
from provisioner.backends.http.transport.refusals import refusal
from provisioner.diagnostics import Diagnostic
from provisioner.documents.gateway.decode import (
    Contradiction,
    capabilities_of,
    catalogue_of,
    entry_of,
    state_of,
)
from provisioner.documents.gateway.encode import recording_document, run_document
from provisioner.engine.writes import Unfit
from provisioner.errors import BackendError, StateMoved
from provisioner.model import Base, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from provisioner.backends.base import Check, HistoryEntry, LockOwner, Run
    from provisioner.backends.http.objects.backend import ObjectBackend
    from provisioner.backends.http.transport.client import Client
    from provisioner.backends.http.transport.messages import Reply
    from provisioner.backends.http.transport.redaction import Redaction
    from provisioner.backends.http.transport.settings import HttpSettings
    from provisioner.engine.writes import Write
    from provisioner.model import Kind, State

_PAGE: Final = "500"
_MOST_PAGES: Final = 100_000


class GatewayBackend:
    """A target behind our gateway contract. Implements ``provisioner.backends.base.Backend``.

    ``objects`` gives what reaches the same gateway object by object; asked for once, if at all.
    """

    def __init__(
        self, client: Client, objects: Callable[[], ObjectBackend], settings: HttpSettings
    ) -> None:
        self._client = client
        self._make_objects = objects
        self._made: ObjectBackend | None = None
        self._guard = Lock()
        self._settings = settings
        self._told: Mapping[str, bool] | None = None
        self._last: tuple[str, Snapshot] | None = None
        self._versions: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self._etags: dict[str | None, str] = {}

    @property
    def redaction(self) -> Redaction:
        """What takes the target's secrets out of messages."""
        return self._client.redaction

    @redacted
    def describe(self) -> Description:
        """Say what this is; asks the gateway what it can do, unless it has told already."""
        capabilities = capabilities_of(self._capabilities(), atomic=self._commits())
        return Description("http", self._settings.url, capabilities, self._settings.threads)

    @redacted
    def read(self) -> Snapshot:
        """Read everything, in one request where the gateway offers that."""
        if self._told is not None and not self._told["state"]:
            return self._read_objects()
        headers = {"If-None-Match": self._last[0]} if self._last else {}
        reply = self._client.send(Request("GET", "/state", headers=headers))
        if reply.status == 304 and self._last:
            return _copied(self._last[1])
        if reply.status == 404 and not self._capabilities()["state"]:
            return self._read_objects()
        document = self._document(reply, "State", "read the state")
        etag = etag_in(reply)
        try:
            state = state_of(document)
            catalogue = catalogue_of(document, state.roles)
        except Contradiction as error:
            not_as_agreed(reply, "the body", str(error))
        self._told = told = document["capabilities"]
        base = Base(document["lineage"], document["serial"], _digest(etag))
        logins = frozenset(user["login"].casefold() for user in document["users"])
        known = logins if told["closed_users"] else None
        snapshot = Snapshot(state, base, catalogue, known, document["subject"]["login"])
        self._versions = _versions(document)
        self._etags[base.digest] = etag
        self._last = (etag, snapshot)
        if self._made is not None:
            self._made.remember(state, *self._versions)
        return _copied(snapshot)

    def lock(self, operation: str, timeout: float) -> AbstractContextManager[None]:
        """Hold nothing: the gateway compares versions, which is what serialises two applies."""
        return nullcontext()

    @redacted
    def commit(self, base: Base, writes: tuple[Write, ...], after: State, run: Run) -> Base:
        """Send everything as one changeset, bound to the version that was read.

        Raises:
            StateMoved: The gateway is no longer at ``base``.
            BackendError: The gateway refuses it, or can't be reached.
        """
        if self._last is None or self._etags.get(base.digest) != self._last[0]:
            # Read by another handle, or earlier: it counts only if it still is the newest.
            self.read()
        if self._last is None or self._etags.get(base.digest) != self._last[0]:
            raise self._moved("another version than the one that was read is there by now")
        etag, snapshot = self._last
        try:
            body = changeset_of(writes, snapshot.state.roles, after, self._sendable(run))
        except Unfit as error:
            message = f"the writes do not fit {self._settings.url}: {error}; nothing was changed"
            raise BackendError(Diagnostic("writes-unfit", message)) from error
        headers = {"If-Match": etag}
        reply = self._client.send(
            Request("POST", "/changesets", body=body, headers=headers, key=str(uuid4()))
        )
        if reply.status == 412:
            refused = refusal(reply, "commit the changes").diagnostics
            if reply.perhaps_repeated:
                # An earlier attempt may be what changed the version: no certain refusal.
                raise BackendError(refused)
            raise self._moved(refused[0].message)
        document = self._document(reply, "Committed", "commit the changes")
        if document["lineage"] != base.lineage or document["serial"] <= base.serial:
            not_as_agreed(
                reply, "serial", "the version it names does not come after the one changed"
            )
        new = etag_in(reply)
        made = Base(document["lineage"], document["serial"], _digest(new))
        self._etags[made.digest] = new
        return made

    @redacted
    def write(self, write: Write) -> None:
        """Carry out one write on its object."""
        self._objects().write(write)

    @redacted
    def record(
        self, run: Run, recorded: frozenset[Kind], policies: tuple[Mapping[str, Any], ...]
    ) -> None:
        """Have the gateway remember a run whose writes were made one by one."""
        told = self._capabilities()
        if told["recording"] or told["history"]:
            body = recording_document(recorded, policies)
            body["run"] = run_document(self._sendable(run))
            reply = self._client.send(Request("POST", "/runs", body=body, key=str(uuid4())))
            self._document(reply, "Recorded", "record the run")

    @redacted
    def history(self) -> tuple[HistoryEntry, ...]:
        """Return the runs, oldest first; none where the gateway keeps none."""
        if not self._capabilities()["history"]:
            return ()
        found: list[HistoryEntry] = []
        for reply, page in self._pages("/runs", "RunPage", "list the runs"):
            try:
                found += map(entry_of, page["items"])
            except Contradiction as error:
                not_as_agreed(reply, "the body", str(error))
        return tuple(found)

    @redacted
    def state_after(self, number: int) -> State:
        """Return the state after that run, as the gateway kept it."""
        reply = self._client.send(Request("GET", f"/runs/{number}/state"))
        if reply.status == 404:
            message = f"the state after run {number} is not kept by {self._settings.url}"
            remedy = "choose a number that `provisioner history` lists with a state"
            raise BackendError(Diagnostic("history-not-kept", message, None, remedy))
        document = self._document(reply, "RunState", f"read the state after run {number}")
        if document["number"] != number:
            not_as_agreed(
                reply, "number", f"it is {document['number']}, and {number} was asked for"
            )
        lineage = self._last[1].base.lineage if self._last else None
        if lineage is not None and document["lineage"] != lineage:
            not_as_agreed(reply, "lineage", "the run is one of another store than the state")
        try:
            return state_of(document)
        except Contradiction as error:
            not_as_agreed(reply, "the body", str(error))

    def owner(self) -> LockOwner | None:
        """Return nobody: there is no lock."""
        return None

    def unlock(self, *, force: bool = False) -> LockOwner | None:
        """Do nothing: there is no lock."""
        return None

    def abort(self) -> None:
        """Give up what is under way."""
        self._client.close()

    def examine(self) -> Iterator[Check]:
        """Look at the connection, the gateway and the token's rights."""
        return examine_gateway(self, self._settings)

    @redacted
    def whoami(self) -> Mapping[str, Any]:
        """Return the login (or None) and the scopes of the token."""
        reply = self._client.send(Request("GET", "/whoami"))
        document: Mapping[str, Any] = self._document(reply, "Subject", "ask who the token is for")
        return document

    @redacted
    def about(self) -> Mapping[str, Any]:
        """Return the contract version, the panel, the product and its capabilities."""
        reply = self._client.send(Request("GET", "/capabilities"))
        what = "ask what the gateway can do"
        document: Mapping[str, Any] = self._document(reply, "About", what)
        self._told = document["capabilities"]
        return document

    def _capabilities(self) -> Mapping[str, bool]:
        told: Mapping[str, bool] = self._told or self.about()["capabilities"]
        return told

    def _commits(self) -> bool:
        # What binds a changeset to a version is the ETag of the whole state, so it takes both.
        told = self._capabilities()
        return self._settings.changesets and told["changesets"] and told["state"]

    def _objects(self) -> ObjectBackend:
        with self._guard:
            if self._made is None:
                self._made = self._make_objects()
                if self._last is not None:
                    self._made.remember(self._last[1].state, *self._versions)
            return self._made

    def _read_objects(self) -> Snapshot:
        return replace(self._objects().read(), subject=self.whoami()["login"])

    def _sendable(self, run: Run) -> Run:
        """The run without what this gateway would refuse: it came with version 1.1."""
        return run if self._capabilities().get("end_dates") else replace(run, until=None)

    def _pages(self, path: str, shape: str, what: str) -> Iterator[tuple[Reply, Any]]:
        query: tuple[tuple[str, str], ...] = (("limit", _PAGE),)
        seen: set[str] = set()
        while True:
            reply = self._client.send(Request("GET", path, query))
            page = self._document(reply, shape, what)
            yield reply, page
            cursor = page["next"]
            if cursor is None:
                return
            if cursor in seen or len(seen) > _MOST_PAGES:
                not_as_agreed(reply, "next", "the pages do not come to an end")
            seen.add(cursor)
            query = (("limit", _PAGE), ("cursor", cursor))

    def _document(self, reply: Reply, shape: str, what: str) -> Any:
        return document_in(
            reply, shape, what, panel=self._settings.panel, cleaned=self.redaction.message
        )

    def _moved(self, why: str) -> StateMoved:
        message = f"{self._settings.url} changed since it was read: {why}; nothing was changed"
        return StateMoved(Diagnostic("state-moved", message, None, "plan again"))


def _digest(etag: str) -> str:
    return f"sha256:{sha256(etag.encode()).hexdigest()}"


def _copied(snapshot: Snapshot) -> Snapshot:
    held = snapshot.state
    state = replace(held, roles=dict(held.roles), assignments=dict(held.assignments))
    return replace(snapshot, state=state)


def _versions(document: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """The ETags of the roles by id, and of the users by case-folded login."""
    return (
        {role["id"]: role["etag"] for role in document["roles"]},
        {user["login"].casefold(): user["etag"] for user in document["users"]},
    )
