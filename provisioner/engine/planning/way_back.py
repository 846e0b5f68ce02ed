"""A former state as a desired one: what a rollback asks for, and what it leaves out.

A rollback brings back roles and assignments. It leaves out what is not ours to change (ignored and
external roles), and assignments that have come to their end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner import globs
from provisioner.diagnostics import Diagnostic
from provisioner.engine.changes import Action
from provisioner.engine.rules.in_force import in_new_names, rule_changes
from provisioner.model import DatedRole, DesiredRole, DesiredState, DesiredUser

if TYPE_CHECKING:
    from datetime import date

    from provisioner.engine.settings import Settings
    from provisioner.model import Assignment, Role, State

    Dates = Mapping[tuple[str, str], DatedRole]


class WayBack(Struct, frozen=True):
    """The former state as a desired one; ``left_out`` names what of it does not come back.

    ``renames`` are the roles that get a former name back: policies follow them.
    """

    desired: DesiredState
    left_out: tuple[Diagnostic, ...]
    renames: Mapping[str, str] = field(default_factory=dict)


def way_back(
    then: State,
    now: State,
    settings: Settings,
    dates: Dates,
    as_of: date,
    default_roles: frozenset[str] = frozenset(),
) -> WayBack:
    """Work out what a rollback asks for. Roles are told by id, so renames go back as renames.

    Default roles that did not change are not asked for: what they carry is the panel's doing.

    Args:
        then: The former state.
        now: What is stored.
        settings: Says which roles are ignored or external.
        dates: The end dates that are known, by case-folded login and role.
        as_of: The day on which they are judged.
        default_roles: The names of the roles that the panel ships, case-folded.
    """
    return _Way(then, now, settings, dates, as_of).found(default_roles)


# What has become of a policy since, and so what a rollback does not undo.
_SINCE_THEN: Final = {
    Action.CREATE: "came later: it stays in force",
    Action.UPDATE: "was changed since: it stays as it is now",
    Action.DELETE: "was in force then: it does not come back",
}


class _Way:
    def __init__(
        self, then: State, now: State, settings: Settings, dates: Dates, as_of: date
    ) -> None:
        self.then, self.now, self.dates, self.as_of = then, now, dates, as_of
        self.called = names_in(then, now)
        external = {name.casefold() for name in settings.external}
        self.others = {
            name: kind
            for name in {*then.roles, *now.roles}
            for called in (self.called.get(name, name),)
            if (
                kind := "ignored"
                if any(globs.first_caseless(settings.ignore, n) for n in (name, called))
                else "external"
                if external & {name.casefold(), called.casefold()}
                else ""
            )
        }
        self.ignore_users = settings.ignore_users
        self.left_out: list[Diagnostic] = []

    def found(self, default_roles: frozenset[str]) -> WayBack:
        roles = {
            name: DesiredRole(self._role(role))
            for name, role in sorted(self.then.roles.items())
            if not self._is_others(role)
            and not (name.casefold() in default_roles and self.now.roles.get(name) == role)
        }
        users = {
            login: DesiredUser(held.user, tuple(self._held(login, held)))
            for login, held in sorted(self.then.assignments.items())
            if not self._is_ignored(login, held)
        }
        renames = {
            called: name
            for name, called in self.called.items()
            if name != called and name not in self.others
        }
        policies = tuple(in_new_names(p, renames) for p in self.now.policies)
        for change in rule_changes(self.then.policies, policies):
            self._leave_out(f"policy `{change.name}` {_SINCE_THEN[change.action]}")
        rules = {"policies": policies}
        return WayBack(DesiredState(roles, users, rules=rules), tuple(self.left_out), renames)

    def _leave_out(self, message: str) -> None:
        self.left_out.append(Diagnostic("rollback-left-out", message, None, None, "warning"))

    def _is_others(self, role: Role) -> bool:
        kind = self.others.get(role.name)
        now = self.now.roles.get(self.called.get(role.name, role.name))
        if kind and now != role:
            what = "stays as it is now" if now is not None else "does not come back"
            self._leave_out(f"role `{role.name}` is {kind}: it {what}")
        return bool(kind)

    def _is_ignored(self, login: str, held: Assignment) -> bool:
        ignored = globs.first_caseless(self.ignore_users, login) is not None
        now = self.now.assignments.get(login)
        if ignored and (now is None or now.roles != held.roles):
            self._leave_out(f"user {held.user} is ignored: what they hold stays as it is now")
        return ignored

    def _role(self, role: Role) -> Role:
        gone = self._gone(role.includes)
        for name in gone:
            self._leave_out(f"role `{role.name}` comes back without `{name}`, which is gone")
        includes = frozenset(map(self._name, role.includes - frozenset(gone)))
        return replace(role, includes=includes) if includes != role.includes else role

    def _held(self, login: str, held: Assignment) -> list[DatedRole]:
        gone = self._gone(held.roles)
        for name in gone:
            self._leave_out(f"{held.user} does not get `{name}` back, which is gone")
        roles = []
        for name in sorted(held.roles - frozenset(gone)):
            if self.others.get(name) == "ignored":
                continue
            dated = self.dates.get((login, name), DatedRole(name))
            if dated.is_active(self.as_of):
                roles.append(replace(dated, role=self._name(name)))
            else:
                self._leave_out(
                    f"{held.user} does not get `{name}` back: that ended on {dated.until}"
                )
        return roles

    def _gone(self, names: frozenset[str]) -> list[str]:
        """Those of the roles that are others', and no longer there."""
        return sorted(
            name for name in names if name in self.others and self._name(name) not in self.now.roles
        )

    def _name(self, name: str) -> str:
        """A role by the name that it will have: that of then, for others' roles that of now."""
        return self.called.get(name, name) if name in self.others else name


def names_in(then: State, other: State) -> dict[str, str]:
    """What the roles of one state are called in another, as far as they are there."""
    by_id = {role.id: name for name, role in other.roles.items() if role.id is not None}
    by_case = {name.casefold(): name for name in other.roles}
    found = {}
    for name, role in then.roles.items():
        called = by_id.get(role.id) if role.id is not None else by_case.get(name.casefold())
        if called is not None:
            found[name] = called
    return found
