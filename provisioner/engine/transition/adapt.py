"""What is planned instead where a store lacks something, and how the plan says so.

The sources ask for the same thing of every store. Here their target state becomes one that the
store can hold, and each kind of difference becomes one note on the plan, or, where there is no
honest substitute, an objection::

    no assignments    nobody can be given roles: objection
    no renames        delete and create, where nobody holds the role: note; else objection
    no descriptions   not compared: note
    no protection     not compared: note
    no includes       roles carry what they would include: note
    closed users      only users that the store knows can be given roles: objection
    not recording     what is adopted has to stand in the project file: note
    no versions       somebody else's change can be overwritten: note

A store that lacks nothing gets the very same plan as without this module.
"""

from __future__ import annotations

# From Python 3.15 on (PEP 810) this loads when it is first used: where a store has no renames.
__lazy_modules__ = ["provisioner.engine.transition.replaced"]

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner.diagnostics import SHOWN_IN_FULL, Diagnostic
from provisioner.engine.changes import RoleChange
from provisioner.engine.phrases import adopted_line, listed, quoted
from provisioner.engine.settings import Settings
from provisioner.engine.transition.flatten import flattened, without_includes
from provisioner.engine.transition.matching import find_target
from provisioner.engine.transition.passage import Passage
from provisioner.engine.transition.replaced import find_replaced
from provisioner.model import (
    KINDS,
    Capabilities,
    Catalogue,
    DesiredState,
    Role,
    Snapshot,
)
from provisioner.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.engine.changes import Change
    from provisioner.engine.transition.matching import Target
    from provisioner.model import (
        DesiredUser,
        State,
    )


class Asked(Struct, frozen=True):
    """What is asked for, of which store."""

    desired: DesiredState
    snapshot: Snapshot
    settings: Settings
    catalogue: Catalogue
    as_of: date
    capabilities: Capabilities


class Adapted(Struct):
    """The passage to what the store can hold, and what there is to say about it.

    ``flattened`` are the roles that lost their includes, as the sources write them; ``origins``
    are, for each of them, the roles whose privileges it carries.
    """

    passage: Passage
    notes: list[Diagnostic] = field(default_factory=list)
    problems: list[Diagnostic] = field(default_factory=list)
    flattened: list[Role] = field(default_factory=list)
    origins: dict[str, frozenset[str]] = field(default_factory=dict)

    def note(self, id: str, message: str, remedy: str | None = None) -> None:
        """Add a note."""
        self.notes.append(Diagnostic(id, message, None, remedy, "warning"))


def adapted_target(asked: Asked) -> Adapted:
    """Work out the target state, within what the store can hold and do."""
    can, desired = asked.capabilities, asked.desired
    if not can.assignments:
        desired = replace(desired, users=None)
    found = _find_target(asked, desired)
    adapted = Adapted(found.passage, problems=found.problems)
    if not can.renames and found.passage.renames:
        passage = found.passage
        if not can.includes:
            passage = passage.to(without_includes(passage.after))
        replaced = find_replaced(desired, passage)
        found = _find_target(asked, desired, replaced.roles)
        adapted = Adapted(found.passage, problems=[*found.problems, *replaced.problems])
        if replaced.shown:
            what = listed([f"`{old}` → `{new}`" for old, new in replaced.shown])
            message = f"roles can't be renamed here, so one is deleted and one created: {what}"
            adapted.note("rename-replaced", message)
    for name, value, adapt in _ADAPTATIONS:
        if getattr(can, name) is value:
            adapt(asked, adapted)
    return adapted


def _find_target(
    asked: Asked, desired: DesiredState, replaced: frozenset[str] = frozenset()
) -> Target:
    state, settings = asked.snapshot.state, asked.settings
    return find_target(desired, state, settings, asked.catalogue, asked.as_of, replaced)


def _without_assignments(asked: Asked, adapted: Adapted) -> None:
    given = _given_roles(asked.desired, asked.as_of)
    if given:
        names = quoted([user.user for user in given.values()])
        adapted.problems.append(
            Diagnostic(
                "assignments-unsupported",
                f"this target holds no assignments, so {names} can't be given roles",
                asked.desired.provenance.user(next(iter(given))),
                "leave out `users:`",
            )
        )


def _given_roles(desired: DesiredState, as_of: date) -> dict[str, DesiredUser]:
    """The declared users who hold something on that day, by login."""
    return {
        login: user
        for login, user in (desired.users or {}).items()
        if any(dated.is_active(as_of) for dated in user.roles)
    }


def _without_descriptions(asked: Asked, adapted: Adapted) -> None:
    left_out = _leave_out("description", empty="", asked=asked, adapted=adapted)
    if left_out:
        have = "has one" if len(left_out) == 1 else "have one"
        message = f"descriptions are not stored: {quoted(left_out)} {have} in the sources only"
        adapted.note("description-not-stored", message)


def _without_protection(asked: Asked, adapted: Adapted) -> None:
    left_out = _leave_out("protected", empty=False, asked=asked, adapted=adapted)
    unguarded = [name for name in left_out if not asked.catalogue.is_default(name)]
    if unguarded:
        what = quoted(unguarded)
        message = f"protection is not stored: nothing keeps {what} from being deleted"
        adapted.note("protection-not-stored", message)


def _leave_out(name: str, *, empty: Any, asked: Asked, adapted: Adapted) -> list[str]:
    """Keep a field as it is stored; return the roles that ask for something else than nothing."""
    passage = adapted.passage
    before, after = passage.before.roles, dict(passage.after.roles)
    left_out = []
    for role in _declared(asked, passage.after):
        wanted, current = after[role], before.get(role)
        kept = getattr(current, name) if current else empty
        if getattr(wanted, name) == kept:
            continue
        if getattr(wanted, name) != empty:
            left_out.append(role)
        fitting = replace(wanted, **{name: kept})
        after[role] = current if current is not None and fitting == current else fitting
    adapted.passage = passage.to(replace(passage.after, roles=after))
    return left_out


def _without_includes(asked: Asked, adapted: Adapted) -> None:
    """Give the declared roles what they would include. The stored ones have no includes."""
    passage, provenance = adapted.passage, asked.desired.provenance
    before, after = passage.before.roles, passage.after
    flat = flattened(passage.new, _declared(asked, after))
    for name, role in flat.items():
        written = after.roles[name]
        adapted.flattened.append(
            Role(name, privileges=written.privileges, includes=written.includes)
        )
        adapted.origins[name] = passage.new.closure(written.includes)
        for included in sorted(written.includes - after.roles.keys()):
            message = f"`{name}` refers to the role `{included}`, which this target does not have"
            place = provenance.include(name, included) or provenance.role(name)
            remedy = f"create `{included}` first"
            adapted.problems.append(Diagnostic("role-missing", message, place, remedy))
        current = before.get(name)
        flat[name] = current if current is not None and current == role else role
    adapted.passage = passage.to(replace(after, roles={**after.roles, **flat}))
    if flat:
        what, own = quoted(sorted(flat)), "its own" if len(flat) == 1 else "their own"
        message = f"roles can't include others here: what {what} would include becomes {own}"
        adapted.note("includes-flattened", message)


def _only_known_users(asked: Asked, adapted: Adapted) -> None:
    adapted.problems += unknown_users(asked.desired, asked.snapshot, asked.as_of)


def unknown_users(desired: DesiredState, snapshot: Snapshot, as_of: date) -> Iterator[Diagnostic]:
    """Yield the users who are given roles, and whom a store that knows its users does not know."""
    known = snapshot.users
    if known is None:
        return
    given = _given_roles(desired, as_of)
    for index, login in enumerate(login for login in given if login not in known):
        # To look for near names takes long; nobody reads that many of them.
        near = did_you_mean(login, known) if index < SHOWN_IN_FULL else None
        yield Diagnostic(
            "unknown-user",
            f"this target has no user `{given[login].user}`",
            desired.provenance.user(login),
            near or "have the account created in the panel first",
        )


def _without_recording(asked: Asked, adapted: Adapted) -> None:
    manages = {kind for kind in KINDS if getattr(asked.desired, kind) is not None}
    adopts = manages - asked.settings.adopted
    if asked.settings.adopt and adopts:
        kinds = listed([kind for kind in KINDS if kind in adopts])
        message = f"this target can't remember that {kinds} are under management now"
        line = adopted_line(manages | asked.settings.adopted)
        remedy = f"once this is applied, write `{line}` in the project file"
        adapted.note("not-recorded", message, remedy)


# The capability, the value at which to adapt, and how.
_ADAPTATIONS: Final[tuple[tuple[str, bool, Callable[[Asked, Adapted], None]], ...]] = (
    ("assignments", False, _without_assignments),
    ("includes", False, _without_includes),
    ("descriptions", False, _without_descriptions),
    ("protection", False, _without_protection),
    ("closed_users", True, _only_known_users),
    ("recording", False, _without_recording),
)


def notes_on_changes(asked: Asked, changes: tuple[Change, ...]) -> Iterator[Diagnostic]:
    """Yield what there is to say only where something is written."""
    grants = any(isinstance(change, RoleChange) and change.added for change in changes)
    if grants and not asked.catalogue.known:
        message = "privilege names are not checked: this target tells no catalogue"
        remedy = "declare `catalogue:` in the project file"
        yield Diagnostic("privileges-not-checked", message, None, remedy, "warning")
    if changes and not asked.capabilities.versions:
        message = (
            "somebody else's change between reading and writing can be overwritten: this target "
            "has no versions to compare"
        )
        yield Diagnostic("no-versions", message, None, None, "warning")


def _declared(asked: Asked, after: State) -> list[str]:
    """The declared roles that are ours to change, sorted."""
    external = {name.casefold() for name in asked.settings.external}
    declared = sorted(asked.desired.roles or ())
    return [n for n in declared if n.casefold() not in external and n in after.roles]
