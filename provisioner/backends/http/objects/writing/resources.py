"""Roles and users as resources of an API: what is sent of them, and how two of them compare."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from provisioner.backends.http.objects.reading.fields import text
from provisioner.backends.http.objects.reading.object_reader import UNKNOWN, ObjectReader
from provisioner.errors import BackendError, OthersChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from provisioner.backends.http.objects.lists.paging import Item
    from provisioner.backends.http.objects.reading.fields import ApiRole, ApiUser
    from provisioner.backends.http.objects.reading.identities import KnownObjects
    from provisioner.backends.http.profile.definition import Call
    from provisioner.backends.http.transport.messages import Reply

ShownT = TypeVar("ShownT")


class RoleResource(Struct, frozen=True):
    """Roles, read by a profile."""

    reader: ObjectReader

    def read(self, held: ApiRole) -> ApiRole | None:
        """Return the role as it is now."""
        return self.reader.role(held.id, held.name)

    def shown(self, reply: Reply, call: Call, held: ApiRole) -> ApiRole | None:
        """Return the role that an answer shows, if that is what is stored."""
        reader = self.reader
        about = partial(reader.require_about_role, id=held.id)
        return _shown(reader, reply, call, about, reader.role_in)

    def changing(self) -> AbstractContextManager[None]:
        """Hold off readings of the list of roles."""
        return self.reader.role_list.changing()

    def is_gone(self, held: ApiRole) -> bool:
        """Whether the list of roles lacks the role now."""
        return not self.reader.has_role(held.id)

    def difference(self, found: ApiRole | None, wanted: ApiRole | None) -> str | None:
        """Say in which way two roles are not the same."""
        if found is None or wanted is None:
            return None if found is wanted else _presence(found)
        if _compared(found) == _compared(wanted):
            return None
        known = self.reader.known
        told = [
            _value("its name", found.name, wanted.name),
            _value("its description", found.description, wanted.description),
            _value("its protection", str(found.protected), str(wanted.protected)),
            _set("privileges", found.privileges, wanted.privileges),
            _set("includes", _names(known, found.includes), _names(known, wanted.includes)),
        ]
        return "; ".join(filter(None, told)) or None


class UserResource(Struct, frozen=True):
    """Users, read by a profile."""

    reader: ObjectReader

    def read(self, held: ApiUser) -> ApiUser | None:
        """Return the user as they are now."""
        return self.reader.user(held.login, held.id)

    def shown(self, reply: Reply, call: Call, held: ApiUser) -> ApiUser | None:
        """Return the user that an answer shows, if that is what is stored."""
        reader = self.reader
        about = partial(reader.require_about_user, id=held.id, login=held.login)
        return _shown(reader, reply, call, about, reader.user_in)

    def changing(self) -> AbstractContextManager[None]:
        """Hold off nothing: assignments do not change which users there are."""
        return nullcontext()

    def is_gone(self, held: ApiUser) -> bool:
        """Whether the list of users lacks the user now."""
        part = self.reader.users_part
        logins = (text(item, part.login, "a login") for item in self.reader.user_items())
        return all(login.casefold() != held.folded for login in logins)

    def difference(self, found: ApiUser | None, wanted: ApiUser | None) -> str | None:
        """Say in which way what two users hold is not the same."""
        if found is None or wanted is None:
            return None if found is wanted else _presence(found)
        known = self.reader.known
        same = found.folded == wanted.folded
        told = [
            None if same else _value("the login", found.login, wanted.login),
            _set("roles", _names(known, found.roles), _names(known, wanted.roles)),
        ]
        return "; ".join(filter(None, told)) or None


def _shown(
    reader: ObjectReader,
    reply: Reply,
    call: Call,
    require_about: Callable[[Item], None],
    read: Callable[[Item], ShownT | None],
) -> ShownT | None:
    """Read the object of an answer, if it is the one asked about and what is stored."""
    item = reader.item_in(reply, call)
    if item is None:
        return None
    with may_have_changed_another():
        require_about(item)
    return read(item) if reader.profile.replies_are_true else None


@contextmanager
def may_have_changed_another() -> Iterator[None]:
    """An answer to a change that shows another object: the API may have changed that one."""
    try:
        yield
    except BackendError as error:
        raise OthersChanged(error.diagnostics) from error


def _compared(role: ApiRole) -> tuple[object, ...]:
    return role.name, role.description, role.protected, role.privileges, role.includes


def role_values(role: ApiRole, known: KnownObjects, uses: Iterable[str]) -> dict[str, object]:
    """Return what a role's placeholders stand for, those that are used.

    Raises:
        NoSuchPrivilege: An id is wanted of a privilege that the panel does not have.
    """
    values: dict[str, object] = {
        "id": role.id,
        "name": role.name,
        "description": role.description,
        "protected": role.protected,
    }
    used = set(uses)
    privileges = sorted(role.privileges)
    if "privileges" in used:
        values["privileges"] = privileges
    if "privilege_ids" in used:
        values["privilege_ids"] = [known.privilege_id(name) for name in privileges]
    if used & {"includes", "include_ids"}:
        included = known.names_and_ids(role.includes)
        values["includes"] = [name for name, _ in included]
        values["include_ids"] = [id for _, id in included]
    return values


def _names(known: KnownObjects, keys: Iterable[str]) -> frozenset[str]:
    names = {key: known.role(key, "") for key in keys}
    return frozenset(role.name if role else f"{UNKNOWN}{key}" for key, role in names.items())


def _presence(found: object) -> str:
    return "it is gone" if found is None else "it is still there"


def _value(what: str, found: str, wanted: str) -> str | None:
    return None if found == wanted else f"{what} is {found!r}, not {wanted!r}"


def _set(what: str, found: frozenset[str], wanted: frozenset[str]) -> str | None:
    told = []
    if missing := sorted(wanted - found):
        told.append(f"{what} missing: {_listed(missing)}")
    if extra := sorted(found - wanted):
        told.append(f"{what} too many: {_listed(extra)}")
    return ", ".join(told) or None


def _listed(names: list[str]) -> str:
    shown = ", ".join(name.removeprefix("\0") for name in names[:10])
    return shown if len(names) <= 10 else f"{shown} and {len(names) - 10} more"
