"""Reads single objects behind an API as they are now, and who uses them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from provisioner.backends.http.objects.calls import bad_reply, request_of, where
from provisioner.backends.http.objects.lists.paging import NOT_FOUND, Gone, Item
from provisioner.backends.http.objects.lists.role_list import RoleList
from provisioner.backends.http.objects.reading.fields import (
    identity,
    references,
    role_of,
    text,
    user_of,
)
from provisioner.backends.http.profile.expressions import Unusable
from provisioner.backends.http.transport.refusals import require_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from provisioner.backends.http.objects.lists.paging import Listed, Lists
    from provisioner.backends.http.objects.reading.fields import ApiRole, ApiUser, Id
    from provisioner.backends.http.objects.reading.identities import KnownObjects
    from provisioner.backends.http.profile.definition import (
        Call,
        Listing,
        Profile,
        References,
        UsersPart,
    )
    from provisioner.backends.http.profile.expressions import Expression
    from provisioner.backends.http.transport.messages import Reply

# What an unknown id stands for: no name begins so, so it equals nothing that anybody asks for.
UNKNOWN: Final = "\0unknown id "


@dataclass(frozen=True, slots=True)
class ObjectReader:
    """Reads by a profile. What ids mean is looked up in ``known``.

    ``role_list`` keeps the list of roles from being read while we change it.
    """

    lists: Lists
    profile: Profile
    known: KnownObjects
    role_list: RoleList = field(init=False)

    def __post_init__(self) -> None:
        """Make the list of roles, which reads by this."""
        object.__setattr__(self, "role_list", RoleList(self._roles_listed))

    def role(self, id: Id, name: str) -> ApiRole | None:
        """Return one role as it is now; None if it is gone."""
        part = self.profile.roles
        if part.get is not None:
            item = self._object(part.get, {"id": id, "name": name}, f"read role {name}")
            if item is not None:
                self.require_about_role(item, id)
            return self.role_in(item) if item else None
        for item in self.role_items():
            if str(identity(item, part.id)) == str(id):
                return self.role_in(item)
        return None

    def role_named(self, name: str) -> ApiRole | None:
        """Return the role of exactly that name as it is now; None if there is none."""
        part = self.profile.roles
        for item in self.role_items():
            if text(item, part.name, "a name") == name:
                # Not all that a role has must stand in the list, if it can be read by itself.
                id = identity(item, part.id)
                return self.role_in(item) if part.get is None else self.role(id, name)
        return None

    def name_like(self, name: str) -> str | None:
        """Return the name of a role that differs in case at most; None if there is none."""
        part = self.profile.roles
        names = (text(item, part.name, "a name") for item in self.role_items())
        return next((other for other in names if other.casefold() == name.casefold()), None)

    def has_role(self, id: Id) -> bool:
        """Whether the list of roles has one now; a 404 may come from elsewhere on the way."""
        part = self.profile.roles
        return any(str(identity(item, part.id)) == str(id) for item in self.role_items())

    def role_items(self) -> list[Item]:
        """Return the list of roles as it is now, without what is listed apart."""
        return self.roles_listed().items

    def roles_listed(self) -> Listed:
        """Return the list of roles as it is now, and its version."""
        return self.role_list.listed()

    def _roles_listed(self) -> Listed:
        part = self.profile.roles
        return self.lists.whole(
            part.list, "list the roles", identity=lambda item: identity(item, part.id)
        )

    def role_in(self, item: Item) -> ApiRole | None:
        """Return the role that an answer holds, with what is listed apart; None if it is gone."""
        role, granted, includes = role_of(item, self.profile.roles)
        refers = self.profile.roles.privileges.refers
        if granted is None:
            try:
                granted = self.granted(role)
            except Gone:
                return None
        names = frozenset(self.privilege(refers, each) or f"{UNKNOWN}{each}" for each in granted)
        keys: frozenset[str] = frozenset()
        if includes is not None and (included := self.profile.roles.includes):
            keys = frozenset(self.key(included, each) for each in includes)
        return replace(role, privileges=names, includes=keys)

    def granted(self, role: ApiRole) -> list[Id]:
        """Return the privileges of a role that are listed apart, as written.

        Raises:
            Gone: The role does not exist any more.
        """
        granted = self.profile.roles.privileges
        assert granted.list is not None  # noqa: S101 - asked only then
        expression = granted.refers.expression
        items = self.lists.all_of(
            granted.list,
            f"list the privileges of {role.name}",
            {"id": role.id, "name": role.name},
            lambda item: identity(item, expression),
        )
        return [identity(item, expression) for item in items]

    def user(self, login: str, id: Id | None) -> ApiUser | None:
        """Return one user as they are now; None if there is none."""
        part = self.users_part
        if part.get is not None and (id is not None or part.id is None):
            values = {"id": login if id is None else id, "login": login}
            item = self._object(part.get, values, f"read user {login}")
            if item is not None:
                self.require_about_user(item, values["id"])
            return self.user_in(item) if item else None
        for item in self.user_items():
            if text(item, part.login, "a login").casefold() == login.casefold():
                return self.user_in(item)
        return None

    def user_items(self) -> list[Item]:
        """Return the list of users as it is now."""
        return self.users_listed().items

    def users_listed(self) -> Listed:
        """Return the list of users, and its version."""
        part = self.users_part
        key = part.id or part.login
        return self.lists.whole(
            part.list, "list the users", identity=lambda item: identity(item, key)
        )

    def user_in(self, item: Item) -> ApiUser:
        """Return the user that an answer holds."""
        part = self.users_part
        user, roles = user_of(item, part)
        return replace(user, roles=frozenset(self.key(part.roles, each) for each in roles))

    def holders(self, role: ApiRole) -> list[Id]:
        """Return the ids of the users who hold a role now.

        Raises:
            BackendError: They can't be listed; that there is no such list does not mean nobody.
        """
        part = self.users_part
        if part.holders is None:
            users = [self.user_in(item) for item in self.user_items()]
            return [user.id for user in users if role.key in user.roles]
        key = part.id or part.login
        items = self._about(
            role, part.holders, f"list who holds {role.name}", lambda item: identity(item, key)
        )
        return [identity(item, key) for item in items]

    def use(self, role: ApiRole) -> str | None:
        """Say what uses a role now; None if nothing does.

        Raises:
            BackendError: It can't be known.
        """
        if self.profile.users and (holders := self.holders(role)):
            return "1 user holds it" if len(holders) == 1 else f"{len(holders)} users hold it"
        part = self.profile.roles
        if part.includes:
            for item in self.role_items():
                other, _, includes = role_of(item, part)
                keys = {self.key(part.includes, each) for each in includes or ()}
                if role.key in keys and other.key != role.key:
                    return f"role {other.name} includes it"
        for use in part.used_by:
            for item in self._about(role, use.list, f"list what carries {role.name}"):
                if use.refers is None or role.key in {
                    self.key(use.refers, each) for each in references(item, use.refers)
                }:
                    return f"something else carries it ({item.where})"
        return None

    def require_about_role(self, item: Item, id: Id) -> None:
        """Make sure that an answer shows the role of that id, and no other.

        Raises:
            BackendError: It shows another.
        """
        _require_about(item, self.profile.roles.id, id)

    def require_about_user(self, item: Item, id: Id, login: str | None = None) -> None:
        """Make sure that an answer shows the user of that id (the login, where there are no ids).

        ``login`` is what they must still be called, if anything.

        Raises:
            BackendError: It shows another.
        """
        part = self.users_part
        if part.id is not None:
            _require_about(item, part.id, id)
        due = login if part.id is not None else str(id)
        if due is not None and text(item, part.login, "a login").casefold() != due.casefold():
            _require_about(item, part.login, due)

    def item_in(self, reply: Reply, call: Call) -> Item | None:
        """Return the object that an answer to a call holds, if it holds one."""
        if call.item is None:
            return None
        place = where(reply, call.method)
        try:
            found = call.item.of(reply.body)
        except Unusable as error:
            bad_reply(place, f"{call.item.text}: {error}")
        if not isinstance(found, dict):
            bad_reply(place, f"{call.item.text}: there is no object")
        name = "the answer" if call.item.text == "@" else call.item.text
        return Item(found, f"{place}: {name}", reply.headers.get("ETag"))

    def privilege(self, refers: References, value: Id) -> str | None:
        """Return the name of a privilege that is referred to; None for an id that nobody knows."""
        return self.known.privilege_name(value) if refers.kind == "ids" else str(value)

    def key(self, refers: References, value: Id) -> str:
        """Return the id, as text, of a role that is referred to."""
        if refers.kind == "ids":
            return str(value)
        return self.known.key_of(str(value)) or f"{UNKNOWN}{value}"

    @property
    def users_part(self) -> UsersPart:
        """What the profile says of users; asked only where it says something."""
        assert self.profile.users is not None  # noqa: S101
        return self.profile.users

    def _about(
        self,
        role: ApiRole,
        listing: Listing,
        what: str,
        identity: Callable[[Item], Hashable] | None = None,
    ) -> list[Item]:
        """A list that is asked for by a role; that there is none is an error."""
        values = {"role": role.name, "role_id": role.id}
        try:
            return self.lists.all_of(listing, what, values, identity)
        except Gone as gone:
            raise gone.refused from None

    def _object(self, call: Call, values: Mapping[str, object], what: str) -> Item | None:
        reply = self.lists.client.send(request_of(call, values))
        if reply.status == NOT_FOUND:
            return None
        require_whole(reply, what)
        return self.item_in(reply, call)


def _require_about(item: Item, expression: Expression, id: Id) -> None:
    found = identity(item, expression)
    if str(found) != str(id):
        place = item.where if expression.text == "@" else f"{item.where}.{expression.text}"
        bad_reply(place, f"shows {found}, and this was about {id}")
