"""Random states, sources and writes for property tests. Needs hypothesis.

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
from msgspec import Struct
from msgspec.structs import replace

from provisioner import globs
from provisioner.engine.planning.plan import TargetIdentity, make_plan
from provisioner.engine.settings import Safety, Settings
from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
    replay,
)
from provisioner.model import (
    KINDS,
    Assignment,
    Base,
    Capabilities,
    Catalogue,
    DatedRole,
    DesiredRole,
    DesiredState,
    DesiredUser,
    Privilege,
    Role,
    Snapshot,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from hypothesis.strategies import DrawFn, SearchStrategy

    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.settings import Manage
    from provisioner.engine.writes import Write

PRIVILEGES = ("ACCOUNTS_VIEW", "ARDOCS_CREATE", "CONFIG_SECURITY", "HOLDS_PUT", "MEMOS_WRITE")
DEFAULT_ROLES = (
    Role("Full Access", "Everything", frozenset(PRIVILEGES), protected=True, id="default-full"),
    Role("Service Desk Only", "", frozenset({"MEMOS_WRITE"}), protected=True, id="default-desk"),
)
CATALOGUE = Catalogue("test", {name: Privilege(name) for name in PRIVILEGES}, DEFAULT_ROLES)
ROLE_NAMES = (
    *("Auditor", "AUDITOR", "Billing", "billing", "Clerk", "Desk", "dESK"),
    *("Straße", "STRASSE", "Δέλτα", "δέλτα", "経理担当", "Élan 🚒"),
    *("Legacy One", "LEGACY TWO", "legacy straße"),
)
LOGINS = ("ada@example.com", "Grace@Example.com", "LINUS", "straße@example.com", "Ωmega")
IGNORES: tuple[tuple[str, ...], ...] = ((), ("Legacy *",), ("legacy ONE",), ("*straße", "le*TWO"))
TODAY = date(2026, 3, 1)
_MANAGE: tuple[Manage, ...] = ("all", "declared")
ANYTHING = Settings(adopt=True, allow_lockout=True, safety=Safety(max_change_percent=None))
"""Settings under which no threshold, adoption or lockout stands in a plan's way."""


_DESCRIPTIONS = st.sampled_from(("", "Looks after it", "Ελέγχει\n🚒"))
_RARELY = st.integers(0, 7).map(lambda drawn: drawn == 7)
_MOSTLY = st.integers(0, 7).map(lambda drawn: drawn != 7)
_WHETHER = ("atomic", "history", "closed_users")
_UNLESS = tuple(f for f in Capabilities.__struct_fields__ if f not in _WHETHER)
_BASE = Base("lineage", 7, "sha256:" + 64 * "0")
_TARGET = TargetIdentity("sandbox", "memory", "memory:test", Capabilities(atomic=True))


class World(Struct, frozen=True):
    """Everything that a plan is made from. ``base`` is the version that ``current`` was read at.

    ``users`` and ``subject`` are what the store tells of its users and of the reader.
    """

    current: State = State()
    desired: DesiredState = DesiredState()
    settings: Settings = ANYTHING
    as_of: date = TODAY
    catalogue: Catalogue = CATALOGUE
    base: Base = _BASE
    target: TargetIdentity = _TARGET
    users: frozenset[str] | None = None
    subject: str | None = None

    def plan(self, **changed: Any) -> Plan:
        """Make the plan; arguments replace fields of the world."""
        it = replace(self, **changed)
        snapshot = Snapshot(it.current, it.base, None, it.users, it.subject)
        return make_plan(it.desired, snapshot, it.settings, it.as_of, it.target, it.catalogue)

    def __repr__(self) -> str:
        """What a failing test shows: an object a line, as people would write it down."""
        roles = (_told(role) for role in self.current.roles.values())
        users = (f"{u.user}: {sorted(u.roles)}" for u in self.current.assignments.values())
        wanted, holders = self.desired.roles, self.desired.users
        declared = ("unmanaged",) if wanted is None else map(_told_desired, wanted.values())
        given = ("unmanaged",) if holders is None else (str(user) for user in holders.values())
        settings = self.settings
        parts = {
            f"stored roles (recorded: {sorted(self.current.recorded)})": roles,
            "stored users": users,
            "declared roles": declared,
            "declared users": given,
            f"as of {self.as_of}, under": (str(settings),),
        }
        lines = (
            line
            for title, items in parts.items()
            for line in (f"  {title}:", *(f"    {item}" for item in items))
        )
        return "\n".join(("World(", *lines, ")"))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - IPython's protocol
        printer.text(repr(self))


def privileges() -> SearchStrategy[frozenset[str]]:
    """Sets of privileges of ``CATALOGUE``."""
    return _some(PRIVILEGES, 4)


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
        includes = draw(_some(reachable, 2))
        roles[name] = draw(_contents(Role(name, includes=includes, id=f"id of {name}")))
    held = [*roles, "Gone"] if not tidy else [*roles]
    assignments = {}
    for login in draw(st.lists(st.sampled_from(LOGINS), unique=True)):
        holds = draw(_some(held, 3))
        if holds or not tidy:
            assignments[login.casefold()] = Assignment(login, holds)
    return State(roles, assignments, frozenset(draw(_some(KINDS, 2))))


@st.composite
def worlds(
    draw: DrawFn, *, manage: Manage | None = None, tidy: bool = True, settings: Settings = ANYTHING
) -> World:
    """A stored state, sources for it, and settings under which only true conflicts block."""
    current = draw(states(tidy=tidy))
    ignore = draw(st.sampled_from(IGNORES))
    custom = [n for n in current.roles if not CATALOGUE.is_default(n) and not _ignored(n, ignore)]
    closed = [name for name in custom if not current.roles[name].includes]
    external = draw(_some(closed, 1))
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
            includes = frozenset() if CATALOGUE.is_default(name) else draw(_some(reachable, 2))
            role = draw(_contents(replace(role, includes=includes)))
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
        holds = stored if draw(st.booleans()) else draw(_some(known, 3))
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


def _told_desired(declared: DesiredRole) -> str:
    old = f" renamed_from {declared.renamed_from!r}" if declared.renamed_from else ""
    return f"{_told(declared.role)}{old}"


def _told(role: Role) -> str:
    includes = f" includes {sorted(role.includes)}" if role.includes else ""
    protected = " protected" if role.protected else ""
    text = f"{role.name!r} ({role.id}) {role.description!r} {sorted(role.privileges)}"
    return f"{text}{includes}{protected}"


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
            return CreateRole(draw(_contents(Role(name, id=fresh_id))))
        case "update":
            role = draw(st.sampled_from(custom))
            allowed = [n for n in state.roles if not _reaches(state.roles, n, role.name)]
            includes = draw(_some(allowed, 2))
            return UpdateRole(role, draw(_contents(replace(role, includes=includes))))
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
            return SetAssignment(login, held, draw(_some(sorted(state.roles), 3)))


@st.composite
def _contents(draw: DrawFn, role: Role) -> Role:
    return replace(
        role,
        description=draw(_DESCRIPTIONS) or role.description,
        privileges=draw(privileges()),
        protected=draw(_RARELY),
    )


def _some(among: Iterable[Any], at_most: int) -> SearchStrategy[frozenset[Any]]:
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


def _referred(state: State) -> set[str]:
    return {
        *(n for role in state.roles.values() for n in role.includes if n != role.name),
        *(name for held in state.assignments.values() for name in held.roles),
    }


def _reaches(roles: Mapping[str, Role], start: str, wanted: str) -> bool:
    """Whether a role is the wanted one or includes it, at any depth. There are no cycles."""
    return start == wanted or any(_reaches(roles, n, wanted) for n in roles[start].includes)
