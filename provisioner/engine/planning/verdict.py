"""What guards and policies say to a plan: what breaks them after it, and what did so before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from provisioner.engine.access.effective import impact
from provisioner.engine.planning.guards.check import check
from provisioner.engine.planning.kept import find_kept
from provisioner.engine.rules.in_force import in_force
from provisioner.engine.transition.flatten import as_written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.diagnostics import Diagnostic
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.planning.trial import Trial
    from provisioner.engine.rules.policies import Violation
    from provisioner.model import DesiredState

_OLD_BREAKS: Final = "to let pass what was there already, repeat with --new-only"


def judged(
    trial: Trial, desired: DesiredState | None = None, problems: tuple[Diagnostic, ...] = ()
) -> Plan:
    """The plan with its impact on people, and the verdict of its own settings and rules.

    Args:
        trial: The plan, and a state that it fits.
        desired: The sources, for what only they know: dates, and places.
        problems: What forbids the plan besides.
    """
    plan, passage = trial.plan, trial.passage
    effects = () if plan.is_empty else impact(passage.old, passage.new)
    trial = replace(trial, plan=replace(plan, impact=effects))
    # Policies name roles, so they are judged on the includes that the sources ask for, not on what
    # was made of them for a store that has none.
    written = replace(trial, passage=as_written(passage, plan.flattened))
    broken = _violations(written, desired)
    return replace(
        trial.plan,
        kept=find_kept(plan.changes, passage),
        violations=broken,
        blockers=(
            *problems,
            *check(trial),
            *_forbidding(broken, new_only=plan.settings.new_only),
            *_loosened(written, desired),
        ),
    )


def _forbidding(broken: Iterable[Violation], *, new_only: bool) -> Iterator[Diagnostic]:
    """Yield the breaks that forbid a plan; the first old one says how to let it pass."""
    remedy: str | None = _OLD_BREAKS
    for violation in broken:
        if violation.severity == "error" and (violation.is_new or not new_only):
            found = violation.diagnostic()
            if not violation.is_new and remedy is not None:
                found, remedy = replace(found, remedy=remedy), None
            yield found


def _violations(trial: Trial, desired: DesiredState | None) -> tuple[Violation, ...]:
    """Return what breaks the policies after the plan, told apart from what did so before."""
    plan, passage = trial.plan, trial.passage
    policies = present(plan)
    if not policies:
        return ()
    from provisioner.engine.rules.policies import check_policies

    return check_policies(
        policies,
        passage.new,
        plan.as_of,
        before=passage.old,
        provenance=desired.provenance if desired else None,
        users=desired.users if desired else None,
        shipped=_shipped(trial),
    )


def _loosened(trial: Trial, desired: DesiredState | None) -> Iterable[Diagnostic]:
    """Return what breaks the policies that were in force before, where those judge as well.

    They are the ones that the store remembers, and what ``--rules-from`` names.
    """
    plan, passage = trial.plan, trial.passage
    if not plan.settings.judge_former:
        return ()
    from provisioner.engine.rules import former

    return former.loosened(
        (*passage.stored.policies, *plan.rules.get("former", ())),
        present(plan),
        passage,
        plan.as_of,
        users=desired.users if desired else None,
        shipped=_shipped(trial),
        carried_there={
            role["name"]: frozenset(role["carries"]) for role in plan.rules.get("former_roles", ())
        },
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


def _shipped(trial: Trial) -> frozenset[str]:
    """The default roles that the sources do not declare: what they carry is the panel's doing."""
    plan, passage = trial.plan, trial.passage
    names = (passage.before.roles.keys() | passage.after.roles.keys()) - plan.declared_defaults
    return frozenset(name for name in names if name.casefold() in plan.default_roles)
