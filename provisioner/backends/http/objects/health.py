"""What ``doctor`` says of an API that a profile describes: whether it has all that is needed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

from msgspec.structs import replace

from provisioner.backends.base import Check
from provisioner.backends.http.transport.health import examine_connection, unreachable
from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
)
from provisioner.errors import ProvisionerError
from provisioner.model import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.backends.http.transport.settings import HttpSettings
    from provisioner.diagnostics import Diagnostic
    from provisioner.engine.writes import Write
    from provisioner.model import Snapshot

_SHOWN: Final = 5


class Api(Protocol):
    """What is asked of an API here; as in ``ObjectBackend``."""

    @property
    def tells_requests(self) -> bool:
        """Whether the API says which requests it has."""
        ...

    def read(self) -> Snapshot:
        """Read everything."""
        ...

    def foresee(self, writes: tuple[Write, ...]) -> tuple[Diagnostic, ...]:
        """Say what the API lacks of what these writes will need."""
        ...


def examine_api(api: Api, settings: HttpSettings) -> Iterator[Check]:
    """Look at an API that a profile describes: whether it can be read shows by reading it."""
    try:
        yield from examine_connection(settings)
        started = time.perf_counter()
        snapshot = api.read()
        took = (time.perf_counter() - started) * 1000
        yield Check("reachable", "ok", f"{settings.url}, read whole in {took:.0f} ms")
        yield from _requests(api, snapshot)
        detail = "reading is allowed; whether writing is, only a write would tell"
        yield Check("rights", "ok", detail)
    except ProvisionerError as error:
        yield unreachable(error)


def _requests(api: Api, snapshot: Snapshot) -> Iterator[Check]:
    """Look for the requests, lists and versions that changes of every kind need."""
    found = [each for each in api.foresee(_changes(snapshot)) if each.severity == "error"]
    alone = [each.message for each in found if each.id == "unaddressable"]
    if alone:
        more = f" and {len(alone) - _SHOWN} more" if len(alone) > _SHOWN else ""
        yield Check("users", "warning", f"{'; '.join(alone[:_SHOWN])}{more}")
    missing = [each for each in found if each.id != "unaddressable"]
    if missing:
        remedies = "; ".join(dict.fromkeys(each.remedy for each in missing if each.remedy))
        told = "; ".join(each.message for each in missing)
        yield Check("requests", "error", f"{told} ({remedies})" if remedies else told)
    elif api.tells_requests:
        yield Check("requests", "ok", "the API has all that the profile's changes need")
    else:
        detail = "the lists that changes need are there; the changes themselves only a change shows"
        yield Check("requests", "ok", detail)


def _changes(snapshot: Snapshot) -> tuple[Write, ...]:
    """A change of every kind to something that is there; none of them is ever made."""
    roles = snapshot.state.roles
    writes: list[Write] = [CreateRole(Role("provisioner", privileges=_some(snapshot)))]
    role = roles[min(roles)] if roles else None
    held: frozenset[str] = frozenset()
    if role is not None:
        held = frozenset({role.name})
        other = replace(role, description=f"{role.description}.", privileges=_some(snapshot, role))
        writes += [UpdateRole(role, other), RenameRole(role, role.name), DeleteRole(role)]
    logins = {each.user for each in snapshot.state.assignments.values()} | (snapshot.users or set())
    for login in sorted(logins):
        writes += [
            SetAssignment(login, held, frozenset()),
            SetAssignment(login, frozenset(), held),
        ]
    return tuple(writes)


def _some(snapshot: Snapshot, role: Role | None = None) -> frozenset[str]:
    """A privilege of the catalogue, one that the role does not have if there is one."""
    names = set(snapshot.catalogue.privileges) if snapshot.catalogue else set()
    left = names - role.privileges if role else names
    return frozenset(sorted(left or names)[:1])
