"""Policies: what each kind forbids, what exempts from it, and that witnesses hold."""

from __future__ import annotations

from datetime import date
from itertools import combinations
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from provisioner.engine.policy import Violation, check_policies
from provisioner.model import Assignment, DatedRole, DesiredUser, Role, State

if TYPE_CHECKING:
    from provisioner.engine.chains import Chain

TODAY = date(2026, 6, 1)
PRIVILEGES = ["A", "B", "C", "D"]
ROLES = ["r0", "r1", "r2", "r3", "r4"]
USERS = ["ada", "bob", "eve"]


def state(roles: dict[str, str], users: dict[str, str], **includes: str) -> State:
    """Roles by their privileges, users by their roles, includes by the including role."""
    return State(
        {
            name: Role(
                name,
                "",
                frozenset(privileges.split()),
                frozenset(includes.get(name, "").split()),
            )
            for name, privileges in roles.items()
        },
        {user: Assignment(user, frozenset(held.split())) for user, held in users.items()},
    )


def broken(policy: dict[str, Any], where: State, **more: Any) -> list[Violation]:
    """The violations of one policy."""
    return list(check_policies([{"name": "p", **policy}], where, TODAY, **more))


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
    assert [v.is_new for v in broken(policy, one, before=two)] == [False]
    (found,) = broken(policy, two, before=one)
    assert (found.is_new, found.is_worse) == (True, True)
    assert found.message.endswith("ada, bob; of these bob by this change")


names = st.sets(st.sampled_from(PRIVILEGES), max_size=2)


@st.composite
def states(draw: st.DrawFn) -> State:
    """Up to five roles that include later ones, three users with up to three roles."""
    roles = {}
    for index, name in enumerate(ROLES):
        later = ROLES[index + 1 :]
        includes = draw(st.sets(st.sampled_from(later), max_size=2)) if later else set()
        roles[name] = Role(name, "", frozenset(draw(names)), frozenset(includes))
    users = {u: frozenset(draw(st.sets(st.sampled_from(ROLES), max_size=3))) for u in USERS}
    return State(roles, {u: Assignment(u, held) for u, held in users.items() if held})


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
    """Over all subsets of more than ``at_most`` items: a subject is named iff it holds one."""
    policy = {
        "separation_of_duty": sorted(conflicting),
        "at_most": at_most,
        "except": sorted(exempt),
    }
    found = broken(policy, where)
    forbidden = list(combinations(sorted(conflicting), at_most + 1))

    def guilty(holds: set[str]) -> bool:
        return any(holds.issuperset(subset) for subset in forbidden)

    roles = {name for name in where.roles if guilty(carried(where, name, exempt))}
    assert {v.subject for v in found if v.subject_kind == "role"} == roles
    users = set()
    for user, held in where.assignments.items():
        holds = set().union(*(carried(where, role, exempt) for role in held.roles))
        if guilty(holds) and not held.roles & roles:
            users.add(user)
    assert {v.subject for v in found if v.subject_kind == "user"} == users


@given(states(), st.integers(1, 2))
def test_every_witness_replays_and_is_minimal(where: State, at_most: int) -> None:
    """One chain for each of ``at_most`` + 1 items: without any link of it one item is gone."""
    for violation in broken({"separation_of_duty": PRIVILEGES, "at_most": at_most}, where):
        ends = [leads_to(where, chain) for chain in violation.witness]
        assert len(ends) == len(set(ends)) == at_most + 1
        starts = {chain[0].subject for chain in violation.witness}
        assert starts == {violation.subject}
