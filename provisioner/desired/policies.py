"""Policies from the sources: names checked, globs expanded, ready for the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.desired.yaml.scalars import iso_date
from provisioner.engine.phrases import quoted

if TYPE_CHECKING:
    from provisioner.desired.merge import Declarations
    from provisioner.desired.privileges import Resolver
    from provisioner.desired.references import Scope
    from provisioner.desired.yaml.reader import YamlSequence

_RULES = ("restrict", "dated")


def resolve_policies(
    merged: Declarations, privileges: Resolver, scope: Scope
) -> tuple[dict[str, Any], ...]:
    """Return the policies as plain data, each with its ``place`` as (file, line, column)."""
    found = []
    for policy, place in merged.policies:
        resolved: dict[str, Any] = dict(policy)
        if "deny" in policy:
            resolved["deny"] = _items_or_rule(policy["deny"], privileges, scope)
        if "separation_of_duty" in policy:
            resolved["separation_of_duty"] = _conflicting(
                policy["separation_of_duty"], privileges, scope
            )
        for key in _RULES:
            if key in policy:
                resolved[key] = _rule(policy[key], privileges, scope)
        if "except" in policy:
            _check_exemptions(policy["except"], scope)
        resolved["place"] = (place.file, place.line, place.column)
        found.append(resolved)
    return tuple(found)


def _conflicting(written: Any, privileges: Resolver, scope: Scope) -> Any:
    """What must be kept apart: single privileges or roles, or classes of them."""
    listed = written["roles"] if isinstance(written, dict) else written
    single = [index for index, item in enumerate(listed) if isinstance(item, str)]
    if len(single) == len(listed):
        return _items_or_rule(written, privileges, scope)
    for index in single:
        message = f"`{listed[index]}` stands beside lists, and is none itself"
        remedy = f"make it a class of its own: [{listed[index]}]"
        scope.report("mixed-classes", message, listed.item_place(index), remedy)
    classes = [item for item in listed if not isinstance(item, str)]
    if len(listed) == 1:
        message = "a single class keeps nothing apart"
        remedy = "add another list, or write the names without the inner list"
        scope.report("single-class", message, listed.item_place(0), remedy)
    if isinstance(written, dict):
        for part in classes:
            _check_roles(part, scope)
        return {"roles": _apart(classes, [sorted(set(part)) for part in classes], scope)}
    return _apart(classes, [sorted(privileges.expand(part)) for part in classes], scope)


def _apart(written: list[YamlSequence], classes: list[list[str]], scope: Scope) -> list[list[str]]:
    """The classes; what stands in two of them is reported."""
    first: dict[str, int] = {}
    for number, part in enumerate(classes, 1):
        twice = [name for name in part if first.setdefault(name, number) != number]
        if twice:
            verb, what = ("stand", "them") if len(twice) > 1 else ("stands", "it")
            message = f"{quoted(twice)} {verb} in class {first[twice[0]]} already"
            remedy = f"leave {what} in one class: whoever has {what} would break the policy by that"
            scope.report("classes-overlap", message, written[number - 1].item_place(0), remedy)
    return classes


def _check_roles(names: YamlSequence, scope: Scope) -> None:
    for index, name in enumerate(names):
        scope.check(name, names.item_place(index))


def _items_or_rule(written: Any, privileges: Resolver, scope: Scope) -> Any:
    if isinstance(written, dict):
        return _rule(written, privileges, scope)
    return sorted(privileges.expand(written))


def _rule(rule: Any, privileges: Resolver, scope: Scope) -> dict[str, Any]:
    resolved = dict(rule)
    if "privileges" in rule:
        resolved["privileges"] = sorted(privileges.expand(rule["privileges"]))
    if "roles" in rule:
        _check_roles(rule["roles"], scope)
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
