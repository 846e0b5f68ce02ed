"""Which state the stored one shall become: renames matched, unmanaged things carried over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner import globs, names
from provisioner.diagnostics import SHOWN_IN_FULL, Diagnostic
from provisioner.engine.settings import with_ignores
from provisioner.engine.transition.passage import Passage, passage_from
from provisioner.model import Assignment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import date

    from provisioner.engine.settings import Settings
    from provisioner.model import (
        Catalogue,
        DesiredRole,
        DesiredState,
        DesiredUser,
        Place,
        Role,
        State,
    )


class Target(Struct):
    """The passage to the state to reach; conflicts between the sources and what is stored."""

    passage: Passage
    problems: list[Diagnostic] = field(default_factory=list)


def find_target(
    desired: DesiredState,
    state: State,
    settings: Settings,
    catalogue: Catalogue,
    as_of: date,
    replaced: frozenset[str] = frozenset(),
) -> Target:
    """Work out the target state. Pure; conflicts are reported, not raised.

    ``replaced`` are stored roles that are not renamed, though they match a declared role under
    another name: they go, and the declared role is a new one.
    """
    settings = with_ignores(settings, desired)
    ignored = ignored_roles(state, settings.ignore)
    external = {name.casefold() for name in settings.external}
    ours = {n: d for n, d in (desired.roles or {}).items() if n.casefold() not in external}
    untouchable = frozenset((*ignored, *(n for n in state.roles if n.casefold() in external)))
    renames = _renames(ours, state.roles, untouchable)
    renames = {old: new for old, new in renames.items() if old not in replaced}
    if replaced:
        gone = {state.roles[name].id for name in replaced}
        for name, wanted in ours.items():
            if wanted.role.id in gone:
                ours[name] = replace(wanted, role=replace(wanted.role, id=None))
    start = passage_from(state, renames)
    before = start.before
    roles = dict(before.roles)
    if desired.roles is not None:
        roles = _roles(ours, before.roles, settings, catalogue, untouchable)
        for name in replaced - ours.keys():
            roles.pop(name, None)
    assignments: Mapping[str, Assignment] = before.assignments
    if desired.users is not None:
        out = ignored_users(before, settings.ignore_users)
        assignments = _assignments(desired.users, before, settings, ignored, as_of, out)
    target = Target(start.to(replace(before, roles=roles, assignments=assignments)))
    target.problems += _declared_external(desired, external)
    target.problems += _names_taken(target.passage, ours)
    place = desired.provenance.role
    target.problems += conflicts(desired.roles or (), state, renames, settings, place)
    return target


def conflicts(
    declared: Iterable[str],
    state: State,
    renames: Mapping[str, str],
    settings: Settings,
    place: Callable[[str], Place | None] = lambda _: None,
) -> Iterator[Diagnostic]:
    """Yield where a stored state and what is declared can't go together.

    External roles must exist; a name must not look like another one, unless both are stored.
    """
    yield from _missing_external(settings, state)
    stored = state.roles.keys() - renames.keys()
    new = [name for name in declared if name not in stored]
    for name, other in sorted(names.look_alikes(new, stored).items()):
        odd = names.oddity(other if names.is_plain(name) else name)
        message = (
            f"the name `{name}` looks like the stored role `{other}`, written otherwise: {odd}"
        )
        yield Diagnostic("look-alike-name", message, place(name), "type it again in one script")


def ignored_roles(state: State, ignore: tuple[str, ...]) -> dict[str, str]:
    """The stored roles to leave alone, each with the first glob that says so."""
    found = ((name, globs.first_caseless(ignore, name)) for name in state.roles) if ignore else ()
    return {name: glob for name, glob in found if glob is not None}


def ignored_users(state: State, ignore: tuple[str, ...]) -> dict[str, str]:
    """The users with assignments to leave alone, each with the first glob that says so."""
    logins = state.assignments if ignore else ()
    found = ((login, globs.first_caseless(ignore, login)) for login in logins)
    return {login: glob for login, glob in found if glob is not None}


def _renames(
    desired: Mapping[str, DesiredRole], stored: Mapping[str, Role], untouchable: frozenset[str]
) -> dict[str, str]:
    """Match desired roles to stored ones under other names: by id, by ``renamed_from``, by case.

    Names are compared case-folded. ``untouchable`` roles keep their names. Chains are followed from
    their ends: a name whose role is itself renamed away is not "there already". A role that stands
    in the way of a name which belongs, by id, to another one is called differently for the time
    of the plan.
    """
    by_folded = {name.casefold(): name for name in stored}
    by_id = {role.id: name for name, role in stored.items() if role.id is not None}
    found: dict[str, str] = {}
    for name, wanted in desired.items():
        old = by_id.get(wanted.role.id) if wanted.role.id is not None else None
        if old is not None and old != name and old not in untouchable:
            found[old] = name
    following = {
        by_folded.get(d.renamed_from.casefold(), d.renamed_from): name
        for name, d in desired.items()
        if d.renamed_from
    }
    for old in _chain_ends_first(following):
        there = by_folded.get(following[old].casefold())
        there_already = there is not None and there not in found and there != old
        if old in stored and old not in untouchable and not there_already:
            found[old] = following[old]
    claimed = {new.casefold() for new in found.values()}
    for name in desired:
        former = by_folded.get(name.casefold())
        if former is None or former == name or former in found or former in untouchable:
            continue
        if name.casefold() not in claimed:
            found[former] = name
    for new in list(found.values()):
        occupant = by_folded.get(new.casefold())
        if occupant is not None and occupant not in found:
            found[occupant] = _aside(occupant, stored, found)
    return {old: new for old, new in found.items() if old != new}


def _aside(name: str, stored: Mapping[str, Role], renames: Mapping[str, str]) -> str:
    taken = {n.casefold() for n in (*stored, *renames.values())}
    aside = f"{name[:100]} (replaced)"
    while aside.casefold() in taken:
        aside += "'"
    return aside


def _chain_ends_first(following: Mapping[str, str]) -> list[str]:
    """Order old names so that a name is given away before it is taken over.

    ``following`` maps old to new. For the chain C → B → A the order is B, C: first B becomes A,
    which frees B for C.
    """
    givers = {old.casefold(): old for old in following}
    order: list[str] = []
    done: set[str] = set()
    for start in following:
        path: list[str] = []
        old: str | None = start
        while old is not None and old not in done and old not in path:
            path.append(old)
            old = givers.get(following[old].casefold())
        order += reversed(path)
        done.update(path)
    return order


def _roles(
    desired: Mapping[str, DesiredRole],
    before: Mapping[str, Role],
    settings: Settings,
    catalogue: Catalogue,
    untouchable: frozenset[str],
) -> dict[str, Role]:
    roles = {}
    for name, role in before.items():
        keeps = settings.manage == "declared" or catalogue.is_default(name) or name in untouchable
        if name not in desired and keeps:
            roles[name] = role
    for name, wanted in desired.items():
        current, role = before.get(name), wanted.role
        if current is None:
            roles[name] = role
        elif (
            current.privileges == role.privileges
            and current.description == role.description
            and current.includes == role.includes
            and current.protected == role.protected
        ):
            roles[name] = current
        else:
            roles[name] = replace(role, id=current.id)
    return roles


def _assignments(
    desired: Mapping[str, DesiredUser],
    before: State,
    settings: Settings,
    ignored: Mapping[str, str],
    as_of: date,
    ignored_users: Mapping[str, str],
) -> dict[str, Assignment]:
    """What every user shall hold. Assignments of ignored roles and users stay as they are."""
    assignments = {login: before.assignments[login] for login in ignored_users}
    for login, held in before.assignments.items():
        if login in desired or login in ignored_users:
            continue
        kept = held.roles
        if settings.manage != "declared":
            kept = held.roles.intersection(ignored)
        if kept:
            assignments[login] = held if kept == held.roles else Assignment(held.user, kept)
    for login, user in desired.items():
        if login in ignored_users:
            continue
        current = before.assignments.get(login)
        roles = frozenset(dated.role for dated in user.roles if dated.is_active(as_of))
        if current is not None:
            roles |= current.roles.intersection(ignored)
        if current is not None and current.roles == roles:
            assignments[login] = current
        elif roles:
            assignments[login] = Assignment(current.user if current else user.user, roles)
    return assignments


def _missing_external(settings: Settings, state: State) -> list[Diagnostic]:
    found = []
    missing = sorted(name for name in set(settings.external) if name not in state.roles)
    for index, name in enumerate(missing):
        message = f"the external role `{name}` does not exist in this target"
        near = names.did_you_mean(name, state.roles) if index < SHOWN_IN_FULL else None
        remedy = near or "whoever manages it must create it first, or remove it from `external`"
        found.append(Diagnostic("external-missing", message, None, remedy))
    return found


def _declared_external(desired: DesiredState, external: set[str]) -> list[Diagnostic]:
    return [
        Diagnostic(
            "external-declared",
            f"role `{name}` is external: somebody else manages it",
            desired.provenance.role(name),
            "remove the declaration, or take it out of `external`",
        )
        for name in sorted(desired.roles or ())
        if name.casefold() in external
    ]


def _names_taken(passage: Passage, ours: Mapping[str, DesiredRole]) -> list[Diagnostic]:
    """Names that a rename needs, and that a role which stays has."""
    found = []
    for old, new in sorted(passage.renames.items()):
        if new not in ours and new in passage.after.roles and old in passage.stored.roles:
            message = f"the name `{old}` is wanted for another role, and the role that has it stays"
            remedy = f"rename or delete `{old}` first"
            found.append(Diagnostic("name-taken", message, None, remedy))
    return found
