"""From sources to a plan, and what else of the project judges it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from provisioner.apply.foresight import with_foresight
from provisioner.engine.planning.making import make_plan
from provisioner.errors import InvalidInput
from provisioner.opening.judging import grounds_of, held_longer, partly, unread_rest
from provisioner.opening.session import tell_if_new

if TYPE_CHECKING:
    from datetime import date

    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.settings import Settings
    from provisioner.model import DesiredState, Snapshot
    from provisioner.opening.session import Session


def plan_sources(
    session: Session, sources: tuple[str, ...], guards: dict[str, Any], as_of: date
) -> Plan:
    """Read the target and the sources, and plan. Warnings go to standard error."""
    snapshot = session.backend.read()
    catalogue = session.catalogue_for(snapshot)
    grounds = grounds_of(session, sources, guards, snapshot, catalogue)
    stored = snapshot.state.roles
    loaded = session.load(sources, catalogue, settings=grounds.settings, stored=stored)
    session.run.output.warn(loaded.warnings)
    tell_if_new(session)
    desired = grounds.on(loaded.desired)
    if not sources or not session.project.sources or guards["only_these"]:
        plan = plan_desired(session, desired, snapshot, grounds.settings, as_of)
    else:
        plan = _plan_part(session, desired, snapshot, grounds.settings, as_of)
    return replace(plan, blockers=(*plan.blockers, *held_longer(grounds, desired, plan)))


def _plan_part(
    session: Session, read: DesiredState, snapshot: Snapshot, settings: Settings, as_of: date
) -> Plan:
    """The plan from some sources, judged by the policies that the project's others declare as well.

    It is blocked where it takes away what those declare.
    """
    try:
        catalogue, stored = session.catalogue_for(snapshot), snapshot.state.roles
        whole = session.load((), catalogue, stored=stored).desired
    except InvalidInput as error:
        plan = plan_desired(session, read, snapshot, settings, as_of)
        objection = unread_rest(plan, error.diagnostics[0])
        objections = tuple(filter(None, (objection,)))
    else:
        rules = {**read.rules, "also": whole.rules.get("policies", ())}
        plan = plan_desired(session, replace(read, rules=rules), snapshot, settings, as_of)
        objections = partly(plan, read, whole)
    return replace(plan, blockers=(*plan.blockers, *objections))


def plan_desired(
    session: Session,
    desired: DesiredState,
    snapshot: Snapshot,
    settings: Settings,
    as_of: date,
) -> Plan:
    """Plan the way from a snapshot of the session's target to a desired state."""
    catalogue = session.catalogue_for(snapshot)
    made = make_plan(desired, snapshot, settings, as_of, session.identity(), catalogue)
    return with_foresight(made, session.backend)
