"""What roles and assignments must not amount to, and a minimal witness where they do.

Separation of duty, restriction and denial are checked on any state; dated assignments on the
sources, since no panel stores dates. A policy's exemptions name roles: what arrives only through
them is not counted.

Separation of duty follows NIST RBAC's static constraint (ANSI INCITS 359): of n conflicting items
nobody carries more than ``at_most``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from provisioner.diagnostics import Diagnostic, Severity
from provisioner.engine.access import EffectiveAccess
from provisioner.engine.chains import Chain, Chains, Link
from provisioner.model import NoProvenance, Place, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from provisioner.model import DesiredUser, Provenance

Subject = Literal["role", "user", "policy"]
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Violation:
    """One break of one policy.

    ``items`` are the privileges, roles or users that break it, sorted. ``witness`` has, for each
    item, a chain that shows it: every link is in the state, and without any one of them the
    witness no longer breaks the policy. ``is_new`` is False where the state before had it already.
    """

    policy: str
    severity: Severity
    subject_kind: Subject
    subject: str
    message: str
    items: tuple[str, ...]
    witness: tuple[Chain, ...] = ()
    place: Place | None = None
    is_new: bool = True

    def diagnostic(self, *, told_apart: bool = True) -> Diagnostic:
        """The violation as a finding; ``told_apart`` says whether it is new."""
        age = ("; this change brings it" if self.is_new else "; it is there already") * told_apart
        text = f"policy `{self.policy}`: {self.message}{age}"
        return Diagnostic("policy-violation", text, self.place, None, self.severity)


@dataclass(frozen=True, slots=True)
class _View:
    """A state as one policy sees it: without what its exemptions cover."""

    state: State
    access: EffectiveAccess
    chains: Chains
    provenance: Provenance
    roles: tuple[str, ...]
    users: Mapping[str, DesiredUser]
    as_of: date


def check_policies(
    policies: Iterable[Mapping[str, Any]],
    state: State,
    as_of: date,
    *,
    provenance: Provenance | None = None,
    users: Mapping[str, DesiredUser] | None = None,
    shipped: frozenset[str] = frozenset(),
) -> tuple[Violation, ...]:
    """Return every violation of the policies in a state.

    Args:
        policies: As in the sources, with globs expanded; ``place`` may tell where one stands.
        state: The roles and assignments to check.
        as_of: The day on which exemptions and end dates are judged.
        provenance: Gives the witnesses their places.
        users: What the sources say of users, for ``dated`` policies; without it they are skipped.
        shipped: Default roles that nobody declares: what they carry is the panel's doing, so only
            the users who hold them are checked.
    """
    found: list[Violation] = []
    for policy in policies:
        view = _view(policy, state, as_of, provenance, users or {}, shipped)
        for kind, check in _CHECKS.items():
            if kind in policy:
                found += check(policy, view)
    return tuple(found)


def told_apart(after: Iterable[Violation], before: Iterable[Violation]) -> tuple[Violation, ...]:
    """Mark those violations of the later state that the earlier one has as well, or worse."""
    known: dict[tuple[str, str, str], list[set[str]]] = {}
    for violation in before:
        key = (violation.policy, violation.subject_kind, violation.subject)
        known.setdefault(key, []).append(set(violation.items))
    return tuple(
        replace(
            v,
            is_new=not any(
                had.issuperset(v.items)
                for had in known.get((v.policy, v.subject_kind, v.subject), ())
            ),
        )
        for v in after
    )


def _view(
    policy: Mapping[str, Any],
    state: State,
    as_of: date,
    provenance: Provenance | None,
    users: Mapping[str, DesiredUser],
    shipped: frozenset[str],
) -> _View:
    exempt = {name for name, until in _exemptions(policy) if until is None or as_of <= until}
    if exempt:
        roles = {name: role for name, role in state.roles.items() if name not in exempt}
        state = State(roles, state.assignments)
    checked = tuple(sorted(state.roles.keys() - shipped))
    places = provenance or NoProvenance()
    chains = Chains(state, places)
    return _View(state, EffectiveAccess(state), chains, places, checked, users, as_of)


def _exemptions(policy: Mapping[str, Any]) -> Iterator[tuple[str, date | None]]:
    for item in policy.get("except", ()):
        if isinstance(item, str):
            yield item, None
        else:
            until = item.get("until")
            yield item["role"], date.fromisoformat(until) if until else None


def _violation(
    policy: Mapping[str, Any],
    subject: tuple[Subject, str],
    message: str,
    items: Iterable[str],
    witness: Iterable[Chain] = (),
) -> Violation:
    place = policy.get("place")
    return Violation(
        policy["name"],
        policy.get("severity", "error"),
        *subject,
        message,
        tuple(sorted(items)),
        tuple(witness),
        Place(*place) if place else None,
    )


def _separation_of_duty(policy: Mapping[str, Any], view: _View) -> Iterator[Violation]:
    subjects = policy["separation_of_duty"]
    at_most = policy.get("at_most", 1)
    conflicting, of_role, of_user, why = _measures(subjects, view)
    guilty: set[str] = set()
    for name in view.roles:
        carried = sorted(conflicting & of_role(name))
        if len(carried) > at_most:
            guilty.add(name)
            yield _conflict(policy, ("role", name), carried, why("role", name, carried))
    for login, held in sorted(view.state.assignments.items()):
        carried = sorted(conflicting & of_user(login))
        if len(carried) > at_most and guilty.isdisjoint(held.roles):
            witness = why("user", login, carried)
            yield _conflict(policy, ("user", held.user), carried, witness)


def _measures(
    subjects: Any, view: _View
) -> tuple[
    frozenset[str],
    Callable[[str], frozenset[str]],
    Callable[[str], frozenset[str]],
    Callable[[str, str, list[str]], list[Chain]],
]:
    """How to measure privileges, or roles: the items, who carries which, and the chains for it."""
    if isinstance(subjects, dict):
        items = frozenset(subjects["roles"])

        def roles_of_user(login: str) -> frozenset[str]:
            return view.access.closure(view.state.assignments[login].roles)

        def role_chains(kind: str, name: str, found: list[str]) -> list[Chain]:
            return [chain for item in found if (chain := _to_role(view, kind, name, item))]

        return items, lambda name: view.access.closure((name,)), roles_of_user, role_chains

    def privilege_chains(kind: str, name: str, found: list[str]) -> list[Chain]:
        shortest = view.chains.shortest_of_user if kind == "user" else view.chains.shortest_of_role
        return [chain for item in found if (chain := shortest(name, item))]

    return frozenset(subjects), view.access.of_role, view.access.of_user, privilege_chains


def _to_role(view: _View, kind: str, name: str, role: str) -> Chain | None:
    """The shortest chain by which a user or a role carries a role; None for the role itself."""
    waiting: list[tuple[str, Chain]] = [(name, ())]
    if kind == "user":
        held = view.state.assignments[name]
        waiting = [
            (
                start,
                (Link("assignment", held.user, start, view.provenance.assignment(name, start)),),
            )
            for start in sorted(held.roles & view.state.roles.keys())
        ]
    seen: set[str] = set()
    while waiting:
        current, path = waiting.pop(0)
        if current == role:
            return path or None
        if current not in seen and current in view.state.roles:
            seen.add(current)
            for included in sorted(view.state.roles[current].includes):
                link = Link(
                    "include", current, included, view.provenance.include(current, included)
                )
                waiting.append((included, (*path, link)))
    return None


def _conflict(
    policy: Mapping[str, Any],
    subject: tuple[Subject, str],
    carried: list[str],
    witness: list[Chain],
) -> Violation:
    at_most = policy.get("at_most", 1)
    shown = sorted(witness, key=len)[: at_most + 1]
    reasons = ", ".join(sorted(_through(chain) for chain in shown))
    message = f"{subject[1]}: {reasons} (at most {at_most} of {len(_items(policy))})"
    return _violation(policy, subject, message, carried, shown)


def _items(policy: Mapping[str, Any]) -> list[str]:
    subjects = policy["separation_of_duty"]
    return list(subjects["roles"] if isinstance(subjects, dict) else subjects)


def _through(chain: Chain) -> str:
    """``ARDOCS_CREATE through Accountant at roles.yaml:14``, for a chain's last object."""
    roles = [link.subject for link in chain if link.kind != "assignment"]
    if chain[-1].kind != "grant":
        roles = [link.subject for link in chain[1:]]
    way = f" through {' → '.join(roles)}" if roles else ""
    place = next((link.place for link in reversed(chain) if link.place is not None), None)
    return f"{chain[-1].object}{way}" + (f" at {place.file}:{place.line}" if place else "")


def _restrict(policy: Mapping[str, Any], view: _View) -> Iterator[Violation]:
    rule = policy["restrict"]
    holders = _holders(rule, view)
    what = _listed([*rule.get("roles", ()), *rule.get("privileges", ())])
    limit = rule.get("max_users")
    if limit is not None and len(holders) > limit:
        users = [user for user, _ in holders]
        message = f"{len(users)} users hold {what}, at most {limit} may: {_listed(users)}"
        chains = [chain for _, chain in holders[: limit + 1]]
        yield _violation(policy, ("policy", policy["name"]), message, users, chains)
    if "only_users" in rule:
        allowed = {login.casefold() for login in rule["only_users"]}
        for user, chain in holders:
            if user.casefold() not in allowed:
                only = _listed(rule["only_users"]) or "nobody"
                message = f"{user}: {_through(chain)}, which only {only} may hold"
                yield _violation(policy, ("user", user), message, [chain[-1].object], [chain])


def _holders(rule: Mapping[str, Any], view: _View) -> list[tuple[str, Chain]]:
    """The users who hold one of the roles or privileges, each with a chain that shows it."""
    roles, privileges = frozenset(rule.get("roles", ())), frozenset(rule.get("privileges", ()))
    found = []
    for login, held in sorted(view.state.assignments.items()):
        chain = None
        for role in sorted(roles & view.access.closure(held.roles)) if roles else ():
            chain = chain or _to_role(view, "user", login, role)
        for privilege in sorted(privileges & view.access.of_user(login)) if privileges else ():
            chain = chain or view.chains.shortest_of_user(login, privilege)
        if chain:
            found.append((held.user, chain))
    return found


def _deny(policy: Mapping[str, Any], view: _View) -> Iterator[Violation]:
    denied, of_role, of_user, why = _measures(policy["deny"], view)
    roles_denied = isinstance(policy["deny"], dict)
    guilty: set[str] = set()
    for name in view.roles:
        carried = sorted(denied & of_role(name) - ({name} if roles_denied else set()))
        if carried:
            guilty.add(name)
            yield _denied(policy, ("role", name), carried, why("role", name, carried))
    for login, held in sorted(view.state.assignments.items()):
        carried = sorted(denied & of_user(login))
        if carried and guilty.isdisjoint(held.roles):
            yield _denied(policy, ("user", held.user), carried, why("user", login, carried))


def _denied(
    policy: Mapping[str, Any],
    subject: tuple[Subject, str],
    carried: list[str],
    witness: list[Chain],
) -> Violation:
    reasons = ", ".join(_through(chain) for chain in witness[:_SHOWN])
    return _violation(policy, subject, f"{subject[1]}: {reasons}, denied", carried, witness)


def _dated(policy: Mapping[str, Any], view: _View) -> Iterator[Violation]:
    rule = policy["dated"]
    roles, privileges = frozenset(rule.get("roles", ())), frozenset(rule.get("privileges", ()))
    for _, user in sorted(view.users.items()):
        for given in user.roles:
            if given.role not in view.state.roles or not given.is_active(view.as_of):
                continue
            closure = view.access.closure((given.role,))
            if roles.isdisjoint(closure) and privileges.isdisjoint(view.access.of_role(given.role)):
                continue
            lacks = list(_undated(given, rule, view.as_of))
            if lacks:
                message = f"{user.user}: {given.role} {' and '.join(lacks)}"
                yield _violation(policy, ("user", user.user), message, [given.role])


def _undated(given: Any, rule: Mapping[str, Any], as_of: date) -> Iterator[str]:
    if given.until is None:
        yield "has no end date"
    elif "max_days" in rule and (given.until - as_of).days > rule["max_days"]:
        days = (given.until - as_of).days
        yield f"lasts {days} more days, at most {rule['max_days']} are allowed"
    if rule.get("require_reason") and not given.reason:
        yield "has no reason"


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


_CHECKS: dict[str, Callable[[Mapping[str, Any], _View], Iterator[Violation]]] = {
    "separation_of_duty": _separation_of_duty,
    "restrict": _restrict,
    "deny": _deny,
    "dated": _dated,
}
