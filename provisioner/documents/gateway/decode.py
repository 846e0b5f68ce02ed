"""The gateway contract's JSON as values: what a client makes of replies.

The shapes have been checked before (``wire.shapes``); here references by id become references by
name, and what contradicts itself is refused: a wrong answer must never look like an empty one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from provisioner.backends.base import HistoryEntry, Run
from provisioner.documents import codec
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
    Privilege,
    Role,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Items = list[dict[str, Any]]

_SHOWN = 20


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
    listed = codec.typed(told["privileges"], tuple[Privilege, ...])
    privileges = {privilege.name: privilege for privilege in listed}
    if len(privileges) < len(listed):
        counted = Counter(privilege.name for privilege in listed)
        twice = sorted(name for name, times in counted.items() if times > 1)
        raise Contradiction([f"catalogue.privileges: {name} is there twice" for name in twice])
    shipped = [item["name"] for item in document["roles"] if item["default"]]
    return Catalogue(told["name"], privileges, tuple(roles[name] for name in shipped))


def capabilities_of(told: Mapping[str, Any], *, atomic: bool) -> Capabilities:
    """Return what a gateway says it can do, in the planner's terms."""
    # What else a later gateway tells may be of any kind.
    can = {name: value for name, value in told.items() if isinstance(value, bool)}
    return codec.typed({**can, "atomic": atomic}, Capabilities)


def entry_of(item: Mapping[str, Any]) -> HistoryEntry:
    """Return an entry of the history from an item of GET /runs.

    Raises:
        Contradiction: An end date is no date.
    """
    told = item["run"]
    return HistoryEntry(item["number"], told and _run(told), item["has_state"], item["subject"])


def _run(told: Mapping[str, Any]) -> Run:
    ends = told.get("until")
    if wrong := [message for _, message in date_flaws(ends or ())]:
        raise Contradiction(wrong)
    until = ends if ends is None else [{**end, "user": end["login"]} for end in ends]
    return codec.typed({**told, "until": until}, Run)


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
    codec.share(items, "privileges")
    for role in codec.typed(items, tuple[Role, ...]):
        includes = frozenset(names[id] for id in role.includes)
        yield replace(role, includes=includes) if includes else role
