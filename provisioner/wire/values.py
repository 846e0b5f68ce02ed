"""The gateway contract's JSON as values: what a client makes of replies.

The shapes have been checked before (``wire.shapes``); here references by id become references by
name, and what contradicts itself is refused: a wrong answer must never look like an empty one.
"""

from __future__ import annotations

from dataclasses import fields
from sys import intern
from typing import TYPE_CHECKING, Any

from provisioner.backends.base import HistoryEntry, Run
from provisioner.model import (
    Assignment,
    Capabilities,
    Catalogue,
    Privilege,
    Requirement,
    Role,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Items = Sequence[Mapping[str, Any]]

_NONE: frozenset[str] = frozenset()
_CAPABILITIES = frozenset(field.name for field in fields(Capabilities))


class Contradiction(ValueError):
    """A document contradicts itself: the message names the field and what is wrong with it."""


def state_of(document: Mapping[str, Any]) -> State:
    """Return the state in the reply to GET /state, or in a kept state.

    Raises:
        Contradiction: Two roles or users clash, or an id leads nowhere.
    """
    names = _names(document["roles"])
    return State(
        {role.name: role for role in _roles(document["roles"], names)},
        {
            item["login"].casefold(): Assignment(item["login"], held)
            for item, held in _holders(document["users"], names)
            if held
        },
        frozenset(document["recorded"]),
        tuple(document["policies"]),
    )


def catalogue_of(document: Mapping[str, Any], roles: Mapping[str, Role]) -> Catalogue:
    """Return the panel's catalogue from the reply to GET /state; its default roles are flagged.

    Raises:
        Contradiction: Two privileges have the same name.
    """
    told = document["catalogue"]
    privileges: dict[str, Privilege] = {}
    for index, item in enumerate(told["privileges"]):
        if item["name"] in privileges:
            where = f"catalogue.privileges[{index}].name"
            raise Contradiction(f"{where}: {item['name']} is listed twice")
        privileges[item["name"]] = _privilege(item)
    shipped = [item["name"] for item in document["roles"] if item["default"]]
    return Catalogue(told["name"], privileges, tuple(roles[name] for name in shipped))


def capabilities_of(told: Mapping[str, bool], *, atomic: bool) -> Capabilities:
    """Return what a gateway says it can do, in the planner's terms."""
    known = {name: told[name] for name in told.keys() & _CAPABILITIES}
    return Capabilities(**known | {"atomic": atomic})


def entry_of(item: Mapping[str, Any]) -> HistoryEntry:
    """Return an entry of the history from an item of GET /runs."""
    told = item["run"]
    run = told and Run(*(told[name] for name in ("at", "by", "operation", "summary", "plan")))
    return HistoryEntry(item["number"], run, item["has_state"], item["subject"])


def _privilege(item: Mapping[str, Any]) -> Privilege:
    requires = tuple(Requirement(need["name"], need.get("when")) for need in item["requires"])
    return Privilege(
        item["name"],
        item["group"],
        item["summary"],
        requires,
        internal=item["internal"],
        sensitive=item["sensitive"],
    )


def _names(items: Items) -> dict[str, str]:
    """Ids to names, once no two roles share either."""
    names = {item["id"]: item["name"] for item in items}
    if len(names) < len(items):
        raise Contradiction(f"roles{_twice(item['id'] for item in items)}")
    if len({name.casefold() for name in names.values()}) < len(names):
        raise Contradiction(f"roles{_twice(item['name'].casefold() for item in items)}")
    return names


def _roles(items: Items, names: Mapping[str, str]) -> Iterable[Role]:
    for index, item in enumerate(items):
        includes = item["includes"]
        yield Role(
            item["name"],
            item["description"],
            # Interned: the same few hundred names fill thousands of roles, and sets of identical
            # objects compare by identity.
            frozenset(map(intern, item["privileges"])),
            _named(includes, names, f"roles[{index}].includes") if includes else _NONE,
            item["protected"],
            item["id"],
        )


def _holders(
    items: Items, names: Mapping[str, str]
) -> Iterable[tuple[Mapping[str, Any], frozenset[str]]]:
    if len({item["login"].casefold() for item in items}) < len(items):
        raise Contradiction(f"users{_twice(item['login'].casefold() for item in items)}")
    for index, item in enumerate(items):
        yield item, _named(item["roles"], names, f"users[{index}].roles")


def _named(ids: Iterable[str], names: Mapping[str, str], where: str) -> frozenset[str]:
    try:
        return frozenset([names[id] for id in ids])
    except KeyError as error:
        raise Contradiction(f"{where}: no role has the id {error.args[0]}") from None


def _twice(keys: Iterable[str]) -> str:
    """Where the first key stands that was there before, and what it is."""
    seen: set[str] = set()
    for index, key in enumerate(keys):
        if key in seen:
            return f"[{index}]: {key} is there twice"
        seen.add(key)
    return ""
