"""Policies from the sources: names checked, globs expanded, ready for the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.desired.scalars import iso_date

if TYPE_CHECKING:
    from provisioner.desired.merge import Declarations
    from provisioner.desired.privileges import Resolver
    from provisioner.desired.references import Scope

# Where a policy names privileges or roles: (key, key below it or None where a list means privileges
# and a mapping with `roles` means roles).
_SUBJECTS = ("separation_of_duty", "deny")
_RULES = ("restrict", "dated")


def resolve_policies(
    merged: Declarations, privileges: Resolver, scope: Scope
) -> tuple[dict[str, Any], ...]:
    """Return the policies as plain data, each with its ``place`` as (file, line, column)."""
    found = []
    for policy, place in merged.policies:
        resolved: dict[str, Any] = dict(policy)
        for key in _SUBJECTS:
            if key in policy:
                resolved[key] = _subjects(policy[key], privileges, scope)
        for key in _RULES:
            if key in policy:
                resolved[key] = _rule(policy[key], privileges, scope)
        if "except" in policy:
            _check_exemptions(policy["except"], scope)
        resolved["place"] = (place.file, place.line, place.column)
        found.append(resolved)
    return tuple(found)


def _subjects(subjects: Any, privileges: Resolver, scope: Scope) -> Any:
    if isinstance(subjects, dict):
        return _rule(subjects, privileges, scope)
    return sorted(privileges.expand(subjects))


def _rule(rule: Any, privileges: Resolver, scope: Scope) -> dict[str, Any]:
    resolved = dict(rule)
    if "privileges" in rule:
        resolved["privileges"] = sorted(privileges.expand(rule["privileges"]))
    for index, name in enumerate(rule.get("roles", ())):
        scope.check(name, rule["roles"].item_place(index))
    return resolved


def _check_exemptions(items: Any, scope: Scope) -> None:
    for index, item in enumerate(items):
        if isinstance(item, str):
            scope.check(item, items.item_place(index))
            continue
        scope.check(item["role"], item.value_place("role"))
        if "until" in item and iso_date(item["until"]) is None:
            message = f"there is no date {item['until']}"
            scope.report("no-such-date", message, item.value_place("until"), "use YYYY-MM-DD")
