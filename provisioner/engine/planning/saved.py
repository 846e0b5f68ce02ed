"""A saved plan before the project that applies it, which may be another one than made it.

The plan says what to change. What may be changed, the project says that applies it: its settings,
its catalogue, and the policies of its sources.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from provisioner.diagnostics import Diagnostic
from provisioner.engine.changes import Action, AssignmentChange, RoleChange
from provisioner.engine.planning.dates import dates_of, endings
from provisioner.engine.planning.guards.administrators import admin_privileges
from provisioner.engine.planning.verdict import judged
from provisioner.engine.rules.in_force import in_force
from provisioner.engine.settings import Settings, with_ignores
from provisioner.engine.transition.matching import conflicts
from provisioner.globs import first_caseless
from provisioner.model import KINDS, Catalogue, DatedRole, DesiredState, DesiredUser, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioner.engine.changes import Change
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.planning.trial import Trial
    from provisioner.model import State


class Judge(Struct, frozen=True):
    """What a saved plan is judged by, on the day on which it is applied.

    ``settings`` are the project's, with the options that the plan was made with. ``catalogue``
    gives the target's. ``desired`` is what the project's sources say; None where there are none to
    read: then the plan's own policies are all there is.
    """

    settings: Settings
    catalogue: Callable[[Snapshot], Catalogue]
    desired: DesiredState | None
    today: date


def objections(trial: Trial, judge: Judge) -> tuple[Diagnostic, ...]:
    """Return what forbids a plan that fits what is stored, by the project that applies it."""
    plan, passage = trial.plan, trial.passage
    catalogue, sources = judge.catalogue(trial.snapshot), judge.desired
    settings = with_ignores(judge.settings, sources) if sources else judge.settings
    under = replace(
        plan,
        as_of=judge.today,
        settings=settings,
        default_roles=catalogue.default_names,
        declared_defaults=_declared_defaults(plan, catalogue, sources),
        admin_privileges=admin_privileges(catalogue, passage.before),
        rules={**plan.rules, **sources.rules} if sources else plan.rules,
    )
    dated = _with_dates(plan, sources, passage.after)
    names = [change.name for change in plan.changes if isinstance(change, RoleChange)]
    return (
        *conflicts(names, passage.stored, passage.renames, settings),
        *_left_alone(plan, settings),
        *_not_declared(plan, settings),
        *(found for change in plan.changes for found in _not_grantable(change, plan, catalogue)),
        *judged(replace(trial, plan=under), dated).blockers,
    )


def outdated(trial: Trial, judge: Judge) -> Iterator[str]:
    """Yield what a plan says of the project that applies it, and what is not so, or no longer."""
    plan, catalogue, sources = trial.plan, judge.catalogue(trial.snapshot), judge.desired
    if plan.default_roles != catalogue.default_names:
        yield f"the catalogue {catalogue.name} has other default roles"
    if plan.admin_privileges != admin_privileges(catalogue, trial.passage.before):
        yield f"by the catalogue {catalogue.name} other privileges make an administrator"
    if plan.sensitive != catalogue.sensitive:
        yield f"the catalogue {catalogue.name} calls other privileges sensitive"
    if any(c.action is Action.CREATE and c.after and c.after.id for c in _roles(plan)):
        yield "it gives new roles ids, which only the target does"
    if sources is None:
        return
    if _stated(plan.rules, "policies") != _stated(sources.rules, "policies"):
        yield "the policies of the sources are others"
    if sources.digest == plan.desired_digest:
        yield from _otherwise_declared(plan, sources, catalogue)
    for role in plan.flattened:
        declared = (sources.roles or {}).get(role.name)
        if declared is None or declared.role.includes != role.includes:
            yield f"in the sources {role.name} includes other roles"


def _otherwise_declared(plan: Plan, sources: DesiredState, catalogue: Catalogue) -> Iterator[str]:
    """What a plan says of the very sources that it was made from, and what they do not say."""
    if _stated(plan.rules, "tests") != _stated(sources.rules, "tests"):
        yield "the sources have other tests than it says"
    if plan.declared_defaults != _declared_defaults(plan, catalogue, sources):
        yield "the sources declare other default roles than it says"
    manages = frozenset(kind for kind in KINDS if getattr(sources, kind) is not None)
    if plan.manages != manages:
        yield "the sources manage other kinds than it says"
    if plan.dated != endings(sources, plan.as_of):
        yield "the sources give other end dates than it says"
    for change in plan.changes:
        if isinstance(change, AssignmentChange):
            moved = frozenset((*change.added, *change.removed))
            if change.dated != dates_of(sources, change.name.casefold(), moved):
                yield f"the sources give {change.name} other dates and reasons than it says"


def moved_on(plan: Plan, snapshot: Snapshot, judge: Judge) -> Iterator[str]:
    """Yield what has changed since the plan was made; whether it touches the plan is not asked."""
    if plan.base != snapshot.base:
        yield "The target was changed since this plan was made"
    if judge.desired is not None and judge.desired.digest != plan.desired_digest:
        yield "The sources of the project are not those that this plan was made from"
    settings = with_ignores(judge.settings, judge.desired or plan.settings)
    if settings != plan.settings and plan.settings.rules_from is None:
        yield "The settings of the project are not those that this plan was made with"


def _roles(plan: Plan) -> Iterator[RoleChange]:
    return (change for change in plan.changes if isinstance(change, RoleChange))


def _left_alone(plan: Plan, settings: Settings) -> Iterator[Diagnostic]:
    """Changes of roles that are not ours under these settings, whatever they are called after it.

    A role is ignored by the name that it has now. External ones can be assigned, not changed.
    """
    former = {new: old for old, new in plan.renames.items()}
    external = {name.casefold() for name in settings.external}
    for change in plan.changes:
        if isinstance(change, AssignmentChange):
            glob = first_caseless(settings.ignore_users, change.name)
            if glob is not None:
                message = f"user `{change.name}` is ignored (`{glob}`), and the plan changes it"
                yield Diagnostic("left-alone", message, change.source, "make the plan again")
            for name in change.removed:
                glob = first_caseless(settings.ignore, former.get(name, name))
                if glob is not None:
                    message = f"role `{name}` is ignored (`{glob}`): {change.name} would lose it"
                    yield Diagnostic("left-alone", message, change.source, "make the plan again")
            continue
        before = former.get(change.name, change.name) if change.before else None
        glob = first_caseless(settings.ignore, before) if before else None
        if glob is not None or not external.isdisjoint(
            name.casefold() for name in (before, change.name) if name
        ):
            why = f"ignored (`{glob}`)" if glob is not None else "external"
            message = f"role `{change.name}` is {why} in this project, and the plan changes it"
            yield Diagnostic("left-alone", message, change.source, "make the plan again")


def _not_declared(plan: Plan, settings: Settings) -> Iterator[Diagnostic]:
    if plan.settings.manage != settings.manage == "declared":
        message = "this project manages only what is declared, and the plan was made to manage all"
        yield Diagnostic("other-manage", message, None, "make the plan again")


def _not_grantable(change: Change, plan: Plan, catalogue: Catalogue) -> Iterator[Diagnostic]:
    if not isinstance(change, RoleChange) or not catalogue.known:
        return
    # What a role would include is the includes' doing, whatever they carry.
    own = {role.name: role.privileges for role in plan.flattened}
    for name in change.added:
        if name in own.get(change.name, change.added) and name not in catalogue.grantable:
            what = "is internal: no role can carry it"
            if name not in catalogue.internal:
                what = f"does not exist in the catalogue {catalogue.name}"
            message = f"role `{change.name}`: the privilege `{name}` {what}"
            yield Diagnostic("not-grantable", message, change.source, "make the plan again")


def _declared_defaults(
    plan: Plan, catalogue: Catalogue, sources: DesiredState | None
) -> frozenset[str]:
    if sources is None:
        return plan.declared_defaults
    return frozenset(filter(catalogue.is_default, sources.roles or ()))


def _with_dates(plan: Plan, sources: DesiredState | None, after: State) -> DesiredState:
    """The sources, of assignments only those that there will be, with the plan's own dates."""
    declared = dict((sources.users if sources else None) or {})
    moving = {c.name.casefold(): c for c in plan.changes if isinstance(c, AssignmentChange)}
    users = {}
    for login in declared.keys() | moving.keys():
        held = after.assignments.get(login)
        if held is not None:
            given = declared.get(login, DesiredUser(held.user))
            dates = {item.role: item for item in given.roles}
            change = moving.get(login)
            if change is not None:
                dates |= {role: DatedRole(role) for role in change.added}
                dates |= {item.role: item for item in change.dated}
            roles = tuple(dates[role] for role in sorted(held.roles & dates.keys()))
            users[login] = replace(given, roles=roles)
    return replace(sources or DesiredState(), users=users)


def _stated(rules: Mapping[str, tuple[Any, ...]], kind: str) -> tuple[Any, ...]:
    """Rules to be compared: where they stand, and in which order lists name things, is no part."""
    return in_force(rules.get(kind, ()))
