"""What the engine must come to, worked out the slow and obvious way from the design.

Nothing here calls the engine. Roles keep their identity (the name they are stored under) until the
very end, so that a name that moves from one role to another can't mislead.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from provisioner.model import Role, State
    from provisioner.testing.world import World

    Named = Callable[[frozenset[str]], frozenset[str]]

Access = dict[str, frozenset[str]]
Holdings = dict[str, frozenset[str]]

GONE = "(deleted) "
"""Marks, in includes and holdings, a role that shall not exist any more."""


@dataclass(frozen=True)
class Wanted:
    """The state that the sources ask for (design §2, §3), and how stored roles come to it.

    ``fate`` maps each stored name to the new one, or to None for a role to delete.
    """

    roles: dict[str, Role]
    users: Holdings
    fate: dict[str, str | None]

    @property
    def renames(self) -> dict[str, str]:
        return {old: new for old, new in self.fate.items() if new is not None and new != old}

    @property
    def deleted(self) -> set[str]:
        return {old for old, new in self.fate.items() if new is None}


def target(world: World) -> Wanted | None:
    """Return what the sources ask for; None if two roles would end up under one name."""
    stored, desired = world.current.roles, world.desired
    matches = matched(world)
    fate: dict[str, str | None] = {}
    for old in stored:
        taken_by = [new for new, match in matches.items() if match == old]
        fate[old] = taken_by[0] if taken_by else (old if is_kept(world, old) else None)

    def named(references: frozenset[str]) -> frozenset[str]:
        return frozenset(fate.get(n, n) or GONE + n for n in references)

    roles: list[Role] = []
    for old, role in stored.items():
        new = fate[old]
        if new is not None and new not in matches:
            roles.append(replace(role, name=new, includes=named(role.includes)))
    for name, declared in (desired.roles or {}).items():
        match = matches[name]
        roles.append(replace(declared.role, id=stored[match].id if match else declared.role.id))
    if len({role.name.casefold() for role in roles}) < len(roles):
        return None
    return Wanted({role.name: role for role in roles}, _holdings(world, named), fate)


def is_kept(world: World, old: str) -> bool:
    """Whether a stored role that no declaration stands for stays as it is."""
    return (
        world.desired.roles is None
        or world.settings.manage == "declared"
        or old.casefold() in {role.name.casefold() for role in world.catalogue.default_roles}
        or old in world.settings.external
        or is_ignored(world, old)
    )


def is_ignored(world: World, old: str) -> bool:
    globs = (*world.settings.ignore, *world.desired.ignore)
    return any(fnmatchcase(old.casefold(), glob.casefold()) for glob in globs)


def matched(world: World) -> dict[str, str | None]:
    """Map each declared role to the stored one that it stands for, or to None: a new one.

    By id where it is known. Else: the new name exists, so it is that role, unless that one moves
    on itself; else the old name exists, so it is a rename; else it is new. Names are unique by
    casefold, so case plays no part in whether a name exists.
    """
    stored, desired = world.current.roles, world.desired.roles or {}
    ids = {role.id: old for old, role in stored.items() if role.id is not None}
    spelled = {old.casefold(): old for old in stored}
    by_id = {
        name: ids[declared.role.id]
        for name, declared in desired.items()
        if declared.role.id is not None and declared.role.id in ids
    }

    def stays(name: str) -> str | None:
        """The stored role that has the name and does not give it away."""
        occupant = spelled.get(name.casefold())
        return None if occupant is None or moves_on(occupant) else occupant

    def moves_on(old: str) -> bool:
        if old in by_id.values():
            return True
        return any(
            declared.renamed_from == old
            and name.casefold() != old.casefold()
            and stays(name) is None
            for name, declared in desired.items()
        )

    found: dict[str, str | None] = {}
    for name, declared in desired.items():
        former = declared.renamed_from
        if name in by_id:
            found[name] = by_id[name]
        elif occupant := stays(name):
            found[name] = occupant
        else:
            found[name] = former if former in stored else None
    return found


def _holdings(world: World, named: Named) -> Holdings:
    """Who shall hold what, by case-folded login; users without roles are left out."""
    users = world.desired.users
    found = {}
    for login in {*world.current.assignments, *(users or ())}:
        assignment = world.current.assignments.get(login)
        held = assignment.roles if assignment else frozenset()
        untouched = frozenset(role for role in held if is_ignored(world, role))
        if users is None:
            holds = named(held)
        elif login in users:
            dated = users[login].roles
            active = (d.role for d in dated if d.until is None or world.as_of <= d.until)
            holds = frozenset(active) | untouched
        else:
            holds = named(held) if world.settings.manage == "declared" else untouched
        if holds:
            found[login] = holds
    return found


def objections(world: World, wanted: Wanted | None) -> set[str]:
    """The ids of the guards that must stand in the way, whatever the limits are."""
    if wanted is None:
        return {"name-taken"}
    found = set()
    stored = world.current.roles
    if set(world.settings.external) - stored.keys() - set(world.desired.roles or ()):
        found.add("external-missing")
    if any(stored[old].protected for old in wanted.deleted):
        found.add("protected")
    if any(_unprotected_and_narrowed(world, wanted)):
        found.add("protected")
    references = [role.includes for role in wanted.roles.values()] + [*wanted.users.values()]
    if any(name.startswith(GONE) for names in references for name in names):
        found.add("role-in-use")
    declared = [role.role.includes for role in (world.desired.roles or {}).values()]
    given = [wanted.users.get(login, frozenset()) for login in (world.desired.users or ())]
    for names in (*declared, *given):
        if any(n not in wanted.roles and not n.startswith(GONE) for n in names):
            found.add("role-missing")
    return found


def _unprotected_and_narrowed(world: World, wanted: Wanted) -> Iterator[bool]:
    """Whether a role loses its protection together with its name or something it carries."""
    before = world.current.roles
    defaults = {role.name.casefold() for role in world.catalogue.default_roles}
    for old, role in before.items():
        new = wanted.renames.get(old, old)
        is_custom = new.casefold() not in defaults
        if new in wanted.roles and role.protected and is_custom and not wanted.roles[new].protected:
            includes = {wanted.renames.get(name, name) for name in role.includes}
            yield (
                new != old
                or bool(includes - wanted.roles[new].includes)
                or bool(carried(before, old) - carried(wanted.roles, new))
            )


def carried(roles: Mapping[str, Role], name: str) -> set[str]:
    """What a role carries with everything that it includes, at any depth."""
    reached: set[str] = set()
    edge = {name} & roles.keys()
    while edge:
        reached |= edge
        edge = {other for one in edge for other in roles[one].includes if other in roles} - reached
    return {privilege for one in reached for privilege in roles[one].privileges}


def content(state: State) -> tuple[dict[str, Role], Holdings]:
    """What a state says: roles by name, roles held by login; users who hold nothing left out."""
    return dict(state.roles), holdings(state)


def holdings(state: State) -> Holdings:
    return {login: held.roles for login, held in state.assignments.items() if held.roles}


def without_new_ids(state: State, known: State) -> State:
    """The state without the ids that a backend gave to roles that ``known`` did not have."""
    ids = {role.id for role in known.roles.values()}
    roles = {
        name: role if role.id in ids else replace(role, id=None)
        for name, role in state.roles.items()
    }
    return replace(state, roles=roles)


def known(state: State, start: State) -> object:
    """What a state says, less the ids of roles that are newer than the start."""
    return content(without_new_ids(state, start))


def access(state: State) -> Access:
    """Each user's effective access: every role that can be reached, one include at a time."""
    found = {}
    for login, held in state.assignments.items():
        reached: set[str] = set()
        edge = {name for name in held.roles if name in state.roles}
        while edge:
            reached |= edge
            included = {name for role in edge for name in state.roles[role].includes}
            edge = {name for name in included if name in state.roles} - reached
        carried = (privilege for name in reached for privilege in state.roles[name].privileges)
        found[login] = frozenset(carried)
    return found


def impact(before: State, after: State) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """What each user gains and loses; users for whom nothing changes are left out."""
    old, new = access(before), access(after)
    found = {}
    for login in {*old, *new}:
        had, has = old.get(login, frozenset()), new.get(login, frozenset())
        if had != has:
            found[login] = (has - had, had - has)
    return found


def excesses(states: Iterable[State]) -> list[str]:
    """Say who, in between, holds what neither the first nor the last state gives together."""
    states = list(states)
    before, after = access(states[0]), access(states[-1])
    found = []
    for number, state in enumerate(states):
        for login, holds in access(state).items():
            had, will = before.get(login, frozenset()), after.get(login, frozenset())
            if not (holds <= had or holds <= will):
                found.append(f"after write {number}, {login} holds {sorted(holds)}")
    return found


def missing(states: Iterable[State]) -> set[tuple[str, str]]:
    """Who lacks what, in between, that the first and the last state both give."""
    every = [access(state) for state in states]
    none: frozenset[str] = frozenset()
    return {
        (login, privilege)
        for login, had in every[0].items()
        for privilege in had & every[-1].get(login, none)
        if any(privilege not in at.get(login, none) for at in every)
    }


def effect(before: Iterable[frozenset[str]], after: Iterable[frozenset[str]]) -> str:
    """Whether sets grow, shrink, both, or neither."""
    pairs = list(zip(before, after, strict=True))
    grows, shrinks = any(new - old for old, new in pairs), any(old - new for old, new in pairs)
    return {
        (True, True): "both",
        (True, False): "grants",
        (False, True): "revokes",
        (False, False): "cosmetic",
    }[grows, shrinks]


def carriers(state: State) -> dict[str, set[str]]:
    """Who carries each role, directly or through an include."""
    found: dict[str, set[str]] = {}
    for login in state.assignments:
        for name in state.roles:
            probe = {n: replace(r, privileges=frozenset({n})) for n, r in state.roles.items()}
            if name in access(replace(state, roles=probe))[login]:
                found.setdefault(name, set()).add(login)
    return found
