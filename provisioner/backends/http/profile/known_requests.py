"""The requests that a profile may have, and the placeholders that each of them may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Path = tuple[str | int, ...]
# A path, what is wrong there, what would be right.
Finding = tuple[Path, str, str | None]

PAGE: Final = frozenset({"page", "offset", "cursor", "size"})
_ROLE: Final = frozenset({"id", "name"})
PRIVILEGES: Final = frozenset({"privileges", "privilege_ids"})
INCLUDES: Final = frozenset({"includes", "include_ids"})
_CONTENT: Final = frozenset({"name", "description", "protected"}) | PRIVILEGES | INCLUDES
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
    ("roles", "privileges", "replace"): _ROLE | PRIVILEGES,
    ("roles", "privileges", "add"): _ROLE | PRIVILEGES | _ONE_PRIVILEGE,
    ("roles", "privileges", "remove"): _ROLE | PRIVILEGES | _ONE_PRIVILEGE,
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
    ("roles", "privileges", "replace"): PRIVILEGES,
    ("roles", "privileges", "add"): PRIVILEGES | _ONE_PRIVILEGE,
    ("roles", "privileges", "remove"): PRIVILEGES | _ONE_PRIVILEGE,
    ("roles", "get"): _ROLE,
    ("users", "get"): _USER,
    ("users", "assign"): _ROLES,
    ("users", "add"): _ONE_ROLE,
    ("users", "remove"): _ONE_ROLE,
    ("users", "holders"): _ONE_ROLE,
}


def at(root: Any, *path: str | int) -> Any:
    """Return what stands at a path; None where there is nothing."""
    for step in path:
        try:
            root = root[step]
        except (KeyError, IndexError, TypeError):
            return None
    return root


def named(path: Path) -> str:
    """Return a path as people write it: `roles.privileges.list`."""
    return ".".join(step for step in path if isinstance(step, str))


def lists_in(root: Any) -> Iterator[tuple[Path, Any, frozenset[str]]]:
    """Every list in the profile, with the placeholders that it may hold."""
    for path, known in LISTS.items():
        if isinstance(found := at(root, *path), dict):
            yield path, found, known | PAGE
    for index, found in enumerate(at(root, "roles", "used_by") or ()):
        yield ("roles", "used_by", index), found, _ONE_ROLE | PAGE


def requests_in(root: Any) -> Iterator[tuple[Path, Any, frozenset[str]]]:
    """Everything that holds placeholders, with those that are known there."""
    yield from lists_in(root)
    for path, known in CALLS.items():
        if isinstance(found := at(root, *path), dict):
            yield path, found, known
    paged = [(path, found) for path, found, _ in lists_in(root)]
    for path, found in (((), root), *paged):
        if isinstance(paging := at(found, "paging"), dict):
            yield (*path, "paging"), paging, PAGE
