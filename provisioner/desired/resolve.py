"""From merged declarations to the desired state: names checked, globs expanded, references bound.

Everything that the sources alone can show to be wrong is found here, in one go: unknown names,
include cycles, exceptions that an include undoes, impossible renames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from provisioner import globs, names
from provisioner.desired import references
from provisioner.desired.access_tests import resolve_tests
from provisioner.desired.hints import Hints
from provisioner.desired.policies import resolve_policies
from provisioner.desired.privileges import Resolver
from provisioner.desired.yaml.document import Spot
from provisioner.desired.yaml.scalars import iso_date
from provisioner.diagnostics import Diagnostic
from provisioner.model import (
    DatedRole,
    DesiredRole,
    DesiredState,
    DesiredUser,
    Exclusion,
    Grant,
    Place,
    Role,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioner.desired.merge import Declarations
    from provisioner.desired.surroundings import Surroundings
    from provisioner.model import Catalogue


# From how many unknown privileges on, and from which share of all names, the catalogue is doubted.
_MANY_UNKNOWN: Final = 10
_MOSTLY: Final = 0.9


class Resolved(Struct):
    """The desired state, sound only if there is no error among the diagnostics."""

    desired: DesiredState
    diagnostics: list[Diagnostic] = field(default_factory=list)
    hints: Hints = field(default_factory=Hints)


def resolve(merged: Declarations, around: Surroundings, *, complete: bool = True) -> Resolved:
    """Resolve declarations against a catalogue and the project's lists.

    ``complete`` says whether every file could be read: where not, references to roles and sets
    that are nowhere to be found are let pass, for they may stand in the file that failed.
    """
    ignore = (*around.ignore, *merged.ignore)
    ignore_users = (*around.ignore_users, *merged.ignore_users)
    scope = references.Scope.of(merged, around, ignore, complete=complete)
    privileges = Resolver(
        around.catalogue,
        merged,
        complete=complete,
        lenient=around.lenient,
        hints=scope.hints,
    )
    roles = None
    if merged.roles is not None:
        roles = {
            name: _role(Spot(document, ("roles", name)), privileges, scope)
            for name, document in merged.roles.items()
        }
    users = None
    if merged.users is not None:
        users = {
            login.casefold(): _user(Spot(document, ("users", login)), scope)
            for login, document in merged.users.items()
        }
    provenance = SourceProvenance(merged, privileges)
    policies = resolve_policies(merged, privileges, scope)
    tests = resolve_tests(merged, privileges, scope)
    for login, document in (merged.users or {}).items():
        glob = globs.first_caseless(ignore_users, login)
        if glob is not None:
            message = f"user `{login}` is declared, but ignored (`{glob}`)"
            remedy = "remove the declaration, or narrow `ignore_users`"
            place = Spot(document, ("users", login)).key_place
            scope.report("ignored-user", message, place, remedy)
    diagnostics = [*privileges.diagnostics, *scope.diagnostics]
    diagnostics += [*privileges.left_out(), *scope.not_checked()]
    diagnostics += _wrong_catalogue(merged, privileges.unknown, around.catalogue)
    diagnostics += _look_alike_logins(merged)
    if roles is not None:
        diagnostics += references.check_roles(roles, merged, scope, privileges, provenance)
    desired = DesiredState(
        roles=roles,
        users=users,
        catalogue=around.catalogue,
        ignore=ignore,
        ignore_users=ignore_users,
        rules={
            "policies": policies,
            "tests": tests,
        },
        files=tuple(sorted(merged.files)),
        provenance=provenance,
    )
    return Resolved(desired, diagnostics, scope.hints)


def _look_alike_logins(merged: Declarations) -> Iterator[Diagnostic]:
    users = merged.users or {}
    for login, other in names.look_alikes(users, users).items():
        if names.is_plain(login):
            continue  # It is said of the other one.
        message = f"look-alike: the login `{login}` looks like `{other}`"
        place = Spot(users[login], ("users", login)).key_place
        yield Diagnostic("look-alike-login", message, place, "check both are meant", "warning")


def _wrong_catalogue(
    merged: Declarations, unknown: set[str], catalogue: Catalogue
) -> Iterator[Diagnostic]:
    """Say that hardly a name is in the catalogue: then it is the catalogue that is wrong."""
    if len(unknown) < _MANY_UNKNOWN:
        return
    bodies = [document.root["roles"][name] for name, document in (merged.roles or {}).items()]
    lists = [body.get(key, ()) for body in bodies for key in ("privileges", "except")]
    lists += [document.root["privilege_sets"][name] for name, document in merged.sets.items()]
    named = {name for names_ in lists for name in names_ if "*" not in name}
    if len(unknown) >= len(named) * _MOSTLY:
        share = "none" if len(unknown) >= len(named) else f"only {len(named) - len(unknown):,}"
        message = (
            f"{share} of the {len(named):,} privileges that the sources name is in the catalogue "
            f"`{catalogue.name}`"
        )
        remedy = "is this the right catalogue, and the right target?"
        yield Diagnostic("wrong-catalogue", message, None, remedy)


def _role(declared: Spot, privileges: Resolver, scope: references.Scope) -> DesiredRole:
    name, body = declared.name, declared.value
    own = scope.shared(name, privileges.own(declared))
    includes = body.get("includes", ())
    for index, included in enumerate(includes):
        if included not in scope.known or scope.ignored:
            scope.check(declared.at("includes", index))
    is_default = scope.is_default(name)
    role = Role(
        name,
        body.get("description", ""),
        own,
        frozenset(includes),
        body.get("protected", is_default),
    )
    return DesiredRole(role, body.get("renamed_from"))


def _user(declared: Spot, scope: references.Scope) -> DesiredUser:
    login = declared.name
    if problem := names.flaw(login):
        message = f"the login `{login}` {problem[0]}"
        scope.report("bad-login", message, declared.key_place, problem[1])
    held: dict[str, DatedRole] = {}
    for index in range(len(declared.value["roles"])):
        item = declared.at("roles", index)
        dated = _dated(item, scope)
        if dated.role in held:
            message = f"`{login}` is given `{dated.role}` twice"
            scope.report("role-twice", message, item.place, "keep one of them")
        held[dated.role] = dated
    return DesiredUser(login, tuple(held.values()))


def _dated(given: Spot, scope: references.Scope) -> DatedRole:
    item = given.value
    if isinstance(item, str):
        if item not in scope.known or scope.ignored:
            scope.check(given)
        return DatedRole(item)
    scope.check(given.at("role"))
    until = None
    if "until" in item:
        until = iso_date(item["until"])
        if until is None:
            message = f"there is no date {item['until']}"
            scope.report("no-such-date", message, given.at("until").place, "use YYYY-MM-DD")
    return DatedRole(item["role"], until, item.get("reason"))


class SourceProvenance:
    """Answers from the documents where a grant or an include was written."""

    def __init__(self, merged: Declarations, privileges: Resolver) -> None:
        self._merged = merged
        self._privileges = privileges
        self._logins = {login.casefold(): login for login in merged.users or ()}

    def role(self, name: str) -> Place | None:
        """Where the role is declared."""
        declared = self._merged.role(name)
        return declared and declared.key_place

    def user(self, login: str) -> Place | None:
        """Where the user is declared; ``login`` case-folded."""
        declared = self._user(login)
        return declared and declared.key_place

    def _user(self, login: str) -> Spot | None:
        name = self._logins.get(login)
        return None if name is None else self._merged.user(name)

    def assignment(self, login: str, role: str) -> Place | None:
        """Where the user is given the role; ``login`` case-folded."""
        declared = self._user(login)
        for index, item in enumerate(declared.value["roles"] if declared else ()):
            if declared and role == (item if isinstance(item, str) else item["role"]):
                return declared.at("roles", index).place
        return None

    def grants(self, role: str) -> tuple[Grant, ...]:
        """Every grant of the role's own privileges, sorted by privilege, then place."""
        declared = self._merged.role(role)
        return self._privileges.grants(declared) if declared else ()

    def include(self, role: str, included: str) -> Place | None:
        """Where the role's ``includes`` names the included role."""
        declared = self._merged.role(role)
        includes = declared.value.get("includes", ()) if declared else ()
        if declared and included in includes:
            return declared.at("includes", includes.index(included)).place
        return None

    def exclusions(self, role: str) -> tuple[Exclusion, ...]:
        """What the role's ``except`` takes away, item by item."""
        declared = self._merged.role(role)
        return self._privileges.exclusions(declared) if declared else ()

    def sets_of(self, role: str) -> tuple[str, ...]:
        """The privilege sets that the role names."""
        declared = self._merged.role(role)
        return tuple(declared.value.get("sets", ())) if declared else ()

    def sets(self) -> Mapping[str, Place | None]:
        """Every privilege set, and where it is declared."""
        found = {name: self._merged.privilege_set(name) for name in self._merged.sets}
        return {name: declared and declared.key_place for name, declared in found.items()}
