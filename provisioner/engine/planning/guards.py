"""What a plan must not do, whatever the sources say. Each guard names the way round it, if any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from provisioner.diagnostics import Diagnostic
from provisioner.engine.access.effective import EffectiveAccess, UserImpact
from provisioner.engine.changes import Action, AssignmentChange, Change, RoleChange
from provisioner.engine.phrases import adopted_line, listed
from provisioner.engine.planning.order import shrunk
from provisioner.engine.settings import Settings
from provisioner.globs import first_caseless, matches_caseless
from provisioner.model import Capabilities, Kind, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


ADMIN_PRIVILEGE: Final = "CONFIG_SECURITY"
PERCENT_FROM: Final = 10
SMALL_TEAM_ALLOWANCE: Final = 2


class Case(Struct, frozen=True):
    """What the guards look at. Both states carry the new names.

    ``self_users`` are who runs this, by the settings or by what the store says. Who is an
    administrator is judged by effect: whoever holds one of ``admin_privileges``, or everything
    that one of the roles ``administrators`` carried before.
    """

    changes: tuple[Change, ...]
    before: State
    after: State
    impact: tuple[UserImpact, ...]
    settings: Settings
    manages: frozenset[Kind]
    capabilities: Capabilities
    default_roles: frozenset[str] = frozenset()
    self_users: tuple[str, ...] = ()
    admin_privileges: frozenset[str] = frozenset()
    administrators: frozenset[str] = frozenset()

    def deletions(self) -> list[RoleChange]:
        """The roles that the plan deletes."""
        found = (c for c in self.changes if isinstance(c, RoleChange))
        return [change for change in found if change.action is Action.DELETE]


def check(case: Case) -> tuple[Diagnostic, ...]:
    """Return what forbids the plan, every guard's objections."""
    guards = _GUARDS if case.changes else _STATE_GUARDS
    return tuple(objection for guard in guards for objection in guard(case))


def _default_role_deleted(case: Case) -> Iterator[Diagnostic]:
    for change in case.deletions():
        if change.name.casefold() in case.default_roles:
            message = f"`{change.name}` is a default role: it can't be deleted"
            yield Diagnostic("default-role", message, change.source, "leave it undeclared")


def _protected_deleted(case: Case) -> Iterator[Diagnostic]:
    for change in case.deletions():
        if change.before is not None and change.before.protected:
            yield Diagnostic(
                "protected",
                f"role `{change.name}` is protected, so it can't be deleted",
                change.source,
                "declare it with `protected: false`, apply that, then delete it in a later apply",
            )


def _protected_narrowed(case: Case) -> Iterator[Diagnostic]:
    """A role that loses its protection keeps its name and what it carries, for this apply."""
    renamed = {c.name for c in case.changes if c.action is Action.RENAME}
    old, new = EffectiveAccess(case.before), EffectiveAccess(case.after)
    for change in case.changes:
        if not isinstance(change, RoleChange) or change.action is not Action.UPDATE:
            continue
        before, after = case.before.roles.get(change.name), change.after
        is_default = change.name.casefold() in case.default_roles
        if before is None or after is None or is_default or not before.protected > after.protected:
            continue
        lost = [
            ("be renamed", change.name in renamed),
            ("lose includes", bool(before.includes - after.includes)),
            ("lose privileges", bool(old.of_role(change.name) - new.of_role(change.name))),
        ]
        what = listed([verb for verb, is_lost in lost if is_lost], limit=len(lost))
        if what:
            yield Diagnostic(
                "protected",
                f"role `{change.name}` is protected, so it can't {what} in the apply that "
                "takes the protection away",
                change.source,
                "apply `protected: false` alone, then change the role in a later apply",
            )


def _deleted_in_use(case: Case) -> Iterator[Diagnostic]:
    deleted = {change.name: change for change in case.deletions()}
    if not deleted:
        return
    for _, assignment in sorted(case.after.assignments.items()):
        for name in sorted(assignment.roles & deleted.keys()):
            message = f"role `{name}` can't be deleted: {assignment.user} would still hold it"
            remedy = (
                "take it from the user first (declare `users:` so that assignments are managed)"
            )
            yield Diagnostic("role-in-use", message, deleted[name].source, remedy)
    for _, role in sorted(case.after.roles.items()):
        for name in sorted(role.includes & deleted.keys()):
            message = f"role `{name}` can't be deleted: `{role.name}` would still include it"
            remedy = f"declare `{role.name}` without it"
            if _is_others(role.name, case.settings):
                remedy = f"have `{role.name}` changed first by whoever manages it"
            yield Diagnostic("role-in-use", message, deleted[name].source, remedy)


def _is_others(name: str, settings: Settings) -> bool:
    """Whether a role is left alone: ignored, or external."""
    external = {role.casefold() for role in settings.external}
    ignored = any(matches_caseless(glob, name) for glob in settings.ignore)
    return ignored or name.casefold() in external


def _dangling(case: Case) -> Iterator[Diagnostic]:
    """References to roles that neither exist nor are created: external ones that went missing."""
    known = case.after.roles.keys() | {change.name for change in case.deletions()}
    for change in case.changes:
        if isinstance(change, AssignmentChange):
            wanted = change.after.roles
        else:
            role = case.after.roles.get(change.name)
            wanted = role.includes if role else frozenset()
        for name in sorted(n for n in wanted if n not in known):
            message = (
                f"`{change.name}` refers to the role `{name}`, which this target does not have"
            )
            yield Diagnostic("role-missing", message, change.source, f"create `{name}` first")


def _include_cycle(case: Case) -> Iterator[Diagnostic]:
    """Circles that the sources alone do not show: through default and undeclared roles."""
    access = EffectiveAccess(case.after)
    for change in case.changes:
        role = case.after.roles.get(change.name) if isinstance(change, RoleChange) else None
        if role is not None and role.name in access.closure(role.includes):
            over = listed(sorted(role.includes))
            message = f"role `{role.name}` would include itself, over {over}"
            yield Diagnostic("include-cycle", message, change.source, "remove one of the includes")


def _adoption(case: Case) -> Iterator[Diagnostic]:
    if case.settings.adopt:
        return
    recorded = case.before.recorded | case.settings.adopted
    removals = [c for c in case.changes if isinstance(c, AssignmentChange) and c.removed]
    remedy = "check the plan, then repeat with --adopt to take them under management"
    if not case.capabilities.recording:
        line = adopted_line(case.manages | case.settings.adopted)
        remedy += f"; this target can't remember that, so then write `{line}` in the project file"
    if "roles" in case.manages and "roles" not in recorded and case.deletions():
        names = listed([change.name for change in case.deletions()])
        message = f"roles are not under management yet, and this plan would delete {names}"
        yield Diagnostic("adoption", message, None, remedy)
    narrowed = [change.name for change in case.changes if _narrows(change)]
    if "roles" in case.manages and "roles" not in recorded and narrowed:
        message = (
            "roles are not under management yet, and this plan would take privileges from "
            f"{listed(narrowed)}"
        )
        yield Diagnostic("adoption", message, None, remedy)
    if "users" in case.manages and "users" not in recorded and removals:
        names = listed([change.name for change in removals])
        message = (
            f"assignments are not under management yet, and this plan would take roles from {names}"
        )
        yield Diagnostic("adoption", message, None, remedy)


def _narrows(change: Change) -> bool:
    """Whether an existing role itself loses privileges, or includes."""
    is_update = isinstance(change, RoleChange) and change.action is Action.UPDATE
    return is_update and change.effect in ("revokes", "both")


def _lockout(case: Case) -> Iterator[Diagnostic]:
    if case.settings.allow_lockout:
        return
    needed = admin_access(case.before, case.admin_privileges, case.administrators)
    admins = _administrators(case.before, needed)
    moments = [("at the end", case.after)]
    if not case.capabilities.atomic:
        moments.insert(0, ("while it is applied", shrunk(case.before, case.after)))
    remedy = f"let someone keep {_admin_words(case)}, or repeat with --allow-lockout"
    for when, moment in moments:
        remaining = _administrators(moment, needed)
        mine = [me for me in case.self_users if me.casefold() in admins - remaining]
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


def admin_access(
    before: State, privileges: frozenset[str], roles: frozenset[str]
) -> tuple[frozenset[str], ...]:
    """The sets of privileges of which each, held whole, makes an administrator.

    Nothing where neither privileges nor roles are known, or the roles carry nothing.
    """
    access = EffectiveAccess(before)
    carried = (access.of_role(name) for name in sorted(roles))
    ones = (frozenset((name,)) for name in sorted(privileges))
    return tuple(dict.fromkeys(needed for needed in (*ones, *carried) if needed))


def _administrators(state: State, needed: tuple[frozenset[str], ...]) -> frozenset[str]:
    """Who effectively holds one of the sets whole."""
    access = EffectiveAccess(state)
    return frozenset(
        login
        for login in state.assignments
        if any(some <= access.of_user(login) for some in needed)
    )


def _admin_words(case: Case) -> str:
    roles = [f"everything that `{name}` carries" for name in sorted(case.administrators)]
    return " or ".join([*sorted(case.admin_privileges), *roles])


def _above_ceiling(case: Case) -> Iterator[Diagnostic]:
    for ceiling in case.settings.ceilings:
        yield from _above(ceiling, case)


def _above(ceiling: str, case: Case) -> Iterator[Diagnostic]:
    remedy = f"leave it out, or have `{ceiling}` extended first"
    if ceiling not in case.after.roles:
        message = f"the ceiling role `{ceiling}` does not exist in this target"
        yield Diagnostic("ceiling-missing", message, None, "correct `ceiling` in the project file")
        return
    access, old = EffectiveAccess(case.after), EffectiveAccess(case.before)
    allowed = access.of_role(ceiling)
    places = {c.name: c.source for c in case.changes if isinstance(c, RoleChange)}
    for name in sorted(case.after.roles):
        above = access.of_role(name) - allowed
        if name.casefold() in case.default_roles:
            # What a default role carries already is the panel's doing, and no more than that.
            above -= old.of_role(name)
        if above:
            message = f"role `{name}` goes beyond `{ceiling}`: {listed(sorted(above))}"
            yield Diagnostic("above-ceiling", message, places.get(name), remedy)


def _own_gain(case: Case) -> Iterator[Diagnostic]:
    actor = case.settings.actor
    for user in case.impact if actor is not None else ():
        if user.gained and actor is not None and user.user.casefold() == actor.casefold():
            message = (
                f"{user.user}, who asks for this change, would gain {listed(list(user.gained))}"
            )
            remedy = "have somebody else ask for it"
            yield Diagnostic("own-gain", message, None, remedy)


def _too_much(case: Case) -> Iterator[Diagnostic]:
    """The thresholds: a table of (what, how many, limit, of how many, setting)."""
    safety = case.settings.safety
    deleted = len(case.deletions())
    losing = sum(1 for user in case.impact if user.lost)
    gaining = sum(1 for user in case.impact if user.gained)
    custom = any(name.casefold() not in case.default_roles for name in case.before.roles)
    first_use = not custom and not case.before.assignments
    counted = [c for c in case.changes if not (first_use and _is_first(c))]
    granted = sum(len(c.added) for c in counted if isinstance(c, RoleChange))
    absolute = [
        ("roles deleted", deleted, safety.max_deletes, "max_deletes"),
        ("users losing access", losing, safety.max_users_losing, "max_users_losing"),
        ("changes", len(counted), safety.max_changes, "max_changes"),
        ("privileges granted", granted, safety.max_privileges_granted, "max_privileges_granted"),
    ]
    if not first_use:
        setting = "max_users_gaining"
        absolute.append(("users gaining access", gaining, safety.max_users_gaining, setting))
    for what, count, limit, setting in absolute:
        if limit is not None and count > limit:
            yield _over(f"{_counted(count, what)}, at most {limit} allowed", setting, count)
    percent = safety.max_change_percent
    roles = sum(not _is_others(name, case.settings) for name in case.before.roles)
    shares = [
        ("roles deleted", deleted, roles),
        ("users losing access", losing, len(case.before.assignments)),
    ]
    ignored = case.settings.ignore_users
    if ignored:
        ours = {n for n in case.before.assignments if first_caseless(ignored, n) is None}
        count = sum(1 for user in case.impact if user.lost and user.user.casefold() in ours)
        shares.append(("users losing access, ignored ones aside", count, len(ours)))
    for what, count, total in shares:
        if percent is None or count * 100 <= percent * total:
            continue
        small = total < PERCENT_FROM
        if small and count <= SMALL_TEAM_ALLOWANCE:
            continue
        needed = -(-count * 100 // total)
        allowed = f"{percent}%"
        if small:
            allowed = f"{max(SMALL_TEAM_ALLOWANCE, percent * total // 100)}"
        message = f"{count} of {total} {what} ({needed}%), at most {allowed} allowed"
        yield _over(message, "max_change_percent", needed)


def _counted(count: int, what: str) -> str:
    noun, *rest = what.split()
    return " ".join([str(count), noun.removesuffix("s") if count == 1 else noun, *rest])


def _is_first(change: Change) -> bool:
    """Whether a change only adds to an empty target: a create, a first assignment."""
    return change.action in (Action.CREATE, Action.ASSIGN)


def _over(message: str, setting: str, needed: int) -> Diagnostic:
    option = {"max_deletes": "--max-deletes", "max_change_percent": "--max-change-percent"}
    ways = f"raise `safety: {setting}` in the project file"
    if setting in option:
        ways = f"if that is meant, repeat with {option[setting]} {needed}, or {ways}"
    return Diagnostic(setting.replace("_", "-"), message, None, ways)


# What is wrong with the state that a plan leads to, even if it changes nothing.
_STATE_GUARDS: Final[tuple[Callable[[Case], Iterator[Diagnostic]], ...]] = (_above_ceiling,)
_GUARDS: Final[tuple[Callable[[Case], Iterator[Diagnostic]], ...]] = (
    _default_role_deleted,
    _protected_deleted,
    _protected_narrowed,
    _deleted_in_use,
    _dangling,
    _include_cycle,
    _adoption,
    _lockout,
    _own_gain,
    _too_much,
    *_STATE_GUARDS,
)
