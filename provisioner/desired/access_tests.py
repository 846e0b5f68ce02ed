"""Access tests from the sources: every name in them checked, ready for the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.diagnostics import Diagnostic

if TYPE_CHECKING:
    from provisioner.desired.merge import Declarations
    from provisioner.desired.privileges import Resolver
    from provisioner.desired.references import Scope
    from provisioner.desired.yaml.reader import YamlMapping


def resolve_tests(
    merged: Declarations, privileges: Resolver, scope: Scope
) -> tuple[dict[str, Any], ...]:
    """Return the tests as plain data, each with its ``place`` as (file, line, column)."""
    logins = {login.casefold() for login in merged.users or ()}
    found = []
    for test, place in merged.tests:
        item: Any = test
        for key in ("can", "cannot"):
            if key in item:
                privileges.expand(item[key])
        if "role" in item:
            _check_role(item, merged, scope)
        elif merged.users is None:
            if scope.complete:
                what = f"what `{item['user']}` can do" if "user" in item else "how many hold it"
                message = f"there are no `users`, so {what} can't be tested"
                remedy = "declare `users`, or remove the test"
                scope.report("test-without-users", message, place, remedy)
        elif "user" in item:
            _check_user(item, merged.users, logins, scope)
        if "privilege" in item:
            _check_privilege(item, privileges, scope)
        found.append({**item, "place": (place.file, place.line, place.column)})
    return tuple(found)


def _check_role(test: YamlMapping, merged: Declarations, scope: Scope) -> None:
    name, place = test["role"], test.value_place("role")
    scope.check(name, place)
    is_external = name in scope.known and name not in (merged.roles or {})
    if is_external and not scope.is_default(name):
        message = f"role `{name}` is external, so what it carries is not known here"
        scope.report("test-of-external-role", message, place, "test a role that is declared")


def _check_user(test: YamlMapping, users: Any, logins: set[str], scope: Scope) -> None:
    login = test["user"]
    if login.casefold() not in logins and scope.complete:
        message, place = f"there is no user `{login}`", test.value_place("user")
        found = Diagnostic("unknown-user", message, place, "declare it under `users`")
        scope.diagnostics.append(scope.hints.expect(found, login, users))


def _check_privilege(test: YamlMapping, privileges: Resolver, scope: Scope) -> None:
    name, place = test["privilege"], test.value_place("privilege")
    if "*" in name:
        message = f"holders are counted for one privilege, and `{name}` is a glob"
        remedy = "write a test for each privilege"
        scope.report("test-of-glob", message, place, remedy)
    else:
        privileges.check(name, place)
