"""Random writes for property tests: by somebody else meanwhile, and the runs to go back over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
    replay,
)
from provisioner.model import Assignment, DatedRole, DesiredRole, DesiredState, DesiredUser, Role
from provisioner.testing.strategies import LOGINS, ROLE_NAMES, contents, some, states
from provisioner.testing.world import ANYTHING, CATALOGUE, World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import DrawFn

    from provisioner.engine.writes import Write
    from provisioner.model import State


@st.composite
def somebody_elses_writes(draw: DrawFn, state: State, max_size: int = 4) -> tuple[Write, ...]:
    """Writes that fit one after the other, as another person or tool would make them.

    The roles that they create bring their ids along, so that later writes know them.
    """
    made: list[Write] = []
    for number in range(draw(st.integers(1, max_size))):
        made.append(draw(_write(state, f"given {number}")))
        state = replay(state, made[-1:])
    return tuple(made)


@st.composite
def rollbacks(draw: DrawFn, max_size: int = 6) -> World:
    """The way back over a few runs: the sources are an older state, and know the roles' ids.

    The current state came out of the older one by the writes of the runs between, or the other
    way round. So names move between roles, in circles too, and come back with other roles.
    """
    older = draw(states(max_roles=4))
    newer = older
    for number in range(draw(st.integers(1, max_size))):
        write = draw(_write(newer, f"run {number}", swapping=True))
        newer = replay(newer, (write,))
    if draw(st.booleans()):
        older, newer = newer, older
    return World(newer, as_desired(older), ANYTHING)


def as_desired(state: State) -> DesiredState:
    """A stored state as sources that ask for exactly it, the roles told by their ids."""
    return DesiredState(
        roles={name: DesiredRole(role) for name, role in state.roles.items()},
        users={
            login: DesiredUser(held.user, tuple(map(DatedRole, sorted(held.roles))))
            for login, held in state.assignments.items()
        },
    )


@st.composite
def _write(draw: DrawFn, state: State, fresh_id: str, *, swapping: bool = False) -> Write:
    """One write that fits the state. ``swapping`` takes the names of other roles more often."""
    custom = [role for name, role in state.roles.items() if not CATALOGUE.is_default(name)]
    free = [n for n in ROLE_NAMES if n.casefold() not in {x.casefold() for x in state.roles}]
    idle = [role for role in custom if role.name not in _referred(state)]
    kinds = {"assign": True, "create": free, "update": custom, "rename": custom, "delete": idle}
    possible = [kind for kind, subjects in kinds.items() if subjects]
    if swapping:
        possible += [kind for kind in ("rename", "delete", "create") if kinds[kind]]
    match draw(st.sampled_from(possible)):
        case "create":
            name = draw(st.sampled_from(free))
            return CreateRole(draw(contents(Role(name, id=fresh_id))))
        case "update":
            role = draw(st.sampled_from(custom))
            allowed = [n for n in state.roles if not _reaches(state.roles, n, role.name)]
            includes = draw(some(allowed, 2))
            return UpdateRole(role, draw(contents(replace(role, includes=includes))))
        case "rename":
            role = draw(st.sampled_from(custom))
            cased = {role.name.upper(), role.name.lower(), role.name.title()}
            cased = {n for n in cased if n.casefold() == role.name.casefold() and n != role.name}
            name = draw(st.sampled_from(sorted({*free, *cased, f"{role.name} again"[-60:]})))
            return RenameRole(role, name)
        case "delete":
            return DeleteRole(draw(st.sampled_from(idle)))
        case _:
            login = draw(st.sampled_from(LOGINS))
            held = state.assignments.get(login.casefold(), Assignment(login)).roles
            return SetAssignment(login, held, draw(some(sorted(state.roles), 3)))


def _referred(state: State) -> set[str]:
    return {
        *(n for role in state.roles.values() for n in role.includes if n != role.name),
        *(name for held in state.assignments.values() for name in held.roles),
    }


def _reaches(roles: Mapping[str, Role], start: str, wanted: str) -> bool:
    """Whether a role is the wanted one or includes it, at any depth. There are no cycles."""
    return start == wanted or any(_reaches(roles, n, wanted) for n in roles[start].includes)
