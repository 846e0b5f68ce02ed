"""What is known of the objects behind an API: which id is which name, and each as last seen.

Names change in a run and ids do not, so objects refer to each other by ids here. Writes come from
several threads; each method is whole.
"""

from __future__ import annotations

import threading
from sys import intern
from typing import TYPE_CHECKING

from msgspec import Struct, field

from provisioner.backends.http.objects.reading.fields import ApiRole, ApiUser, Id
from provisioner.backends.http.objects.reading.taken_names import TakenNames

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provisioner.model import State


class NoSuchRole(LookupError):
    """A role that is referred to by name is not there; the message is the name."""


class NoSuchPrivilege(LookupError):
    """The panel has no privilege of that name; the message is the name."""


class KnownObjects(Struct):
    """Roles by their id as text, users by case-folded login, privileges by name.

    ``is_whole`` says whether everything has been read once. Which names are taken is kept from one
    reading of the list of roles, together with what was written since.
    """

    is_whole: bool = False
    _roles: dict[str, ApiRole] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)
    _users: dict[str, ApiUser] = field(default_factory=dict)
    _privilege_ids: dict[str, Id | None] = field(default_factory=dict)
    _privilege_names: dict[str, str] = field(default_factory=dict)
    _taken: TakenNames | None = None
    _guard: threading.RLock = field(default_factory=threading.RLock)

    def learn(self, roles: Iterable[ApiRole], users: Iterable[ApiUser]) -> None:
        """Take in a whole read, instead of what was known."""
        with self._guard:
            self._roles = {role.key: role for role in roles}
            self._keys = {role.name: role.key for role in self._roles.values()}
            self._users = {user.folded: user for user in users}
            self._taken = None
            self.is_whole = True

    def learn_privileges(self, ids: Mapping[str, Id | None]) -> None:
        """Take in which privileges there are, and the ids of those that have one."""
        with self._guard:
            self._privilege_ids = dict(ids)
            self._privilege_names = {
                str(id): intern(name) for name, id in ids.items() if id is not None
            }

    def require_privileges(self, names: Iterable[str]) -> None:
        """Make sure that the panel has these, as far as it has said which it has.

        Raises:
            NoSuchPrivilege: It does not.
        """
        with self._guard:
            for name in sorted(names):
                if self._privilege_ids and name not in self._privilege_ids:
                    raise NoSuchPrivilege(name)

    def role(self, key: str | None, name: str) -> ApiRole | None:
        """Return a role by its id, or by its name where the id is not known yet."""
        with self._guard:
            return self._roles.get(key if key is not None else self._keys.get(name, ""))

    def any_role(self) -> ApiRole | None:
        """Return a role, the same one each time; None if there are none."""
        with self._guard:
            return next(iter(self._roles.values()), None)

    def put_role(self, role: ApiRole) -> None:
        """Remember a role as it is now."""
        with self._guard:
            former = self._roles.get(role.key)
            if former and self._keys.get(former.name) == role.key:
                del self._keys[former.name]
            self._roles[role.key] = role
            self._keys[role.name] = role.key
            if self._taken:
                self._taken.put(role.key, role.name)

    def drop_role(self, role: ApiRole) -> None:
        """Forget a role that is gone, its name too unless another role has it by now."""
        with self._guard:
            self._roles.pop(role.key, None)
            if self._keys.get(role.name) == role.key:
                del self._keys[role.name]
            if self._taken:
                self._taken.drop(role.key)

    @property
    def knows_names(self) -> bool:
        """Whether it is known which names are taken."""
        return self._taken is not None

    def learn_names(self, named: Iterable[tuple[str, str]]) -> None:
        """Take in which names are taken now, by which roles."""
        with self._guard:
            self._taken = TakenNames(named)

    def taken_name(self, name: str, but: str | None) -> str | None:
        """Return the name of a role that differs in case at most; ``but`` is the key of one."""
        with self._guard:
            return self._taken.taken(name, but) if self._taken else None

    def user(self, login: str) -> ApiUser | None:
        """Return a user by login, whatever its case."""
        with self._guard:
            return self._users.get(login.casefold())

    def login_of(self, id: str) -> str | None:
        """Return the login of the user with that id, as text; None if there is none."""
        with self._guard:
            return next((user.login for user in self._users.values() if str(user.id) == id), None)

    def put_user(self, user: ApiUser) -> None:
        """Remember a user as they are now."""
        with self._guard:
            self._users[user.folded] = user

    def keys_of(self, names: Iterable[str]) -> frozenset[str]:
        """Return the roles of these names.

        Raises:
            NoSuchRole: One of them is not there.
        """
        with self._guard:
            keys = {name: self._keys.get(name) for name in names}
            for name in sorted(name for name, key in keys.items() if key is None):
                raise NoSuchRole(name)
            return frozenset(key for key in keys.values() if key is not None)

    def key_of(self, name: str) -> str | None:
        """Return the role of that name; None if there is none."""
        with self._guard:
            return self._keys.get(name)

    def names_and_ids(self, keys: Iterable[str]) -> list[tuple[str, Id]]:
        """Return roles as the API knows them, sorted by name."""
        with self._guard:
            return sorted(
                (
                    (self._roles[key].name, self._roles[key].id)
                    for key in keys
                    if key in self._roles
                ),
                key=lambda pair: pair[0],
            )

    def privilege_id(self, name: str) -> Id:
        """Return a privilege's id.

        Raises:
            NoSuchPrivilege: The panel has none of that name.
        """
        with self._guard:
            id = self._privilege_ids.get(name)
            if id is None:
                raise NoSuchPrivilege(name)
            return id

    def id_of_privilege(self, name: str) -> Id | None:
        """Return a privilege's id; None if it has none, or is not there."""
        with self._guard:
            return self._privilege_ids.get(name)

    def privilege_name(self, id: Id) -> str | None:
        """Return the name of the privilege with that id; None if there is none."""
        with self._guard:
            return self._privilege_names.get(str(id))


def objects_of(
    state: State, role_etags: Mapping[str, str], user_etags: Mapping[str, str]
) -> tuple[list[ApiRole], list[ApiUser]]:
    """Return a state's roles and users in the form in which they are known here.

    ETags are by role id, and by case-folded login.
    """
    ids = {name: role.id or "" for name, role in state.roles.items()}
    roles = [
        ApiRole(
            ids[role.name],
            role.name,
            role.description,
            role.privileges,
            frozenset(ids[name] for name in role.includes),
            role.protected,
            etag=role_etags.get(ids[role.name]),
        )
        for role in state.roles.values()
    ]
    users = [
        ApiUser(held.user, held.user, frozenset(ids[n] for n in held.roles), user_etags.get(login))
        for login, held in state.assignments.items()
    ]
    return roles, users
