"""The guard of the last administrator, and of whoever runs this.

Who is an administrator is judged by effect: whoever holds one privilege that makes one, or
everything that one of the roles which administer the target carried before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.diagnostics import Diagnostic
from provisioner.engine.phrases import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.access.effective import EffectiveAccess
    from provisioner.engine.planning.trial import Trial
    from provisioner.model import Catalogue, State

ADMIN_PRIVILEGE: Final = "CONFIG_SECURITY"


def lockout(trial: Trial) -> Iterator[Diagnostic]:
    """Somebody has administrative access at all times; whoever runs this does not lose it."""
    passage = trial.passage
    if trial.plan.settings.allow_lockout:
        return
    needed = admin_access(trial)
    admins = _administrators(passage.old, needed)
    moments = [("at the end", passage.new)]
    if not trial.plan.target.capabilities.atomic:
        moments.insert(0, ("while it is applied", passage.halfway()))
    remedy = f"let someone keep {_admin_words(trial)}, or repeat with --allow-lockout"
    for when, moment in moments:
        remaining = _administrators(moment, needed)
        mine = [me for me in trial.self_users if me.casefold() in admins - remaining]
        for me in mine:
            message = f"{me}, who runs this, would lose administrative access {when}"
            yield Diagnostic("lockout", message, None, remedy)
        if admins and not remaining and not mine:
            message = (
                f"nobody would have administrative access {when}; now {listed(sorted(admins))}"
            )
            yield Diagnostic("lockout", message, None, remedy)
        if mine or (admins and not remaining):
            return


def admin_access(trial: Trial) -> tuple[frozenset[str], ...]:
    """The sets of privileges of which each, held whole, makes an administrator.

    Nothing where neither privileges nor roles are known, or the roles carry nothing.
    """
    carried = (trial.passage.old.of_role(name) for name in sorted(trial.administrators))
    ones = (frozenset((name,)) for name in sorted(trial.plan.admin_privileges))
    return tuple(dict.fromkeys(needed for needed in (*ones, *carried) if needed))


def _administrators(access: EffectiveAccess, needed: tuple[frozenset[str], ...]) -> frozenset[str]:
    """Who effectively holds one of the sets whole."""
    return frozenset(
        login
        for login in access.state.assignments
        if any(some <= access.of_user(login) for some in needed)
    )


def _admin_words(trial: Trial) -> str:
    roles = [f"everything that `{name}` carries" for name in sorted(trial.administrators)]
    return " or ".join([*sorted(trial.plan.admin_privileges), *roles])


def admin_privileges(catalogue: Catalogue, before: State) -> frozenset[str]:
    """The privileges that make an administrator, as far as the panel has them.

    What stored roles carry is there, whatever a catalogue says.
    """
    one = ADMIN_PRIVILEGE
    is_there = catalogue.known and one in catalogue.privileges
    is_there = is_there or any(one in role.privileges for role in before.roles.values())
    return frozenset((one,)) if is_there else frozenset()
