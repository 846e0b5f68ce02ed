"""Takes a user's last role where an API refuses to: by a role in its place, which is deleted then.

Some APIs take a user's last role only with the whole list of who else holds that role. Whatever
somebody else assigns between reading that list and writing it would be lost, and nothing would show
it. A role of our own without privileges, which replaces the last one and is deleted with whatever
holds it, touches nobody else. Whoever holds it carries nothing, so that no moment has more access
than before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace

from provisioner.backends.http.objects.reading.fields import ApiRole, ApiUser
from provisioner.backends.http.objects.writing.confirmed_requests import (
    RequestRunner,
    RequestStep,
    not_kept,
)
from provisioner.backends.http.objects.writing.create_role import RoleCreator
from provisioner.backends.http.objects.writing.resources import UserResource, role_values
from provisioner.diagnostics import Diagnostic
from provisioner.errors import OthersChanged, ProvisionerError

PREFIX: Final = "provisioner-leaving-"
_ABOUT: Final = "Stands in for a last role that is being taken away, and is deleted then."


class Detour(Struct, frozen=True):
    """Takes last roles; ``give`` says by which step a user holds exactly some roles."""

    creator: RoleCreator
    give: Callable[[ApiUser, ApiUser], RequestStep[ApiUser]]

    def take(self, held: ApiUser) -> ApiUser:
        """Leave a user without roles; return them as they are then.

        Raises:
            StateMoved: The user does not hold what was expected; nothing was changed.
            BackendError: It failed.
            OthersChanged: A temporary role is left behind, which is named.
        """
        reader, known = self.creator.reader, self.creator.reader.known
        about = _ABOUT if reader.profile.roles.description else ""
        stand_in = self.creator.make(ApiRole("", f"{PREFIX}{uuid4().hex[:12]}", about))
        known.put_role(stand_in)
        resource = UserResource(reader)
        step = self.give(held, replace(held, roles=frozenset({stand_in.key})))
        try:
            RequestRunner(reader.lists.client, resource).run([step])
        except ProvisionerError as error:
            self._delete(stand_in, error)
            raise
        self._delete(stand_in, None)
        wanted = replace(held, roles=frozenset())
        found = resource.read(held)
        if difference := resource.difference(found, wanted):
            not_kept(f"take the last role of {held.login}", difference)
        return found or wanted

    def _delete(self, stand_in: ApiRole, before: ProvisionerError | None) -> None:
        reader = self.creator.reader
        call = reader.profile.roles.delete
        values = role_values(stand_in, reader.known, call.uses)
        what = f"delete the temporary role {stand_in.name}"
        step = RequestStep(what, call, lambda: values, stand_in, None)
        try:
            RequestRunner(reader.lists.client, self.creator.resource).run([step])
        except ProvisionerError as error:
            message = f"the temporary role {stand_in.name} is left behind; it has no privileges"
            left = Diagnostic("left-behind", message, None, "delete it in the panel")
            earlier = before.diagnostics if before else ()
            raise OthersChanged([*earlier, left, *error.diagnostics]) from error
        reader.known.drop_role(stand_in)
