"""What a profile can get wrong beyond its schema: expressions, placeholders, what goes together.

Everything here takes the document as read and yields findings; what the schema has thrown out may
be missing, so that all problems of a profile are reported at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from provisioner.backends.http.profile.expressions import Unusable, compiled
from provisioner.backends.http.profile.known_requests import (
    CALLS,
    INCLUDES,
    NEEDED,
    PRIVILEGES,
    at,
    named,
    requests_in,
)
from provisioner.backends.http.profile.paging_checks import paging_problems
from provisioner.backends.http.profile.template import embedded_lists, placeholders
from provisioner.diagnostics import Diagnostic
from provisioner.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Protocol

    from provisioner.backends.http.profile.known_requests import Finding, Path
    from provisioner.model import Place

    class Document(Protocol):
        """A YAML file as read, with the place of each value."""

        file: str
        root: Any
        diagnostics: list[Diagnostic]

        def place(self, path: tuple[str | int, ...], *, key: bool = False) -> Place:
            """Where the value at the path stands."""
            ...


EXPRESSIONS: Final = frozenset(
    {
        *("token", "next", "total", "version", "items", "item", "id", "ids", "names"),
        *("name", "login", "etag", "group", "summary", "internal", "sensitive"),
        *("description", "protected", "default"),
    }
)
# What is read from a role can only be managed if it is written too.
WRITTEN: Final[Mapping[str, frozenset[str]]] = {
    "description": frozenset({"description"}),
    "protected": frozenset({"protected"}),
    "includes": INCLUDES,
    "privileges": PRIVILEGES,
}
_EITHER: Final = "give it `replace`, or `add` and `remove`"


def problems(document: Document) -> Iterator[Diagnostic]:
    """Yield everything that is wrong with a profile beyond its schema."""
    root = document.root
    if not isinstance(root, dict):
        return
    for check in (_expressions, _templates, paging_problems, _matched, _roles, _privileges, _users):
        for path, message, remedy in check(root):
            yield Diagnostic("bad-profile", message, document.place(path), remedy)


def _expressions(root: Any, path: Path = ()) -> Iterator[Finding]:
    steps = root.items() if isinstance(root, dict) else enumerate(root)
    for step, value in steps:
        here = (*path, step)
        if isinstance(value, str):
            if path and step in EXPRESSIONS:
                try:
                    compiled(value)
                except Unusable as error:
                    yield here, f"{named(here)}: {error}", error.remedy
        elif isinstance(value, (dict, list)) and step not in {"query", "body"}:
            yield from _expressions(value, here)


def _templates(root: Any) -> Iterator[Finding]:
    for path, found, known in requests_in(root):
        used: set[str] = set()
        for key in ("path", "query", "body"):
            template = at(found, key)
            used |= placeholders(template)
            yield from _template(template, path, key, known)
        needed = NEEDED.get(path, frozenset[str]())
        if needed and not needed & used and {"path"} <= found.keys():
            wanted = " or ".join(f"{{{name}}}" for name in sorted(needed))
            yield path, f"{named(path)} holds no {wanted}", f"put {wanted} where the API wants it"


def _template(template: Any, path: Path, key: str, known: frozenset[str]) -> Iterator[Finding]:
    names = placeholders(template)
    for name in sorted(names - known):
        listed = ", ".join(f"{{{each}}}" for each in sorted(known)) or "none"
        remedy = did_you_mean(name, known) or f"known here: {listed}"
        yield (*path, key), f"{named(path)}: unknown placeholder {{{name}}}", remedy
    if key != "body" and "password" in names & known:
        message = f"{named(path)}: {{password}} in an address would end up in logs"
        yield (*path, key), message, "send it in `body:`"
    for name in sorted(embedded_lists(template, alone=key == "body")):
        message = f"{named(path)}: {{{name}}} is a list and has no form as text"
        yield (*path, key), message, f'let it stand alone in the body: "{{{name}}}"'


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
            message = f"{named(path)} sends ids of privileges, and nothing says which they are"
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
