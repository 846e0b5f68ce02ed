"""The policies that a store remembers as in force, and what a plan does to them.

A policy is known by its name. Adding, changing or removing one is a change like any other: shown,
counted, pending until it is applied, and recorded by the apply.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from provisioner.engine.changes import Action, FieldChange
from provisioner.model import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Policy = Mapping[str, Any]
_NAME: Final = "name"
_SUBJECTS: Final = ("separation_of_duty", "deny", "restrict", "dated")


class RuleChange(Struct, frozen=True):
    """A policy that is added (``before`` None), changed, or removed (``after`` None)."""

    name: str
    before: Policy | None
    after: Policy | None
    source: Place | None = None

    @property
    def action(self) -> Action:
        """What happens to the policy."""
        if self.before is None:
            return Action.CREATE
        return Action.DELETE if self.after is None else Action.UPDATE

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """What differs, by key; of lists of names, what comes and what goes."""
        before, after = self.before or {}, self.after or {}
        return tuple(
            _field(key, before.get(key), after.get(key))
            for key in sorted(before.keys() | after.keys())
            if key != _NAME and before.get(key) != after.get(key)
        )


def in_force(policies: Iterable[Policy]) -> tuple[dict[str, Any], ...]:
    """Policies as a store keeps them: plain data without places, whose lists are sorted.

    The order in which names or exemptions are listed means nothing.
    """
    return tuple(
        {key: _sorted(value) for key, value in sorted(policy.items()) if key != "place"}
        for policy in policies
    )


def roles_judged(policy: Policy) -> Iterator[str]:
    """Yield the roles that a policy is about, exemptions aside."""
    for key in _SUBJECTS:
        rule = policy.get(key)
        if isinstance(rule, dict):
            yield from _flat(rule.get("roles", ()))


def _flat(names: Iterable[Any]) -> Iterator[str]:
    """Names, and those in the classes that some separate."""
    for name in names:
        yield from (name,) if isinstance(name, str) else name


def named_roles(policy: Policy) -> Iterator[str]:
    """Yield every role that a policy names, exemptions included."""
    yield from roles_judged(policy)
    for item in policy.get("except", ()):
        yield item if isinstance(item, str) else item["role"]


def exempt_roles(policy: Policy, as_of: date) -> frozenset[str]:
    """The roles that a policy exempts on a day."""
    found = set()
    for item in policy.get("except", ()):
        if isinstance(item, str):
            found.add(item)
        elif "until" not in item or as_of <= date.fromisoformat(item["until"]):
            found.add(item["role"])
    return frozenset(found)


def in_new_names(policy: Policy, renames: Mapping[str, str]) -> dict[str, Any]:
    """The policy with roles called by their new names."""

    def new(name: Any) -> Any:
        return renames.get(name, name) if isinstance(name, str) else list(map(new, name))

    found = dict(policy)
    for key in _SUBJECTS:
        rule = policy.get(key)
        if isinstance(rule, dict) and "roles" in rule:
            found[key] = {**rule, "roles": list(map(new, rule["roles"]))}
    if "except" in policy:
        found["except"] = [
            new(item) if isinstance(item, str) else {**item, "role": new(item["role"])}
            for item in policy["except"]
        ]
    return found


def _sorted(value: Any) -> Any:
    match value:
        case dict():
            return {key: _sorted(item) for key, item in sorted(value.items())}
        case list() | tuple():
            return sorted(map(_sorted, value), key=lambda item: json.dumps(item, sort_keys=True))
        case _:
            return value


def rule_changes(stored: Iterable[Policy], wanted: Iterable[Policy]) -> tuple[RuleChange, ...]:
    """Return what differs between the policies in force and those that shall be, by name.

    ``wanted`` may carry ``place`` (file, line, column), as policies of the sources do.
    """
    wanted = tuple(wanted)
    before = {policy[_NAME]: policy for policy in in_force(stored)}
    after = {policy[_NAME]: policy for policy in in_force(wanted)}
    places = {policy[_NAME]: policy.get("place") for policy in wanted}
    return tuple(
        RuleChange(name, before.get(name), after.get(name), _place(places.get(name)))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def _place(found: Any) -> Place | None:
    return Place(*found) if found else None


def _field(key: str, before: Any, after: Any) -> FieldChange:
    if isinstance(before or [], list) and isinstance(after or [], list):
        had, has = (
            dict.fromkeys(str(_text(item)) for item in items or ()) for items in (before, after)
        )
        added = tuple(item for item in has if item not in had)
        removed = tuple(item for item in had if item not in has)
        return FieldChange(key, None, None, added, removed)
    return FieldChange(key, _text(before), _text(after))


def _text(value: Any) -> str | None:
    """A value as one writes it in one line of YAML; None stays None."""
    match value:
        case None | str():
            return value
        case dict():
            return f"{{{', '.join(f'{key}: {_text(item)}' for key, item in value.items())}}}"
        case list():
            return f"[{', '.join(str(_text(item)) for item in value)}]"
        case _:
            return json.dumps(value)
