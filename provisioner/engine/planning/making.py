"""Making a plan: what is compared, what is said about it, and its judgement.

A pure function of (desired state, snapshot, settings, as-of date): same inputs, same plan. What a
plan says about the store is checked again before it is applied: see ``engine.planning.staleness``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from provisioner.diagnostics import Diagnostic
from provisioner.engine.planning.compare import find_changes
from provisioner.engine.planning.dates import endings, last_day
from provisioner.engine.planning.guards.administrators import (
    ADMIN_PRIVILEGE,
    admin_access,
    admin_privileges,
)
from provisioner.engine.planning.logins import login_notes
from provisioner.engine.planning.plan import Plan, coverage
from provisioner.engine.planning.trial import Trial
from provisioner.engine.planning.verdict import judged
from provisioner.engine.rules.in_force import rule_changes
from provisioner.engine.settings import with_ignores
from provisioner.engine.transition.adapt import Asked, adapted_target, notes_on_changes
from provisioner.model import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from provisioner.engine.planning.plan import TargetIdentity
    from provisioner.engine.settings import Settings
    from provisioner.model import Catalogue, DesiredState, Snapshot

_NO_ADMINISTRATOR_KNOWN: Final = Diagnostic(
    "no-administrator-known",
    f"nothing tells who administers this target: its catalogue has no {ADMIN_PRIVILEGE}, so "
    "no guard keeps the last administrator",
    None,
    None,
    "warning",
)
_RULES_NOT_RECORDED: Final = Diagnostic(
    "rules-not-recorded",
    "this target can't remember policies: they judge this plan, and no later one knows them",
)


def make_plan(
    desired: DesiredState,
    snapshot: Snapshot,
    settings: Settings,
    as_of: date,
    target: TargetIdentity,
    catalogue: Catalogue,
) -> Trial:
    """Compare the desired with the current state and plan the way from one to the other.

    What the target can't hold or do is adapted to it (see ``engine.transition.adapt``). The plan
    comes with what it was made from, for whoever asks more of its passage.
    """
    settings = with_ignores(settings, desired)
    asked = Asked(desired, snapshot, settings, catalogue, as_of, target.capabilities)
    adapted = adapted_target(asked)
    passage = adapted.passage
    changes = find_changes(passage, desired, adapted.origins)
    manages = frozenset(kind for kind in KINDS if getattr(desired, kind) is not None)
    dated, policies = endings(desired, as_of), desired.rules.get("policies", ())
    recording = target.capabilities.recording
    plan = Plan(
        target=target,
        base=snapshot.base,
        as_of=as_of,
        settings=settings,
        changes=changes,
        flattened=tuple(adapted.flattened),
        coverage=coverage(passage, settings, manages, desired.files),
        valid_until=last_day((ending.until for ending in dated), desired.rules, as_of),
        dated=dated,
        desired_digest=desired.digest,
        manages=manages,
        default_roles=catalogue.default_names,
        declared_defaults=frozenset(filter(catalogue.is_default, desired.roles or ())),
        sensitive=catalogue.sensitive,
        admin_privileges=admin_privileges(catalogue, passage.before),
        rules=desired.rules,
        rule_changes=rule_changes(snapshot.state.policies, policies) if recording else (),
    )
    trial = Trial(plan, snapshot, passage)
    notes = (
        *adapted.notes,
        *notes_on_changes(asked, changes),
        *login_notes(desired, snapshot.state),
        *_notes_on_judging(trial),
    )
    trial = replace(trial, plan=replace(plan, notes=notes))
    return replace(trial, plan=judged(trial, desired, tuple(adapted.problems)))


def _notes_on_judging(trial: Trial) -> Iterator[Diagnostic]:
    """Yield what this target can't be judged by, or can't remember to be."""
    plan = trial.plan
    if plan.rules.get("policies") and not plan.target.capabilities.recording:
        yield _RULES_NOT_RECORDED
    if plan.changes and not admin_access(trial):
        yield _NO_ADMINISTRATOR_KNOWN
