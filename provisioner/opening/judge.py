"""What the project that applies a saved plan says of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.engine.planning.saved import Judge

if TYPE_CHECKING:
    from datetime import date

    from provisioner.engine.planning.plan import Plan
    from provisioner.model import DesiredState, Snapshot
    from provisioner.opening.session import Session


def judge_of(plan: Plan, session: Session, snapshot: Snapshot, today: date) -> Judge:
    """What the project says now, with the options that the plan was made with.

    Raises:
        InvalidInput: Its sources are wrong.
    """
    made = plan.settings
    options_given = {
        **{name: getattr(made.safety, name) for name in made.given},
        "adopt": made.adopt,
        "allow_lockout": made.allow_lockout,
        "new_only": made.new_only,
    }
    # Rules from before the change stand in the plan, and judge it there: no file is opened for it.
    asked = {name: getattr(made, name) for name in ("actor", "judge_former", "rules_from")}
    return Judge(
        replace(session.settings(options_given), **asked),
        session.catalogue_for,
        _sources(session, snapshot),
        today,
    )


def _sources(session: Session, snapshot: Snapshot) -> DesiredState | None:
    """What the project's sources say; None where they are not here, as on a machine that applies.

    Sources that are here and wrong are an error: what forbids the plan may stand in them.
    """
    paths = session.project.sources
    if not paths or not all(map(os.path.lexists, paths)):
        return None
    return session.load((), session.catalogue_for(snapshot)).desired
