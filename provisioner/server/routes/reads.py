"""What each reading route answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provisioner.documents.codec import compact
from provisioner.documents.gateway.encode import (
    about_document,
    subject_document,
)
from provisioner.names import flaw
from provisioner.server.database import records
from provisioner.server.http import paging
from provisioner.server.http.answers import Answer, is_known
from provisioner.server.http.problems import Problem
from provisioner.server.panel.rendering import CAPABILITIES

if TYPE_CHECKING:
    import sqlalchemy as sa

    from provisioner.model import Catalogue, Role
    from provisioner.server.http.requests import Call
    from provisioner.server.panel.rendering import Rendered, Rendering
    from provisioner.server.panel.version import Version


@dataclass(frozen=True, slots=True)
class Look:
    """One version of the panel, read in one transaction."""

    catalogue: Catalogue
    rendering: Rendering
    connection: sa.Connection
    version: Version


def capabilities(look: Look, _: Call) -> Answer:
    """Who this gateway is, and what it can do."""
    return Answer(200, compact(about_document(look.version.panel, CAPABILITIES)).encode())


def whoami(_: Look, call: Call) -> Answer:
    """Whom the token stands for."""
    subject = call.subject
    document = subject_document(subject.login, may_write=subject.may_write)
    return Answer(200, compact(document).encode())


def privileges(look: Look, call: Call) -> Answer:
    """A page of the catalogue."""
    known = look.catalogue.privileges
    chosen, following = paging.slice_after(sorted(known), call, "privileges")
    items = [compact(known[name]) for name in chosen]
    return paging.page(items, following, look.version.mark)


def roles(look: Look, call: Call) -> Answer:
    """A page of roles."""
    known = look.version.state.roles
    chosen, following = paging.slice_after(sorted(known), call, "roles")
    items = [look.rendering.role(look.version, known[name]).whole for name in chosen]
    return paging.page(items, following, look.version.mark)


def role(look: Look, call: Call) -> Answer:
    """One role."""
    found = existing_role(look.version, call)
    return _unless_known(call, look.rendering.role(look.version, found))


def users(look: Look, call: Call) -> Answer:
    """A page of users."""
    known = look.version.state.assignments
    chosen, following = paging.slice_after(sorted(known), call, "users")
    items = [look.rendering.user(look.version, known[key]).whole for key in chosen]
    return paging.page(items, following, look.version.mark)


def user(look: Look, call: Call) -> Answer:
    """One user."""
    login = call.parameters["login"]
    if problem := flaw(login):
        raise Problem("not-found", f"no login {problem[0]}")
    return _unless_known(call, look.rendering.user(look.version, look.version.user(login)))


def state(look: Look, call: Call) -> Answer:
    """Everything."""
    etag = look.rendering.state_etag(look.version, call.subject)
    if is_known(call.if_none_match, etag):
        return Answer(304, headers={"ETag": etag})
    return Answer(200, look.rendering.state(look.version, call.subject), {"ETag": etag})


def runs(look: Look, call: Call) -> Answer:
    """A page of runs."""
    after = paging.start(call, "runs", 0) if "cursor" in call.query else -1
    items = records.runs_after(look.connection, after, paging.limit(call) + 1)
    return paging.numbered_page(items, call, "runs", look.version.mark)


def run_state(look: Look, call: Call) -> Answer:
    """The state after a run."""
    number = call.parameters["number"]
    if re.fullmatch(r"[0-9]{1,15}", number):
        kept = records.run_state(look.connection, int(number))
        if kept is not None:
            return Answer(200, kept)
    raise Problem("not-found", f"no state of a run {number[:20]} is kept")


def audit(look: Look, call: Call) -> Answer:
    """A page of the audit."""
    after = paging.start(call, "audit", 0)
    items = records.audit_after(look.connection, after, paging.limit(call) + 1)
    return paging.numbered_page(items, call, "audit", look.version.mark)


def existing_role(version: Version, call: Call) -> Role:
    """Return the role that the path names.

    Raises:
        Problem: There is none.
    """
    found = version.role(call.parameters["id"])
    if found is None:
        raise Problem("not-found", "there is no role of this id")
    return found


def _unless_known(call: Call, rendered: Rendered[Any]) -> Answer:
    if is_known(call.if_none_match, rendered.etag):
        return Answer(304, headers={"ETag": rendered.etag})
    return Answer(200, rendered.whole.encode(), {"ETag": rendered.etag})
