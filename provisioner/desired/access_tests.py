"""Access tests from the sources: every name in them checked, ready for the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.diagnostics import Diagnostic

if TYPE_CHECKING:
    from provisioner.desired.merge import Declarations
    from provisioner.desired.privileges import Resolver
    from provisioner.desired.references import Scope
    from provisioner.desired.yaml.document import Spot


def resolve_tests(
    merged: Declarations, privileges: Resolver, scope: Scope
) -> tuple[dict[str, Any], ...]:
    """Return the tests as plain data, each with its ``place`` as (file, line, column)."""
    logins = {login.casefold() for login in merged.users or ()}
    found = []
    for test in merged.tests:
        item, place = test.value, test.place
        for key in ("can", "cannot"):
            if key in item:
                privileges.expand(test.at(key))
        if "role" in item:
            _check_role(test.at("role"), merged, scope)
        elif merged.users is None:
            if scope.complete:
                what = f"what `{item['user']}` can do" if "user" in item else "how many hold it"
                message = f"there are no `users`, so {what} can't be tested"
                remedy = "declare `users`, or remove the test"
                scope.report("test-without-users", message, place, remedy)
        elif "user" in item:
            _check_user(test.at("user"), merged.users, logins, scope)
        if "privilege" in item:
            _check_privilege(test.at("privilege"), privileges, scope)
        found.append({**item, "place": (place.file, place.line, place.column)})
    return tuple(found)


def _check_role(role: Spot, merged: Declarations, scope: Scope) -> None:
    name = role.value
    scope.check(role)
    is_external = name in scope.known and name not in (merged.roles or {})
    if is_external and not scope.is_default(name):
        message = f"role `{name}` is external, so what it carries is not known here"
        remedy = "test a role that is declared"
        scope.report("test-of-external-role", message, role.place, remedy)


def _check_user(user: Spot, users: Any, logins: set[str], scope: Scope) -> None:
    login = user.value
    if login.casefold() not in logins and scope.complete:
        message, remedy = f"there is no user `{login}`", "declare it under `users`"
        found = Diagnostic("unknown-user", message, user.place, remedy)
        scope.diagnostics.append(scope.hints.expect(found, login, users))


def _check_privilege(privilege: Spot, privileges: Resolver, scope: Scope) -> None:
    if "*" in privilege.value:
        message = f"holders are counted for one privilege, and `{privilege.value}` is a glob"
        remedy = "write a test for each privilege"
        scope.report("test-of-glob", message, privilege.place, remedy)
    else:
        privileges.check(privilege)
