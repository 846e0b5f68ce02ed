"""The way from one state to another, as everything sees it that judges it or carries it out.

A passage is made once for a plan, and once for the check under the lock. It is the only place that
calls roles by their new names, and that knows who effectively holds what in both states.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from provisioner.engine.access.effective import EffectiveAccess
from provisioner.model import Assignment, State


class Passage(Struct, frozen=True):
    """From what is stored to what it shall become.

    ``stored`` is the state before, roles under the names that they have there; ``renames`` maps
    those that change to the new ones. ``old`` and ``new`` are the effective access before and
    after, both under the new names.
    """

    stored: State
    renames: Mapping[str, str]
    old: EffectiveAccess
    new: EffectiveAccess

    @property
    def before(self) -> State:
        """The stored state under the new names. Access and identities are the stored ones."""
        return self.old.state

    @property
    def after(self) -> State:
        """The state to reach."""
        return self.new.state

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that are renamed or differ, sorted; by their name in ``before``, if gone."""
        before, after = self.before.roles, self.after.roles
        differing = {
            name
            for name in before.keys() | after.keys()
            if before.get(name) is not after.get(name) and before.get(name) != after.get(name)
        }
        return tuple(sorted(differing.union(before.keys() & set(self.renames.values()))))

    @property
    def users(self) -> tuple[str, ...]:
        """The users who hold other roles, by case-folded login, sorted."""
        before, after = self.before.assignments, self.after.assignments
        return tuple(
            login
            for login in sorted(before.keys() | after.keys())
            if before.get(login) is not after.get(login)
            and roles_of(before.get(login)) != roles_of(after.get(login))
        )

    def to(self, after: State) -> Passage:
        """The passage from the same state to another one."""
        return self.between(self.before, after)

    def between(self, before: State, after: State) -> Passage:
        """The passage as it looks where its states are written in another way."""
        return replace(self, old=_access(self.old, before), new=_access(self.new, after))

    def halfway(self) -> EffectiveAccess:
        """The least that anyone holds on the way: after all that is taken, before anything new."""
        before, after = self.before, self.after
        roles = {
            name: replace(
                role,
                privileges=role.privileges & after.roles[name].privileges,
                includes=role.includes & after.roles[name].includes,
            )
            for name, role in before.roles.items()
            if name in after.roles
        }
        assignments = {
            login: Assignment(held.user, held.roles & after.assignments[login].roles)
            for login, held in before.assignments.items()
            if login in after.assignments
        }
        return EffectiveAccess(replace(before, roles=roles, assignments=assignments))


def passage_from(stored: State, renames: Mapping[str, str]) -> Passage:
    """The passage that renames roles, and changes nothing else yet."""
    access = EffectiveAccess(with_new_names(stored, renames))
    return Passage(stored, renames, access, access)


def roles_of(held: Assignment | None) -> frozenset[str]:
    """The roles of an assignment, if there is one."""
    return held.roles if held is not None else frozenset()


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


def _access(known: EffectiveAccess, state: State) -> EffectiveAccess:
    return known if known.state is state else EffectiveAccess(state)
