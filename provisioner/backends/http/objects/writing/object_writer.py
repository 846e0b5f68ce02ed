"""Writes single objects through an API, by a profile: never over what somebody else did.

Where the API compares ETags, it does so itself, if what is known is what the write begins with.
Elsewhere the object is read again just before, and just after.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NoReturn, assert_never

from msgspec.structs import replace

from provisioner.backends.http.objects.reading.fields import ApiRole
from provisioner.backends.http.objects.reading.identities import NoSuchPrivilege, NoSuchRole
from provisioner.backends.http.objects.writing.assign_roles import Assigner
from provisioner.backends.http.objects.writing.confirmed_requests import (
    RequestRunner,
    RequestStep,
    compared,
    moved,
    not_found,
)
from provisioner.backends.http.objects.writing.create_role import RoleCreator
from provisioner.backends.http.objects.writing.resources import RoleResource, role_values
from provisioner.diagnostics import Diagnostic
from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
)
from provisioner.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from provisioner.backends.http.objects.reading.identities import KnownObjects
    from provisioner.backends.http.objects.reading.object_reader import ObjectReader
    from provisioner.backends.http.profile.definition import Call, Profile
    from provisioner.engine.writes import Write
    from provisioner.model import Role


class ObjectWriter:
    """Carries out writes; any number of threads may do so at a time.

    What is not known when it is needed is read with ``refresh``, which reads everything.
    """

    def __init__(self, reader: ObjectReader, refresh: Callable[[], object]) -> None:
        self._reader = reader
        self._refresh = refresh
        self._roles = RoleResource(reader)
        self._creator = RoleCreator(reader, self._roles, self._grants)
        self._assigner = Assigner(reader, self._creator)
        self._first = threading.Lock()

    @property
    def _profile(self) -> Profile:
        return self._reader.profile

    @property
    def _known(self) -> KnownObjects:
        return self._reader.known

    def write(self, write: Write) -> None:
        """Carry out one write.

        Raises:
            StateMoved: What it is about is no longer what it was; nothing was changed.
            BackendError: The API can't do it, refuses it, or does something else.
        """
        with self._first:
            if not self._known.is_whole:
                self._refresh()
        try:
            self._dispatch(write)
        except NoSuchRole as missing:
            moved("no-such-role", f"there is no role {missing}")
        except NoSuchPrivilege as missing:
            message = f"the panel has no privilege {missing}; nothing was changed"
            raise BackendError(Diagnostic("no-such-privilege", message)) from None

    def _dispatch(self, write: Write) -> None:
        match write:
            case CreateRole(role):
                self._known.put_role(self._creator.make(self._wanted(role, None)))
            case UpdateRole(before, after):
                self._update(before, after)
            case RenameRole(before, name):
                self._rename(before, name)
            case DeleteRole(before):
                self._delete(before)
            case SetAssignment():
                self._assigner.assign(write)
            case _:
                assert_never(write)

    def _update(self, before: Role, after: Role) -> None:
        part = self._profile.roles
        calls = [part.update, part.privileges.replace, part.privileges.add, part.privileges.remove]
        held = self._expected(before, calls)
        wanted = self._wanted(replace(after, name=before.name), held)
        steps = self._content(held, wanted) + self._grants(held, wanted)
        if steps:
            self._run_on_role(steps)

    def _rename(self, before: Role, name: str) -> None:
        call = self._profile.roles.rename
        if call is None:
            _unsupported("can't rename roles")
        self._require_length(name)
        held = self._expected(before, [call])
        self._creator.require_free(name, but=held.key)
        wanted = replace(held, name=name)
        what = f"rename role {before.name} to {name}"
        self._run_on_role([self._step(what, call, held, wanted)])

    def _delete(self, before: Role) -> None:
        part = self._profile.roles
        held = self._expected(before, [part.delete])
        if "role-in-use" not in part.refuses and (use := self._reader.use(held)):
            moved("role-in-use", f"role {before.name} can't be deleted: {use}")
        values = role_values(held, self._known, part.delete.uses)
        step = RequestStep(f"delete role {before.name}", part.delete, lambda: values, held, None)
        RequestRunner(self._reader.lists.client, self._roles).run([step])
        self._known.drop_role(held)

    def _run_on_role(self, steps: Sequence[RequestStep[ApiRole]]) -> None:
        made = RequestRunner(self._reader.lists.client, self._roles).run(steps)
        if made is not None:
            self._known.put_role(made)

    def _content(self, held: ApiRole, wanted: ApiRole) -> list[RequestStep[ApiRole]]:
        """The step that writes what stands in the role itself; none if that is as it should be."""
        part = self._profile.roles
        target = replace(wanted, privileges=held.privileges) if part.privileges.list else wanted
        if part.update is None or self._roles.difference(held, target) is None:
            return []
        return [self._step(f"update role {held.name}", part.update, held, target)]

    def _grants(self, held: ApiRole, wanted: ApiRole) -> list[RequestStep[ApiRole]]:
        """The steps that write the privileges where they are written apart: less, then more."""
        granted = self._profile.roles.privileges
        if granted.list is None or held.privileges == wanted.privileges:
            return []
        before = replace(wanted, privileges=held.privileges, etag=held.etag)
        if granted.replace:
            what = f"set the privileges of {wanted.name}"
            return [self._step(what, granted.replace, before, wanted)]
        steps: list[RequestStep[ApiRole]] = []
        taken = sorted(held.privileges - wanted.privileges)
        given = sorted(wanted.privileges - held.privileges)
        for call, names, verb in ((granted.remove, taken, "take"), (granted.add, given, "give")):
            single = call is not None and bool(call.uses & {"privilege", "privilege_id"})
            for some in [[name] for name in names] if single else [names]:
                if call is None or not some:
                    continue
                now = frozenset(some)
                less = before.privileges - now if verb == "take" else before.privileges | now
                after = replace(before, privileges=less)
                steps.append(self._grant(f"{verb} {', '.join(some)}", call, before, after, some))
                before = after
        return steps

    def _grant(
        self, what: str, call: Call, before: ApiRole, after: ApiRole, names: Sequence[str]
    ) -> RequestStep[ApiRole]:
        """The step that adds or removes some privileges."""
        values = role_values(replace(after, privileges=frozenset(names)), self._known, call.uses)
        if call.uses & {"privilege", "privilege_id"}:
            values["privilege"] = names[0]
        if "privilege_id" in call.uses:
            values["privilege_id"] = self._known.privilege_id(names[0])
        return RequestStep(f"{what} (role {after.name})", call, lambda: values, before, after)

    def _step(self, what: str, call: Call, before: ApiRole, after: ApiRole) -> RequestStep[ApiRole]:
        values = role_values(after, self._known, call.uses)
        return RequestStep(what, call, lambda: values, before, after)

    def _expected(self, before: Role, calls: Iterable[Call | None]) -> ApiRole:
        """The role that a write begins with, once it is certain that it is so, or will be refused.

        Raises:
            StateMoved: It is another, or gone.
        """
        content = self._as_api_role(before)
        held = self._known.role(before.id, before.name)
        if held is None:
            self._refresh()
            held = self._known.role(before.id, before.name)
        elif held.etag and compared(*calls) and self._roles.difference(held, content) is None:
            return held
        found = self._reader.role(held.id, held.name) if held else None
        if found is None:
            get = self._profile.roles.get
            if held and get and self._reader.has_role(held.id):
                not_found(f"role {before.name}", get)
            moved("role-gone", f"role {before.name} does not exist any more")
        self._known.put_role(found)
        if difference := self._roles.difference(found, content):
            moved("role-changed", f"role {before.name} changed since it was read: {difference}")
        return found

    def _wanted(self, role: Role, held: ApiRole | None) -> ApiRole:
        """A role as it should be, without what the API has no room for; ``held`` is as it is."""
        part = self._profile.roles
        self._require_length(role.name)
        if role.includes and not part.includes:
            _unsupported("has no included roles")
        # Before anything is sent: later, a part of it would be done.
        self._known.require_privileges(role.privileges - (held.privileges if held else frozenset()))
        return replace(
            self._as_api_role(role),
            id=held.id if held else "",
            description=role.description if part.description else "",
            protected=role.protected and part.protected is not None,
        )

    def _as_api_role(self, role: Role) -> ApiRole:
        return ApiRole(
            role.id or "",
            role.name,
            role.description,
            role.privileges,
            self._known.keys_of(role.includes),
            role.protected,
        )

    def _require_length(self, name: str) -> None:
        most = self._profile.roles.max_name
        if most is not None and len(name) > most:
            message = f"role {name} has a name of {len(name)} characters, and the API takes {most}"
            remedy = "give it a shorter name"
            raise BackendError(
                Diagnostic("name-too-long", f"{message}; nothing was changed", None, remedy)
            )


def _unsupported(what: str) -> NoReturn:
    raise BackendError(Diagnostic("unsupported", f"the API {what}; nothing was changed"))
