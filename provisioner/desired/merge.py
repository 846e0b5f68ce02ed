"""Several files, one set of declarations. The same thing declared twice names both places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from provisioner.desired.yaml.document import Document, Spot
from provisioner.diagnostics import Diagnostic
from provisioner.names import is_same_in_other_letters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from provisioner.model import Place


class Declarations(Struct):
    """What all files together declare, still as written.

    For each name there is the document that declares it. ``roles`` and ``users`` are None when no
    file has the key.
    """

    roles: dict[str, Document] | None = None
    users: dict[str, Document] | None = None
    sets: dict[str, Document] = field(default_factory=dict)
    ignore: list[str] = field(default_factory=list)
    ignore_users: list[str] = field(default_factory=list)
    policies: list[Spot] = field(default_factory=list)
    tests: list[Spot] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def role(self, name: str) -> Spot | None:
        """Where the role is declared."""
        return _spot(self.roles, "roles", name)

    def user(self, login: str) -> Spot | None:
        """Where the user is declared, whose login is written like this."""
        return _spot(self.users, "users", login)

    def privilege_set(self, name: str) -> Spot | None:
        """Where the privilege set is declared."""
        return _spot(self.sets, "privilege_sets", name)


def _spot(declared: dict[str, Document] | None, section: str, name: str) -> Spot | None:
    document = (declared or {}).get(name)
    return None if document is None else Spot(document, (section, name))


def merge(documents: Iterable[Document]) -> Declarations:
    """Merge documents that conform to the ``roles`` schema."""
    merged = Declarations()
    seen: dict[tuple[str, str], tuple[str, Document]] = {}
    for document in documents:
        root: dict[str, Any] = document.root
        merged.files.append(document.file)
        if "roles" in root:
            merged.roles = _add(merged, merged.roles or {}, document, "roles", seen)
        if "users" in root:
            merged.users = _add(merged, merged.users or {}, document, "users", seen)
        if "privilege_sets" in root:
            _add(merged, merged.sets, document, "privilege_sets", seen, fold=str)
        for key, into in (("policies", merged.policies), ("tests", merged.tests)):
            into += [Spot(document, (key, index)) for index in range(len(root.get(key, ())))]
        merged.ignore += root.get("ignore", ())
        merged.ignore_users += root.get("ignore_users", ())
    _check_policy_names(merged)
    return merged


def _add(
    merged: Declarations,
    into: dict[str, Document],
    document: Document,
    section: str,
    seen: dict[tuple[str, str], tuple[str, Document]],
    fold: Callable[[str], str] = str.casefold,
) -> dict[str, Document]:
    what = section.replace("_", " ").removesuffix("s")
    for name in document.root[section]:
        key = (section, fold(name))
        if key in seen:
            other, first = seen[key]
            same = "is" if other == name else f"differs only in case from `{other}`,"
            if is_same_in_other_letters(name, other):
                same = f"is `{other}` in other letters, without regard to case, and"
            place = Spot(first, (section, other)).key_place
            merged.diagnostics.append(
                Diagnostic(
                    "declared-twice",
                    f"{what} `{name}` {same} declared at {place} already",
                    Spot(document, (section, name)).key_place,
                    "keep one of them",
                )
            )
        else:
            seen[key] = (name, document)
            into[name] = document
    return into


def _check_policy_names(merged: Declarations) -> None:
    seen: dict[str, Place] = {}
    for policy in merged.policies:
        name = policy.value["name"]
        if name in seen:
            message = f"policy `{name}` is declared at {seen[name]} already"
            merged.diagnostics.append(
                Diagnostic("declared-twice", message, policy.place, "give one of them another name")
            )
        seen.setdefault(name, policy.place)
