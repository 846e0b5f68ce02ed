"""A profile as values: what a JSON API calls the things that a backend needs, and how to ask.

The YAML form is described by ``schemas/profile.schema.json`` and docs/profiles.md;
``profile_loading`` makes these values from it, and has checked then that they go together.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from provisioner.backends.http.profile.expressions import Expression
from provisioner.model import Capabilities

Style = Literal["none", "page", "offset", "cursor", "link"]
Refusal = Literal["taken-name", "role-in-use"]


class Call(Struct, frozen=True):
    """A request with placeholders.

    ``key``: it carries an Idempotency-Key. ``match``: it carries If-Match, so that the API refuses
    it once the object has changed. ``item`` finds the object in the answer, ``id`` only its id.
    ``uses`` names the placeholders in it.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    key: bool = False
    match: bool = False
    item: Expression | None = None
    id: Expression | None = None
    uses: frozenset[str] = frozenset()


class Paging(Struct, frozen=True):
    """How an API cuts its lists into pages.

    ``query`` goes along with the request of each page. ``total`` finds the number of all items,
    ``version`` the version of the whole list, ``next`` the cursor of the next page. ``explicit``:
    the last page has ``next`` as well, so one without it is no page.
    """

    style: Style
    query: tuple[tuple[str, str], ...] = ()
    first: int = 1
    size: int | None = None
    next: Expression | None = None
    total: Expression | None = None
    version: Expression | None = None
    explicit: bool = False


class Listing(Struct, frozen=True):
    """A list that the API gives, in pages or at once; ``items`` finds the items of a page."""

    call: Call
    paging: Paging
    items: Expression


class References(Struct, frozen=True):
    """How objects refer to others: ``expression`` finds a list of their ids, or names."""

    kind: Literal["ids", "names"]
    expression: Expression


class Login(Struct, frozen=True):
    """The request that gives the token for all others, found by ``token``."""

    call: Call
    token: Expression


class PrivilegesPart(Struct, frozen=True):
    """The panel's catalogue."""

    list: Listing
    name: Expression
    id: Expression | None = None
    group: Expression | None = None
    summary: Expression | None = None
    internal: Expression | None = None
    sensitive: Expression | None = None


class Granted(Struct, frozen=True):
    """The privileges of a role.

    Without ``list`` they stand in the role and are written with it. With it they are listed apart,
    by one reference an item, and written with ``replace``, or with ``add`` and ``remove``.
    """

    refers: References
    list: Listing | None = None
    replace: Call | None = None
    add: Call | None = None
    remove: Call | None = None


class Use(Struct, frozen=True):
    """A list of other things that carry roles; ``refers`` finds the roles that an item carries.

    Without it, whatever the list holds carries the role that it was asked for.
    """

    list: Listing
    refers: References | None = None


class RolesPart(Struct, frozen=True):
    """The roles.

    ``refuses`` says what the API looks after itself. ``administrators`` names the roles that mean
    administrative access.
    """

    list: Listing
    id: Expression
    name: Expression
    privileges: Granted
    create: Call
    delete: Call
    description: Expression | None = None
    protected: Expression | None = None
    default: Expression | None = None
    etag: Expression | None = None
    includes: References | None = None
    get: Call | None = None
    update: Call | None = None
    rename: Call | None = None
    used_by: tuple[Use, ...] = ()
    refuses: frozenset[Refusal] = frozenset()
    max_name: int | None = None
    administrators: frozenset[str] = frozenset()


class UsersPart(Struct, frozen=True):
    """The users and what they hold.

    ``holders`` lists those who hold one role. ``last_role_by_remove``: a user's last role can't be
    taken away by ``assign``, but by ``remove``; ``last_role_by_detour``: nor by that, but by a role
    in its place that is deleted then.
    """

    list: Listing
    login: Expression
    roles: References
    id: Expression | None = None
    etag: Expression | None = None
    closed: bool = False
    get: Call | None = None
    assign: Call | None = None
    add: Call | None = None
    remove: Call | None = None
    holders: Listing | None = None
    last_role_by_remove: bool = False
    last_role_by_detour: bool = False


class Profile(Struct, frozen=True):
    """Everything a profile says. ``contract``: the API speaks our whole gateway contract.

    ``replies_are_true``: what an answer to a change shows is what is stored.
    """

    name: str
    roles: RolesPart
    privileges: PrivilegesPart | None = None
    users: UsersPart | None = None
    login: Login | None = None
    contract: Literal["gateway"] | None = None
    replies_are_true: bool = False

    def capabilities(self) -> Capabilities:
        """What a store of this kind can hold and do."""
        roles, users = self.roles, self.users
        return Capabilities(
            atomic=False,
            assignments=users is not None,
            includes=roles.includes is not None,
            descriptions=roles.description is not None,
            renames=roles.rename is not None,
            protection=roles.protected is not None,
            history=False,
            versions=all(call.match for call in self._changes()),
            whole_roles=roles.privileges.list is None,
            recording=False,
            closed_users=users is not None and users.closed,
        )

    def _changes(self) -> tuple[Call, ...]:
        """Every request that changes an object that is there."""
        roles, users = self.roles, self.users
        granted = roles.privileges
        calls = [roles.update, roles.rename, roles.delete]
        calls += [granted.replace, granted.add, granted.remove]
        if users:
            calls += [users.assign, users.add, users.remove]
        return tuple(call for call in calls if call)
