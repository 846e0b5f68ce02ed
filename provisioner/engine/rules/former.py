"""The policies that were in force before a plan, held against what it leads to.

A change that drops or loosens a policy and uses that at once is found here. What is judged is the
effect, never the name: a policy follows its roles through renames, and a role that is emptied or
deleted still counts as held by whoever holds everything that it carried.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from provisioner.diagnostics import Diagnostic
from provisioner.engine.access.effective import access_of
from provisioner.engine.rules.in_force import exempt_roles, in_force, in_new_names, roles_judged
from provisioner.engine.rules.policies import check_policies
from provisioner.model import DatedRole, DesiredUser, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from provisioner.engine.access.effective import EffectiveAccess
    from provisioner.engine.rules.in_force import Policy
    from provisioner.engine.transition.passage import Passage
    from provisioner.model import State

_NOTHING: Final[Mapping[str, frozenset[str]]] = {}


def loosened(
    former: Iterable[Policy],
    present: Iterable[Policy],
    passage: Passage,
    as_of: date,
    *,
    users: Mapping[str, DesiredUser] | None = None,
    shipped: frozenset[str] = frozenset(),
    carried_there: Mapping[str, frozenset[str]] = _NOTHING,
) -> Iterator[Diagnostic]:
    """Yield each break of a former policy that the present ones would let pass, and that is new.

    Args:
        former: The policies that were in force, in the names of the roles at that time.
        present: Those in force after the change.
        passage: From the state before to the one that the change leads to.
        as_of: The day on which exemptions and end dates are judged.
        users: What the sources say of users, for ``dated`` policies.
        shipped: As in ``check_policies``.
        carried_there: What roles carry where the former policies were written, for those that the
            state before does not have.
    """
    kept = set(map(_key, in_force(present)))
    old, new = passage.old, passage.new
    told: dict[tuple[str, str], None] = {}
    for policy in in_force(in_new_names(policy, passage.renames) for policy in former):
        lessened = {
            name: carried
            for name in roles_judged(policy)
            if (carried := _carried(name, old, carried_there))
            and (not carried <= new.of_role(name) or _moved(name, passage))
        }
        is_kept = _key(policy) in kept
        if is_kept and not lessened:
            continue
        exempt = exempt_roles(policy, as_of)
        had, has = (_as_held(access, lessened, old, exempt) for access in (old, new))
        # No store keeps dates. What a kept rule let pass is taken to have had none; of one that
        # goes it is not known, and breaking it was not possible.
        dated = _undated(had.state) if is_kept else {}
        for violation in check_policies(
            (policy,), has, as_of, before=had, users=users, former_users=dated, shipped=shipped
        ):
            if violation.is_new and violation.severity == "error":
                told[violation.policy, violation.message] = None
    for name, message in told:
        yield Diagnostic(
            "policy-loosened",
            f"this change loosens the policy `{name}` and uses that at once: {message}",
            None,
            "change the policy first, in a change of its own",
        )


def _carried(
    name: str, access: EffectiveAccess, there: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    return access.of_role(name) if name in access.state.roles else there.get(name, frozenset())


def _moved(name: str, passage: Passage) -> bool:
    """Whether what a role carries comes from elsewhere now, and can be had without it there."""
    had, has = passage.before.roles.get(name), passage.after.roles.get(name)
    if had is None or has is None:
        return False
    return not (had.privileges <= has.privileges and had.includes <= has.includes)


def _undated(state: State) -> dict[str, DesiredUser]:
    return {
        login: DesiredUser(held.user, tuple(map(DatedRole, sorted(held.roles))))
        for login, held in state.assignments.items()
    }


def _as_held(
    now: EffectiveAccess,
    carried: Mapping[str, frozenset[str]],
    old: EffectiveAccess,
    exempt: frozenset[str],
) -> EffectiveAccess:
    """The state in which whoever holds everything that one of the roles carried holds the role.

    A role that is gone is there again. Nobody's access grows by one that was deleted or emptied.
    Who holds it all through other roles, as they were before already, holds what the policy let
    pass then: a new administrator is no holder of every role that is narrowed beside. What arrives
    through ``exempt`` roles alone does not count.
    """
    if not carried:
        return now
    state, access = now.state, now
    if not exempt.isdisjoint(state.roles):
        counted = {name: role for name, role in state.roles.items() if name not in exempt}
        access = access_of(replace(state, roles=counted))
    gone = {name: Role(name, "", carried[name]) for name in carried.keys() - state.roles.keys()}

    def taken(held: frozenset[str], has: frozenset[str]) -> frozenset[str]:
        found = {name for name, some in carried.items() if some <= has}
        if not found or now is old:
            return frozenset(found)
        ways = {name: old.closure((name,)) for name in access.closure(held)}
        return frozenset(
            name
            for name in found
            if not carried[name]
            <= frozenset().union(*(old.of_role(way) for way in ways if name not in ways[way]))
        )

    roles = {
        name: replace(
            role,
            includes=role.includes | (taken(frozenset((name,)), access.of_role(name)) - {name}),
        )
        for name, role in state.roles.items()
    }
    assignments = {
        login: replace(held, roles=held.roles | taken(held.roles, access.of_user(login)))
        for login, held in state.assignments.items()
    }
    return access_of(replace(state, roles={**roles, **gone}, assignments=assignments))


def _key(policy: Policy) -> str:
    return json.dumps(policy, sort_keys=True)
