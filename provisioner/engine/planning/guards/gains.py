"""Guards of what is gained: beyond a ceiling, or by whoever asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.diagnostics import Diagnostic
from provisioner.engine.changes import RoleChange
from provisioner.engine.phrases import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.planning.trial import Trial


def above_ceiling(trial: Trial) -> Iterator[Diagnostic]:
    """No role goes beyond a ceiling."""
    for ceiling in trial.plan.settings.ceilings:
        yield from _above(ceiling, trial)


def _above(ceiling: str, trial: Trial) -> Iterator[Diagnostic]:
    plan, passage = trial.plan, trial.passage
    remedy = f"leave it out, or have `{ceiling}` extended first"
    if ceiling not in passage.after.roles:
        message = f"the ceiling role `{ceiling}` does not exist in this target"
        yield Diagnostic("ceiling-missing", message, None, "correct `ceiling` in the project file")
        return
    access, old = passage.new, passage.old
    allowed = access.of_role(ceiling)
    places = {c.name: c.source for c in plan.changes if isinstance(c, RoleChange)}
    for name in sorted(passage.after.roles):
        above = access.of_role(name) - allowed
        if name.casefold() in plan.default_roles:
            # What a default role carries already is the panel's doing, and no more than that.
            above -= old.of_role(name)
        if above:
            message = f"role `{name}` goes beyond `{ceiling}`: {listed(sorted(above))}"
            yield Diagnostic("above-ceiling", message, places.get(name), remedy)


def own_gain(trial: Trial) -> Iterator[Diagnostic]:
    """Whoever asks for a change gains nothing by it."""
    plan = trial.plan
    actor = plan.settings.actor
    for user in plan.impact if actor is not None else ():
        if user.gained and actor is not None and user.user.casefold() == actor.casefold():
            message = (
                f"{user.user}, who asks for this change, would gain {listed(list(user.gained))}"
            )
            remedy = "have somebody else ask for it"
            yield Diagnostic("own-gain", message, None, remedy)
