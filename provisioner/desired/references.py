"""What roles refer to: other roles that must exist, no cycles, no impossible renames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from provisioner import globs, names
from provisioner.desired.hints import Hints
from provisioner.desired.yaml.document import Spot
from provisioner.diagnostics import Diagnostic
from provisioner.engine.phrases import quoted
from provisioner.model import Catalogue, Place, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.desired.merge import Declarations
    from provisioner.desired.privileges import Resolver
    from provisioner.desired.surroundings import Surroundings
    from provisioner.model import DesiredRole, Provenance

ROLES_NOT_CHECKED: Final = "roles-not-checked"
Roles = dict[str, "DesiredRole"]


class Scope(Struct):
    """The roles that sources may refer to.

    Where no catalogue is known and the panel is not asked (``lenient``), it may have any role:
    those that are not ``known`` become ``unchecked``. Default roles are among them, for what they
    carry is as little known.
    """

    catalogue: Catalogue
    known: frozenset[str]
    ignored: tuple[str, ...]
    complete: bool
    lenient: bool = False
    external: frozenset[str] = frozenset()
    stored: Mapping[str, Role] = field(default_factory=dict)
    hints: Hints = field(default_factory=Hints)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    unchecked: dict[str, Place] = field(default_factory=dict)
    sets: dict[frozenset[str], frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, merged: Declarations, around: Surroundings, ignore: tuple[str, ...], *, complete: bool
    ) -> Scope:
        """Known are the declared roles, the panel's default roles, and the external ones."""
        lenient = around.lenient and not around.catalogue.known
        defaults = () if lenient else (role.name for role in around.catalogue.default_roles)
        known = frozenset((*(merged.roles or ()), *defaults, *around.external))
        external = frozenset(map(str.casefold, around.external))
        return cls(around.catalogue, known, ignore, complete, lenient, external, around.stored)

    def is_default(self, name: str) -> bool:
        """Whether the panel ships this role."""
        return self.catalogue.is_default(name)

    def shared(self, role: str, privileges: frozenset[str]) -> frozenset[str]:
        """The same set, as the one object that the stored role or another declared one has."""
        stored = self.stored.get(role)
        if stored is not None and stored.privileges == privileges:
            return stored.privileges
        return self.sets.setdefault(privileges, privileges)

    def report(self, id: str, message: str, place: Place | None, remedy: str | None) -> None:
        """Note a problem."""
        self.diagnostics.append(Diagnostic(id, message, place, remedy))

    def check(self, reference: Spot) -> None:
        """Report a reference to a role that is unknown or ignored."""
        name: str = reference.value
        if name not in self.known and self.lenient:
            if name not in self.unchecked:
                self.unchecked[name] = reference.place
        elif name not in self.known and self.complete:
            remedy = "declare it, or list it under `external` in the project file"
            message = f"there is no role `{name}`"
            found = Diagnostic("unknown-role", message, reference.place, remedy)
            self.diagnostics.append(self.hints.expect(found, name, self.known))
        for glob in self.ignored:
            if globs.matches_caseless(glob, name):
                message = f"role `{name}` is ignored (`{glob}`), so nothing can refer to it"
                remedy = "use `external` for roles that others manage"
                self.report("ignored-role", message, reference.place, remedy)
                return

    def not_checked(self) -> list[Diagnostic]:
        """A warning that names the roles of which only the panel knows whether they exist."""
        if not self.unchecked:
            return []
        named = quoted(sorted(self.unchecked))
        message = f"role names not checked: {named}; only the panel knows its roles"
        place = min(self.unchecked.values())
        remedy = "`provisioner validate --online` checks them"
        return [Diagnostic(ROLES_NOT_CHECKED, message, place, remedy, "warning")]


def check_roles(
    roles: Roles,
    merged: Declarations,
    scope: Scope,
    privileges: Resolver,
    provenance: Provenance,
) -> Iterator[Diagnostic]:
    """Yield what is wrong with the declared roles as a whole."""
    yield from _bad_names(roles, scope, provenance)
    yield from _cycles(roles, provenance)
    yield from _excepted_but_included(roles, merged, scope, privileges)
    yield from _bad_renames(roles, scope, provenance)


def _bad_names(roles: Roles, scope: Scope, provenance: Provenance) -> Iterator[Diagnostic]:
    for name, desired in roles.items():
        if problem := names.flaw(name):
            yield Diagnostic(
                "bad-role-name",
                f"the name `{name}` {problem[0]}",
                provenance.role(name),
                problem[1],
            )
        elif scope.is_default(name):
            yield from _bad_default(name, desired, scope, provenance.role(name))
        for glob in scope.ignored:
            if globs.matches_caseless(glob, name):
                message = f"role `{name}` is declared, but ignored (`{glob}`)"
                remedy = "remove the declaration, or narrow `ignore`"
                yield Diagnostic("ignored-role", message, provenance.role(name), remedy)
    for name, other in names.look_alikes(roles, scope.known).items():
        if name in scope.stored and other in scope.stored:
            continue  # Nothing new is mistaken for anything.
        if names.is_plain(name) and other in roles:
            continue  # It is said of the other one.
        odd = names.oddity(other if names.is_plain(name) else name)
        message = f"the name `{name}` looks like `{other}`, but is written otherwise: {odd}"
        place = provenance.role(name)
        remedy = "type it again in one script, with plain blanks and hyphens"
        yield Diagnostic("look-alike-name", message, place, remedy)


def _bad_default(
    name: str, desired: DesiredRole, scope: Scope, place: Place | None
) -> Iterator[Diagnostic]:
    real = next(
        role.name
        for role in scope.catalogue.default_roles
        if role.name.casefold() == name.casefold()
    )
    if real != name:
        message = f"the default role is called `{real}`, and default roles keep their names"
        yield Diagnostic("default-role-renamed", message, place, f"write `{real}`")
    if not desired.role.protected:
        message = f"`{name}` is a default role and always protected"
        yield Diagnostic("default-role-unprotected", message, place, "remove `protected`")


def _cycles(roles: Roles, provenance: Provenance) -> Iterator[Diagnostic]:
    """Yield each include cycle once, by walking depth first without recursion."""
    done: set[str] = set()
    for start in roles:
        if start in done or not roles[start].role.includes:
            continue
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, Iterable[str]]] = [(start, iter((start,)))]
        while stack:
            _, following = stack[-1]
            name = next(iter(following), None)
            if name is None:
                stack.pop()
                if path:
                    done.add(path[-1])
                    on_path.discard(path.pop())
                continue
            if name in on_path:
                yield _cycle([*path[path.index(name) :], name], provenance)
            elif name not in done and name in roles:
                path.append(name)
                on_path.add(name)
                stack.append((name, iter(sorted(roles[name].role.includes))))


def _cycle(path: list[str], provenance: Provenance) -> Diagnostic:
    chain = " → ".join(path)
    place = provenance.include(path[-2], path[-1])
    remedy = "remove one of these includes"
    return Diagnostic("include-cycle", f"roles include each other: {chain}", place, remedy)


def _excepted_but_included(
    roles: Roles,
    merged: Declarations,
    scope: Scope,
    privileges: Resolver,
) -> Iterator[Diagnostic]:
    defaults = {role.name: role for role in scope.catalogue.default_roles}
    for name, document in (merged.roles or {}).items():
        body = document.root["roles"][name]
        if "except" not in body or "includes" not in body:
            continue
        excepted = [
            (privilege, item)
            for item, named in privileges.excepted(Spot(document, ("roles", name)))
            for privilege in sorted(named)
        ]
        for privilege, item in excepted:
            seen = {name}
            waiting = sorted(roles[name].role.includes)
            while waiting:
                included = waiting.pop(0)
                role = roles[included].role if included in roles else defaults.get(included)
                if role is None or included in seen:
                    continue
                seen.add(included)
                if privilege in role.privileges:
                    message = f"`{name}` excepts `{privilege}`, but carries it through `{included}`"
                    remedy = "`except` takes nothing from includes: do not include that role"
                    yield Diagnostic("excepted-but-included", message, item.place, remedy)
                    break
                waiting += sorted(role.includes)


def _bad_renames(roles: Roles, scope: Scope, provenance: Provenance) -> Iterator[Diagnostic]:
    claims: dict[str, str] = {}
    for name, desired in roles.items():
        old = desired.renamed_from
        if old is None:
            continue
        problem = _rename_flaw(name, old, roles, scope)
        claimed = claims.get(old.casefold())
        if problem is None and claimed is not None:
            where = provenance.role(claimed)
            problem = f"`{claimed}` at {where} already claims that former name"
        elif problem is None and old in roles and roles[old].renamed_from is None:
            problem = f"`{old}` is still declared at {provenance.role(old)}"
        claims.setdefault(old.casefold(), name)
        if problem:
            message = f"`{name}` can't be renamed from `{old}`: {problem}"
            remedy = "remove or correct `renamed_from`"
            yield Diagnostic("bad-rename", message, provenance.role(name), remedy)


def _rename_flaw(name: str, old: str, roles: Roles, scope: Scope) -> str | None:
    if old == name:
        return "the old and the new name are the same"
    if scope.is_default(old):
        return f"`{old}` is a default role, and default roles keep their names"
    if scope.is_default(name):
        return f"`{name}` is a default role; nothing else can become it"
    if any(globs.matches_caseless(glob, old) for glob in scope.ignored):
        return f"`{old}` is ignored"
    if old.casefold() in scope.external:
        return f"`{old}` is external, and somebody else manages it"
    return "these renames go in a circle" if _leads_back(name, roles) else None


def _leads_back(name: str, roles: Roles) -> bool:
    seen = set()
    current: str | None = name
    while current is not None and current in roles and current not in seen:
        seen.add(current)
        current = roles[current].renamed_from
    return current == name
