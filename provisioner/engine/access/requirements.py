"""Privileges that are granted without what the catalogue says they require.

A role is judged by its own effective access: what it grants must be complete in itself, whatever
other roles its holders have. So a missing privilege is found where the one that needs it is
granted, and at no role that merely includes that one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from provisioner.engine.access.reachable import reachable
from provisioner.model import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provisioner.engine.access.effective import EffectiveAccess
    from provisioner.model import Catalogue, Provenance


class Unmet(Struct, frozen=True):
    """Privileges that have no effect in some roles, since ``missing`` ones are not there. Sorted.

    ``to_add`` are the missing ones and all that those require in turn; ``conditional`` are lacking
    requirements that matter in some cases only, as (case, privilege). ``place`` is that of the
    first grant.
    """

    roles: tuple[str, ...]
    privileges: tuple[str, ...]
    missing: tuple[str, ...]
    to_add: tuple[str, ...]
    conditional: tuple[tuple[str, str], ...]
    place: Place | None


def unmet_requirements(
    access: EffectiveAccess, names: Iterable[str], catalogue: Catalogue, provenance: Provenance
) -> tuple[Unmet, ...]:
    """Return what the named roles grant without its requirements.

    Privileges of a role that lack the same are told together, and so are roles that take the same
    grant from one set. Requirements that nobody can be granted (internal, or not in the catalogue)
    are left out, for nobody could meet them.
    """
    needed = {
        name: frozenset(r.name for r in privilege.requires if r.when is None) & catalogue.grantable
        for name, privilege in catalogue.privileges.items()
        if privilege.requires
    }
    found: dict[tuple[object, ...], list[str]] = {}
    for name in names:
        effective = access.of_role(name)
        for privileges, missing in _lacking(access.state.roles[name].privileges, effective, needed):
            place = _first_place(name, privileges, provenance)
            to_add = reachable(missing, needed) - effective
            conditional = _conditional(privileges, effective, catalogue)
            key = (privileges, missing, tuple(sorted(to_add)), conditional, place)
            found.setdefault(key, []).append(name)
    return tuple(Unmet(tuple(roles), *key) for key, roles in found.items())  # type: ignore[arg-type]


def _lacking(
    own: frozenset[str], effective: frozenset[str], needed: Mapping[str, frozenset[str]]
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The role's own privileges that lack something, grouped by what they lack."""
    missing_for: dict[str, list[str]] = {}
    for privilege in sorted(own & needed.keys()):
        for name in sorted(needed[privilege] - effective):
            missing_for.setdefault(name, []).append(privilege)
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, privileges in missing_for.items():
        groups.setdefault(tuple(privileges), []).append(name)
    return [(privileges, tuple(sorted(missing))) for privileges, missing in groups.items()]


def _first_place(role: str, privileges: tuple[str, ...], provenance: Provenance) -> Place | None:
    grants = provenance.grants(role)
    places = (grant.place for grant in grants if grant.privilege in privileges)
    return min((place for place in places if place is not None), default=None)


def _conditional(
    privileges: tuple[str, ...], effective: frozenset[str], catalogue: Catalogue
) -> tuple[tuple[str, str], ...]:
    requires = (r for name in privileges for r in catalogue.privileges[name].requires)
    return tuple(sorted({(r.when, r.name) for r in requires if r.when and r.name not in effective}))
