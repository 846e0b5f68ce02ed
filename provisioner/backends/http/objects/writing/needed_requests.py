"""Which requests and lists of a profile a write will take, before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, assert_never

from msgspec import Struct
from msgspec.structs import replace

from provisioner.backends.http.objects.reading.fields import ApiRole, ApiUser
from provisioner.backends.http.profile.definition import Call, Listing
from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.backends.http.objects.reading.identities import KnownObjects
    from provisioner.backends.http.profile.definition import Profile
    from provisioner.engine.writes import Write
    from provisioner.model import Role


class Need(Struct, frozen=True):
    """A request that a write will make.

    ``purpose`` completes "to ..."; ``subject`` names the object, ``about`` is it as it is known, if
    it is. ``values`` fill the placeholders of the path, as far as they can be known before.
    """

    purpose: str
    subject: str
    call: Call
    values: Mapping[str, object]
    about: ApiRole | ApiUser | None = None


class NeededList(Struct, frozen=True):
    """A list that a write will read."""

    purpose: str
    listing: Listing
    values: Mapping[str, object]


def needs(write: Write, profile: Profile, known: KnownObjects) -> Iterator[Need | NeededList]:
    """Yield what a write will ask of the API; what is known serves as an example of what is not."""
    match write:
        case CreateRole(role):
            yield from _to_make(role, profile, known)
        case UpdateRole(before, after):
            yield from _to_change(before, after, profile, known)
        case RenameRole(before):
            yield from _of_role("rename roles", before, (profile.roles.rename,), known)
        case DeleteRole(before):
            yield from _of_role("delete roles", before, (profile.roles.delete,), known)
            yield from _uses("delete roles", before, profile, known)
        case SetAssignment():
            yield from _to_assign(write, profile, known)
        case _:
            assert_never(write)


def _to_make(role: Role, profile: Profile, known: KnownObjects) -> Iterator[Need | NeededList]:
    yield Need("make roles", f"role {role.name}", profile.roles.create, {"name": role.name})
    example = known.any_role()
    granted = profile.roles.privileges
    if role.privileges and granted.list and example:
        values = {"id": example.id, **_privilege(role.privileges, known)}
        for call in filter(None, (granted.replace or granted.add,)):
            yield Need("give roles privileges", f"role {role.name}", call, values)


def _to_change(
    before: Role, after: Role, profile: Profile, known: KnownObjects
) -> Iterator[Need | NeededList]:
    granted = profile.roles.privileges
    alike = replace(after, name=before.name, id=before.id)
    calls: list[Call | None] = []
    if granted.list is None or replace(alike, privileges=before.privileges) != before:
        calls.append(profile.roles.update)
    if granted.list:
        taken, given = before.privileges - after.privileges, after.privileges - before.privileges
        if taken or given:
            calls.append(granted.replace)
        calls += [granted.remove] if taken and not granted.replace else []
        calls += [granted.add] if given and not granted.replace else []
    changed = before.privileges ^ after.privileges
    yield from _of_role("change roles", before, calls, known, _privilege(changed, known))


def _of_role(
    purpose: str,
    role: Role,
    calls: Iterable[Call | None],
    known: KnownObjects,
    more: Mapping[str, object] | None = None,
) -> Iterator[Need]:
    held = known.role(role.id, role.name)
    values: dict[str, object] = {"name": role.name, **(more or {})}
    if held:
        values["id"] = held.id
    for call in filter(None, calls):
        yield Need(purpose, f"role {role.name}", call, values, held)


def _privilege(names: Iterable[str], known: KnownObjects) -> dict[str, object]:
    """An example of a privilege, for paths that hold one."""
    name = min(names, default=None)
    if name is None:
        return {}
    id = known.id_of_privilege(name)
    return {"privilege": name} | ({} if id is None else {"privilege_id": id})


def _uses(purpose: str, role: Role, profile: Profile, known: KnownObjects) -> Iterator[NeededList]:
    held = known.role(role.id, role.name)
    if held is None or "role-in-use" in profile.roles.refuses:
        return
    values = {"role": held.name, "role_id": held.id}
    if profile.users and profile.users.holders:
        yield NeededList(purpose, profile.users.holders, values)
    for use in profile.roles.used_by:
        yield NeededList(purpose, use.list, values)


def _to_assign(
    write: SetAssignment, profile: Profile, known: KnownObjects
) -> Iterator[Need | NeededList]:
    users = profile.users
    if users is None:
        return
    held = known.user(write.user)
    taken = sorted(write.before - write.after)
    given = sorted(write.after - write.before)
    values: dict[str, object] = {"login": held.login if held else write.user}
    if held or users.id is None:
        values["id"] = held.id if held else write.user
    subject = f"user {write.user}"
    if users.get:
        yield Need("read users", subject, users.get, values, held)
    last = bool(taken) and not write.after
    if last and users.last_role_by_detour:
        roles = profile.roles
        yield Need("take last roles", subject, roles.create, {})
        example = known.any_role()
        yield Need("take last roles", subject, roles.delete, {"id": example.id} if example else {})
    if users.assign and not (last and users.last_role_by_remove):
        yield Need("assign roles", subject, users.assign, values, held)
        return
    for call, names, purpose in (
        (users.remove, taken, "take roles from users"),
        (users.add, given, "give users roles"),
    ):
        example = (known.role(None, names[0]) or known.any_role()) if names else None
        if call is None or example is None:
            continue
        filled = {**values, "role": example.name, "role_id": example.id}
        yield Need(purpose, subject, call, filled, held)
        if "other_user_ids" in call.uses and users.holders:
            yield NeededList(purpose, users.holders, filled)
