"""Reads everything behind an API: privileges, roles, users, and how they belong together.

The lists are read one after the other, so what they say of each other can differ for a moment: a
user may hold a role that was made after the roles were listed. Then everything is read again; if it
stays so, it is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from sys import intern
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from provisioner.backends.http.objects.calls import bad_reply
from provisioner.backends.http.objects.lists.paging import Gone
from provisioner.backends.http.objects.lists.steady_reading import Changed, steadily
from provisioner.backends.http.objects.reading.fields import (
    ApiRole,
    ApiUser,
    flag,
    identity,
    optional_text,
    role_of,
    text,
    user_of,
)
from provisioner.model import Assignment, Catalogue, Privilege, Role, Snapshot, State

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from provisioner.backends.http.objects.lists.paging import Item, Listed
    from provisioner.backends.http.objects.reading.fields import Id
    from provisioner.backends.http.objects.reading.object_reader import ObjectReader
    from provisioner.backends.http.profile.definition import References

_DANGLING: Final = (
    "the API refers to what it does not list: probably that was deleted there, and this reference "
    "stayed. Take the reference away in the panel; if what it leads to is there after all, the "
    "profile does not list all of them"
)
_In = TypeVar("_In")
_Out = TypeVar("_Out")


class WholePanel(Struct, frozen=True):
    """A whole read. ``privileges`` is None where the API does not say which there are."""

    roles: tuple[ApiRole, ...]
    users: tuple[ApiUser, ...]
    privileges: Mapping[str, Privilege] | None

    def snapshot(self, name: str, *, closed: bool) -> Snapshot:
        """Return it in the planner's terms; ``name`` is the catalogue's."""
        names = {role.key: intern(role.name) for role in self.roles}
        roles = {
            names[role.key]: Role(
                names[role.key],
                role.description,
                role.privileges,
                frozenset(names[key] for key in role.includes),
                role.protected,
                role.key,
            )
            for role in self.roles
        }
        assignments = {
            user.folded: Assignment(user.login, frozenset(names[key] for key in user.roles))
            for user in self.users
            if user.roles
        }
        catalogue = None
        if self.privileges is not None:
            defaults = tuple(roles[role.name] for role in self.roles if role.default)
            catalogue = Catalogue(name, self.privileges, defaults)
        known = frozenset(user.folded for user in self.users) if closed else None
        return Snapshot(State(roles, assignments), catalogue=catalogue, users=known)


def read_whole_panel(reader: ObjectReader, threads: int) -> WholePanel:
    """Read everything; ``threads`` is how many requests are under way at a time.

    Raises:
        BackendError: Something could not be read whole, or is not what the profile says.
    """
    return steadily(lambda: _read(reader, threads), "read the roles and users")


def side_by_side(work: Callable[[_In], _Out], items: Collection[_In], threads: int) -> list[_Out]:
    """Do the same work on all items, some at a time; after an error nothing more is begun."""
    if threads == 1 or len(items) < 2:
        return [work(item) for item in items]
    pool = ThreadPoolExecutor(min(threads, len(items)), thread_name_prefix="read")
    try:
        return list(pool.map(work, items))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _read(reader: ObjectReader, threads: int) -> WholePanel:
    versions: list[tuple[str, object]] = []
    privileges = _privileges(reader, versions)
    roles = _roles(reader, threads, versions)
    users = _users(reader, roles, versions) if reader.profile.users else []
    return WholePanel(tuple(roles), tuple(users), privileges)


def _items(listed: Listed, what: str, versions: list[tuple[str, object]]) -> list[Item]:
    """The items of a list, once it is of the same version as the ones before."""
    if listed.version is not None:
        for other, version in versions:
            if version != listed.version:
                why = f"the version of the {what} differs from that of the {other}"
                raise Changed(f"{listed.where}: {why}")
        versions.append((what, listed.version))
    return listed.items


def _privileges(
    reader: ObjectReader, versions: list[tuple[str, object]]
) -> dict[str, Privilege] | None:
    part = reader.profile.privileges
    if part is None:
        return None
    key = part.id or part.name
    listed = reader.lists.whole(
        part.list, "list the privileges", identity=lambda item: identity(item, key)
    )
    items = _items(listed, "privileges", versions)
    found: dict[str, Privilege] = {}
    ids: dict[str, Id | None] = {}
    for item in items:
        name = text(item, part.name, "a name")
        if name in found:
            bad_reply(f"{item.where}.{part.name.text}", f"{name} is there twice")
        found[name] = Privilege(
            name,
            optional_text(item, part.group),
            optional_text(item, part.summary) or "",
            internal=flag(item, part.internal),
            sensitive=flag(item, part.sensitive),
        )
        ids[name] = identity(item, part.id) if part.id else None
    reader.known.learn_privileges(ids)
    return found


def _roles(reader: ObjectReader, threads: int, versions: list[tuple[str, object]]) -> list[ApiRole]:
    part = reader.profile.roles
    items = _items(reader.roles_listed(), "roles", versions)
    parsed = [role_of(item, part) for item in items]
    keys = _keys(part.includes, [role for role, _, _ in parsed])
    _require_distinct(
        (item, part.name.text, role.name) for item, (role, _, _) in zip(items, parsed, strict=True)
    )
    apart = part.privileges.list is not None
    each = [(item, role) for item, (role, _, _) in zip(items, parsed, strict=True)] if apart else ()
    listed = side_by_side(lambda pair: _granted(reader, *pair), each, threads)
    roles = []
    for index, (item, (role, granted, includes)) in enumerate(zip(items, parsed, strict=True)):
        told = listed[index] if apart else granted or ()
        names = _named(reader, part.privileges.refers, told, item)
        included = _linked(part.includes, includes or (), keys, item) if part.includes else ()
        roles.append(replace(role, privileges=frozenset(names), includes=frozenset(included)))
    return roles


def _granted(reader: ObjectReader, item: Item, role: ApiRole) -> Sequence[Id]:
    try:
        return reader.granted(role)
    except Gone as gone:
        refused = gone.refused.diagnostics[0].message
        why = f"role {role.name} is listed, but its privileges are not found: {refused}"
        raise Changed(f"{item.where}: {why}") from None


def _users(
    reader: ObjectReader, roles: Sequence[ApiRole], versions: list[tuple[str, object]]
) -> list[ApiUser]:
    part = reader.users_part
    items = _items(reader.users_listed(), "users", versions)
    keys = _keys(part.roles, roles)
    users = []
    for item in items:
        user, held = user_of(item, part)
        users.append(replace(user, roles=frozenset(_linked(part.roles, held, keys, item))))
    _require_distinct(
        (item, part.login.text, user.login) for item, user in zip(items, users, strict=True)
    )
    return users


def _named(
    reader: ObjectReader, refers: References, told: Iterable[Id], item: Item
) -> Iterable[str]:
    for each in told:
        name = reader.privilege(refers, each)
        if name is None:
            raise Changed(f"{item.where}: no privilege has the id {each}", _DANGLING)
        # The same few hundred names fill thousands of roles.
        yield intern(name)


def _linked(
    refers: References, told: Iterable[Id], keys: Mapping[str, str], item: Item
) -> Iterable[str]:
    """The roles that are referred to; ``keys`` leads to them, from ids or names as the case is."""
    for each in told:
        key = keys.get(str(each))
        if key is None:
            what = f"no role has the {refers.kind.removesuffix('s')} {each}"
            raise Changed(f"{item.where}.{refers.expression.text}: {what}", _DANGLING)
        yield key


def _keys(refers: References | None, roles: Iterable[ApiRole]) -> dict[str, str]:
    by_id = refers is not None and refers.kind == "ids"
    return {(role.key if by_id else role.name): role.key for role in roles}


def _require_distinct(named: Iterable[tuple[Item, str, str]]) -> None:
    seen: dict[str, str] = {}
    for item, field, name in named:
        if other := seen.get(name.casefold()):
            why = (
                f"{name} is there twice"
                if other == name
                else f"{name} differs from {other} only in case"
            )
            bad_reply(f"{item.where}.{field}", f"{why}; rename one of them there")
        seen[name.casefold()] = name
