"""What the policies say to a plan: what breaks them after it, and what did so before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provisioner.diagnostics import Diagnostic
from provisioner.engine.flatten import as_written
from provisioner.engine.policy import Violation, check_policies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioner.engine.plan import Plan
    from provisioner.model import DesiredState, State


def violations(
    plan: Plan, before: State, after: State, desired: DesiredState | None
) -> tuple[Violation, ...]:
    """Return what breaks the policies after the plan, told apart from what did so before.

    Policies name roles, so they are judged on the includes that the sources ask for, not on what
    was made of them for a store that has none.
    """
    policies = plan.rules.get("policies", ())
    if not policies:
        return ()
    before, after = (as_written(state, plan.flattened) for state in (before, after))
    declared = (desired.roles if desired else None) or {}
    shipped = _shipped(plan, before, after) - declared.keys()
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
    plan: Plan, in_force: tuple[Mapping[str, Any], ...], before: State, after: State
) -> Iterator[Diagnostic]:
    """Yield what breaks a policy as it was in force until now: loosened, and used at once.

    ``in_force`` are the policies of the plan. Looked at only where it is known who asks for the
    change.
    """
    if plan.settings.actor is None:
        return
    before, after = (as_written(state, plan.flattened) for state in (before, after))
    kept = {json.dumps(policy, sort_keys=True) for policy in in_force}
    gone = [p for p in before.policies if json.dumps(p, sort_keys=True, default=str) not in kept]
    shipped = _shipped(plan, before, after)
    for violation in check_policies(gone, after, plan.as_of, before=before, shipped=shipped):
        if violation.is_new and violation.severity == "error":
            message = f"this change loosens the policy `{violation.policy}` and uses that at once: "
            remedy = "change the policy first, in a change of its own"
            yield Diagnostic("policy-loosened", message + violation.message, None, remedy)


def _shipped(plan: Plan, before: State, after: State) -> frozenset[str]:
    names = before.roles.keys() | after.roles.keys()
    return frozenset(name for name in names if name.casefold() in plan.default_roles)
