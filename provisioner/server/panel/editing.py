"""The panel's rules: what each write of the contract does to a version, or why it is refused.

Roles come by id here. What a write makes of a state is up to ``provisioner.engine.writes``, as for
every other store; this module knows the rules that only a panel has.
"""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from provisioner.documents.gateway.encode import role_document, user_document
from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    Unfit,
    UpdateRole,
    Working,
)
from provisioner.model import Assignment, Role
from provisioner.names import flaw
from provisioner.server.http.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.engine.writes import Write
    from provisioner.model import Catalogue
    from provisioner.server.panel.version import Version

Document = dict[str, Any]
# What it means that a write does not fit, after the checks here: the one reason that is left.
_UNFIT: Final[dict[type[Any], str]] = {
    CreateRole: "name-taken",
    RenameRole: "name-taken",
    DeleteRole: "role-in-use",
}


class Entry(Struct, frozen=True):
    """One change for the audit. ``object`` is a path below the base URL."""

    action: str
    object: str
    before: Document | None
    after: Document | None


class Editing:
    """A version being changed, write by write. After a refusal it is of no more use.

    ``at`` is in all methods the JSON Pointer of the write in the request's body. ``entries`` are
    the changes so far; a write that changes nothing leaves none. ``roles`` and ``users`` are the
    ids and case-folded logins of what may have changed: nothing else has. ``working`` must be at
    the version; it is changed, and still at that version as long as nothing is ``is_touched``.
    """

    def __init__(self, version: Version, catalogue: Catalogue, working: Working) -> None:
        self.working = working
        self.is_touched = False
        self.roles: set[str] = set()
        self.users: set[str] = set()
        self.names = dict(version.names)
        self.entries: list[Entry] = []
        self._defaults = version.defaults
        self._catalogue = catalogue
        self._refs: dict[str, str] = {}

    def create(self, content: Document, at: str = "", ref: str | None = None) -> str:
        """Create a role; return its id. ``ref`` is what later writes may call it by."""
        again = ref is not None and ref in self._refs
        twice = [(f"{at}/ref", f"{ref} stands for another role already")] if again else []
        _refuse(chain(twice, _name_errors(content["name"], at), self._content_errors(content, at)))
        id = self._unused_id()
        role = replace(self._with_content(Role(content["name"], id=id), content))
        self._do(CreateRole(role), f"{at}/name")
        self.names[id] = role.name
        if ref is not None:
            self._refs[ref] = id
        self._log("create_role", id, None, self._document(role))
        return id

    def update(self, ref: str, content: Document, at: str = "") -> None:
        """Replace everything of a role but its name."""
        before = self._role(ref, at)
        _refuse(self._content_errors(content, at))
        after = self._with_content(before, content)
        if after == before:
            return
        added = after.includes - before.includes
        if added and self._reaches(added, before.name):
            raise _conflict(
                "include-cycle", f"{before.name} would include itself", f"{at}/includes"
            )
        former = self._document(before)
        self._do(UpdateRole(before, after), at)
        self._log("update_role", before.id, former, self._document(after))

    def rename(self, ref: str, name: str, at: str = "") -> None:
        """Give a role another name."""
        before = self._role(ref, at)
        _refuse(_name_errors(name, at))
        if before.id in self._defaults:
            raise _conflict("default-role", f"{before.name} is a default role", at)
        if name == before.name:
            return
        former = self._document(before)
        self._do(RenameRole(before, name), f"{at}/name")
        self.names[str(before.id)] = name
        self._log("rename_role", before.id, former, self._document(self.working.roles[name]))

    def delete(self, ref: str, at: str = "") -> None:
        """Delete a role."""
        before = self._role(ref, at)
        if before.id in self._defaults:
            raise _conflict("default-role", f"{before.name} is a default role", at)
        if before.protected:
            raise _conflict("role-protected", f"{before.name} is protected", at)
        former = self._document(before)
        self._do(DeleteRole(before), at)
        del self.names[str(before.id)]
        self._log("delete_role", before.id, former, None)

    def assign(self, login: str, refs: list[str], at: str = "") -> None:
        """Give a user exactly these roles."""
        problem = flaw(login)
        wrong = [(f"{at}/login" if at else "", f"the login {problem[0]}")] if problem else []
        _refuse(chain(wrong, self._ref_errors(refs, f"{at}/roles")))
        key = login.casefold()
        roles = frozenset(self._name(ref) for ref in refs)
        before = self.working.assignments.get(key)
        held = before.roles if before else frozenset()
        if roles == held:
            return
        former = user_document(before, self.working.roles) if before else None
        self._do(SetAssignment(login, held, roles), at)
        after = self.working.assignments.get(key)
        user = (after or before or Assignment(login)).user
        present = user_document(after, self.working.roles) if after else None
        self.users.add(key)
        self.entries.append(Entry("assign", f"users/{user}", former, present))

    def id_of(self, ref: str) -> str:
        """Return the id that a ref stands for."""
        return self._refs.get(ref, ref)

    def _do(self, write: Write, at: str) -> None:
        self.is_touched = True
        try:
            self.working.do(write)
        except Unfit as error:
            raise _conflict(_UNFIT[type(write)], str(error), at) from error

    def _role(self, ref: str, at: str) -> Role:
        if self.id_of(ref) not in self.names:
            raise Problem(
                "invalid", "a role does not exist", errors=[(f"{at}/role", _unknown(ref))]
            )
        return self.working.roles[self._name(ref)]

    def _name(self, ref: str) -> str:
        return self.names[self.id_of(ref)]

    def _with_content(self, role: Role, content: Document) -> Role:
        return replace(
            role,
            description=content["description"],
            privileges=frozenset(content["privileges"]),
            includes=frozenset(self._name(ref) for ref in content["includes"]),
            protected=content["protected"],
        )

    def _content_errors(self, content: Document, at: str) -> Iterable[tuple[str, str]]:
        for index, name in enumerate(content["privileges"]):
            if name not in self._catalogue.grantable:
                internal = name in self._catalogue.internal
                what = "is internal" if internal else "is not in the panel's catalogue"
                yield f"{at}/privileges/{index}", f"privilege {name} {what}"
        yield from self._ref_errors(content["includes"], f"{at}/includes")

    def _ref_errors(self, refs: list[str], at: str) -> Iterable[tuple[str, str]]:
        for index, ref in enumerate(refs):
            if self.id_of(ref) not in self.names:
                yield f"{at}/{index}", _unknown(ref)

    def _reaches(self, start: Iterable[str], goal: str) -> bool:
        """Whether one of the roles is, or includes at any depth, the goal."""
        todo, seen = set(start), set[str]()
        while todo:
            name = todo.pop()
            if name == goal:
                return True
            seen.add(name)
            todo |= self.working.roles[name].includes - seen
        return False

    def _unused_id(self) -> str:
        """An id that was never given: 64 random bits make a second time as good as impossible."""
        while (fresh := f"r-{os.urandom(8).hex()}") in self.names:
            pass
        return fresh

    def _document(self, role: Role) -> Document:
        return role_document(role, self.working.roles, default=role.id in self._defaults)

    def _log(
        self, action: str, id: str | None, before: Document | None, after: Document | None
    ) -> None:
        self.roles.add(str(id))
        self.entries.append(Entry(action, f"roles/{id}", before, after))


def _name_errors(name: str, at: str) -> list[tuple[str, str]]:
    problem = flaw(name)
    return [(f"{at}/name", f"the name {problem[0]}; {problem[1]}")] if problem else []


def _refuse(wrong: Iterable[tuple[str, str]]) -> None:
    """Raise what is wrong, if anything is."""
    rest = iter(wrong)
    if first := next(rest, None):
        raise Problem("invalid", first[1], errors=chain([first], rest))


def _conflict(id: str, detail: str, at: str) -> Problem:
    return Problem(id, detail, errors=[(at, detail)] if at else [])


def _unknown(ref: str) -> str:
    return f"there is no role {ref}"
