"""Makes roles through an API: never twice, never over a name that is taken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner.backends.http.objects.calls import bad_reply, request_of, where
from provisioner.backends.http.objects.lists.paging import Item
from provisioner.backends.http.objects.reading.fields import ApiRole, identity, text
from provisioner.backends.http.objects.reading.object_reader import ObjectReader
from provisioner.backends.http.objects.writing.confirmed_requests import (
    RequestRunner,
    RequestStep,
    broken_off,
    not_kept,
)
from provisioner.backends.http.objects.writing.resources import (
    RoleResource,
    may_have_changed_another,
    role_values,
)
from provisioner.backends.http.transport.messages import LostReply
from provisioner.backends.http.transport.refusals import refusal
from provisioner.diagnostics import Diagnostic
from provisioner.errors import BackendError, ProvisionerError, StateMoved

if TYPE_CHECKING:
    from provisioner.backends.http.transport.messages import Reply

_CONFLICT = 409
# How APIs refuse a name that is taken, and much else.
_PERHAPS_TAKEN = frozenset({400, _CONFLICT, 422})


class RoleCreator(Struct, frozen=True):
    """Makes roles by a profile; ``fill`` says by which steps a new role gets its privileges."""

    reader: ObjectReader
    resource: RoleResource
    fill: Callable[[ApiRole, ApiRole], list[RequestStep[ApiRole]]]
    first: threading.Lock = field(default_factory=threading.Lock)

    def make(self, wanted: ApiRole) -> ApiRole:
        """Make a role (``wanted`` has no id yet) and return it as it is then.

        Raises:
            StateMoved: The name is taken; nothing was changed.
            BackendError: It failed; the message says what is there now.
        """
        self.require_free(wanted.name)
        apart = self.reader.profile.roles.privileges.list is not None
        bare = replace(wanted, privileges=frozenset()) if apart else wanted
        made = self._made(bare)
        steps = self.fill(made, replace(wanted, id=made.id))
        done = f"make role {wanted.name}"
        if steps:
            runner = RequestRunner(self.reader.lists.client, self.resource)
            return runner.run(steps, done=[done]) or made
        if difference := self.resource.difference(made, bare):
            not_kept(done, difference)
        return made

    def require_free(self, name: str, *, but: str | None = None) -> None:
        """Make sure that no role has a name, whatever its case; ``but`` is an id that may.

        The names are read once and kept: to read them for each of a thousand roles would be a
        thousand lists.

        Raises:
            StateMoved: One has.
        """
        if "taken-name" in self.reader.profile.roles.refuses:
            return
        with self.first:
            if not self.reader.known.knows_names:
                self._learn_names()
        if other := self.reader.known.taken_name(name, but):
            raise _taken(other)

    def _learn_names(self) -> None:
        part = self.reader.profile.roles
        self.reader.known.learn_names(
            (str(identity(item, part.id)), text(item, part.name, "a name"))
            for item in self.reader.role_items()
        )

    def _made(self, bare: ApiRole) -> ApiRole:
        call = self.reader.profile.roles.create
        values = role_values(bare, self.reader.known, call.uses)
        what = f"make role {bare.name}"
        request = request_of(call, values)
        try:
            with self.reader.role_list.changing():
                reply = self.reader.lists.client.send(request)
        except LostReply as error:
            return self._found(bare, error)
        if reply.status >= 400:
            refused = refusal(reply, what)
            if reply.perhaps_repeated and reply.status == _CONFLICT:
                return self._found(bare, refused)
            raise self._explained(bare, reply, refused)
        try:
            made = self._shown(bare, reply)
        except ProvisionerError as error:
            raise broken_off([what], ["read it back"], error) from error
        if made is None:
            not_kept(what, "there is no such role")
        return made

    def _explained(
        self, bare: ApiRole, reply: Reply, refused: ProvisionerError
    ) -> ProvisionerError:
        """A refusal, or that somebody else took the name meanwhile, which may be why."""
        if reply.perhaps_repeated or reply.status not in _PERHAPS_TAKEN:
            return refused
        try:
            other = self.reader.name_like(bare.name)
        except ProvisionerError:
            return refused
        return _taken(other, *refused.diagnostics) if other else refused

    def _shown(self, bare: ApiRole, reply: Reply) -> ApiRole | None:
        """The new role as the answer shows it, if that may be believed, or as it is read then."""
        call = self.reader.profile.roles.create
        if item := self.reader.item_in(reply, call):
            made = self.reader.role_in(item)
            if made and (other := self.reader.known.role(made.key, "")):
                shown = f"shows role {other.name} (id {made.id}), which was there before"
                with may_have_changed_another():
                    bad_reply(item.where, shown)
            if made is None or self.reader.profile.replies_are_true:
                return made
            return self.reader.role(made.id, bare.name)
        if call.id is None:
            return self.reader.role_named(bare.name)
        id = identity(Item(reply.body, where(reply, call.method)), call.id)
        return self.reader.role(id, bare.name)

    def _found(self, bare: ApiRole, error: ProvisionerError) -> ApiRole:
        """The role that a request made whose answer is lost; it is not sent again."""
        found = self.reader.role_named(bare.name)
        if found is not None and self.resource.difference(found, bare) is None:
            return found
        there = "it is not there" if found is None else "one of that name is there, but another"
        message = f"looked for role {bare.name} afterwards: {there}"
        raise BackendError([*error.diagnostics, Diagnostic("not-made", message)]) from error


def _taken(other: str, *more: Diagnostic) -> StateMoved:
    message = f"a role named {other} exists already; nothing was changed"
    return StateMoved([Diagnostic("name-taken", message, None, "plan again"), *more])
