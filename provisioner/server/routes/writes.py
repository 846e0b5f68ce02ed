"""What each writing route does. Each runs in one write transaction, with the panel's lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from provisioner.documents.codec import compact
from provisioner.documents.contradictions import date_flaws, policy_flaws
from provisioner.documents.gateway.encode import recording_document
from provisioner.names import flaw
from provisioner.server.database import records
from provisioner.server.http.answers import Answer, require_match
from provisioner.server.http.problems import Problem
from provisioner.server.panel.editing import Editing, Entry
from provisioner.server.routes.reads import existing_role

if TYPE_CHECKING:
    import sqlalchemy as sa

    from provisioner.model import Catalogue, State
    from provisioner.server.database.store import Store
    from provisioner.server.http.requests import Call
    from provisioner.server.http.tokens import Subject
    from provisioner.server.panel.rendering import Rendering
    from provisioner.server.panel.version import Version

Document = dict[str, Any]


class Change:
    """One request that writes: the version before, what is done to it, and the one after."""

    def __init__(
        self,
        catalogue: Catalogue,
        rendering: Rendering,
        store: Store,
        connection: sa.Connection,
        before: Version,
        subject: Subject,
    ) -> None:
        self.rendering = rendering
        self.connection = connection
        self.before = before
        self.after = before
        self.editing = Editing(before, catalogue, store.take_working(before))
        self.subject = subject
        self._store = store

    def save(self) -> Version:
        """Write what was edited, and return the version that it made."""
        if self.editing.entries:
            self._save(self._edited(), self.editing.entries)
        return self.after

    def give_back(self, *, committed: bool) -> None:
        """Let the next write go on from where this one ended, if that is known."""
        if committed:
            self._store.remember(self.after)
        if committed or not self.editing.is_touched:
            self._store.return_working(
                self.after if committed else self.before, self.editing.working
            )

    def save_with_run(self, document: Document) -> int:
        """Write what was edited, and the run that a body tells of; return the run's number."""
        recorded = frozenset(document["recorded"])
        state = replace(self._edited(), recorded=recorded, policies=tuple(document["policies"]))
        number = records.next_run(self.connection)
        former = recording_document(self.before.state.recorded, self.before.state.policies)
        present = recording_document(state.recorded, state.policies)
        record = Entry("record", f"runs/{number}", former, present)
        self._save(state, [*self.editing.entries, record])
        records.add_run(
            self.connection,
            number,
            document["run"],
            subject=self.subject.login,
            serial=self.after.serial,
            state=self.rendering.run_state(self.after),
        )
        return number

    def _edited(self) -> State:
        working = self.editing.working
        # Copies, for the next write goes on with the originals.
        roles, assignments = dict(working.roles), dict(working.assignments)
        return replace(self.before.state, roles=roles, assignments=assignments)

    def _save(self, state: State, entries: list[Entry]) -> None:
        self.after = self._store.save(self.connection, self.before, self.editing, state)
        records.add_audit(
            self.connection, entries, subject=self.subject.login, serial=self.after.serial
        )


def create_role(change: Change, call: Call) -> Answer:
    """Create a role."""
    id = change.editing.create(call.document)
    answer = _role_answer(change, id)
    # Relative, for the gateway does not know the base URL that a proxy gives it.
    return replace(answer, status=201, headers={**answer.headers, "Location": f"roles/{id}"})


def update_role(change: Change, call: Call) -> Answer:
    """Replace everything of a role but its name."""
    id = _require_role(change, call)
    change.editing.update(id, call.document)
    return _role_answer(change, id)


def rename_role(change: Change, call: Call) -> Answer:
    """Give a role another name."""
    id = _require_role(change, call)
    change.editing.rename(id, call.document["name"])
    return _role_answer(change, id)


def delete_role(change: Change, call: Call) -> Answer:
    """Delete a role."""
    change.editing.delete(_require_role(change, call))
    change.save()
    return Answer(204)


def set_assignment(change: Change, call: Call) -> Answer:
    """Give a user exactly these roles."""
    login = call.parameters["login"]
    if problem := flaw(login):
        raise Problem("not-found", f"no login {problem[0]}")
    held = change.before.user(login)
    require_match(call.if_match, change.rendering.user(change.before, held).etag)
    change.editing.assign(login, call.document["roles"])
    after = change.save()
    rendered = change.rendering.user(after, after.user(login))
    return Answer(200, rendered.whole.encode(), {"ETag": rendered.etag})


def commit_changeset(change: Change, call: Call) -> Answer:
    """Carry out all writes, in order, or none."""
    require_match(call.if_match, change.rendering.state_etag(change.before, call.subject))
    _require_sound(call.document)
    created = {}
    for index, write in enumerate(call.document["writes"]):
        id = _carry_out(change.editing, write, f"/writes/{index}")
        if id is not None:
            created[write["ref"]] = id
    number = change.save_with_run(call.document)
    after = change.after
    document = {
        "lineage": after.lineage,
        "serial": after.serial,
        "run": number,
        "created": created,
    }
    etag = change.rendering.state_etag(after, call.subject)
    return Answer(200, compact(document).encode(), {"ETag": etag})


def record_run(change: Change, call: Call) -> Answer:
    """Record a run whose writes were made one by one."""
    _require_sound(call.document)
    number = change.save_with_run(call.document)
    return Answer(201, compact({"run": number}).encode())


def _require_sound(document: Document) -> None:
    """Let pass policies that can be judged by, and dates: whoever reads others refuses them."""
    policies, ends = document["policies"], document["run"].get("until", ())
    wrong = [(f"/policies/{index}", what) for index, what in policy_flaws(policies)]
    wrong += [(f"/run/until/{index}/until", what) for index, what in date_flaws(ends)]
    if wrong:
        raise Problem("invalid", wrong[0][1], errors=wrong)


def _carry_out(editing: Editing, write: Document, at: str) -> str | None:
    """Carry out one write of a changeset; return the id of a role that it made."""
    match write["op"]:
        case "create_role":
            return editing.create(write, at, write["ref"])
        case "update_role":
            editing.update(write["role"], write, at)
        case "rename_role":
            editing.rename(write["role"], write["name"], at)
        case "delete_role":
            editing.delete(write["role"], at)
        case "assign":
            editing.assign(write["login"], write["roles"], at)
    return None


def _require_role(change: Change, call: Call) -> str:
    """Return the id of the role that the path names, if `If-Match` fits it."""
    role = existing_role(change.before, call)
    require_match(call.if_match, change.rendering.role(change.before, role).etag)
    return str(role.id)


def _role_answer(change: Change, id: str) -> Answer:
    after = change.save()
    role = after.state.roles[after.names[id]]
    rendered = change.rendering.role(after, role)
    return Answer(200, rendered.whole.encode(), {"ETag": rendered.etag})
