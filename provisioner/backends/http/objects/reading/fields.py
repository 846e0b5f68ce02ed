"""Roles, users and privileges as an API shows them: fields found, checked, and named by where.

References between objects are kept as ids here, in their form as text, so that a rename changes
nothing but one name. ``known`` makes names of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from msgspec import Struct

from provisioner.backends.http.objects.calls import bad_reply
from provisioner.backends.http.profile.expressions import Unusable, described

if TYPE_CHECKING:
    from provisioner.backends.http.objects.lists.paging import Item
    from provisioner.backends.http.profile.definition import References, RolesPart, UsersPart
    from provisioner.backends.http.profile.expressions import Expression

Id = str | int
_NONE: Final[frozenset[str]] = frozenset()


class ApiRole(Struct, frozen=True):
    """A role. ``id`` is as the API writes it; ``privileges`` are names, ``includes`` keys."""

    id: Id
    name: str
    description: str = ""
    privileges: frozenset[str] = _NONE
    includes: frozenset[str] = _NONE
    protected: bool = False
    default: bool = False
    etag: str | None = None

    @property
    def key(self) -> str:
        """The id as text, which is how the rest of the program knows it."""
        return str(self.id)


class ApiUser(Struct, frozen=True):
    """A user, and the keys of the roles that they hold."""

    id: Id
    login: str
    roles: frozenset[str] = _NONE
    etag: str | None = None

    @property
    def key(self) -> str:
        """The id as text."""
        return str(self.id)

    @property
    def folded(self) -> str:
        """The login in the form in which logins are compared."""
        return self.login.casefold()


def role_of(item: Item, part: RolesPart) -> tuple[ApiRole, list[Id] | None, list[Id] | None]:
    """Return a role, and what it says of its privileges and includes, as written.

    The references are None where the role does not hold them.
    """
    role = ApiRole(
        identity(item, part.id),
        text(item, part.name, "a name"),
        _description(item, part.description),
        protected=flag(item, part.protected),
        default=flag(item, part.default),
        etag=_etag(item, part.etag),
    )
    granted = None if part.privileges.list else references(item, part.privileges.refers)
    includes = references(item, part.includes) if part.includes else None
    return role, granted, includes


def user_of(item: Item, part: UsersPart) -> tuple[ApiUser, list[Id]]:
    """Return a user without roles, and what the item says of the roles, as written."""
    login = text(item, part.login, "a login")
    id = identity(item, part.id) if part.id else login
    return ApiUser(id, login, etag=_etag(item, part.etag)), references(item, part.roles)


def text(item: Item, expression: Expression, kind: str) -> str:
    """Return a text that must be there, and not be empty."""
    found = _found(item, expression)
    if not isinstance(found, str):
        _fail(item, expression, found, f"a text, {kind}")
    if not found:
        bad_reply(_at(item, expression), "is empty")
    return found


def optional_text(item: Item, expression: Expression | None) -> str | None:
    """Return a text; None where there is none, or no expression for it."""
    if expression is None:
        return None
    found = _found(item, expression)
    if found is None:
        return None
    if not isinstance(found, str):
        _fail(item, expression, found, "a text")
    return found


def flag(item: Item, expression: Expression | None) -> bool:
    """Return a yes or no; no where there is no expression for it."""
    if expression is None:
        return False
    found = _found(item, expression)
    if not isinstance(found, bool):
        _fail(item, expression, found, "true or false")
    return found


def identity(item: Item, expression: Expression) -> Id:
    """Return an id: a text or a whole number."""
    return _id(item, expression, _found(item, expression))


def references(item: Item, refers: References) -> list[Id]:
    """Return a list of ids or names as written."""
    expression = refers.expression
    found = _found(item, expression)
    if not isinstance(found, list):
        _fail(item, expression, found, "a list", expression.nothing_as_empty(found))
    return [_id(item, expression, each) for each in found]


def _etag(item: Item, expression: Expression | None) -> str | None:
    return text(item, expression, "an ETag") if expression else item.etag


def _description(item: Item, expression: Expression | None) -> str:
    # Many APIs write an absent description as null.
    return optional_text(item, expression) or ""


def _id(item: Item, expression: Expression, found: object) -> Id:
    if isinstance(found, bool) or not isinstance(found, (str, int)):
        _fail(item, expression, found, "a text or a whole number")
    if isinstance(found, int):
        return found
    if not found:
        bad_reply(_at(item, expression), "is empty")
    return found


def _found(item: Item, expression: Expression) -> Any:
    try:
        return expression.of(item.value)
    except Unusable as error:
        bad_reply(_at(item, expression), str(error))


def _fail(
    item: Item, expression: Expression, found: object, due: str, way_out: str | None = None
) -> NoReturn:
    bad_reply(_at(item, expression), f"{described(found)}; it should be {due}", way_out)


def _at(item: Item, expression: Expression) -> str:
    return item.where if expression.text == "@" else f"{item.where}.{expression.text}"
