"""What a plan is made under, besides the desired and the current state."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from provisioner.model import DesiredState, Kind

Manage = Literal["all", "declared"]


class Safety(Struct, frozen=True):
    """Limits beyond which a plan is blocked. None means no limit.

    ``max_change_percent`` applies to the roles deleted and to the users losing access, each only
    where there are at least ``limits.PERCENT_FROM`` of them.
    """

    max_deletes: int | None = None
    max_change_percent: int | None = 30
    max_changes: int | None = None
    max_users_losing: int | None = None
    max_users_gaining: int | None = None
    max_privileges_granted: int | None = None


class Settings(Struct, frozen=True):
    """How to plan. ``self_users`` are the logins that run provisioner, where they are known.

    ``adopted`` are the kinds that the project file records as managed, ``adopt`` says that this
    run takes the rest under management; ``allow_lockout`` waives the guard on the last
    administrator. ``new_only`` lets pass what breaks a policy already; nothing may go beyond any
    of the roles named in ``ceilings``. ``actor`` is the login of who asked for the change, where
    that person has one. ``judge_former`` says that the rules before the change judge it as well;
    ``rules_from`` names where other ones of those were read. ``given`` names the limits in
    ``safety`` that came from an option instead of the project file.
    """

    manage: Manage = "all"
    ignore: tuple[str, ...] = ()
    ignore_users: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    safety: Safety = Safety()
    self_users: tuple[str, ...] = ()
    adopted: frozenset[Kind] = frozenset()
    adopt: bool = False
    allow_lockout: bool = False
    new_only: bool = False
    ceilings: tuple[str, ...] = ()
    actor: str | None = None
    judge_former: bool = False
    rules_from: str | None = None
    given: frozenset[str] = frozenset()


def with_ignores(settings: Settings, also: DesiredState | Settings) -> Settings:
    """The settings with what is to be left alone by the sources, or by others, as well."""
    roles = dict.fromkeys((*settings.ignore, *also.ignore))
    users = dict.fromkeys((*settings.ignore_users, *also.ignore_users))
    return replace(settings, ignore=tuple(roles), ignore_users=tuple(users))
