"""Policies: what each kind forbids, what exempts from it, and that witnesses hold."""

from __future__ import annotations

from datetime import date
from itertools import combinations
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.engine.access.effective import access_of
from provisioner.engine.rules.policies import Violation, check_policies
from provisioner.model import Assignment, DatedRole, DesiredUser, Role, State
from tests.policies.worlds import PRIVILEGES, ROLES, Opinion, policies, state, states

if TYPE_CHECKING:
    from provisioner.engine.access.chains import Chain, Link

TODAY = date(2026, 6, 1)


def broken(policy: dict[str, Any], where: State, **more: Any) -> list[Violation]:
    """The violations of one policy."""
    return list(check_policies([{"name": "p", **policy}], access_of(where), TODAY, **more))


def subjects(found: list[Violation]) -> set[str]:
    return {violation.subject for violation in found}


def test_a_user_over_all_roles_breaks_separation_of_duty() -> None:
    """Two harmless roles in one hand are the case that nobody sees in a list of roles."""
    where = state({"r": "A", "s": "B"}, {"ada": "r s", "bob": "r"})
    (found,) = broken({"separation_of_duty": ["A", "B"]}, where)
    assert found.subject == "ada"
    assert found.message == "user ada: A through r, B through s (at most 1 of 2)"


def test_a_role_that_carries_both_is_named_once_and_not_again_for_each_holder() -> None:
    """The role is what has to be mended."""
    where = state({"r": "A B"}, {"ada": "r", "bob": "r"})
    assert subjects(broken({"separation_of_duty": ["A", "B"]}, where)) == {"r"}


def test_includes_count() -> None:
    """Indirect grants are grants."""
    where = state({"r": "A", "s": "B"}, {}, r="s")
    (found,) = broken({"separation_of_duty": ["A", "B"]}, where)
    assert "B through r → s" in found.message


def test_at_most_allows_as_many() -> None:
    """``at_most: 2`` of three is broken by three."""
    policy = {"separation_of_duty": ["A", "B", "C"], "at_most": 2}
    assert not broken(policy, state({"r": "A B"}, {}))
    assert broken(policy, state({"r": "A B C"}, {}))


def test_roles_can_be_kept_apart_too() -> None:
    """``{roles: [...]}`` means holding the roles, whatever they carry."""
    where = state({"r": "", "s": "", "t": ""}, {"ada": "t s"}, t="r")
    (found,) = broken({"separation_of_duty": {"roles": ["r", "s"]}}, where)
    assert found.message == "user ada: r through t, s (at most 1 of 2)"


def test_what_arrives_only_through_an_exempted_role_is_not_counted() -> None:
    """An exemption covers its role, not the people who hold it."""
    where = state({"boss": "A B", "r": "A", "s": "B"}, {"ada": "boss", "bob": "boss r s"})
    policy = {"separation_of_duty": ["A", "B"], "except": ["boss"]}
    assert subjects(broken(policy, where)) == {"bob"}


def test_an_exemption_ends_with_its_date() -> None:
    """The last day is included."""
    where = state({"boss": "A B"}, {})
    rule = {"separation_of_duty": ["A", "B"]}
    ends = {"role": "boss", "reason": "small team", "until": "2026-06-01"}
    assert not broken({**rule, "except": [ends]}, where)
    assert broken({**rule, "except": [{**ends, "until": "2026-05-31"}]}, where)


def test_a_default_role_that_nobody_declares_is_judged_by_its_holders() -> None:
    """What the panel ships is not the author's mistake; giving it to somebody is."""
    where = state({"FullAccess": "A B"}, {"ada": "FullAccess"})
    found = broken({"deny": ["A"]}, where, shipped=frozenset({"FullAccess"}))
    assert subjects(found) == {"ada"}
    nobody = state({"FullAccess": "A B"}, {})
    assert not broken({"deny": ["A"]}, nobody, shipped=frozenset({"FullAccess"}))


def test_a_restriction_counts_holders_over_includes() -> None:
    """Three hold the role; two of them over another one."""
    where = state({"r": "A", "s": ""}, {"ada": "r", "bob": "s", "eve": "s"}, s="r")
    assert not broken({"restrict": {"roles": ["r"], "max_users": 3}}, where)
    (found,) = broken({"restrict": {"roles": ["r"], "max_users": 2}}, where)
    assert found.items == ("ada", "bob", "eve")
    assert broken({"restrict": {"privileges": ["A"], "max_users": 2}}, where)


def test_only_the_named_users_may_hold_it_whatever_the_case_of_their_login() -> None:
    """Logins are compared case-folded everywhere."""
    where = state({"r": "A"}, {"ada": "r", "bob": "r"})
    found = broken({"restrict": {"roles": ["r"], "only_users": ["ADA"]}}, where)
    assert subjects(found) == {"bob"}
    everybody = broken({"restrict": {"roles": ["r"], "only_users": []}}, where)
    assert subjects(everybody) == {"ada", "bob"}


def test_a_denied_privilege_is_found_in_roles_and_users() -> None:
    """The role that grants it is named; its holders are not named again."""
    where = state({"r": "A", "s": "B"}, {"ada": "r"})
    assert subjects(broken({"deny": ["A"]}, where)) == {"r"}
    assert subjects(broken({"deny": {"roles": ["r"]}}, where)) == {"ada"}


def test_dated_grants_need_an_end_a_reason_and_a_bounded_time() -> None:
    """Each lack is said; a grant that is over is none."""
    where = state({"r": "A", "s": "B"}, {"ada": "r"})
    policy = {"dated": {"roles": ["r"], "require_reason": True, "max_days": 30}}

    def given(**dated: Any) -> list[str]:
        user = DesiredUser("ada", (DatedRole("r", **dated), DatedRole("s")))
        return [v.message for v in broken(policy, where, users={"ada": user})]

    assert given() == ["user ada: r has no end date and has no reason"]
    assert given(until=date(2026, 7, 1), reason="x") == []
    assert given(until=date(2026, 7, 2), reason="x") == [
        "user ada: r lasts 31 more days, at most 30 are allowed"
    ]
    assert given(until=date(2026, 5, 31)) == []


def test_what_was_broken_before_is_told_apart_from_what_gets_worse() -> None:
    """One more holder beyond the limit is new, one less is not."""
    policy = {"restrict": {"roles": ["r"], "max_users": 0}}
    one, two = state({"r": "A"}, {"ada": "r"}), state({"r": "A"}, {"ada": "r", "bob": "r"})
    assert [v.is_new for v in broken(policy, one, before=access_of(two))] == [False]
    (found,) = broken(policy, two, before=access_of(one))
    assert (found.is_new, found.is_worse) == (True, True)
    assert found.message.endswith("ada, bob; of these bob by this change")


def carried(where: State, role: str, without: set[str]) -> set[str]:
    """Brute force: what a role carries, not passing through some roles."""
    if role in without:
        return set()
    found = set(where.roles[role].privileges)
    for included in where.roles[role].includes:
        found |= carried(where, included, without)
    return found


def leads_to(where: State, chain: Chain) -> str:
    """Replay a chain link by link; return what it ends at."""
    for index, link in enumerate(chain):
        if link.kind == "assignment":
            assert link.object in where.assignments[link.subject].roles
        elif link.kind == "include":
            assert link.object in where.roles[link.subject].includes
        else:
            assert link.object in where.roles[link.subject].privileges
        assert index == 0 or chain[index - 1].object == link.subject
    return chain[-1].object


@given(
    states(),
    st.sets(st.sampled_from(PRIVILEGES), min_size=2),
    st.integers(1, 3),
    st.sets(st.sampled_from(ROLES), max_size=1),
)
def test_separation_of_duty_finds_exactly_what_all_subsets_find(
    where: State, conflicting: set[str], at_most: int, exempt: set[str]
) -> None:
    """Over all subsets of more than ``at_most`` items: a subject is named iff it holds one.

    A user is not named where one of the user's roles carries all of it already.
    """
    policy = {
        "separation_of_duty": sorted(conflicting),
        "at_most": at_most,
        "except": sorted(exempt),
    }
    found = broken(policy, where)
    forbidden = list(combinations(sorted(conflicting), at_most + 1))

    def guilty(holds: set[str]) -> bool:
        return any(holds.issuperset(subset) for subset in forbidden)

    held_by = {name: carried(where, name, exempt) & conflicting for name in where.roles}
    roles = {name for name, holds in held_by.items() if guilty(holds)}
    assert {v.subject for v in found if v.subject_kind == "role"} == roles
    users = set()
    for user, held in where.assignments.items():
        holds = set().union(*(held_by[role] for role in held.roles))
        if guilty(holds) and not any(holds <= held_by[role] for role in held.roles & roles):
            users.add(user)
    assert {v.subject for v in found if v.subject_kind == "user"} == users


@given(st.one_of(st.none(), states()), states(), policies())
def test_every_witness_replays_and_is_minimal(
    before: State | None, where: State, policy: dict[str, Any]
) -> None:
    """Every link is in the state; without any one of them the rest breaks nothing."""
    shown, was = Opinion(policy, where), access_of(before) if before is not None else None
    for violation in check_policies([policy], access_of(where), TODAY, before=was):
        links = {link for chain in violation.witness for link in chain}
        for chain in violation.witness:
            leads_to(where, chain)
        if violation.subject_kind != "policy":
            assert {chain[0].subject for chain in violation.witness} == {violation.subject}
        assert _breaks(shown, violation, links)
        for link in links:
            assert not _breaks(shown, violation, links - {link})


def _breaks(policy: Opinion, violation: Violation, links: set[Link]) -> bool:
    """Whether the subject still breaks the policy in a state of these links alone."""
    roles = dict.fromkeys(ROLES, Role(""))
    held: dict[str, Assignment] = {}
    for link in links:
        if link.kind == "assignment":
            had = held[link.subject].roles if link.subject in held else frozenset()
            held[link.subject] = Assignment(link.subject, had | {link.object})
            continue
        role, more = roles[link.subject], frozenset({link.object})
        if link.kind == "include":
            roles[link.subject] = replace(role, includes=role.includes | more)
        else:
            roles[link.subject] = replace(role, privileges=role.privileges | more)
    rest = policy.on(State({n: replace(r, name=n) for n, r in roles.items()}, held))
    if violation.subject_kind == "role":
        return violation.subject in rest.guilty_roles()
    users = rest.guilty_users()
    return bool(users) if violation.subject_kind == "policy" else violation.subject in users


def test_one_of_two_denied_privileges_is_shown_and_the_other_named() -> None:
    """Either suffices, so one chain is the witness."""
    (found,) = broken({"deny": ["A", "B"]}, state({"r": "A B"}, {}))
    assert len(found.witness) == 1
    assert found.message == "role r: A through r, denied (so is what else it carries: B)"


def test_two_of_three_nested_roles_are_shown() -> None:
    """Top includes Mid includes Leaf: Top and Mid suffice, and one chain shows both."""
    where = state({"Top": "", "Mid": "", "Leaf": ""}, {"ada": "Top"}, Top="Mid", Mid="Leaf")
    rule = {"separation_of_duty": {"roles": ["Top", "Mid", "Leaf"]}}
    top, mid = sorted(broken(rule, where), key=lambda v: v.subject, reverse=True)
    assert [[link.object for link in chain] for chain in top.witness] == [["Mid"]]
    assert top.message == "role Top: Mid, Top itself (at most 1 of 3, it carries 3)"
    assert [[link.object for link in chain] for chain in mid.witness] == [["Leaf"]]
    (found,) = broken(rule, where, shipped=frozenset({"Top", "Mid", "Leaf"}))
    assert [[link.object for link in chain] for chain in found.witness] == [["Top", "Mid"]]


def test_a_user_is_named_for_a_break_beside_the_one_of_a_role() -> None:
    """Both is guilty of A and B; with C, of another role, ada breaks it a second way."""
    where = state({"Both": "A B", "Third": "C"}, {"ada": "Both Third", "bob": "Both"})
    found = broken({"separation_of_duty": ["A", "B", "C"]}, where)
    assert subjects(found) == {"Both", "ada"}
    denied = state({"r": "A", "Shipped": "B"}, {"ada": "r Shipped", "bob": "r"})
    found = broken({"deny": ["A", "B"]}, denied, shipped=frozenset({"Shipped"}))
    assert subjects(found) == {"r", "ada"}


def test_the_break_of_a_user_beside_the_one_of_a_role_is_shown_by_what_is_their_own() -> None:
    """The two of the role stand at the role; with it alone the user would not be named."""
    where = state({"r": "A B", "s": "C"}, {"ada": "r s"})
    of_role, of_user = broken({"separation_of_duty": ["A", "B", "C"]}, where)
    assert of_role.message.startswith("role r: A through r, B through r")
    assert of_user.message.startswith("user ada: A through r, C through s")


def test_of_classes_at_most_one_is_carried() -> None:
    """Two of one class are no break, one of each is, and the message names the classes."""
    rule = {"separation_of_duty": [["A", "B"], ["C", "D"]]}
    assert not broken(rule, state({"r": "A B"}, {}))
    (found,) = broken(rule, state({"r": "A B", "s": "D"}, {"ada": "r s"}))
    assert found.message == (
        "user ada: A through r, D through s (at most 1 of 2 classes: [A, B], [C, D])"
    )
    assert found.items == ("A", "B", "D")
    roles = {"separation_of_duty": {"roles": [["r", "t"], ["s"]]}}
    assert not broken(roles, state({"r": "", "s": "", "t": ""}, {"ada": "r t"}))
    assert subjects(broken(roles, state({"r": "", "s": "", "t": ""}, {"ada": "t s"}))) == {"ada"}


def test_of_three_classes_two_are_allowed_by_at_most() -> None:
    """``at_most`` counts classes."""
    rule = {"separation_of_duty": [["A"], ["B"], ["C", "D"]], "at_most": 2}
    assert not broken(rule, state({"r": "A C D"}, {}))
    assert broken(rule, state({"r": "A B C"}, {}))


def test_the_witness_of_a_limit_stays_minimal_where_more_is_new_to_one() -> None:
    """A is new to ada, both to eve; B, by which both hold it, is all that has to be shown."""
    roles = {"r": "B", "s": "A"}
    before, where = state(roles, {"ada": "r"}), state(roles, {"ada": "r", "eve": "r"}, r="s")
    rule = {"restrict": {"privileges": ["A", "B"], "max_users": 1}}
    (found,) = broken(rule, where, before=access_of(before))
    ends = [[link.object for link in chain] for chain in found.witness]
    assert ends == [["r", "B"], ["r", "B"]]
