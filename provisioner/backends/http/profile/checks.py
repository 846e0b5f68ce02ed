"""What a profile can get wrong beyond its schema: expressions, placeholders, what goes together.

Everything here takes the document as read and yields findings; what the schema has thrown out may
be missing, so that all problems of a profile are reported at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from provisioner.backends.http.profile.expressions import Unusable, compiled
from provisioner.backends.http.profile.template import embedded_lists, placeholders
from provisioner.diagnostics import Diagnostic
from provisioner.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import Protocol

    from provisioner.model import Place

    class Document(Protocol):
        """A YAML file as read, with the place of each value."""

        file: str
        root: Any
        diagnostics: list[Diagnostic]

        def place(self, path: tuple[str | int, ...], *, key: bool = False) -> Place:
            """Where the value at the path stands."""
            ...


Path = tuple[str | int, ...]
# A path, what is wrong there, what would be right.
Finding = tuple[Path, str, str | None]

EXPRESSIONS: Final = frozenset(
    {
        *("token", "next", "total", "version", "items", "item", "id", "ids", "names"),
        *("name", "login", "etag", "group", "summary", "internal", "sensitive"),
        *("description", "protected", "default"),
    }
)
PAGE: Final = frozenset({"page", "offset", "cursor", "size"})
_ROLE: Final = frozenset({"id", "name"})
_PRIVILEGES: Final = frozenset({"privileges", "privilege_ids"})
_INCLUDES: Final = frozenset({"includes", "include_ids"})
_CONTENT: Final = frozenset({"name", "description", "protected"}) | _PRIVILEGES | _INCLUDES
_ONE_PRIVILEGE: Final = frozenset({"privilege", "privilege_id"})
_ONE_ROLE: Final = frozenset({"role", "role_id"})
_ROLES: Final = frozenset({"roles", "role_ids"})
_USER: Final = frozenset({"id", "login"})
_NONE: Final[frozenset[str]] = frozenset()

LISTS: Final[Mapping[Path, frozenset[str]]] = {
    ("privileges", "list"): _NONE,
    ("roles", "list"): _NONE,
    ("roles", "privileges", "list"): _ROLE,
    ("users", "list"): _NONE,
    ("users", "holders"): _ONE_ROLE,
}
CALLS: Final[Mapping[Path, frozenset[str]]] = {
    ("login",): frozenset({"username", "password"}),
    ("roles", "get"): _ROLE,
    ("roles", "create"): _CONTENT,
    ("roles", "update"): _CONTENT | {"id"},
    ("roles", "rename"): _CONTENT | {"id"},
    ("roles", "delete"): _ROLE,
    ("roles", "privileges", "replace"): _ROLE | _PRIVILEGES,
    ("roles", "privileges", "add"): _ROLE | _PRIVILEGES | _ONE_PRIVILEGE,
    ("roles", "privileges", "remove"): _ROLE | _PRIVILEGES | _ONE_PRIVILEGE,
    ("users", "get"): _USER,
    ("users", "assign"): _USER | _ROLES,
    ("users", "add"): _USER | _ONE_ROLE,
    ("users", "remove"): _USER | _ONE_ROLE | {"other_user_ids"},
}
# At least one of these must be in the request, or it could not do what it is for.
NEEDED: Final[Mapping[Path, frozenset[str]]] = {
    ("login",): frozenset({"password"}),
    ("roles", "create"): frozenset({"name"}),
    ("roles", "update"): _ROLE,
    ("roles", "rename"): frozenset({"name"}),
    ("roles", "delete"): _ROLE,
    ("roles", "privileges", "list"): _ROLE,
    ("roles", "privileges", "replace"): _PRIVILEGES,
    ("roles", "privileges", "add"): _PRIVILEGES | _ONE_PRIVILEGE,
    ("roles", "privileges", "remove"): _PRIVILEGES | _ONE_PRIVILEGE,
    ("roles", "get"): _ROLE,
    ("users", "get"): _USER,
    ("users", "assign"): _ROLES,
    ("users", "add"): _ONE_ROLE,
    ("users", "remove"): _ONE_ROLE,
    ("users", "holders"): _ONE_ROLE,
}
# What is read from a role can only be managed if it is written too.
WRITTEN: Final[Mapping[str, frozenset[str]]] = {
    "description": frozenset({"description"}),
    "protected": frozenset({"protected"}),
    "includes": _INCLUDES,
    "privileges": _PRIVILEGES,
}
_FIELD: Final = re.compile(r"[A-Za-z_]\w*")
_BY_STYLE: Final = {"page": "page", "offset": "offset", "cursor": "cursor"}
# What a style makes use of; anything else there would be believed to work.
_ALWAYS: Final = frozenset({"style", "query", "size", "total", "version"})
KEYS_OF_STYLE: Final[Mapping[str, frozenset[str]]] = {
    "none": _ALWAYS,
    "page": _ALWAYS | {"first", "next", "explicit"},
    "offset": _ALWAYS | {"next", "explicit"},
    "cursor": _ALWAYS | {"next", "explicit"},
    "link": _ALWAYS,
}
ALL_PAGING_KEYS: Final = frozenset[str]().union(*KEYS_OF_STYLE.values())
_SAY_PAGING: Final = (
    "add `paging:` to it, or to the whole profile; `paging: {style: none}` where one answer is all"
)
_EITHER: Final = "give it `replace`, or `add` and `remove`"


def problems(document: Document) -> Iterator[Diagnostic]:
    """Yield everything that is wrong with a profile beyond its schema."""
    root = document.root
    if not isinstance(root, dict):
        return
    for check in (_expressions, _templates, _paging, _matched, _roles, _privileges, _users):
        for path, message, remedy in check(root):
            yield Diagnostic("bad-profile", message, document.place(path), remedy)


def at(root: Any, *path: str | int) -> Any:
    """Return what stands at a path; None where there is nothing."""
    for step in path:
        try:
            root = root[step]
        except (KeyError, IndexError, TypeError):
            return None
    return root


def _named(path: Path) -> str:
    return ".".join(step for step in path if isinstance(step, str))


def _expressions(root: Any, path: Path = ()) -> Iterator[Finding]:
    steps = root.items() if isinstance(root, dict) else enumerate(root)
    for step, value in steps:
        here = (*path, step)
        if isinstance(value, str):
            if path and step in EXPRESSIONS:
                try:
                    compiled(value)
                except Unusable as error:
                    yield here, f"{_named(here)}: {error}", error.remedy
        elif isinstance(value, (dict, list)) and step not in {"query", "body"}:
            yield from _expressions(value, here)


def _lists(root: Any) -> Iterator[tuple[Path, Any, frozenset[str]]]:
    """Every list in the profile, with the placeholders that it may hold."""
    for path, known in LISTS.items():
        if isinstance(found := at(root, *path), dict):
            yield path, found, known | PAGE
    for index, found in enumerate(at(root, "roles", "used_by") or ()):
        yield ("roles", "used_by", index), found, _ONE_ROLE | PAGE


def _requests(root: Any) -> Iterator[tuple[Path, Any, frozenset[str]]]:
    """Everything that holds placeholders, with those that are known there."""
    yield from _lists(root)
    for path, known in CALLS.items():
        if isinstance(found := at(root, *path), dict):
            yield path, found, known
    paged = [(path, found) for path, found, _ in _lists(root)]
    for path, found in (((), root), *paged):
        if isinstance(paging := at(found, "paging"), dict):
            yield (*path, "paging"), paging, PAGE


def _templates(root: Any) -> Iterator[Finding]:
    for path, found, known in _requests(root):
        used: set[str] = set()
        for key in ("path", "query", "body"):
            template = at(found, key)
            used |= placeholders(template)
            yield from _template(template, path, key, known)
        needed = NEEDED.get(path, _NONE)
        if needed and not needed & used and {"path"} <= found.keys():
            wanted = " or ".join(f"{{{name}}}" for name in sorted(needed))
            yield path, f"{_named(path)} holds no {wanted}", f"put {wanted} where the API wants it"


def _template(template: Any, path: Path, key: str, known: frozenset[str]) -> Iterator[Finding]:
    names = placeholders(template)
    for name in sorted(names - known):
        listed = ", ".join(f"{{{each}}}" for each in sorted(known)) or "none"
        remedy = did_you_mean(name, known) or f"known here: {listed}"
        yield (*path, key), f"{_named(path)}: unknown placeholder {{{name}}}", remedy
    if key != "body" and "password" in names & known:
        message = f"{_named(path)}: {{password}} in an address would end up in logs"
        yield (*path, key), message, "send it in `body:`"
    for name in sorted(embedded_lists(template, alone=key == "body")):
        message = f"{_named(path)}: {{{name}}} is a list and has no form as text"
        yield (*path, key), message, f'let it stand alone in the body: "{{{name}}}"'


def _paging(root: Any) -> Iterator[Finding]:
    shared = at(root, "paging")
    inherited: set[str] = set()
    for path, found, _ in _lists(root):
        own = isinstance(at(found, "paging"), dict)
        if not own and not isinstance(shared, dict):
            yield path, f"{_named(path)}: nothing says how this list is paged", _SAY_PAGING
            continue
        query = {**(at(found["paging"] if own else shared, "query") or {})}
        query |= at(found, "query") or {}
        used = placeholders(query) | placeholders(at(found, "path"))
        place = (*path, "paging") if own else ("paging",)
        yield from _paged(_named(path), place, found["paging"] if own else shared, used)
        if own:
            yield from _own_keys(_named((*path, "paging")), place, found["paging"], used)
        else:
            inherited |= used
    if isinstance(shared, dict):
        yield from _own_keys("paging", ("paging",), shared, inherited)


def _paged(name: str, place: Path, paging: Any, used: frozenset[str]) -> Iterator[Finding]:
    """What a list with this paging lacks; ``used`` are the placeholders in its request."""
    style = str(at(paging, "style"))
    if style not in KEYS_OF_STYLE:
        return
    counter = _BY_STYLE.get(style)
    if counter and counter not in used:
        message = f"{name}: paging by {style} needs {{{counter}}} in a query"
        yield place, message, f"put {{{counter}}} into `query:`"
    for other in sorted(used & set(_BY_STYLE.values()) - {counter}):
        message = f"{name}: {{{other}}} is used, and the paging style `{style}` does not count that"
        yield place, message, f"take it out, or set `style: {other}`"
    if style == "cursor" and at(paging, "next") is None:
        yield place, "paging by cursor needs `next`", "say where the next cursor stands"
    if "size" in used and at(paging, "size") is None:
        yield place, f"{name}: {{size}} is used, and `size` is missing", "add `size:`"


def _own_keys(name: str, place: Path, paging: Any, used: Collection[str]) -> Iterator[Finding]:
    """The keys that do nothing; ``used`` are the placeholders of all lists paged so."""
    style = str(at(paging, "style"))
    known = KEYS_OF_STYLE.get(style)
    if known is None:
        return
    for key in sorted(set(paging) & ALL_PAGING_KEYS - known):
        styles = ", ".join(f"`{each}`" for each, keys in KEYS_OF_STYLE.items() if key in keys)
        message = f"{name}: `{key}` does nothing in the paging style `{style}`"
        yield (*place, key), message, f"take it out; it is for {styles}"
    is_field = _FIELD.fullmatch(str(at(paging, "next")))
    if "explicit" in known and at(paging, "explicit") and not is_field:
        message = f"{name}: `explicit` needs the name of a field in `next`"
        yield place, message, "leave `explicit` out, or say where the next cursor stands"
    if "size" in paging and "size" not in used:
        message = f"{name}: `size` does nothing: no request of these lists holds {{size}}"
        yield (*place, "size"), message, "put {size} into `query:`, or take `size` out"


def _roles(root: Any) -> Iterator[Finding]:
    roles = at(root, "roles")
    if not isinstance(roles, dict):
        return
    granted = at(roles, "privileges")
    for part, wanted in WRITTEN.items():
        if part not in roles or (part == "privileges" and at(granted, "list") is not None):
            continue
        for key in ("create", "update"):
            call = at(roles, key)
            if call is None:
                if key == "update":
                    message = f"roles.{part} can't be changed: there is no `update`"
                    yield ("roles", part), message, "add `update:`, or take this out"
            elif not wanted & placeholders([at(call, "path"), at(call, "query"), at(call, "body")]):
                text = " or ".join(f"{{{name}}}" for name in sorted(wanted))
                message = f"roles.{key} holds no {text}, so roles.{part} would get lost"
                yield ("roles", key), message, f"put {text} into its body"


def _matched(root: Any) -> Iterator[Finding]:
    for path in CALLS:
        if not at(root, *path, "match"):
            continue
        if path == ("roles", "create"):
            message = "a role that is made has no ETag to match yet"
            yield (*path, "match"), message, "take it out; `key: true` is for this"
        elif not (at(root, path[0], "etag") or at(root, path[0], "get")):
            message = "`match` needs an ETag, and nothing gives one"
            yield (*path, "match"), message, "add `etag:` or `get:`"


def _privileges(root: Any) -> Iterator[Finding]:
    granted = at(root, "roles", "privileges")
    if isinstance(granted, dict):
        writes = [key for key in ("replace", "add", "remove") if key in granted]
        whole = "replace" in writes or {"add", "remove"} <= set(writes)
        if "list" in granted and not whole:
            yield ("roles", "privileges"), "roles.privileges can't be written", _EITHER
        if writes and "list" not in granted:
            message = f"roles.privileges has `{writes[0]}`, and nothing that lists them"
            yield ("roles", "privileges", writes[0]), message, "add `list:`"
    if at(root, "privileges", "id") is not None:
        return
    if at(granted, "ids") is not None:
        message = "roles refer to privileges by id, and nothing says which id is which"
        yield ("roles", "privileges", "ids"), message, "add `privileges:` with `id:`"
    for path in CALLS:
        call = at(root, *path)
        used = placeholders([at(call, "path"), at(call, "query"), at(call, "body")])
        if used & {"privilege_ids", "privilege_id"}:
            message = f"{_named(path)} sends ids of privileges, and nothing says which they are"
            yield path, message, "add `privileges:` with `id:`"


def _users(root: Any) -> Iterator[Finding]:
    users = at(root, "users")
    if not isinstance(users, dict):
        return
    if "assign" not in users and not {"add", "remove"} <= users.keys():
        yield ("users",), "users can't be given roles", "add `assign:`, or `add:` and `remove:`"
    if at(users, "last_role_by_remove") and "remove" not in users:
        yield ("users", "last_role_by_remove"), "users has no `remove`", "add `remove:`"
    if at(users, "last_role_by_detour"):
        place = ("users", "last_role_by_detour")
        if "assign" not in users:
            yield place, "users has no `assign`", "add `assign:`, which gives the role in between"
        if at(users, "last_role_by_remove"):
            yield place, "`last_role_by_remove` is there as well", "keep one of them"
    if "other_user_ids" in placeholders(at(users, "remove", "body")) and "holders" not in users:
        message = "users.remove sends {other_user_ids}, and nothing lists who holds a role"
        yield ("users", "remove"), message, "add `holders:`"
