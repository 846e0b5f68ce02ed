"""Versions as bytes of JSON, and their ETags. What did not change is not written anew.

An ETag is made from the bytes it stands for: it changes when they do, and not before.
"""

from __future__ import annotations

import threading
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from msgspec import Struct

from provisioner.documents.codec import compact
from provisioner.documents.gateway.encode import (
    about_document,
    catalogue_document,
    recording_document,
    role_document,
    subject_document,
    user_document,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from provisioner.model import Assignment, Catalogue, Role
    from provisioner.server.http.tokens import Subject
    from provisioner.server.panel.version import Version

CAPABILITIES: Final = {
    "state": True,
    "changesets": True,
    "history": True,
    "recording": True,
    "end_dates": True,
    "assignments": True,
    "includes": True,
    "descriptions": True,
    "renames": True,
    "protection": True,
    "closed_users": False,
}

T = TypeVar("T")


def etag_of(text: str) -> str:
    """Return the strong ETag of a text."""
    return f'"{blake2b(text.encode(), digest_size=12).hexdigest()}"'


class Rendered(Struct, Generic[T], frozen=True):
    """An object, its JSON without ETag, and the ETag."""

    value: T
    text: str
    etag: str

    @property
    def whole(self) -> str:
        """The JSON with the ETag as its last member."""
        return f'{self.text[:-1]},"etag":{compact(self.etag)}}}'


class _Kept(Generic[T]):
    """The renderings of the newest objects, by key. An object that is still the same has one."""

    def __init__(self, document: Callable[[T, Version], dict[str, Any]]) -> None:
        self._document = document
        self._kept: dict[str, Rendered[T]] = {}

    def one(self, key: str, value: T, version: Version) -> Rendered[T]:
        """Render an object, or find it rendered. References lead to the same ids ever after."""
        kept = self._kept.get(key)
        if kept is not None and kept.value is value:
            return kept
        text = compact(self._document(value, version))
        fresh = self._kept[key] = Rendered(value, text, etag_of(text))
        return fresh

    def all(self, values: Iterable[tuple[str, T]], version: Version) -> list[Rendered[T]]:
        """Render all objects of a version, in order, and forget those that are gone."""
        rendered = {key: self.one(key, value, version) for key, value in values}
        self._kept = dict(rendered)
        return list(rendered.values())


class Rendering:
    """How one process writes versions of one panel."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = compact(catalogue_document(catalogue))
        self._roles: _Kept[Role] = _Kept(_role_document)
        self._users: _Kept[Assignment] = _Kept(_user_document)
        self._body: tuple[str, bytes] = ("", b"")
        self._guard = threading.Lock()

    def role(self, version: Version, role: Role) -> Rendered[Role]:
        """One role."""
        return self._roles.one(str(role.id), role, version)

    def user(self, version: Version, user: Assignment) -> Rendered[Assignment]:
        """One user. One that holds nothing has the same ETag in every spelling of the login."""
        if user.roles:
            return self._users.one(user.user.casefold(), user, version)
        text = compact(_user_document(user, version))
        return Rendered(user, text, etag_of(f"nobody {user.user.casefold()}"))

    def state_head(self, version: Version, subject: Subject) -> str:
        """The part of a state that depends on who asks, without the closing brace."""
        about = about_document(version.panel, CAPABILITIES)
        about["subject"] = subject_document(subject.login, may_write=subject.may_write)
        return f'{compact(about)[:-1]},"catalogue":{self._catalogue}'

    def state_etag(self, version: Version, subject: Subject) -> str:
        """The ETag of the state, without rendering it: a mark stands for all of a version."""
        return etag_of(f"{version.mark} {self.state_head(version, subject)}")

    def state(self, version: Version, subject: Subject) -> bytes:
        """The state."""
        with self._guard:
            if self._body[0] != version.mark:
                self._body = (version.mark, self._state_tail(version).encode())
            tail = self._body[1]
        return b"%s,%s" % (self.state_head(version, subject).encode(), tail)

    def run_state(self, version: Version) -> bytes:
        """What is kept of a version for later: the reply for a run's state without the number."""
        recorded = recording_document(version.state.recorded, version.state.policies)
        head = compact({"lineage": version.lineage, **recorded})[:-1]
        with self._guard:
            roles = ",".join([each.text for each in self._all_roles(version)])
            users = ",".join([each.text for each in self._all_users(version)])
        return f'{head},"roles":[{roles}],"users":[{users}]}}'.encode()

    def _state_tail(self, version: Version) -> str:
        recorded = recording_document(version.state.recorded, version.state.policies)
        head = compact({"lineage": version.lineage, "serial": version.serial, **recorded})
        roles = ",".join([each.whole for each in self._all_roles(version)])
        users = ",".join([each.whole for each in self._all_users(version)])
        return f'{head[1:-1]},"roles":[{roles}],"users":[{users}]}}'

    def _all_roles(self, version: Version) -> list[Rendered[Role]]:
        roles = version.state.roles
        return self._roles.all(((str(roles[n].id), roles[n]) for n in sorted(roles)), version)

    def _all_users(self, version: Version) -> list[Rendered[Assignment]]:
        users = version.state.assignments
        return self._users.all(((key, users[key]) for key in sorted(users)), version)


def _role_document(role: Role, version: Version) -> dict[str, Any]:
    return role_document(role, version.state.roles, default=role.id in version.defaults)


def _user_document(user: Assignment, version: Version) -> dict[str, Any]:
    return user_document(user, version.state.roles)
