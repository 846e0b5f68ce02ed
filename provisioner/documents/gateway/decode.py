"""The gateway contract's JSON as values: what a client makes of replies.

The shapes have been checked before (``wire.shapes``); here references by id become references by
name, and what contradicts itself is refused: a wrong answer must never look like an empty one.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from sys import intern
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from provisioner.backends.base import HistoryEntry, Run
from provisioner.documents.contradictions import (
    circles,
    date_flaws,
    policy_flaws,
    same_ids,
    same_names,
    strangers,
)
from provisioner.model import (
    Assignment,
    Capabilities,
    Catalogue,
    Ending,
    Privilege,
    Requirement,
    Role,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Items = Sequence[Mapping[str, Any]]

_NONE: frozenset[str] = frozenset()
_SHOWN = 20
_CAPABILITIES = frozenset(Capabilities.__struct_fields__)


class Contradiction(ValueError):
    """A document contradicts itself. Each of ``problems`` names the field and what is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        more = len(problems) - _SHOWN
        self.problems = (*problems[:_SHOWN], *([f"and {more} more of such"] if more > 0 else []))
        super().__init__("; ".join(self.problems))


def state_of(document: Mapping[str, Any]) -> State:
    """Return the state in the reply to GET /state, or in a kept state.

    Raises:
        Contradiction: Two roles or users clash, an id leads nowhere, a role includes itself, or a
            policy is none.
    """
    if found := list(_contradictions(document)):
        raise Contradiction(found)
    names = {item["id"]: item["name"] for item in document["roles"]}
    return State(
        {role.name: role for role in _roles(document["roles"], names)},
        {
            item["login"].casefold(): Assignment(
                item["login"], frozenset([names[id] for id in item["roles"]])
            )
            for item in document["users"]
            if item["roles"]
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
    listed = [_privilege(item) for item in told["privileges"]]
    privileges = {privilege.name: privilege for privilege in listed}
    if len(privileges) < len(listed):
        counted = Counter(privilege.name for privilege in listed)
        twice = sorted(name for name, times in counted.items() if times > 1)
        raise Contradiction([f"catalogue.privileges: {name} is there twice" for name in twice])
    shipped = [item["name"] for item in document["roles"] if item["default"]]
    return Catalogue(told["name"], privileges, tuple(roles[name] for name in shipped))


def capabilities_of(told: Mapping[str, bool], *, atomic: bool) -> Capabilities:
    """Return what a gateway says it can do, in the planner's terms."""
    known = {name: told[name] for name in told.keys() & _CAPABILITIES}
    return Capabilities(**known | {"atomic": atomic})


def entry_of(item: Mapping[str, Any]) -> HistoryEntry:
    """Return an entry of the history from an item of GET /runs.

    Raises:
        Contradiction: An end date is no date.
    """
    run = item["run"] and _run(item["run"])
    return HistoryEntry(item["number"], run, item["has_state"], item["subject"])


def _run(told: Mapping[str, Any]) -> Run:
    run = Run(told["at"], told["by"], told["operation"], told["summary"], told["plan"])
    if "until" not in told:
        return run
    if wrong := [message for _, message in date_flaws(told["until"])]:
        raise Contradiction(wrong)
    return replace(
        run,
        until=tuple(
            Ending(end["login"], end["role"], date.fromisoformat(end["until"]))
            for end in told["until"]
        ),
    )


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


def _contradictions(document: Mapping[str, Any]) -> Iterator[str]:
    roles, users = document["roles"], document["users"]
    known = frozenset(item["id"] for item in roles)
    yield from same_ids(roles)
    yield from same_names("roles", "name", roles)
    yield from same_names("users", "login", users)
    yield from strangers("roles", "name", roles, ("includes",), known)
    yield from strangers("users", "login", users, ("roles",), known)
    yield from circles(roles, "id")
    yield from (problem for _, problem in policy_flaws(document["policies"]))


def _roles(items: Items, names: Mapping[str, str]) -> Iterable[Role]:
    for item in items:
        yield Role(
            item["name"],
            item["description"],
            # Interned: the same few hundred names fill thousands of roles, and sets of identical
            # objects compare by identity.
            frozenset(map(intern, item["privileges"])),
            frozenset([names[id] for id in item["includes"]]) if item["includes"] else _NONE,
            item["protected"],
            item["id"],
        )
