"""What roles and assignments must not amount to, and a minimal witness where they do.

Separation of duty, restriction and denial are judged on any state; dated assignments on the
sources, since no panel stores dates. A policy's exemptions name roles: what arrives only through
them is not counted.

Separation of duty follows NIST RBAC's static constraint (ANSI INCITS 359): of n conflicting items,
or classes of them, nobody carries more than ``at_most``.

**New or old.** Judged by what is carried, never by how. A break is old where its subject carried
all of it before; one more holder, one more item or a longer date makes it new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from provisioner.diagnostics import Diagnostic, Severity
from provisioner.engine.access.carried import Items
from provisioner.engine.access.chains import Chain
from provisioner.engine.phrases import counted, line_of, word
from provisioner.engine.rules.breaches import Age, Dates, Judged
from provisioner.engine.rules.rule import Rule, RuleKind, rules_of
from provisioner.model import DatedRole, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import date

    from provisioner.engine.access.effective import EffectiveAccess
    from provisioner.engine.rules.witness import Way
    from provisioner.model import DesiredUser, Provenance

Subject = Literal["role", "user", "policy"]
_SHOWN = 5


class Violation(Struct, frozen=True):
    """One break of one policy.

    ``items`` are the privileges, roles or users that break it, sorted. ``witness`` has the chains
    that show it: every link is in the state, and without any one of them they no longer show a
    break. ``place`` is the policy's own, ``brought_at`` the line by which the change brings the
    break, where there is one. ``is_new`` is False where the state before had it already;
    ``is_worse`` is True where it had a smaller one.
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
    is_worse: bool = False
    brought_at: Place | None = None

    def diagnostic(self, *, told_apart: bool = True) -> Diagnostic:
        """The violation as a finding; ``told_apart`` says whether it is new."""
        age = "; it is there already"
        if self.is_new:
            age = "; this change makes it worse" if self.is_worse else "; this change brings it"
        text = f"policy `{self.policy}`: {self.message}{age * told_apart}"
        place = self.brought_at or self.place
        return Diagnostic("policy-violation", text, place, None, self.severity)


def check_policies(
    policies: Iterable[Mapping[str, Any]],
    now: EffectiveAccess,
    as_of: date,
    *,
    before: EffectiveAccess | None = None,
    provenance: Provenance | None = None,
    users: Mapping[str, DesiredUser] | None = None,
    former_users: Mapping[str, DesiredUser] | None = None,
    shipped: frozenset[str] = frozenset(),
) -> tuple[Violation, ...]:
    """Return every violation of the policies in a state, new ones told from those there before.

    Where a role breaks a policy, it is named, and of those who hold it only whoever breaks the
    policy in another way too, or is new to a break that the role had before.

    Args:
        policies: As in the sources, with globs expanded; ``place`` may tell where one stands.
        now: The access in the state to judge.
        as_of: The day on which exemptions and end dates are judged.
        before: That in the state before, roles under their new names. Without it every break is
            new.
        provenance: Gives the witnesses their places.
        users: What the sources say of users, for ``dated`` policies; without it they are skipped.
        former_users: What was known of users and dates before, where it is known. Else whoever
            held a role held it without an end date.
        shipped: Default roles that nobody declares: what they carry is the panel's doing, so only
            the users who hold them are judged.
    """
    items = Items()
    rules = rules_of(policies, as_of, items)
    if not rules:
        return ()
    dates = Dates(as_of, users or {}, former_users)
    view = Judged(now, before, items, dates, provenance=provenance, shipped=shipped)
    found = (_CHECKS[rule.kind](rule, view) for rule in map(view.narrowed, rules))
    return tuple(violation for each in found for violation in each)


def _violation(
    rule: Rule,
    subject: tuple[Subject, str],
    message: str,
    items: Iterable[str],
    age: Age,
    witness: tuple[Chain, ...] = (),
    place: Place | None = None,
) -> Violation:
    return Violation(
        rule.name,
        rule.severity,
        *subject,
        message,
        tuple(sorted(items)),
        witness,
        rule.place,
        bool(age.fresh),
        age.was_broken and bool(age.fresh),
        place,
    )


def _carrying(rule: Rule, view: Judged) -> Iterator[Violation]:
    """Separation of duty and denial: what a role or a user must not carry."""
    guilty: dict[str, tuple[int, bool]] = {}
    for name, carried in view.roles_with(rule):
        age = view.age_of_role(name, carried, rule)
        guilty[name] = (carried, bool(age.fresh))
        ways = view.ways.of_role(name, rule, carried, age.fresh)
        yield _burden(("role", name), carried, age, ways, rule, view)
    for login, carried in view.users_with(rule):
        held = view.state.assignments[login]
        age = view.age_of_user(login, carried, rule)
        named = [guilty[role] for role in held.roles & guilty.keys()]
        is_told = not age.fresh or view.before is None or any(new for _, new in named)
        if is_told and _is_covered(carried, [items for items, _ in named], rule):
            continue
        # What none of the named roles shows is what there is to tell of the user.
        own = carried
        for items, _ in named:
            own &= ~items
        ways = view.ways.of_user(login, rule, carried, age.fresh & own or age.fresh or own)
        yield _burden(("user", held.user), carried, age, ways, rule, view)


def _is_covered(carried: int, by_roles: list[int], rule: Rule) -> bool:
    """Whether the breaks of a user's roles are all the breaks that the user has."""
    if rule.kind == "deny":
        for items in by_roles:
            carried &= ~items
        return not carried
    return any(not carried & ~items for items in by_roles)


def _burden(
    subject: tuple[Subject, str], carried: int, age: Age, ways: list[Way], rule: Rule, view: Judged
) -> Violation:
    chains = view.ways.minimal(ways, rule)
    reasons = ", ".join(sorted(_reason(way, subject[1]) for way in ways))
    limit = _denied if rule.kind == "deny" else _at_most
    message = f"{subject[0]} {word(subject[1])}: {reasons}{limit(carried, ways, rule, view)}"
    place = view.brought_at(age, (way.chain for way in ways))
    return _violation(rule, subject, message, view.items.names(carried), age, chains, place)


def _reason(way: Way, subject: str) -> str:
    return _through(way.chain) if way.chain else f"{word(subject)} itself"


def _denied(carried: int, ways: list[Way], _rule: Rule, view: Judged) -> str:
    for way in ways:
        carried &= ~way.item
    others = view.items.names(carried)
    return ", denied" + (f" (so is what else it carries: {_listed(others)})" if others else "")


def _at_most(carried: int, ways: list[Way], rule: Rule, view: Judged) -> str:
    if rule.grouped:
        classes = [f"[{_listed(view.items.names(part), 3)}]" for part in rule.classes]
        shown = _cut(classes, _SHOWN)
        return f" (at most {rule.at_most} of {len(classes)} classes: {shown})"
    total = f" (at most {rule.at_most} of {rule.items.bit_count()}"
    count = rule.count(carried)
    return f"{total}, it carries {count})" if count > len(ways) else f"{total})"


def _through(chain: Chain) -> str:
    """``ARDOCS_CREATE through Accountant at roles.yaml:14``, for a chain's last object."""
    links = [link for link in chain if link.kind != "assignment"]
    roles = [word(link.subject) for link in (links if chain[-1].kind == "grant" else chain[1:])]
    way = f" through {' → '.join(roles)}" if roles else ""
    place = next((link.place for link in reversed(chain) if link.place is not None), None)
    return f"{word(chain[-1].object)}{way}{line_of(place)}"


def _restrict(rule: Rule, view: Judged) -> Iterator[Violation]:
    """How many, or who, may hold something."""
    limits = rule.limits
    holders = dict(view.users_with(rule))
    ages = {login: view.age_of_user(login, held, rule) for login, held in holders.items()}
    what = _listed([*limits.get("roles", ()), *limits.get("privileges", ())])
    limit = limits.get("max_users")
    if limit is not None and len(holders) > limit:
        yield _too_many(rule, view, holders, ages, what)
    if "only_users" in limits:
        allowed = {login.casefold() for login in limits["only_users"]}
        only = _listed(limits["only_users"]) or "nobody"
        for login in [login for login in holders if login not in allowed]:
            age, user = ages[login], view.state.assignments[login].user
            (way,) = view.ways.of_user(login, rule, holders[login], age.fresh)
            message = f"user {word(user)}: {_through(way.chain)}, which only {only} may hold"
            place = view.brought_at(age, (way.chain,))
            names = view.items.names(holders[login])
            chains = view.ways.minimal([way], rule)
            yield _violation(rule, ("user", user), message, names, age, chains, place)


def _too_many(
    rule: Rule, view: Judged, holders: dict[str, int], ages: dict[str, Age], what: str
) -> Violation:
    limit = rule.limits["max_users"]
    order = sorted(holders, key=lambda login: (not ages[login].fresh, login))
    # Nearest ways alone: a further one might lead past what another user's chain shows already.
    chains = tuple(
        chain
        for login in order[: limit + 1]
        for chain in view.ways.minimal(view.ways.of_user(login, rule, holders[login]), rule)
    )
    users = [view.state.assignments[login].user for login in holders]
    hold = "holds" if len(users) == 1 else "hold"
    message = f"{counted(len(users), 'user')} {hold} {what}, at most {limit} may: {_listed(users)}"
    fresh = sum(1 for age in ages.values() if age.fresh)
    was_broken = False
    if view.before is not None:
        had = [n for n in view.before.users if view.before.of_user(n, rule.exempt) & rule.items]
        was_broken = len(had) > limit
        if 0 < fresh < len(users):
            new = [view.state.assignments[login].user for login in order[:fresh]]
            message += f"; of these {_listed(new)} by this change"
    age = Age(fresh, was_broken)
    first = view.ways.of_user(order[0], rule, holders[order[0]], ages[order[0]].fresh)
    place = view.brought_at(age, (way.chain for way in first))
    return _violation(rule, ("policy", rule.name), message, users, age, chains, place)


def _listed(names: Iterable[str], limit: int = _SHOWN) -> str:
    return _cut(list(map(word, names)), limit)


def _cut(parts: list[str], limit: int) -> str:
    shown = ", ".join(parts[:limit])
    return shown if len(parts) <= limit else f"{shown} and {len(parts) - limit} more"


def _dated(rule: Rule, view: Judged) -> Iterator[Violation]:
    """What is given to users only until a day, and for a reason."""
    for login, user in sorted(view.dates.users.items()):
        for given in user.roles:
            carried = view.now.of_role(given.role, rule.exempt) & rule.items
            if not carried or not given.is_active(view.dates.as_of):
                continue
            lacks = list(_undated(given, rule.limits, view.dates.as_of))
            if lacks:
                message = f"user {word(user.user)}: {word(given.role)} {' and '.join(lacks)}"
                age = _age_of_dates(login, given, carried, rule, view)
                (way,) = view.ways.of_role(given.role, rule, carried, age.fresh)
                start = view.ways.assignment(login, given.role)
                chain = (start, *way.chain)
                # A later date changes no link, but its line.
                place = view.brought_at(age, (chain,)) or (start.place if age.fresh else None)
                subject: tuple[Subject, str] = ("user", user.user)
                place = None if view.before is None else place
                yield _violation(rule, subject, message, [given.role], age, (chain,), place)


def _age_of_dates(login: str, given: DatedRole, carried: int, rule: Rule, view: Judged) -> Age:
    """What was not carried before for as long, in breach of the same rule."""
    before = view.before
    if before is None:
        return Age(carried)
    lasting = had = 0
    for former in _former(login, view):
        if former.is_active(view.dates.as_of) and list(
            _undated(former, rule.limits, view.dates.as_of)
        ):
            found = before.of_role(former.role, rule.exempt) & rule.items
            had |= found
            if former.until is None or (given.until is not None and given.until <= former.until):
                lasting |= found
    return Age(carried & ~lasting, bool(had))


def _former(login: str, view: Judged) -> Iterable[DatedRole]:
    if view.dates.former_users is not None:
        user = view.dates.former_users.get(login)
        return user.roles if user is not None else ()
    held = view.before.access.state.assignments.get(login) if view.before is not None else None
    return [DatedRole(name) for name in sorted(held.roles)] if held is not None else ()


def _undated(given: DatedRole, limits: Mapping[str, Any], as_of: date) -> Iterator[str]:
    if given.until is None:
        yield "has no end date"
    elif "max_days" in limits and (given.until - as_of).days > limits["max_days"]:
        days = (given.until - as_of).days
        yield f"lasts {days} more days, at most {limits['max_days']} are allowed"
    if limits.get("require_reason") and not given.reason:
        yield "has no reason"


_CHECKS: dict[RuleKind, Callable[[Rule, Judged], Iterator[Violation]]] = {
    "separation_of_duty": _carrying,
    "restrict": _restrict,
    "deny": _carrying,
    "dated": _dated,
}
