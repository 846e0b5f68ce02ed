"""Roles for a store whose roles can't include others: they carry all that they would include.

The way back is here too: what a flattened role looks like in the sources, for policies that name
the included roles, and for whoever asks whether the flattened content is still right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.engine.access.effective import EffectiveAccess
    from provisioner.engine.transition.passage import Passage
    from provisioner.model import Role, State

_NONE: frozenset[str] = frozenset()


def flattened(access: EffectiveAccess, names: Iterable[str]) -> dict[str, Role]:
    """Return those of the named roles that include others, carrying everything, without includes.

    What is included, at any depth, is looked up in the state; circles are followed once round.
    """
    roles = access.state.roles
    return {
        name: replace(roles[name], privileges=access.of_role(name), includes=_NONE)
        for name in names
        if roles[name].includes
    }


def without_includes(state: State) -> State:
    """The state with no role including another, nothing carried instead."""
    roles = {name: replace(role, includes=_NONE) for name, role in state.roles.items()}
    return replace(state, roles=roles)


def as_written(passage: Passage, written: tuple[Role, ...]) -> Passage:
    """The same passage with flattened roles as the sources write them; nobody's access differs.

    A role whose stored content is another one than its includes give stays as it is.
    """
    before, after = (_as_written(access, written) for access in (passage.old, passage.new))
    return passage.between(before, after)


def _as_written(access: EffectiveAccess, written: tuple[Role, ...]) -> State:
    state, other = access.state, {role.name for role in outdated(access, written)}
    roles = dict(state.roles)
    for role in written:
        if role.name not in other:
            stored = state.roles[role.name]
            roles[role.name] = replace(stored, privileges=role.privileges, includes=role.includes)
    return replace(state, roles=roles) if len(other) < len(written) else state


def outdated(access: EffectiveAccess, written: Iterable[Role]) -> Iterator[Role]:
    """Yield the roles, as written, that do not carry exactly what they and their includes give."""
    for role in written:
        stored = access.state.roles.get(role.name)
        wanted = role.privileges.union(*map(access.of_role, role.includes))
        if stored is None or stored.privileges != wanted:
            yield role
