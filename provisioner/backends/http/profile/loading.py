"""From the YAML of a profile to its values, or every problem of it at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from provisioner.backends.http.profile.checks import problems
from provisioner.backends.http.profile.definition import (
    Call,
    Granted,
    Listing,
    Login,
    Paging,
    PrivilegesPart,
    Profile,
    References,
    RolesPart,
    Use,
    UsersPart,
)
from provisioner.backends.http.profile.expressions import Expression, compiled
from provisioner.backends.http.profile.template import placeholders
from provisioner.diagnostics import Diagnostic
from provisioner.errors import InvalidInput
from provisioner.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.model import Place

# Reads a YAML file and holds it against the schema of that name; returns a document with places.
ReadYaml = Callable[[str, str], Any]

SHIPPED: Final = Path(__file__).parent / "shipped"
_EVERYTHING: Final = "@"


def shipped() -> tuple[str, ...]:
    """Return the names of the profiles that come with provisioner, sorted."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.yaml")))


def load_profile(
    profile: str, folder: Path, read: ReadYaml | None, *, place: Place | None = None
) -> Profile:
    """Return a profile: a shipped one by its name, or one from a file.

    What ends in ``.yaml`` or ``.yml`` is a file, relative to ``folder``. ``place`` is where the
    profile was asked for.

    Raises:
        InvalidInput: There is no such profile, or something is wrong with it: with every problem,
            each with its place.
        ValueError: There is nothing to read YAML with; whoever opens targets has to give it.
    """
    if read is None:
        raise ValueError("a profile needs `read_yaml` in the Opening")
    if profile.endswith((".yaml", ".yml")):
        return _from_file(folder / profile, profile, read)
    if profile not in shipped():
        listed = ", ".join(shipped())
        nearest = did_you_mean(profile, shipped())
        remedy = nearest or f"shipped are {listed}; a profile of your own is a file: NAME.yaml"
        message = f"there is no profile `{profile}`"
        raise InvalidInput(Diagnostic("unknown-profile", message, place, remedy))
    return _from_file(SHIPPED / f"{profile}.yaml", profile, read)


def _from_file(path: Path, name: str, read: ReadYaml) -> Profile:
    document = read(str(path), "profile")
    found = [*document.diagnostics, *problems(document)]
    if found:
        raise InvalidInput(found)
    root = document.root
    builder = _Builder(root.get("paging"))
    return Profile(
        name=name,
        roles=builder.roles(root["roles"]),
        privileges=builder.privileges(root["privileges"]) if "privileges" in root else None,
        users=builder.users(root["users"]) if "users" in root else None,
        login=builder.login(root["login"]) if "login" in root else None,
        contract=root.get("contract"),
        replies_are_true=root.get("replies_are_true", False),
    )


class _Builder:
    """Makes the parts; ``paging`` is that of lists which do not say their own, if there are any."""

    def __init__(self, paging: Mapping[str, Any] | None) -> None:
        self._paging = paging

    def login(self, given: Mapping[str, Any]) -> Login:
        return Login(_call({"method": "POST", **given}), compiled(given["token"]))

    def privileges(self, given: Mapping[str, Any]) -> PrivilegesPart:
        optional = _expressions(given, "id", "group", "summary", "internal", "sensitive")
        return PrivilegesPart(self._list(given["list"]), compiled(given["name"]), **optional)

    def roles(self, given: Mapping[str, Any]) -> RolesPart:
        return RolesPart(
            list=self._list(given["list"]),
            id=compiled(given["id"]),
            name=compiled(given["name"]),
            privileges=self._granted(given["privileges"]),
            create=_call(given["create"]),
            delete=_call(given["delete"]),
            includes=_references(given["includes"]) if "includes" in given else None,
            get=_get(given),
            used_by=tuple(
                Use(self._list(use), _references(use) if {"ids", "names"} & use.keys() else None)
                for use in given.get("used_by", ())
            ),
            refuses=frozenset(given.get("refuses", ())),
            max_name=given.get("max_name"),
            administrators=frozenset(map(str, given.get("administrators", ()))),
            **_expressions(given, "description", "protected", "default", "etag"),
            **_calls(given, "update", "rename"),
        )

    def users(self, given: Mapping[str, Any]) -> UsersPart:
        return UsersPart(
            list=self._list(given["list"]),
            login=compiled(given["login"]),
            roles=_references(given["roles"]),
            closed=given.get("closed", False),
            get=_get(given),
            holders=self._list(given["holders"]) if "holders" in given else None,
            last_role_by_remove=given.get("last_role_by_remove", False),
            last_role_by_detour=given.get("last_role_by_detour", False),
            **_expressions(given, "id", "etag"),
            **_calls(given, "assign", "add", "remove"),
        )

    def _granted(self, given: Mapping[str, Any]) -> Granted:
        return Granted(
            _references(given),
            self._list(given["list"]) if "list" in given else None,
            **_calls(given, "replace", "add", "remove"),
        )

    def _list(self, given: Mapping[str, Any]) -> Listing:
        paging = given.get("paging", self._paging)
        assert paging is not None  # noqa: S101 - a profile without it was refused
        items = compiled(given.get("items", _EVERYTHING))
        return Listing(_call({"method": "GET", **given}), _paging(paging), items)


def _paging(given: Mapping[str, Any]) -> Paging:
    return Paging(
        style=given["style"],
        query=_query(given),
        first=given.get("first", 1),
        size=given.get("size"),
        explicit=given.get("explicit", False),
        **_expressions(given, "next", "total", "version"),
    )


def _references(given: Mapping[str, Any]) -> References:
    if "ids" in given:
        return References("ids", compiled(given["ids"]))
    return References("names", compiled(given["names"]))


def _expressions(given: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: compiled(given[key]) for key in keys if key in given}


def _calls(given: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: _call(given[key]) for key in keys if key in given}


def _get(given: Mapping[str, Any]) -> Call | None:
    if "get" not in given:
        return None
    return _call({"method": "GET", "item": _EVERYTHING, **given["get"]})


def _call(given: Mapping[str, Any]) -> Call:
    query, body = _query(given), _plain(given.get("body"))
    item, id = (compiled(given[key]) if key in given else None for key in ("item", "id"))
    return Call(
        given["method"],
        given["path"],
        query,
        body,
        key=given.get("key", False),
        match=given.get("match", False),
        item=item if isinstance(item, Expression) else None,
        id=id if isinstance(id, Expression) else None,
        uses=placeholders([given["path"], dict(query), body]),
    )


def _query(given: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    def shown(value: object) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    return tuple((name, shown(value)) for name, value in given.get("query", {}).items())


def _plain(value: Any) -> Any:
    """The value as mappings and lists that know nothing of the file they come from."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
