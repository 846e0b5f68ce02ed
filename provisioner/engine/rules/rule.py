"""A policy, ready to be judged: what it names as sets of items, and what is exempt on a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from provisioner.diagnostics import Severity
from provisioner.model import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.engine.access.carried import Items

RuleKind = Literal["separation_of_duty", "restrict", "deny", "dated"]
KINDS: tuple[RuleKind, ...] = ("separation_of_duty", "restrict", "deny", "dated")


class Rule(Struct, frozen=True):
    """One rule of one policy.

    ``items`` is the set of all that it names, ``classes`` its parts of which at most ``at_most``
    may be carried; ``grouped`` says that the author wrote classes. ``limits`` are what else the
    rule says, as written. Roles in ``exempt`` and what arrives only through them do not count.
    Whoever carries fewer than ``fewest`` of the items breaks nothing.
    """

    name: str
    kind: RuleKind
    severity: Severity
    place: Place | None
    items: int
    classes: tuple[int, ...]
    grouped: bool
    exempt: frozenset[str]
    limits: Mapping[str, Any]
    at_most: int = 0
    fewest: int = 1

    def is_broken_by(self, carried: int) -> bool:
        """Whether a role or user that carries these items breaks separation of duty or denial."""
        return self.count(carried) > self.at_most

    def count(self, carried: int) -> int:
        """How many of the classes are carried."""
        carried &= self.items
        if not self.grouped:
            return carried.bit_count()
        return sum(1 for part in self.classes if part & carried)


def rules_of(policies: Iterable[Mapping[str, Any]], as_of: date, items: Items) -> tuple[Rule, ...]:
    """The rules of policies as plain data; what they name gets its bits in ``items``."""
    return tuple(
        _rule(policy, kind, as_of, items) for policy in policies for kind in KINDS if kind in policy
    )


def _rule(policy: Mapping[str, Any], kind: RuleKind, as_of: date, items: Items) -> Rule:
    written = policy[kind]
    grouped = False
    classes: tuple[int, ...] = ()
    if kind in {"separation_of_duty", "deny"}:
        of: Literal["privileges", "roles"] = "roles" if isinstance(written, dict) else "privileges"
        named = written["roles"] if isinstance(written, dict) else written
        grouped = any(not isinstance(item, str) for item in named)
        parts = named if grouped else [[name] for name in dict.fromkeys(named)]
        classes = tuple(items.set_of(of, part) for part in parts)
        whole = 0
        for part in classes:
            whole |= part
        limits = policy
    else:
        whole = items.set_of("roles", written.get("roles", ()))
        whole |= items.set_of("privileges", written.get("privileges", ()))
        limits = written
    place = policy.get("place")
    at_most = policy.get("at_most", 1) if kind == "separation_of_duty" else 0
    apart = sum(part.bit_count() for part in classes) == whole.bit_count()
    return Rule(
        policy["name"],
        kind,
        policy.get("severity", "error"),
        Place(*place) if place else None,
        whole,
        classes,
        grouped,
        frozenset(name for name, until in _exempt(policy) if until is None or as_of <= until),
        limits,
        at_most,
        at_most + 1 if apart else 1,
    )


def _exempt(policy: Mapping[str, Any]) -> Iterator[tuple[str, date | None]]:
    for item in policy.get("except", ()):
        if isinstance(item, str):
            yield item, None
        else:
            until = item.get("until")
            yield item["role"], date.fromisoformat(until) if until else None
