"""Several files, one set of declarations. The same thing declared twice names both places."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provisioner.diagnostics import Diagnostic
from provisioner.names import is_same_in_other_letters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from provisioner.desired.yaml.reader import Document, YamlMapping
    from provisioner.model import Place


@dataclass(slots=True)
class Declarations:
    """What all files together declare, still as written.

    ``roles`` and ``users`` are None when no file has the key. The mapping that holds a declaration
    is kept beside it, since it knows the places.
    """

    roles: dict[str, tuple[YamlMapping, Any]] | None = None
    users: dict[str, tuple[YamlMapping, Any]] | None = None
    sets: dict[str, tuple[YamlMapping, Any]] = field(default_factory=dict)
    ignore: list[tuple[str, Place]] = field(default_factory=list)
    ignore_users: list[tuple[str, Place]] = field(default_factory=list)
    policies: list[tuple[dict[str, Any], Place]] = field(default_factory=list)
    tests: list[tuple[dict[str, Any], Place]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def merge(documents: Iterable[Document]) -> Declarations:
    """Merge documents that conform to the ``roles`` schema."""
    merged = Declarations()
    seen: dict[tuple[str, str], tuple[str, YamlMapping]] = {}
    for document in documents:
        root: YamlMapping = document.root
        merged.files.append(document.file)
        if "roles" in root:
            merged.roles = _add(merged, merged.roles or {}, root["roles"], "role", seen)
        if "users" in root:
            merged.users = _add(merged, merged.users or {}, root["users"], "user", seen)
        if "privilege_sets" in root:
            _add(merged, merged.sets, root["privilege_sets"], "privilege set", seen, fold=str)
        for key, into in (("policies", merged.policies), ("tests", merged.tests)):
            items = root.get(key, ())
            into += [(item, items.item_place(i)) for i, item in enumerate(items)]
        for key, found in (("ignore", merged.ignore), ("ignore_users", merged.ignore_users)):
            globs = root.get(key, ())
            found += [(glob, globs.item_place(i)) for i, glob in enumerate(globs)]
    _check_policy_names(merged)
    return merged


def _add(
    merged: Declarations,
    into: dict[str, tuple[YamlMapping, Any]],
    declared: YamlMapping,
    what: str,
    seen: dict[tuple[str, str], tuple[str, YamlMapping]],
    fold: Callable[[str], str] = str.casefold,
) -> dict[str, tuple[YamlMapping, Any]]:
    for name, value in declared.items():
        key = (what, fold(name))
        if key in seen:
            other, holder = seen[key]
            same = "is" if other == name else f"differs only in case from `{other}`,"
            if is_same_in_other_letters(name, other):
                same = f"is `{other}` in other letters, without regard to case, and"
            merged.diagnostics.append(
                Diagnostic(
                    "declared-twice",
                    f"{what} `{name}` {same} declared at {holder.key_place(other)} already",
                    declared.key_place(name),
                    "keep one of them",
                )
            )
        else:
            seen[key] = (name, declared)
            into[name] = (declared, value)
    return into


def _check_policy_names(merged: Declarations) -> None:
    seen: dict[str, Place] = {}
    for policy, place in merged.policies:
        name = policy["name"]
        if name in seen:
            message = f"policy `{name}` is declared at {seen[name]} already"
            merged.diagnostics.append(
                Diagnostic("declared-twice", message, place, "give one of them another name")
            )
        seen.setdefault(name, place)
