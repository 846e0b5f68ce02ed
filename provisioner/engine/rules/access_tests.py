"""Access tests: what access must and must not be, whatever the roles look like.

A test names a role or a user and what it ``can`` and ``cannot``, or a privilege and how many users
may hold it. In ``can`` a glob means every privilege that matches, in ``cannot`` it means none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from provisioner import globs
from provisioner.diagnostics import Diagnostic
from provisioner.engine.access.chains import Chain, Chains, Link
from provisioner.engine.phrases import counted, listed, quoted, way, word
from provisioner.model import NoProvenance, Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provisioner.engine.access.effective import EffectiveAccess
    from provisioner.model import Catalogue, Provenance

FAILED: Final = "access-test"
# How many ways, or holders, a failure names, and of how many privileges it looks for the way.
_SHOWN: Final = 5
_EXPLAINED: Final = 50


class TestResult(Struct, frozen=True):
    """One test as it was written, and how it ended. No failures: it passed."""

    __test__ = False  # its name makes pytest think otherwise

    title: str
    place: Place | None
    failures: tuple[Diagnostic, ...] = ()


def run_access_tests(
    tests: Iterable[Mapping[str, Any]],
    access: EffectiveAccess,
    catalogue: Catalogue,
    provenance: Provenance | None = None,
) -> tuple[TestResult, ...]:
    """Return the results of all tests on the access in a state, in their order.

    Args:
        tests: As in the sources, with names that exist; ``place`` may tell where one stands.
        access: Who holds what by the roles and assignments to test.
        catalogue: What globs stand for.
        provenance: Gives the chains their places.
    """
    view = _View(access, catalogue, provenance or NoProvenance())
    return tuple(_result(test, view) for test in tests)


class _View:
    """A state, and how to ask it who holds what and why."""

    def __init__(
        self, access: EffectiveAccess, catalogue: Catalogue, provenance: Provenance
    ) -> None:
        self.state = access.state
        self.access = access
        self._chains = Chains(self.state, provenance)
        self._provenance = provenance
        self._grantable = sorted(catalogue.grantable)

    def matching(self, pattern: str) -> list[str]:
        """The privileges that a name or a glob stands for, sorted."""
        if "*" not in pattern:
            return [pattern]
        return list(filter(globs.pattern(pattern).fullmatch, self._grantable))

    def holders(self, privilege: str) -> list[str]:
        """The logins of the users who hold a privilege, sorted."""
        carriers = {name for name in self.state.roles if privilege in self.access.of_role(name)}
        held = self.state.assignments.items()
        return sorted(login for login, user in held if not carriers.isdisjoint(user.roles))

    def reason(self, kind: str, subject: str, privilege: str) -> Chain:
        """A shortest chain by which a role or a user holds a privilege that it does hold."""
        if kind == "role":
            return self._chains.shortest_of_role(subject, privilege) or ()
        login = subject.casefold()
        held = self.state.assignments[login]
        found: list[Chain] = []
        for role in sorted(held.roles):
            if privilege in self.access.of_role(role):
                place = self._provenance.assignment(login, role)
                rest = self._chains.shortest_of_role(role, privilege) or ()
                found.append((Link("assignment", held.user, role, place), *rest))
        return min(found, key=len)


def _result(test: Mapping[str, Any], view: _View) -> TestResult:
    place = Place(*test["place"]) if "place" in test else None
    failures = tuple(
        Diagnostic(FAILED, message, place, remedy) for message, remedy in _failures(test, view)
    )
    return TestResult(_title(test), place, failures)


def _title(test: Mapping[str, Any]) -> str:
    if "privilege" in test:
        limits = [
            f"at {word} {test[key]}"
            for word, key in (("least", "min_holders"), ("most", "max_holders"))
            if key in test
        ]
        verb = "holds" if test.get("max_holders", test.get("min_holders")) == 1 else "hold"
        return f"{' and '.join(limits)} {verb} {test['privilege']}"
    expected = [f"{key} {', '.join(test[key])}" for key in ("can", "cannot") if key in test]
    return f"{test.get('role', test.get('user'))} {', '.join(expected)}"


def _failures(test: Mapping[str, Any], view: _View) -> Iterator[tuple[str, str]]:
    """What a test expects in vain: messages, each with what would help."""
    if "privilege" in test:
        yield from _wrong_number(test, view)
        return
    kind = "role" if "role" in test else "user"
    subject = test[kind]
    held = view.access.of_role(subject) if kind == "role" else view.access.of_user(subject)
    wanted = _expanded(test.get("can", ()), view)
    missing = [name for name in wanted if name not in held]
    if missing:
        yield _lacking(kind, subject, missing, view)
    unwanted = [name for name in _expanded(test.get("cannot", ()), view) if name in held]
    if unwanted:
        ways = _ways(kind, subject, unwanted, view)
        message = f"{kind} {word(subject)}: {'; '.join(ways)}; the test says `cannot`"
        yield message, "take it from the role that grants it, or correct the test"


def _ways(kind: str, subject: str, privileges: list[str], view: _View) -> list[str]:
    """``ARDOCS_CREATE and ARDOCS_VIEW through Accountant at roles.yaml:14``, for a few of them."""
    by_way: dict[str, list[str]] = {}
    for name in privileges[:_EXPLAINED]:
        by_way.setdefault(way(view.reason(kind, subject, name)), []).append(word(name))
    ways = [f"{listed(names)} {how}" for how, names in by_way.items()]
    unexplained = len(privileges) - sum(len(names) for names in list(by_way.values())[:_SHOWN])
    return ways[:_SHOWN] + [f"{unexplained} more"] * (unexplained > 0)


def _expanded(patterns: Iterable[str], view: _View) -> list[str]:
    return list(dict.fromkeys(name for item in patterns for name in view.matching(item)))


def _lacking(kind: str, subject: str, missing: list[str], view: _View) -> tuple[str, str]:
    whom = "it" if kind == "role" else "one of the user's roles"
    carriers = sorted(
        (len(view.access.of_role(name)), name)
        for name in view.state.roles
        if view.access.of_role(name).issuperset(missing)
    )
    remedy = f"grant {whom} the privilege{'s' * (len(missing) > 1)}, or correct the test"
    if carriers:
        names = quoted([name for _, name in carriers], limit=3)
        remedy += f"; what is missing is in {names}"
    return (
        f"{kind} {word(subject)} lacks {listed([*map(word, missing)])}; the test says `can`",
        remedy,
    )


def _wrong_number(test: Mapping[str, Any], view: _View) -> Iterator[tuple[str, str]]:
    privilege = test["privilege"]
    holders = view.holders(privilege)
    count = len(holders)
    verb = "hold" if count != 1 else "holds"
    most, least = test.get("max_holders", count), test.get("min_holders", count)
    if count > most:
        ways = [_held(login, privilege, view) for login in holders[:_SHOWN]]
        ways += [f"and {count - _SHOWN} more"] * (count > _SHOWN)
        message = f"{counted(count, 'user')} {verb} {privilege}, at most {most} may: "
        yield message + "; ".join(ways), "take it from some of them, or correct the test"
    if count < least:
        names = [word(view.state.assignments[login].user) for login in holders]
        who = f": {listed(names)}" if names else ""
        message = f"{counted(count, 'user')} {verb} {privilege}, at least {least} must{who}"
        yield message, "give it to more users, or correct the test"


def _held(login: str, privilege: str, view: _View) -> str:
    how = way(view.reason("user", login, privilege))
    return f"{word(view.state.assignments[login].user)} {how}"
