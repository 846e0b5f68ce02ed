"""From a stored state back to YAML that plans to no change: readable, sorted, one thing a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from provisioner import globs, names
from provisioner.desired.privileges import is_well_formed
from provisioner.desired.yaml.scalars import needs_quotes
from provisioner.diagnostics import Diagnostic
from provisioner.engine.phrases import listed
from provisioner.engine.rules.in_force import named_roles
from provisioner.printable import disarmed, is_obeyed, is_safe, is_unsafe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioner.model import Catalogue, Privilege, Role, State

_HEADER = """\
# Roles and assignments as they are stored, written by `provisioner import`.
# `provisioner plan` on this file finds no changes.{defaults}
# No panel stores `until` and `reason`: assignments that had them have no end here.
"""
_SHIPPED_LEFT_OUT = """ Default roles that are as the panel ships them
# are left out; they stay as they are."""
_LONGEST_NAME = 128
_LONGEST_LOGIN = 256
_CATALOGUE_HEADER = """\
# The panel's privileges, and its default roles as they are, written by `provisioner privileges`.
# `catalogue: FILE` in provisioner.yaml makes it the one that sources are checked against.
"""


@dataclass(frozen=True, slots=True)
class Written:
    """The YAML text, and a warning for everything that it can't say."""

    text: str
    warnings: tuple[Diagnostic, ...]


def write_state(
    state: State,
    catalogue: Catalogue,
    ignore: tuple[str, ...] = (),
    external: tuple[str, ...] = (),
    ignore_users: tuple[str, ...] = (),
    *,
    ships_defaults: bool,
    ascii_only: bool = False,
) -> Written:
    """Write a state as sources that plan to no change.

    Roles that match ``ignore`` already, or are ``external``, are left out, and so are users who
    match ``ignore_users``.

    So are default roles that are as in the catalogue, if a new store starts with those
    (``ships_defaults``). A catalogue that comes from a panel, or was written from one, has them as
    they were at that moment, edited or not.

    A default role that carries everything is written so, and will carry what the catalogue gains.

    A role that ``validate`` would refuse, for its name or for a privilege that the catalogue does
    not have, goes under ``ignore``, and so does whatever refers to it; a user whose login it would
    refuse goes under ``ignore_users``; each with a warning.

    ``ascii_only`` is for streams that hold no more: other characters are written by number.
    """
    left_alone = {n for n in state.roles if globs.first_caseless(ignore, n) is not None}
    others = {name.casefold() for name in external}
    unfit = dict(_unfit(state, catalogue, left_alone, others))
    warnings = [
        Diagnostic(
            "import-ignored",
            f"role `{name}` {why}: it is left alone, under `ignore`",
            None,
            "mend it in the panel, then import again",
            "warning",
        )
        for name, why in sorted(unfit.items())
    ]
    document: dict[str, Any] = {"version": 1}
    if unfit:
        document["ignore"] = sorted(map(_glob, unfit))
    no_users = dict(_unfit_users(state, ignore_users))
    if no_users:
        document["ignore_users"] = sorted(map(_glob_of_user, no_users))
    warnings += (
        Diagnostic(
            "import-ignored",
            f"user `{user}` {why}: they are left alone, under `ignore_users`",
            None,
            "mend it in the panel, then import again",
            "warning",
        )
        for user, why in sorted(no_users.items())
    )
    out = left_alone | unfit.keys()
    shipped = {role.name: role for role in catalogue.default_roles} if ships_defaults else {}
    document["roles"] = {
        name: _role(role, catalogue)
        for name, role in sorted(state.roles.items())
        if name not in out and name.casefold() not in others and not _same(role, shipped.get(name))
    }
    users = {
        assignment.user: {"roles": sorted(assignment.roles - out)}
        for login, assignment in sorted(state.assignments.items())
        if assignment.user not in no_users and globs.first_caseless(ignore_users, login) is None
    }
    if users:
        document["users"] = users
    known = frozenset(document["roles"]) | frozenset(external)
    known |= {role.name for role in catalogue.default_roles}
    policies, lost = _policies(state, known)
    warnings += lost
    if policies:
        document["policies"] = policies
    header = _HEADER.format(defaults=_SHIPPED_LEFT_OUT if ships_defaults else "")
    return Written(header + _dump(document, ascii_only=ascii_only), tuple(warnings))


def _policies(state: State, known: frozenset[str]) -> tuple[list[dict[str, Any]], list[Diagnostic]]:
    """The policies in force, as sources write them; and a warning for each that names others."""
    kept, lost = [], []
    for policy in state.policies:
        strange = sorted(frozenset(named_roles(policy)) - known)
        if not strange:
            rest = {key: value for key, value in policy.items() if key != "name"}
            kept.append({"name": policy["name"], **rest})
            continue
        message = (
            f"policy `{policy['name']}` names the role `{strange[0]}`, which is not in this file: "
            "it is left out, so a plan would remove it"
        )
        remedy = "add it again, without that role or with the role under `external`"
        lost.append(Diagnostic("import-policy", message, None, remedy, "warning"))
    return kept, lost


def write_catalogue(catalogue: Catalogue, carried: Mapping[str, frozenset[str]]) -> str:
    """Write a catalogue as a file for `catalogue:` in the project file.

    ``carried`` says, for each default role, what it carries with all its includes, for a catalogue
    file knows no includes.
    """
    return _CATALOGUE_HEADER + _dump(
        {
            "version": 1,
            "privileges": [
                _privilege(privilege) for _, privilege in sorted(catalogue.privileges.items())
            ],
            "default_roles": [
                {
                    "name": role.name,
                    "description": role.description,
                    "privileges": _grants(carried[role.name], role.name, catalogue),
                }
                for role in sorted(catalogue.default_roles, key=lambda role: role.name)
            ],
        }
    )


def _privilege(privilege: Privilege) -> dict[str, Any]:
    body: dict[str, Any] = {"name": privilege.name}
    if privilege.group is not None:
        body["group"] = privilege.group
    if privilege.summary:
        body["summary"] = privilege.summary
    if privilege.requires:
        body["requires"] = [
            {"name": needed.name, "when": needed.when} if needed.when else needed.name
            for needed in privilege.requires
        ]
    marks = {"internal": privilege.internal, "sensitive": privilege.sensitive}
    return body | {mark: True for mark, is_set in marks.items() if is_set}


def _same(role: Role, shipped: Role | None) -> bool:
    return (
        shipped is not None
        and role.privileges == shipped.privileges
        and role.description == shipped.description
        and role.includes == shipped.includes
    )


def _unfit(
    state: State, catalogue: Catalogue, left_alone: set[str], others: set[str]
) -> Iterator[tuple[str, str]]:
    """Yield the roles that sources can't declare, and why; then what that entails.

    ``others`` are the external roles, case-folded: they are not declared, so nothing is unfit.
    """
    found: dict[str, str] = {}
    known = sorted(state.roles)
    alike = names.look_alikes(known, (*known, *(r.name for r in catalogue.default_roles)))
    for name, role in state.roles.items():
        if name.casefold() in others:
            continue
        unknown = sorted(_unwritable(role.privileges, catalogue))
        if problem := names.flaw(name):
            found[name] = f"has a name that {problem[0]}"
        elif name in alike and not catalogue.is_default(name):
            found[name] = f"has a name that looks like `{alike[name]}`"
        elif unknown:
            what = listed([f"`{one}`" for one in unknown])
            found[name] = f"carries {what}, which sources for this catalogue can't name"
        elif len(role.description) > 1024:
            found[name] = "has a description of more than 1,024 characters"
    settled = False
    while not settled:
        out = found.keys() | left_alone
        entailed = dict(_entailed(state, out, found))
        found |= entailed
        settled = not entailed
    yield from ((name, why) for name, why in found.items() if name not in left_alone)


def _unwritable(privileges: frozenset[str], catalogue: Catalogue) -> frozenset[str]:
    """The privileges that no line of the sources could stand for."""
    if not catalogue.known:
        return frozenset(name for name in privileges if not is_well_formed(name))
    return privileges - frozenset(name for name in catalogue.grantable if "*" not in name)


def _unfit_users(state: State, ignore_users: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the users whom sources can't declare, and why; then whom their globs match as well."""
    found: dict[str, str] = {}
    for login, held in state.assignments.items():
        problem = names.flaw(held.user)
        if problem and globs.first_caseless(ignore_users, login) is None:
            found[held.user] = f"has a login that {problem[0]}"
    for login, held in state.assignments.items():
        if held.user not in found and globs.first_caseless(ignore_users, login) is None:
            glob = next(
                (user for user in found if globs.matches_caseless(_glob_of_user(user), login)), None
            )
            if glob is not None:
                found[held.user] = f"matches the login of `{glob}`, who is left alone"
    yield from found.items()


def _glob(name: str) -> str:
    """A glob for a role, as long as the schema allows."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}*"


def _glob_of_user(login: str) -> str:
    return login if len(login) <= _LONGEST_LOGIN else f"{login[: _LONGEST_LOGIN - 1]}*"


def _entailed(state: State, out: set[str], unfit: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, role in state.roles.items():
        if name in out:
            continue
        if included := sorted(role.includes & out):
            yield name, f"includes `{included[0]}`, which is left alone"
        elif glob := globs.first_caseless(map(_glob, unfit), name):
            yield name, f"matches the name of `{glob}`, which is left alone"


def _role(role: Role, catalogue: Catalogue) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if role.description:
        body["description"] = role.description
    if role.protected and not catalogue.is_default(role.name):
        body["protected"] = True
    if role.includes:
        body["includes"] = sorted(role.includes)
    body["privileges"] = _grants(role.privileges, role.name, catalogue)
    return body


def _grants(privileges: frozenset[str], role: str, catalogue: Catalogue) -> list[str]:
    """The privileges, or `*` where a default role carries everything."""
    carries_all = catalogue.is_default(role) and privileges == catalogue.grantable
    return ["*"] if carries_all and privileges else sorted(privileges)


class _Dumper(yaml.SafeDumper):
    """Lists indented below their key; text quoted wherever YAML could read something else."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002 - PyYAML's signature
        super().increase_indent(flow=flow, indentless=False)

    def write_double_quoted(self, text: str, split: bool = True) -> None:  # noqa: FBT001, FBT002 - PyYAML's signature
        self.write_indicator(f'"{_quoted(text, ascii_only=False)}"', need_whitespace=True)

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _AsciiDumper(_Dumper):
    """The same in ASCII."""

    def write_double_quoted(self, text: str, split: bool = True) -> None:  # noqa: FBT001, FBT002 - PyYAML's signature
        self.write_indicator(f'"{_quoted(text, ascii_only=True)}"', need_whitespace=True)


def _quoted(text: str, *, ascii_only: bool) -> str:
    """Text as it stands in double quotes: by number what plays tricks on a terminal or a runner.

    The quotes themselves keep it from the start of a line.
    """
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    text = disarmed(text, _by_number)
    return "".join(
        _by_number(c) if is_unsafe(c) or (ascii_only and not c.isascii()) else c for c in text
    )


def _by_number(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04X}" if number < 0x10000 else f"\\U{number:08X}"


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_quoted = needs_quotes(text) or not is_safe(text) or is_obeyed(text)
    is_quoted = is_quoted or (isinstance(dumper, _AsciiDumper) and not text.isascii())
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if is_quoted else None)


_Dumper.add_representer(str, _text)
_AsciiDumper.add_representer(str, _text)


def _dump(document: dict[str, Any], *, ascii_only: bool = False) -> str:
    text: str = yaml.dump(
        document,
        Dumper=_AsciiDumper if ascii_only else _Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=2**20,
    )
    return text
