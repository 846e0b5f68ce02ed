"""Files that are given as what they are not: a saved plan as a source, a token as a catalogue.

Each is said for what it is. Of a file that is none of ours no value is repeated: it may have been
reached by a mistaken path, or by a link, and hold a secret.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, Final

from provisioner.diagnostics import Diagnostic

if TYPE_CHECKING:
    from provisioner.desired.yaml.document import Document

# The keys that a file of each kind may have beside `version`, by the name of its schema.
KEYS: Final = {
    "roles": frozenset(
        {"privilege_sets", "roles", "users", "ignore", "ignore_users", "policies", "tests"}
    ),
    "project": frozenset(
        {"sources", "manage", "ignore", "external", "adopted", "safety", "lint", "catalogue"}
        | {"targets", "ignore_users", "actors"}
    ),
    "catalogue": frozenset({"name", "notes", "sources", "privileges", "default_roles"}),
    "profile": frozenset(
        {"description", "contract", "login", "paging", "privileges", "roles", "users"}
        | {"replies_are_true"}
    ),
}
# Any of these keys gives a kind away, unless the file has one that belongs to the kind asked for.
_SIGNS: Final = {
    "profile": frozenset({"contract", "paging"}),
    # A catalogue names its `sources` as a project does, but no project has its other keys.
    "catalogue": frozenset({"privileges", "default_roles"}),
    "project": KEYS["project"] - {"ignore", "ignore_users", "catalogue"},
    "roles": KEYS["roles"] - {"ignore", "ignore_users"},
}
_BELONGS: Final = _SIGNS | {"profile": KEYS["profile"] - {"privileges"}}
_NAMES: Final = {
    "roles": "roles file",
    "project": "project file",
    "catalogue": "catalogue",
    "profile": "profile",
}
_REMEDIES: Final = {
    "roles": "name it as a source",
    "project": "name it with --config, or call it provisioner.yaml",
    "catalogue": "name it under `catalogue:` in the project file",
    "profile": "name it as `profile:` of a target in the project file",
}
_OUTPUTS: Final = {
    "provisioner-plan": ("a saved plan", "to apply it: `provisioner apply --plan {file}`"),
    "provisioner-state": ("a state file", "name it as `path` of a target in the project file"),
}
_LOCK: Final = frozenset({"by", "pid", "operation", "since"})
# Diagnostics of the reader that repeat nothing of the file.
_SILENT: Final = frozenset(
    {"yaml-syntax", "empty-file", "several-documents", "wrong-encoding", "control-character"}
    | {"too-deep", "unclear-yaml"}
)


def give_up_strangers(document: Document, data: bytes, schema: str) -> None:
    """Leave of a file that is not of the kind asked for nothing but a word that says so."""
    root = document.root
    if isinstance(root, dict):
        found = _stranger(document.file, root, schema)
        if found is None:
            return
    elif document.is_whole:
        found = None  # That it is no mapping is said by its schema, without the value.
    elif _claims(data, schema):
        return
    else:
        found = _no(document.file, schema)
    document.diagnostics = [d for d in document.diagnostics if d.id in _SILENT]
    if found is not None:
        document.diagnostics = document.diagnostics or [found]
        document.root, document.is_whole = None, False


def _stranger(  # noqa: PLR0911 - one for each kind
    file: str, root: dict[str, Any], schema: str
) -> Diagnostic | None:
    keys = root.keys()
    told = root.get("format")
    if isinstance(told, str) and told.startswith("provisioner-"):
        what, remedy = _OUTPUTS.get(told, ("what a command printed with --format json", None))
        return _is(file, what, remedy and remedy.format(file=shlex.quote(file)), schema)
    if keys >= _LOCK:
        remedy = "leave it alone: it goes with the run that made it"
        return _is(file, "the lock file of a state", remedy, schema)
    if schema not in KEYS:
        return None
    if schema != "profile" and keys & _SIGNS["profile"]:
        return _is(file, "a profile", _REMEDIES["profile"], schema)
    if keys & _BELONGS[schema]:
        return None
    for kind, signs in _SIGNS.items():
        if kind != schema and keys & signs:
            return _is(file, f"a {_NAMES[kind]}", _REMEDIES[kind], schema)
    return None if keys & ({"version"} | KEYS[schema]) else _no(file, schema)


def _claims(data: bytes, schema: str) -> bool:
    """Whether a text that can't be read to its end says, with any key, to be of that kind."""
    keys = "|".join(sorted({"version"} | KEYS.get(schema, frozenset())))
    pattern = rf"""(?m)(?:^|[{{,])[ \t]*["']?(?:{keys})["']?[ \t]*:"""
    return re.search(pattern.encode(), data) is not None


def _is(file: str, what: str, remedy: str | None, schema: str) -> Diagnostic:
    message = f"this is {what}, not a {_NAMES.get(schema, schema)}"
    return Diagnostic("wrong-kind-of-file", message, file, remedy)


def _no(file: str, schema: str) -> Diagnostic:
    message = f"this is no {_NAMES.get(schema, schema)}: it has none of the keys of one"
    remedy = "start it with `version: 1`, or check the path"
    return Diagnostic("wrong-kind-of-file", message, file, remedy)
