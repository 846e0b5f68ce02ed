"""Policies from the sources: names checked, globs expanded, ready for the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.desired.yaml.scalars import iso_date
from provisioner.engine.phrases import quoted

if TYPE_CHECKING:
    from provisioner.desired.merge import Declarations
    from provisioner.desired.privileges import Resolver
    from provisioner.desired.references import Scope
    from provisioner.desired.yaml.document import Spot

_RULES = ("restrict", "dated")


def resolve_policies(
    merged: Declarations, privileges: Resolver, scope: Scope
) -> tuple[dict[str, Any], ...]:
    """Return the policies as plain data, each with its ``place`` as (file, line, column)."""
    found = []
    for policy in merged.policies:
        resolved: dict[str, Any] = dict(policy.value)
        if "deny" in resolved:
            resolved["deny"] = _items_or_rule(policy.at("deny"), privileges, scope)
        if "separation_of_duty" in resolved:
            resolved["separation_of_duty"] = _conflicting(
                policy.at("separation_of_duty"), privileges, scope
            )
        for key in _RULES:
            if key in resolved:
                resolved[key] = _rule(policy.at(key), privileges, scope)
        if "except" in resolved:
            _check_exemptions(policy.at("except"), scope)
        place = policy.place
        resolved["place"] = (place.file, place.line, place.column)
        found.append(resolved)
    return tuple(found)


def _conflicting(written: Spot, privileges: Resolver, scope: Scope) -> Any:
    """What must be kept apart: single privileges or roles, or classes of them."""
    are_roles = isinstance(written.value, dict)
    listed = written.at("roles") if are_roles else written
    items = [listed.at(index) for index in range(len(listed.value))]
    single = [item for item in items if isinstance(item.value, str)]
    if len(single) == len(items):
        return _items_or_rule(written, privileges, scope)
    for item in single:
        message = f"`{item.value}` stands beside lists, and is none itself"
        remedy = f"make it a class of its own: [{item.value}]"
        scope.report("mixed-classes", message, item.place, remedy)
    classes = [item for item in items if not isinstance(item.value, str)]
    if len(items) == 1:
        message = "a single class keeps nothing apart"
        remedy = "add another list, or write the names without the inner list"
        scope.report("single-class", message, items[0].place, remedy)
    if are_roles:
        for part in classes:
            _check_roles(part, scope)
        return {"roles": _apart(classes, [sorted(set(part.value)) for part in classes], scope)}
    return _apart(classes, [sorted(privileges.expand(part)) for part in classes], scope)


def _apart(written: list[Spot], classes: list[list[str]], scope: Scope) -> list[list[str]]:
    """The classes; what stands in two of them is reported."""
    first: dict[str, int] = {}
    for number, part in enumerate(classes, 1):
        twice = [name for name in part if first.setdefault(name, number) != number]
        if twice:
            verb, what = ("stand", "them") if len(twice) > 1 else ("stands", "it")
            message = f"{quoted(twice)} {verb} in class {first[twice[0]]} already"
            remedy = f"leave {what} in one class: whoever has {what} would break the policy by that"
            scope.report("classes-overlap", message, written[number - 1].at(0).place, remedy)
    return classes


def _check_roles(names: Spot, scope: Scope) -> None:
    for index in range(len(names.value)):
        scope.check(names.at(index))


def _items_or_rule(written: Spot, privileges: Resolver, scope: Scope) -> Any:
    if isinstance(written.value, dict):
        return _rule(written, privileges, scope)
    return sorted(privileges.expand(written))


def _rule(rule: Spot, privileges: Resolver, scope: Scope) -> dict[str, Any]:
    resolved: dict[str, Any] = dict(rule.value)
    if "privileges" in resolved:
        resolved["privileges"] = sorted(privileges.expand(rule.at("privileges")))
    if "roles" in resolved:
        _check_roles(rule.at("roles"), scope)
    return resolved


def _check_exemptions(listed: Spot, scope: Scope) -> None:
    for index, item in enumerate(listed.value):
        given = listed.at(index)
        if isinstance(item, str):
            scope.check(given)
            continue
        scope.check(given.at("role"))
        if "until" in item and iso_date(item["until"]) is None:
            message = f"there is no date {item['until']}"
            scope.report("no-such-date", message, given.at("until").place, "use YYYY-MM-DD")
