"""What the policies say to a plan: what breaks them after it, and what did so before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.engine.rules.in_force import in_force
from provisioner.engine.transition.flatten import as_written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.diagnostics import Diagnostic
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.rules.policies import Violation
    from provisioner.model import DesiredState, State


def violations(
    plan: Plan, before: State, after: State, desired: DesiredState | None
) -> tuple[Violation, ...]:
    """Return what breaks the policies after the plan, told apart from what did so before.

    Policies name roles, so they are judged on the includes that the sources ask for, not on what
    was made of them for a store that has none.
    """
    policies = present(plan)
    if not policies:
        return ()
    from provisioner.engine.rules.policies import check_policies

    before, after = (as_written(state, plan.flattened) for state in (before, after))
    shipped = _shipped(plan, before, after)
    return check_policies(
        policies,
        after,
        plan.as_of,
        before=before,
        provenance=desired.provenance if desired else None,
        users=desired.users if desired else None,
        shipped=shipped,
    )


def loosened(
    plan: Plan, before: State, after: State, desired: DesiredState | None
) -> list[Diagnostic]:
    """Return what breaks the policies that were in force before, where those judge as well.

    They are the ones that the store remembers, and what ``--rules-from`` names.
    """
    if not plan.settings.judge_former:
        return []
    from provisioner.engine.rules import former

    stored = before.policies
    before, after = (as_written(state, plan.flattened) for state in (before, after))
    return list(
        former.loosened(
            (*stored, *plan.rules.get("former", ())),
            present(plan),
            before,
            after,
            plan.renames,
            plan.as_of,
            users=desired.users if desired else None,
            shipped=_shipped(plan, before, after),
            carried_there={
                role["name"]: frozenset(role["carries"])
                for role in plan.rules.get("former_roles", ())
            },
        )
    )


def present(plan: Plan) -> tuple[Mapping[str, Any], ...]:
    """The policies that judge what the plan leads to.

    Those that are in force after it, and what else the project's sources declare (rollback).
    """
    policies, also = plan.rules.get("policies", ()), plan.rules.get("also", ())
    known = in_force(policies)
    return (
        *policies,
        *(p for p, plain in zip(also, in_force(also), strict=True) if plain not in known),
    )


def _shipped(plan: Plan, before: State, after: State) -> frozenset[str]:
    """The default roles that the sources do not declare: what they carry is the panel's doing."""
    names = (before.roles.keys() | after.roles.keys()) - plan.declared_defaults
    return frozenset(name for name in names if name.casefold() in plan.default_roles)
