"""Random states and sources for property tests. Needs hypothesis.

What comes out is small and full of edges: names that differ in case only or in other scripts,
includes, protected and default roles, ignored and external ones, renames in chains, dated
assignments. Sources are always ones that `provisioner validate` accepts::

    @given(worlds())
    def test_my_planner(world):
        plan = world.plan()
"""

from __future__ import annotations

import operator
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner import globs
from provisioner.model import (
    KINDS,
    Assignment,
    Capabilities,
    DatedRole,
    DesiredRole,
    DesiredState,
    DesiredUser,
    Role,
    State,
)
from provisioner.testing.world import ANYTHING, CATALOGUE, DEFAULT_ROLES, PRIVILEGES, TODAY, World

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from hypothesis.strategies import DrawFn, SearchStrategy

    from provisioner.engine.settings import Manage, Settings

ROLE_NAMES = (
    *("Auditor", "AUDITOR", "Billing", "billing", "Clerk", "Desk", "dESK"),
    *("Straße", "STRASSE", "Δέλτα", "δέλτα", "経理担当", "Élan 🚒"),
    *("Legacy One", "LEGACY TWO", "legacy straße"),
)
LOGINS = ("ada@example.com", "Grace@Example.com", "LINUS", "straße@example.com", "Ωmega")
IGNORES: tuple[tuple[str, ...], ...] = ((), ("Legacy *",), ("legacy ONE",), ("*straße", "le*TWO"))
_MANAGE: tuple[Manage, ...] = ("all", "declared")
_DESCRIPTIONS = st.sampled_from(("", "Looks after it", "Ελέγχει\n🚒"))
_RARELY = st.integers(0, 7).map(lambda drawn: drawn == 7)
_MOSTLY = st.integers(0, 7).map(lambda drawn: drawn != 7)
_WHETHER = ("atomic", "history", "closed_users")
_UNLESS = tuple(f for f in Capabilities.__struct_fields__ if f not in _WHETHER)


def privileges() -> SearchStrategy[frozenset[str]]:
    """Sets of privileges of ``CATALOGUE``."""
    return some(PRIVILEGES, 4)


def role_names(max_size: int = 6, among: Iterable[str] = ROLE_NAMES) -> SearchStrategy[list[str]]:
    """Names that fit into one state: unique when case-folded."""
    return _names(tuple(sorted(among)), max_size)


@lru_cache(maxsize=4096)
def _names(pool: tuple[str, ...], max_size: int) -> SearchStrategy[list[str]]:
    if not pool:
        return st.just([])
    return st.lists(st.sampled_from(pool), max_size=max_size, unique_by=str.casefold)


@st.composite
def states(draw: DrawFn, *, tidy: bool = True, max_roles: int = 6) -> State:
    """Stored states, the default roles among them.

    An untidy one holds what no provisioner would write, though a panel may: roles that include
    each other or themselves, references to roles that do not exist, users without any role.
    """
    names = draw(role_names(max_roles))
    roles = {role.name: role for role in DEFAULT_ROLES}
    for name in names:
        reachable = [*names, "Gone"] if not tidy else [n for n in roles if n != "Full Access"]
        includes = draw(some(reachable, 2))
        roles[name] = draw(contents(Role(name, includes=includes, id=f"id of {name}")))
    held = [*roles, "Gone"] if not tidy else [*roles]
    assignments = {}
    for login in draw(st.lists(st.sampled_from(LOGINS), unique=True)):
        holds = draw(some(held, 3))
        if holds or not tidy:
            assignments[login.casefold()] = Assignment(login, holds)
    return State(roles, assignments, frozenset(draw(some(KINDS, 2))))


@st.composite
def worlds(
    draw: DrawFn, *, manage: Manage | None = None, tidy: bool = True, settings: Settings = ANYTHING
) -> World:
    """A stored state, sources for it, and settings under which only true conflicts block."""
    current = draw(states(tidy=tidy))
    ignore = draw(st.sampled_from(IGNORES))
    custom = [n for n in current.roles if not CATALOGUE.is_default(n) and not _ignored(n, ignore)]
    closed = [name for name in custom if not current.roles[name].includes]
    external = draw(some(closed, 1))
    if draw(_RARELY) and draw(_RARELY):
        external |= {"Never There"}
    settings = replace(
        settings,
        manage=draw(st.just(manage) if manage else st.sampled_from(_MANAGE)),
        ignore=ignore,
        external=tuple(sorted(external)),
    )
    roles = None
    if draw(_MOSTLY):
        roles = draw(desired_roles(current, settings))
    users = None
    if draw(_MOSTLY):
        known = {role.name for role in DEFAULT_ROLES} | {*(roles or ()), *external}
        users = draw(desired_users(current, known))
    desired = DesiredState(roles=roles, users=users)
    return World(current, desired, settings)


@st.composite
def desired_roles(draw: DrawFn, current: State, settings: Settings) -> dict[str, DesiredRole]:
    """Declared roles that a source could hold: unchanged, edited, renamed, new."""
    taken = {name.casefold() for name in settings.external}
    pool = {
        name
        for name in (*ROLE_NAMES, *current.roles)
        if name.casefold() not in taken and not _ignored(name, settings.ignore)
    }
    names = draw(role_names(among=pool))
    former = _former_names(draw, names, current, settings)
    declared: dict[str, DesiredRole] = {}
    for name in names:
        stored = current.roles.get(former.get(name, name), Role(name))
        reachable = {*declared, *(role.name for role in DEFAULT_ROLES), *settings.external}
        role = Role(name, stored.description, stored.privileges, stored.includes & reachable)
        if draw(st.booleans()):
            includes = frozenset() if CATALOGUE.is_default(name) else draw(some(reachable, 2))
            role = draw(contents(replace(role, includes=includes)))
        protected = CATALOGUE.is_default(name) or draw(_RARELY)
        if CATALOGUE.is_default(name):
            role = replace(role, includes=frozenset())
        declared[name] = DesiredRole(replace(role, protected=protected), former.get(name))
    return declared


@st.composite
def desired_users(
    draw: DrawFn, current: State, known: Collection[str], as_of: date = TODAY
) -> dict[str, DesiredUser]:
    """Declared users, with dates around ``as_of``. ``known`` are the roles they may hold."""
    logins = draw(st.lists(st.sampled_from(LOGINS), unique=True))
    users = {}
    for login in logins:
        stored = current.assignments.get(login.casefold(), Assignment(login)).roles & {*known}
        holds = stored if draw(st.booleans()) else draw(some(known, 3))
        dated = tuple(
            DatedRole(role, draw(untils(as_of)), draw(st.sampled_from((None, "close of year"))))
            for role in sorted(holds)
        )
        written = draw(st.sampled_from((login, login.swapcase())))
        same = written.casefold() == login.casefold()
        users[login.casefold()] = DesiredUser(written if same else login, dated)
    return users


def capabilities() -> SearchStrategy[Capabilities]:
    """What a store may be able to hold and do; the simplest one can do everything."""
    return st.builds(
        Capabilities,
        **{name: st.booleans() for name in _WHETHER},
        **{name: st.booleans().map(operator.not_) for name in _UNLESS},
    )


def untils(around: date) -> SearchStrategy[date | None]:
    """End dates close to a day, and none."""
    near = st.integers(-3, 3).map(lambda days: around + timedelta(days=days))
    return st.none() | near


@st.composite
def contents(draw: DrawFn, role: Role) -> Role:
    """The role with another description, protection and privileges."""
    return replace(
        role,
        description=draw(_DESCRIPTIONS) or role.description,
        privileges=draw(privileges()),
        protected=draw(_RARELY),
    )


def some(among: Iterable[Any], at_most: int) -> SearchStrategy[frozenset[Any]]:
    """Small sets of these things."""
    return _subsets(tuple(sorted(set(among))), at_most)


@lru_cache(maxsize=4096)
def _subsets(pool: tuple[Any, ...], at_most: int) -> SearchStrategy[frozenset[Any]]:
    """Kept, because a strategy is checked anew each time it is made."""
    if not pool:
        return st.just(frozenset())
    return st.frozensets(st.sampled_from(pool), max_size=at_most)


def _former_names(
    draw: DrawFn, names: list[str], current: State, settings: Settings
) -> dict[str, str]:
    """Draw ``renamed_from`` for some names, by the rules of the sources."""
    spelled = {name.casefold(): name for name in current.roles}
    pool = sorted({spelled.get(n.casefold(), n) for n in (*ROLE_NAMES, *current.roles)})
    not_ours = {name.casefold() for name in settings.external}
    pool = [n for n in pool if not CATALOGUE.is_default(n) and not _ignored(n, settings.ignore)]
    pool = [n for n in pool if n.casefold() not in not_ours]
    found: dict[str, str] = {}
    for name in names:
        if not pool or CATALOGUE.is_default(name) or draw(st.booleans()):
            continue
        old = draw(st.sampled_from([n for n in pool if n in current.roles] or pool))
        if old != name and old.casefold() not in {o.casefold() for o in found.values()}:
            found[name] = old
    # What is left must be no circle, and an old name that is still declared must move on.
    while bad := [n for n, old in found.items() if _stuck(n, old, names, found)]:
        del found[bad[0]]
    return found


def _stuck(name: str, old: str, names: list[str], found: Mapping[str, str]) -> bool:
    """Whether the old name is still declared, or the renames lead back to where they start."""
    if old in names and old not in found:
        return True
    following = {new.casefold(): former.casefold() for new, former in found.items()}
    seen = [name.casefold()]
    current = old.casefold()
    if current == seen[0]:
        return False
    while current in following and current not in seen:
        seen.append(current)
        current = following[current]
    return current in seen


def _ignored(name: str, ignore: tuple[str, ...]) -> bool:
    return any(globs.matches_caseless(glob, name) for glob in ignore)
