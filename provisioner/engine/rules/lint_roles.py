"""Checks on roles: what they say twice, in vain, or to nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.engine.access.requirements import Unmet, unmet_requirements
from provisioner.engine.phrases import counted, line_of, listed, quoted, way, word
from provisioner.engine.rules.lint_case import covering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.rules.lint_case import Case, Found
    from provisioner.model import Grant, Place


def equal_roles(case: Case) -> Iterator[Found]:
    """Roles that carry the same privileges."""
    groups: dict[frozenset[str], list[str]] = {}
    for name in sorted(case.known):
        privileges = case.access.of_role(name)
        if privileges:
            groups.setdefault(privileges, []).append(name)
    for privileges, names in groups.items():
        # Who is included by the others stays, or they could not be replaced by it; then defaults.
        kept = min(
            names, key=lambda n: (len(case.closures[n]), not case.catalogue.is_default(n), n)
        )
        where = line_of(case.places.role(kept))
        for name in names:
            if name != kept and name in case.names and not case.catalogue.is_default(name):
                number = counted(len(privileges), "privilege")
                message = f"`{name}` carries the same {number} as `{kept}`{where}"
                remedy = f"put `{kept}` wherever `{name}` is held or included, and remove `{name}`"
                yield message, case.places.role(name), remedy


# With fewer privileges in common, or a smaller part, a role is part of another by chance.
_SHARED: Final = 3
_PART: Final = 2


def role_subset(case: Case) -> Iterator[Found]:
    """Roles that carry all of others without including them, where that is much of what they carry.

    Each is told of the smallest role that it is a part of, and those of one role together.
    """
    parts: dict[str, list[str]] = {}
    for name, whole in _smallest_larger(case):
        if len(case.access.of_role(whole)) <= _PART * len(case.access.of_role(name)):
            parts.setdefault(whole, []).append(name)
    for whole, names in sorted(parts.items()):
        all_of = quoted(sorted(names))
        if len(names) == 1:
            total = counted(len(case.access.of_role(whole)), "privilege")
            all_of += f"{line_of(case.places.role(names[0]))}"
            all_of += f" ({len(case.access.of_role(names[0]))} of its {total})"
        message = f"`{whole}` carries all of {all_of} without including "
        remedy = f"have `{whole}` include {quoted(sorted(names))}, and grant the rest itself"
        yield message + ("it" if len(names) == 1 else "them"), case.places.role(whole), remedy


def _smallest_larger(case: Case) -> Iterator[tuple[str, str]]:
    """For each role that is worth it, the smallest role that carries all of it and more.

    Found by bits: for each privilege, the set of roles that carry it.
    """
    candidates = [name for name in case.by_size if not case.catalogue.is_default(name)]
    carriers: dict[str, int] = {}
    includers: dict[str, int] = {}
    same: dict[frozenset[str], int] = {}
    for index, name in enumerate(candidates):
        same.setdefault(case.access.of_role(name), 0)
        same[case.access.of_role(name)] |= 1 << index
        for privilege in case.access.of_role(name):
            carriers[privilege] = carriers.get(privilege, 0) | 1 << index
        for included in case.closures[name]:
            includers[included] = includers.get(included, 0) | 1 << index
    for name in candidates:
        privileges = case.access.of_role(name)
        if len(privileges) < _SHARED or name not in case.known:
            continue
        larger = ~(includers[name] | same[privileges])
        for privilege in privileges:
            larger &= carriers[privilege]
        if larger:
            yield name, candidates[(larger & -larger).bit_length() - 1]


def redundant_include(case: Case) -> Iterator[Found]:
    """Includes that add nothing to the rest of a role."""
    for name, idle in case.idle_includes.items():
        role = case.state.roles[name]
        kept = sorted(role.includes - set(idle))
        offers = [(f"`{other}`", case.access.of_role(other)) for other in kept]
        offers.append(("its own privileges", role.privileges))
        for included in idle:
            cover = covering(case.access.of_role(included), offers)
            has = "carries nothing" if not cover else f"adds nothing to {listed(cover)}"
            message = f"`{name}` includes `{included}`, which {has}"
            remedy = f"remove `{included}` from the includes"
            yield message, case.places.include(name, included), remedy


def granted_twice(case: Case) -> Iterator[Found]:
    """Exact names in a role that it is granted another way as well."""
    for name in case.names:
        role = case.state.roles[name]
        grants = case.places.grants(name)
        exact = [grant for grant in grants if _is_exact(grant)]
        if not exact:
            continue
        wide = {g.privilege: g for g in reversed(grants) if not _is_exact(g)}
        includes = sorted(role.includes - set(case.idle_includes.get(name, ())))
        first: dict[str, Place | None] = {}
        for grant in exact:
            privilege = grant.privilege
            other = next((i for i in includes if privilege in case.access.of_role(i)), None)
            if other is not None:
                chain = case.chains.shortest_of_role(other, privilege)
                how = way(chain) if chain else f"through {word(other)}"
            elif privilege in wide:
                how = _written(wide[privilege].pattern, wide[privilege].set_name)
                how += line_of(wide[privilege].place)
            elif privilege in first:
                how = f"by the same words{line_of(first[privilege])}"
            else:
                first[privilege] = grant.place
                continue
            message = f"`{name}` is granted `{privilege}` here, and {how} as well"
            yield message, grant.place, f"remove `{privilege}` from this line"


def _is_exact(grant: Grant) -> bool:
    return grant.set_name is None and grant.pattern == grant.privilege


def _written(pattern: str, set_name: str | None) -> str:
    return f"by `{pattern}`" + (f" of the set `{set_name}`" if set_name else "")


def unused_set(case: Case) -> Iterator[Found]:
    """Privilege sets that no role names."""
    if case.wording is None:
        return
    used = {name for role in case.names for name in case.wording.sets_of(role)}
    for name, place in case.wording.sets().items():
        if name not in used:
            yield f"no role uses the privilege set `{name}`", place, "remove it"


def unheld_role(case: Case) -> Iterator[Found]:
    """Roles that nobody holds and nothing includes."""
    if not case.knows_all_holders:
        return
    used = {name for held in case.state.assignments.values() for name in held.roles}
    used |= {name for role in case.state.roles.values() for name in role.includes}
    for name in case.names:
        if name not in used and not case.catalogue.is_default(name):
            message = f"nobody holds `{name}`, and no role includes it"
            yield message, case.places.role(name), "remove it, or give it to somebody"


def idle_except(case: Case) -> Iterator[Found]:
    """Items of `except` that take nothing away."""
    for name in case.names if case.wording else ():
        for item in case.wording.exclusions(name) if case.wording else ():
            if not item.taken:
                message = f"`except` of `{name}` names `{item.pattern}`, which it is not granted"
                yield message, item.place, f"remove `{item.pattern}` from `except`"


def requires_unmet(case: Case) -> Iterator[Found]:
    """Privileges that lack what they require."""
    names = [name for name in case.names if name in case.known]
    for unmet in unmet_requirements(case.access, names, case.catalogue, case.places):
        have = "have" if len(unmet.privileges) > 1 else "has"
        require = "they require" if len(unmet.privileges) > 1 else "it requires"
        message = f"{quoted(unmet.privileges)} {have} no effect in {quoted(unmet.roles)}: "
        message += f"{require} {quoted(unmet.missing)}"
        for when, privilege in unmet.conditional:
            message += f", and `{privilege}` for {when}"
        message += _who_has_it(unmet, case)
        yield message, unmet.place, _where_to_add(unmet, case)


def _who_has_it(unmet: Unmet, case: Case) -> str:
    holders = 0
    for role in unmet.roles:
        holders |= case.holders[role]
    having = holders
    for privilege in unmet.missing:
        having &= case.privilege_holders.get(privilege, 0)
    if not having:
        return ""
    total = counted(holders.bit_count(), "holder")
    return f" ({having.bit_count()} of {total} through other roles)"


def _where_to_add(unmet: Unmet, case: Case) -> str:
    to_add, (role, *others) = quoted(unmet.to_add), unmet.roles
    where = "each of these roles" if others else f"`{role}`{line_of(case.places.role(role))}"
    remedy = f"add {to_add} to the privileges of {where}"
    for name in case.by_size:
        carries = case.access.of_role(name).issuperset(unmet.to_add)
        if carries and case.closures[name].isdisjoint(unmet.roles):
            return f"{remedy}, or include `{name}`"
    return remedy
