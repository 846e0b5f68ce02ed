"""Roles for a store whose roles can't include others: they carry all that they would include.

The way back is here too: what a flattened role looks like in the sources, for policies that name
the included roles, and for whoever asks whether the flattened content is still right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.engine.access.effective import EffectiveAccess

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.model import Role, State

_NONE: frozenset[str] = frozenset()


def flattened(state: State, names: Iterable[str]) -> dict[str, Role]:
    """Return those of the named roles that include others, carrying everything, without includes.

    What is included, at any depth, is looked up in the state; circles are followed once round.
    """
    access = EffectiveAccess(state)
    return {
        name: replace(state.roles[name], privileges=access.of_role(name), includes=_NONE)
        for name in names
        if state.roles[name].includes
    }


def without_includes(state: State) -> State:
    """The state with no role including another, nothing carried instead."""
    roles = {name: replace(role, includes=_NONE) for name, role in state.roles.items()}
    return replace(state, roles=roles)


def as_written(state: State, written: tuple[Role, ...]) -> State:
    """The same state with flattened roles as the sources write them; nobody's access differs.

    A role whose stored content is another one than its includes give stays as it is.
    """
    other = {role.name for role in outdated(state, written)}
    roles = dict(state.roles)
    for role in written:
        if role.name not in other:
            stored = state.roles[role.name]
            roles[role.name] = replace(stored, privileges=role.privileges, includes=role.includes)
    return replace(state, roles=roles) if len(other) < len(written) else state


def outdated(state: State, written: Iterable[Role]) -> Iterator[Role]:
    """Yield the roles, as written, that do not carry exactly what they and their includes give."""
    access = EffectiveAccess(state)
    for role in written:
        stored = state.roles.get(role.name)
        wanted = role.privileges.union(*map(access.of_role, role.includes))
        if stored is None or stored.privileges != wanted:
            yield role
