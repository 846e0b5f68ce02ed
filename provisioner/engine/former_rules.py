"""The policies that were in force before a plan, held against what it leads to.

A change that drops or loosens a policy and uses that at once is found here. What is judged is the
effect, never the name: a policy follows its roles through renames, and a role that is emptied or
deleted still counts as held by whoever holds everything that it carried.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from provisioner.diagnostics import Diagnostic
from provisioner.engine.access import EffectiveAccess
from provisioner.engine.policy import check_policies, told_apart
from provisioner.engine.rules_in_force import in_force, in_new_names, roles_judged
from provisioner.model import DatedRole, DesiredUser, Role, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from provisioner.engine.policy import Violation
    from provisioner.engine.rules_in_force import Policy


def loosened(
    former: Iterable[Policy],
    present: Iterable[Policy],
    before: State,
    after: State,
    renames: Mapping[str, str],
    as_of: date,
    *,
    users: Mapping[str, DesiredUser] | None = None,
    shipped: frozenset[str] = frozenset(),
) -> Iterator[Diagnostic]:
    """Yield each break of a former policy that the present ones would let pass, and that is new.

    Args:
        former: The policies that were in force, in the names of the roles at that time.
        present: Those in force after the change.
        before: The state before, its roles under their new names.
        after: The state that the change leads to.
        renames: Old names of roles to new ones.
        as_of: The day on which exemptions and end dates are judged.
        users: What the sources say of users, for ``dated`` policies.
        shipped: As in ``check_policies``.
    """
    kept = set(map(_key, in_force(present)))
    old, new = EffectiveAccess(before), EffectiveAccess(after)
    told: dict[tuple[str, str], None] = {}
    for policy in in_force(in_new_names(policy, renames) for policy in former):
        lessened = {
            name: carried
            for name in roles_judged(policy)
            if (carried := old.of_role(name)) and not carried <= new.of_role(name)
        }
        if _key(policy) in kept and not lessened:
            continue
        states = (_as_held(before, lessened), _as_held(after, lessened))
        for violation in _new_breaks(policy, *states, as_of, users, shipped):
            told[violation.policy, violation.message] = None
    for name, message in told:
        yield Diagnostic(
            "policy-loosened",
            f"this change loosens the policy `{name}` and uses that at once: {message}",
            None,
            "change the policy first, in a change of its own",
        )


def _new_breaks(
    policy: Policy,
    before: State,
    after: State,
    as_of: date,
    users: Mapping[str, DesiredUser] | None,
    shipped: frozenset[str],
) -> Iterator[Violation]:
    found = check_policies((policy,), after, as_of, users=users, shipped=shipped)
    # No store keeps dates: what was held before is taken to have had none.
    held = {
        login: DesiredUser(it.user, tuple(map(DatedRole, sorted(it.roles))))
        for login, it in before.assignments.items()
    }
    had = check_policies((policy,), before, as_of, users=held, shipped=shipped)
    for violation in told_apart(found, had):
        if violation.is_new and violation.severity == "error":
            yield violation


def _as_held(state: State, carried: Mapping[str, frozenset[str]]) -> State:
    """The state in which whoever holds everything that one of the roles carried holds the role.

    A role that is gone is there again. Nobody's access grows by one that was deleted or emptied.
    """
    if not carried:
        return state
    access = EffectiveAccess(state)
    gone = {name: Role(name, "", carried[name]) for name in carried.keys() - state.roles.keys()}

    def taken(has: frozenset[str]) -> frozenset[str]:
        return frozenset(name for name, some in carried.items() if some <= has)

    roles = {
        name: replace(role, includes=role.includes | (taken(access.of_role(name)) - {name}))
        for name, role in state.roles.items()
    }
    assignments = {
        login: replace(held, roles=held.roles | taken(access.of_user(login)))
        for login, held in state.assignments.items()
    }
    return replace(state, roles={**roles, **gone}, assignments=assignments)


def _key(policy: Policy) -> str:
    return json.dumps(policy, sort_keys=True)
