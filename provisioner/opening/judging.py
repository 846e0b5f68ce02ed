"""What a plan is judged by, besides its own sources: settings, who asks, the rules before it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner.diagnostics import Diagnostic
from provisioner.engine.changes import Action, AssignmentChange, RoleChange
from provisioner.engine.rules.in_force import roles_judged
from provisioner.engine.settings import Settings
from provisioner.errors import InvalidInput
from provisioner.model import DesiredUser
from provisioner.names import did_you_mean
from provisioner.reports.text.style import json_text

if TYPE_CHECKING:
    from provisioner.engine.planning.plan import Plan
    from provisioner.model import Catalogue, DesiredState, Snapshot
    from provisioner.opening.baseline import Baseline
    from provisioner.opening.session import Session

# What can't stand plain as a key of a flow mapping.
_NOT_PLAIN: Final = re.compile(r"^[^\w]|[^\w.@+-]")


class Grounds(Struct, frozen=True):
    """The settings that a plan is made under, and the policies before the change.

    ``carried`` says what roles carry where those are written, ``users`` who holds what until when.
    """

    settings: Settings
    former: tuple[Mapping[str, Any], ...] = ()
    carried: Mapping[str, frozenset[str]] = field(default_factory=dict)
    users: Mapping[str, DesiredUser] = field(default_factory=dict)

    def on(self, desired: DesiredState) -> DesiredState:
        """The desired state with the policies that judge it as well."""
        if not self.former:
            return desired
        judged = {name for policy in self.former for name in roles_judged(policy)}
        roles = tuple(
            {"name": name, "carries": sorted(self.carried[name])}
            for name in sorted(judged & self.carried.keys())
        )
        rules = {**desired.rules, "former": self.former, "former_roles": roles}
        return replace(desired, rules=rules)


def grounds_of(
    session: Session,
    sources: tuple[str, ...],
    guards: dict[str, Any],
    snapshot: Snapshot,
    catalogue: Catalogue,
) -> Grounds:
    """Work out what judges a plan of this session, from the project file and the options.

    With ``--rules-from`` the rules there count as well, and of two limits the stricter one; limits
    that are given as options come after both.

    Raises:
        InvalidInput: ``--rules-from`` can't be read, or ``--actor`` names nobody.
    """
    baseline = None
    if guards["rules_from"] is not None:
        from provisioner.opening.baseline import load_baseline

        baseline = load_baseline(
            guards["rules_from"], session.project, session.target, sources, catalogue
        )
    settings = session.settings(guards)
    actors = session.project.actors
    if baseline is not None:
        settings = _with_baseline(session, settings, guards, baseline)
        actors = baseline.project.actors if baseline.project else {}
    if guards["actor"] is not None:
        login = login_of(guards["actor"], actors, snapshot)
        settings = replace(settings, actor=login, judge_former=True)
    if baseline is None:
        return Grounds(settings)
    return Grounds(settings, baseline.policies, baseline.carried, baseline.users)


def held_longer(grounds: Grounds, desired: DesiredState, plan: Plan) -> tuple[Diagnostic, ...]:
    """Return what forbids a plan by which whoever asks for it would hold a role for longer.

    No store keeps ends of assignments, so they are compared with those of ``--rules-from``.
    """
    login = (grounds.settings.actor or "").casefold()
    there, here = grounds.users.get(login), (desired.users or {}).get(login)
    if there is None or here is None:
        return ()
    ends = {plan.renames.get(it.role, it.role): it.until for it in there.roles if it.until}
    return tuple(
        Diagnostic(
            "own-gain",
            f"{here.user}, who asks for this change, would hold `{it.role}` "
            f"{f'until {it.until}' if it.until else 'for good'}, not until {ends[it.role]}",
            desired.provenance.assignment(here.user, it.role),
            "have somebody else ask for it",
        )
        for it in here.roles
        if it.role in ends and (it.until is None or it.until > ends[it.role])
    )


def _with_baseline(
    session: Session, settings: Settings, guards: dict[str, Any], baseline: Baseline
) -> Settings:
    settings = replace(
        settings,
        judge_former=True,
        rules_from=baseline.name,
        ignore=_both(settings.ignore, baseline.ignore),
        ignore_users=_both(settings.ignore_users, baseline.ignore_users),
    )
    former = baseline.project
    if former is None:
        return settings
    from provisioner.opening.baseline import stricter

    limits = {
        name: guards[name]
        for name in ("max_deletes", "max_change_percent")
        if guards[name] is not None
    }
    return replace(
        settings,
        safety=replace(stricter(session.project.safety, former.safety), **limits),
        external=_both(settings.external, former.external),
        adopted=settings.adopted & former.adopted,
        self_users=_both(settings.self_users, tuple(t.self_user for t in baseline.targets)),
        ceilings=_both(settings.ceilings, tuple(t.ceiling for t in baseline.targets)),
    )


def _both(some: tuple[str, ...], others: tuple[str | None, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*some, *(name for name in others if name is not None))))


def login_of(actor: str, actors: Mapping[str, str | None], snapshot: Snapshot) -> str | None:
    """The login of who asks, or None for who has no access of its own.

    Raises:
        InvalidInput: It is neither a key of ``actors:`` nor a login that the target knows; or two
            keys of ``actors:`` that differ only in case say otherwise, or the login there is none.
    """
    wanted = actor.casefold()
    found = {login for name, login in actors.items() if name.casefold() == wanted}
    held = snapshot.state.assignments
    if len(found) > 1:
        message = f"`actors:` names `{actor}` twice, in different case, for different logins"
        raise InvalidInput(Diagnostic("unknown-actor", message, None, "keep one of them"))
    for login in found:
        known = snapshot.users
        folded = login.casefold() if login is not None else None
        if folded is not None and folded not in held and known is not None and folded not in known:
            message = f"--actor `{actor}` is `{login}` under `actors:`, a login that is not there"
            remedy = did_you_mean(login or "", known) or "correct it, or write null"
            raise InvalidInput(Diagnostic("unknown-actor", message, None, remedy))
        return login
    if wanted in held:
        return held[wanted].user
    if snapshot.users is not None and wanted in snapshot.users:
        return actor
    message = f"--actor `{actor}` is no login that this target knows, and no name under `actors:`"
    if not actor:
        message = "--actor is empty: it names nobody"
    name = json_text(actor) if _NOT_PLAIN.search(actor) else actor or "NAME"
    remedy = f"say who it is in the project file: `actors: {{{name}: LOGIN}}`, or null"
    near = did_you_mean(actor.strip().lstrip("@"), [*(a.user for a in held.values()), *actors])
    if near:
        remedy = f"{near} Or {remedy}"
    raise InvalidInput(Diagnostic("unknown-actor", message, None, remedy))


def partly(plan: Plan, read: DesiredState, whole: DesiredState) -> tuple[Diagnostic, ...]:
    """Return what forbids a plan from sources that are only a part of the project's.

    Args:
        plan: The plan that was made from the part.
        read: The part.
        whole: What all sources of the project declare.
    """
    left_out = sorted({*map(os.path.realpath, whole.files)} - {*map(os.path.realpath, read.files)})
    if not left_out:
        return ()
    roles = {
        name.casefold()
        for declared, role in (whole.roles or {}).items()
        for name in (declared, role.renamed_from)
        if name is not None
    }
    removed = [
        f"delete the role `{change.name}`"
        for change in plan.changes
        if isinstance(change, RoleChange)
        and change.action is Action.DELETE
        and change.name.casefold() in roles
    ]
    users = (whole.users or {}).keys() - (read.users or {}).keys()
    removed += [
        f"take roles from {change.name}"
        for change in plan.changes
        if isinstance(change, AssignmentChange)
        and change.removed
        and change.name.casefold() in users
    ]
    policies = {policy["name"] for policy in whole.rules.get("policies", ())}
    removed += [
        f"drop the policy `{change.name}`"
        for change in plan.rule_changes
        if change.after is None and change.name in policies
    ]
    shown = {os.path.realpath(file): file for file in whole.files}
    return tuple(_partial(what, [shown[file] for file in left_out]) for what in removed)


def unread_rest(plan: Plan, problem: Diagnostic) -> Diagnostic | None:
    """The objection to a plan that takes something away, where the rest is not readable."""
    removes = any(
        change.removed if isinstance(change, AssignmentChange) else change.action is Action.DELETE
        for change in plan.changes
    )
    if not removes and all(change.after is not None for change in plan.rule_changes):
        return None
    message = (
        "the rest of the project's sources can't be read, so it may declare what this would take "
        f"away: {problem.message}"
    )
    remedy = "mend it; if only the given sources are meant, repeat with --only-these"
    return Diagnostic("partial-sources", message, problem.place, remedy)


def _partial(what: str, left_out: list[str]) -> Diagnostic:
    more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
    return Diagnostic(
        "partial-sources",
        f"this would {what}, which the rest of the project's sources declares: "
        f"`{left_out[0]}`{more} was not read",
        None,
        "name no SOURCE, so that all are read; if only these are meant, repeat with --only-these",
    )
