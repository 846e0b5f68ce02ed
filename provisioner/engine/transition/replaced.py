"""Renames for a store that has none: a new role instead of the old one, where nobody notices.

A rename keeps a role's holders. A role that nobody holds and no role includes has none to keep, so
deleting and creating it comes to the same. Any other rename is refused: its holders would lose the
role for a while, or for good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from provisioner.diagnostics import Diagnostic
from provisioner.engine.access.effective import access_of
from provisioner.engine.access.reachable import reachable
from provisioner.engine.phrases import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provisioner.engine.access.effective import EffectiveAccess
    from provisioner.engine.transition.passage import Passage
    from provisioner.model import DesiredState


class Replaced(Struct, frozen=True):
    """The stored roles that go, instead of being renamed, and the renames that are impossible.

    ``shown`` are the replaced roles with the new names that the sources ask for.
    """

    roles: frozenset[str]
    shown: tuple[tuple[str, str], ...]
    problems: tuple[Diagnostic, ...]


# Verbs: of one user, of several, of a role that includes it.
_NOW: Final = ("holds", "hold", "includes")
_LATER: Final = ("would hold", "would hold", "would include")


def find_replaced(desired: DesiredState, passage: Passage) -> Replaced:
    """Divide the renames of a passage into those that can be replaced, and the others.

    It leads to what the store can hold of includes.

    Renames that hand a name on belong together: if one of them is impossible, all stay as they
    are, so that the refused plan shows what was asked for.
    """
    renames = passage.renames
    uses = _uses(renames.keys(), access_of(passage.stored), _NOW)
    later = _uses(renames.values(), passage.new, _LATER)
    used = {old: uses.get(old) or later.get(new) for old, new in renames.items()}
    stuck = _linked({old for old, use in used.items() if use}, renames)
    asked = {old: new for old, new in renames.items() if new in (desired.roles or {})}
    return Replaced(
        frozenset(renames.keys() - stuck),
        tuple((old, new) for old, new in sorted(asked.items()) if old not in stuck),
        tuple(
            _refused(old, asked.get(old), use, renames, desired)
            for old, use in sorted(used.items())
            if use
        ),
    )


def _uses(
    names: Iterable[str], access: EffectiveAccess, verbs: tuple[str, str, str]
) -> dict[str, str]:
    """Say, for each of the roles that is in use, by whom: ``ada and 2 more hold it``."""
    names, state = frozenset(names), access.state
    users: dict[str, list[str]] = {}
    for _, held in sorted(state.assignments.items()):
        for name in names & access.closure(held.roles):
            users.setdefault(name, []).append(held.user)
    uses: dict[str, str] = {}
    for _, role in sorted(state.roles.items()):
        for name in role.includes & names - {role.name}:
            uses.setdefault(name, f"`{role.name}` {verbs[2]} it")
    for name, logins in users.items():
        uses[name] = f"{listed(logins, limit=1)} {verbs[len(logins) > 1]} it"
    return uses


def _linked(names: set[str], renames: Mapping[str, str]) -> set[str]:
    """The names, and all that are tied to them by handing names on."""
    folded = {old.casefold(): old for old in renames}
    neighbours: dict[str, list[str]] = {}
    for old, new in renames.items():
        other = folded.get(new.casefold())
        if other is not None and other != old:
            neighbours.setdefault(old, []).append(other)
            neighbours.setdefault(other, []).append(old)
    return reachable(names, neighbours)


def _refused(
    old: str, new: str | None, use: str, renames: Mapping[str, str], desired: DesiredState
) -> Diagnostic:
    """The objection to one rename. Without a new name, it only stands in another one's way."""
    if new is None:
        taker = next((n for n in renames.values() if n.casefold() == old.casefold()), old)
        message = (
            f"role `{old}` can't make way for another role of that name: this target can't rename "
            f"roles, and {use}"
        )
        remedy = "take it from whoever has it, and delete it, in an earlier apply"
        return Diagnostic("rename-unsupported", message, desired.provenance.role(taker), remedy)
    message = f"role `{old}` can't be renamed to `{new}`: this target can't rename roles, and {use}"
    remedy = f"create `{new}` beside it, move people over, and delete `{old}` in a later apply"
    if new.casefold() == old.casefold():
        remedy = f"write it as `{old}`, as it is stored"
    return Diagnostic("rename-unsupported", message, desired.provenance.role(new), remedy)
