"""Everything that a plan is made from, as one value that a failing test shows whole."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from provisioner.engine.planning.making import make_plan
from provisioner.engine.planning.plan import TargetIdentity
from provisioner.engine.settings import Safety, Settings
from provisioner.model import (
    Base,
    Capabilities,
    Catalogue,
    DesiredState,
    Privilege,
    Role,
    Snapshot,
    State,
)

if TYPE_CHECKING:
    from provisioner.engine.planning.plan import Plan
    from provisioner.model import DesiredRole

PRIVILEGES = ("ACCOUNTS_VIEW", "ARDOCS_CREATE", "CONFIG_SECURITY", "HOLDS_PUT", "MEMOS_WRITE")
DEFAULT_ROLES = (
    Role("Full Access", "Everything", frozenset(PRIVILEGES), protected=True, id="default-full"),
    Role("Service Desk Only", "", frozenset({"MEMOS_WRITE"}), protected=True, id="default-desk"),
)
CATALOGUE = Catalogue("test", {name: Privilege(name) for name in PRIVILEGES}, DEFAULT_ROLES)
TODAY = date(2026, 3, 1)
ANYTHING = Settings(adopt=True, allow_lockout=True, safety=Safety(max_change_percent=None))
"""Settings under which no threshold, adoption or lockout stands in a plan's way."""
_BASE = Base("lineage", 7, "sha256:" + 64 * "0")
_TARGET = TargetIdentity("sandbox", "memory", "memory:test", Capabilities(atomic=True))


class World(Struct, frozen=True):
    """Everything that a plan is made from. ``base`` is the version that ``current`` was read at.

    ``users`` and ``subject`` are what the store tells of its users and of the reader.
    """

    current: State = State()
    desired: DesiredState = DesiredState()
    settings: Settings = ANYTHING
    as_of: date = TODAY
    catalogue: Catalogue = CATALOGUE
    base: Base = _BASE
    target: TargetIdentity = _TARGET
    users: frozenset[str] | None = None
    subject: str | None = None

    def plan(self, **changed: Any) -> Plan:
        """Make the plan; arguments replace fields of the world."""
        it = replace(self, **changed)
        snapshot = Snapshot(it.current, it.base, None, it.users, it.subject)
        return make_plan(it.desired, snapshot, it.settings, it.as_of, it.target, it.catalogue).plan

    def __repr__(self) -> str:
        """What a failing test shows: an object a line, as people would write it down."""
        roles = (_told(role) for role in self.current.roles.values())
        users = (f"{u.user}: {sorted(u.roles)}" for u in self.current.assignments.values())
        wanted, holders = self.desired.roles, self.desired.users
        declared = ("unmanaged",) if wanted is None else map(_told_desired, wanted.values())
        given = ("unmanaged",) if holders is None else (str(user) for user in holders.values())
        settings = self.settings
        parts = {
            f"stored roles (recorded: {sorted(self.current.recorded)})": roles,
            "stored users": users,
            "declared roles": declared,
            "declared users": given,
            f"as of {self.as_of}, under": (str(settings),),
        }
        lines = (
            line
            for title, items in parts.items()
            for line in (f"  {title}:", *(f"    {item}" for item in items))
        )
        return "\n".join(("World(", *lines, ")"))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - IPython's protocol
        printer.text(repr(self))


def _told_desired(declared: DesiredRole) -> str:
    old = f" renamed_from {declared.renamed_from!r}" if declared.renamed_from else ""
    return f"{_told(declared.role)}{old}"


def _told(role: Role) -> str:
    includes = f" includes {sorted(role.includes)}" if role.includes else ""
    protected = " protected" if role.protected else ""
    text = f"{role.name!r} ({role.id}) {role.description!r} {sorted(role.privileges)}"
    return f"{text}{includes}{protected}"
