"""What a store holds after a commit, for backends that keep whole states."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.engine.writes import Unfit, replay

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.engine.writes import Write
    from provisioner.model import Role, State


def committed_state(current: State, writes: Iterable[Write], after: State) -> State:
    """Return what the writes make of the current state, with ids for new roles.

    What is stored follows from the writes alone. ``after``, which the plan and its impact were
    shown from, adds ``recorded`` and ``policies``, and must say the same (ids and the spelling of
    logins aside).

    Raises:
        Unfit: A write does not fit, or the writes do not lead to ``after``.
    """
    result = replay(current, writes)
    if difference := _difference(result, after):
        raise Unfit(f"the writes do not lead to the state they were announced with: {difference}")
    return with_ids(replace(result, recorded=after.recorded, policies=after.policies))


def with_ids(state: State) -> State:
    """Return the state with a new, random id for every role that has none."""
    if all(role.id is not None for role in state.roles.values()):
        return state
    taken = {role.id for role in state.roles.values()}
    roles = dict(state.roles)
    for name, role in roles.items():
        if role.id is None:
            roles[name] = replace(role, id=_unused(taken))
    return replace(state, roles=roles)


def with_initial_ids(state: State) -> State:
    """Return the state with ids made from the names of the roles that have none.

    So a store that has never been written gives its default roles the same ids on every machine.
    """
    roles = {
        name: role if role.id else replace(role, id=_initial_id(name))
        for name, role in state.roles.items()
    }
    return replace(state, roles=roles)


def _initial_id(name: str) -> str:
    return f"r-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _unused(taken: set[str | None]) -> str:
    while (fresh := f"r-{os.urandom(6).hex()}") in taken:
        pass
    taken.add(fresh)
    return fresh


def _difference(result: State, after: State) -> str | None:
    """Name one object in which the two states differ; None if they say the same."""
    for name in sorted(result.roles.keys() | after.roles.keys()):
        if not _same(result.roles.get(name), after.roles.get(name)):
            return f"role {name}"
    for key in sorted(result.assignments.keys() | after.assignments.keys()):
        if _held(result, key) != _held(after, key):
            return f"user {key}"
    return None


def _same(one: Role | None, other: Role | None) -> bool:
    if one is other:
        return True
    return one is not None and other is not None and replace(one, id=other.id) == other


def _held(state: State, key: str) -> frozenset[str]:
    assignment = state.assignments.get(key)
    return assignment.roles if assignment else frozenset()
