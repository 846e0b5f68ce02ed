"""Which state the stored one shall become: renames matched, unmanaged things carried over."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from provisioner import globs, names
from provisioner.diagnostics import Diagnostic
from provisioner.model import Assignment, State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from provisioner.engine.settings import Settings
    from provisioner.model import Catalogue, DesiredRole, DesiredState, DesiredUser, Role


@dataclass(slots=True)
class Target:
    """The state to reach, in new names.

    ``renames`` maps old names to new ones; ``ignored`` counts the roles left alone by each glob;
    ``problems`` are conflicts between the sources and what is stored.
    """

    after: State
    renames: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)


def find_target(
    desired: DesiredState, state: State, settings: Settings, catalogue: Catalogue, as_of: date
) -> Target:
    """Work out the target state. Pure; conflicts are reported, not raised."""
    ignore = tuple(dict.fromkeys((*settings.ignore, *desired.ignore)))
    ignored = _ignored(state, ignore)
    target = Target(State())
    target.ignored = dict(Counter(ignored.values()))
    target.renames = _renames(desired.roles or {}, state.roles)
    before = with_new_names(state, target.renames)
    roles = dict(before.roles)
    if desired.roles is not None:
        roles = _roles(desired.roles, before.roles, settings, catalogue, ignored)
    assignments: Mapping[str, Assignment] = before.assignments
    if desired.users is not None:
        assignments = _assignments(desired.users, before, settings, ignored, as_of)
    target.after = replace(before, roles=roles, assignments=assignments)
    target.problems += _missing_external(settings, state, desired)
    target.problems += _stored_look_alikes(desired, state, target.renames)
    return target


def with_new_names(state: State, renames: Mapping[str, str]) -> State:
    """The same state with roles called by their new names. Access and identities stay."""
    if not renames:
        return state
    old = renames.keys()

    def renamed(found: frozenset[str]) -> frozenset[str]:
        return frozenset(renames.get(name, name) for name in found)

    roles = {}
    for name, role in state.roles.items():
        if name in old or not old.isdisjoint(role.includes):
            new = renames.get(name, name)
            roles[new] = replace(role, name=new, includes=renamed(role.includes))
        else:
            roles[name] = role
    assignments = {
        login: assignment
        if old.isdisjoint(assignment.roles)
        else replace(assignment, roles=renamed(assignment.roles))
        for login, assignment in state.assignments.items()
    }
    return replace(state, roles=roles, assignments=assignments)


def is_ignored(name: str, ignore: tuple[str, ...]) -> str | None:
    """Return the glob that tells to leave a role alone, if any."""
    return next((glob for glob in ignore if globs.matches_caseless(glob, name)), None)


def _ignored(state: State, ignore: tuple[str, ...]) -> dict[str, str]:
    """The stored roles to leave alone, each with the first glob that says so."""
    found = ((name, is_ignored(name, ignore)) for name in state.roles) if ignore else ()
    return {name: glob for name, glob in found if glob is not None}


def _renames(desired: Mapping[str, DesiredRole], stored: Mapping[str, Role]) -> dict[str, str]:
    """Match desired roles to stored ones under other names: by id, by ``renamed_from``, by case.

    Chains are followed from their ends: a role that takes the name of another one which is itself
    renamed away is not "there already". Runs over the roles with another name only.
    """
    by_id = {role.id: name for name, role in stored.items() if role.id is not None}
    by_folded = {name.casefold(): name for name in stored}
    found: dict[str, str] = {}
    known_ids = {d.role.id: name for name, d in desired.items() if d.role.id is not None}
    for identity, name in known_ids.items():
        old = by_id.get(identity)
        if old is not None and old != name:
            found[old] = name
    following = {d.renamed_from: name for name, d in desired.items() if d.renamed_from}
    for old in _chain_ends_first(following):
        new = following[old]
        there_already = new in stored and new not in found
        if old in stored and not there_already:
            found[old] = new
    for name, wanted in desired.items():
        if name in stored or wanted.role.id is not None:
            continue
        former = by_folded.get(name.casefold())
        if former is not None and former not in found and name not in found.values():
            found[former] = name
    return found


def _chain_ends_first(following: Mapping[str, str]) -> list[str]:
    """Order old names so that a name is given away before it is taken over.

    ``following`` maps old to new. For the chain C → B → A the order is B, C: first B becomes A,
    which frees B for C.
    """
    order: list[str] = []
    done: set[str] = set()
    for start in following:
        path: list[str] = []
        old = start
        while old in following and old not in done and old not in path:
            path.append(old)
            old = following[old]
        order += reversed(path)
        done.update(path)
    return order


def _roles(
    desired: Mapping[str, DesiredRole],
    before: Mapping[str, Role],
    settings: Settings,
    catalogue: Catalogue,
    ignored: Mapping[str, str],
) -> dict[str, Role]:
    roles = {}
    for name, role in before.items():
        keeps = settings.manage == "declared" or catalogue.is_default(name) or name in ignored
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
) -> dict[str, Assignment]:
    """What every user shall hold. Assignments of ignored roles stay as they are."""
    assignments = {}
    for login, held in before.assignments.items():
        if login in desired:
            continue
        kept = held.roles if settings.manage == "declared" else held.roles & ignored.keys()
        if kept:
            assignments[login] = held if kept == held.roles else Assignment(held.user, kept)
    for login, user in desired.items():
        current = before.assignments.get(login)
        roles = frozenset(dated.role for dated in user.roles if dated.is_active(as_of))
        if current is not None:
            roles |= current.roles & ignored.keys()
        if current is not None and current.roles == roles:
            assignments[login] = current
        elif roles:
            assignments[login] = Assignment(current.user if current else user.user, roles)
    return assignments


def _missing_external(settings: Settings, state: State, desired: DesiredState) -> list[Diagnostic]:
    found = []
    for name in settings.external:
        if name not in state.roles and name not in (desired.roles or {}):
            message = f"the external role `{name}` does not exist in this target"
            near = names.did_you_mean(name, state.roles)
            remedy = near or "whoever manages it must create it first, or remove it from `external`"
            found.append(Diagnostic("external-missing", message, None, remedy))
    return found


def _stored_look_alikes(
    desired: DesiredState, state: State, renames: Mapping[str, str]
) -> list[Diagnostic]:
    found = []
    stored = state.roles.keys() - renames.keys()
    for name, other in names.look_alikes(desired.roles or (), stored).items():
        message = f"the name `{name}` looks like the stored role `{other}`, in other letters"
        remedy = "type it again in one script"
        found.append(Diagnostic("look-alike-name", message, desired.provenance.role(name), remedy))
    return found
