"""A break that gets worse is new, one that stays or shrinks is old, however roles are cut."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from provisioner.engine.access.effective import access_of
from provisioner.engine.rules.policies import Violation, check_policies
from provisioner.model import Assignment, DatedRole, DesiredUser, Role, State
from tests.policies.worlds import Opinion, policies, state, states

if TYPE_CHECKING:
    from collections.abc import Mapping

TODAY = date(2026, 6, 1)
THREE = {"name": "p", "separation_of_duty": ["A", "B", "C"]}


def judged(
    policy: dict[str, Any], before: State, after: State, **more: Any
) -> dict[str, Violation]:
    """The violations after a change, by subject."""
    found = check_policies(
        [{"name": "p", **policy}], access_of(after), TODAY, before=access_of(before), **more
    )
    return {violation.subject: violation for violation in found}


def new_in(found: Mapping[str, Violation]) -> set[str]:
    """The subjects whose break is new."""
    return {subject for subject, violation in found.items() if violation.is_new}


def test_a_new_holder_of_a_role_that_broke_the_policy_before_is_told() -> None:
    """The role is old; that eve gets it is not."""
    before = state({"Both": "A B"}, {"ada": "Both"})
    after = state({"Both": "A B"}, {"ada": "Both", "eve": "Both"})
    found = judged(THREE, before, after)
    assert found.keys() == {"Both", "eve"}
    assert new_in(found) == {"eve"}


def test_a_third_item_beside_a_guilty_role_is_told() -> None:
    """Both carries two of three, Third the last: who gets both roles breaks it anew."""
    roles = {"Both": "A B", "Third": "C"}
    found = judged(THREE, state(roles, {}), state(roles, {"ada": "Both Third"}))
    assert new_in(found) == {"ada"}
    held = judged(THREE, state(roles, {"ada": "Both"}), state(roles, {"ada": "Both Third"}))
    assert new_in(held) == {"ada"}
    assert held["ada"].is_worse
    assert "C through Third" in held["ada"].message


def test_a_further_privilege_of_a_restriction_is_told() -> None:
    """Ada held X, which she must not; now she gains Y as well."""
    rule = {"restrict": {"privileges": ["X", "Y"], "only_users": ["boss"]}}
    before = state({"x": "X", "y": "Y"}, {"ada": "x"})
    after = state({"x": "X", "y": "Y"}, {"ada": "x y"})
    (found,) = judged(rule, before, after).values()
    assert (found.is_new, found.is_worse) == (True, True)
    assert found.message.startswith("user ada: Y through y")
    assert found.items == ("X", "Y")
    assert not new_in(judged(rule, after, before))


def test_a_further_privilege_below_a_limit_of_holders_is_told() -> None:
    """The same two people hold more of it than before."""
    rule = {"restrict": {"privileges": ["X", "Y"], "max_users": 1}}
    roles = {"x": "X", "y": "Y"}
    before, after = state(roles, {"ada": "x", "bob": "x"}), state(roles, {"ada": "x y", "bob": "x"})
    assert new_in(judged(rule, before, after)) == {"p"}
    assert not new_in(judged(rule, after, before))


def test_who_only_loses_access_breaks_nothing_anew() -> None:
    """Of two guilty roles the user keeps one; that she is now named herself changes nothing."""
    roles = {"Both": "A B", "Full": "A B C D"}
    before, after = state(roles, {"ada": "Both Full"}), state(roles, {"ada": "Full"})
    shipped = frozenset({"Full"})
    found = judged({"separation_of_duty": ["A", "B"]}, before, after, shipped=shipped)
    assert found.keys() == {"Both", "ada"}
    assert not new_in(found)


def test_a_swap_of_one_item_for_another_is_new() -> None:
    """A and B before, A and C now: other money moves."""
    roles = {"a": "A", "b": "B", "c": "C"}
    found = judged(THREE, state(roles, {"ada": "a b"}), state(roles, {"ada": "a c"}))
    assert new_in(found) == {"ada"}
    assert not found["ada"].is_worse


def test_a_role_that_takes_over_what_its_holders_have_is_not_new() -> None:
    """Accountant is emptied into Inner, which it includes: nobody's access moves."""
    before = state({"Accountant": "A B"}, {"ada": "Accountant"})
    after = state({"Accountant": "", "Inner": "A B"}, {"ada": "Accountant"}, Accountant="Inner")
    assert not new_in(judged(THREE, before, after))
    lent = state(
        {"Accountant": "", "Inner": "A B"},
        {"ada": "Accountant", "eve": "Inner"},
        Accountant="Inner",
    )
    assert "Inner" in new_in(judged(THREE, before, lent))
    idle = state({"Accountant": "A B", "Inner": "A B"}, {"ada": "Accountant"})
    assert new_in(judged(THREE, before, idle)) == {"Inner"}


def test_an_empty_role_that_is_filled_is_new_to_those_who_hold_it() -> None:
    """By name mallory held it before; by effect she had nothing."""
    rule = {"restrict": {"roles": ["Books"], "only_users": ["bob"]}}
    before, after = (
        state({"Books": ""}, {"mallory": "Books"}),
        state({"Books": "A"}, {"mallory": "Books"}),
    )
    assert new_in(judged(rule, before, after)) == {"mallory"}
    assert not new_in(judged(rule, after, after))


def test_an_exempted_role_swapped_for_one_that_is_not_is_new() -> None:
    """What came through the exempted role was not counted before."""
    rule = {**THREE, "except": ["Boss"]}
    roles = {"Boss": "A B", "a": "A", "b": "B"}
    found = judged(rule, state(roles, {"ada": "Boss"}), state(roles, {"ada": "a b"}))
    assert new_in(found) == {"ada"}


def dates(**until: date | None) -> dict[str, DesiredUser]:
    """Users who are given the role r until a day."""
    return {user: DesiredUser(user, (DatedRole("r", day),)) for user, day in until.items()}


def test_a_dated_policy_can_be_introduced_where_undated_roles_are_held_already() -> None:
    """No panel stores dates: what was held and stays as it is is old, a new holder is not."""
    rule = {"dated": {"roles": ["r"]}}
    before = state({"r": "A"}, {"ada": "r"})
    after = state({"r": "A"}, {"ada": "r", "bob": "r"})
    found = judged(rule, before, after, users=dates(ada=None, bob=None))
    assert new_in(found) == {"bob"}


def test_a_longer_date_is_new_where_the_former_one_is_known() -> None:
    """Thirty days are allowed; sixty were given before; ninety are worse, fifty are not."""
    rule = {"dated": {"privileges": ["A"], "max_days": 30}}
    where = state({"r": "A"}, {"ada": "r"})

    def told(before: date | None, after: date | None) -> set[str]:
        return new_in(
            judged(rule, where, where, users=dates(ada=after), former_users=dates(ada=before))
        )

    allowed, fifty, sixty = date(2026, 6, 20), date(2026, 7, 20), date(2026, 7, 30)
    ninety = date(2026, 8, 29)
    assert told(sixty, ninety) == {"ada"}
    assert told(sixty, None) == {"ada"}
    assert told(allowed, fifty) == {"ada"}
    assert told(sixty, fifty) == set()
    assert told(sixty, sixty) == set()
    assert told(None, ninety) == set()


@given(states(), states(), policies())
def test_new_is_what_a_plain_second_opinion_calls_worse(
    before: State, after: State, policy: dict[str, Any]
) -> None:
    """Somebody who breaks the policy and did not carry all of that before: told; nobody else."""
    _agrees(before, after, policy)


@given(states(), policies(), st.data())
def test_small_changes_are_judged_as_well(
    before: State, policy: dict[str, Any], data: st.DataObject
) -> None:
    """One assignment, include or grant more or less: near the edge of what is told."""
    roles, held = dict(before.roles), dict(before.assignments)
    name = data.draw(st.sampled_from(sorted(roles)))
    what = data.draw(st.sampled_from(["grant", "include", "assign"]))
    if what == "grant":
        one = frozenset({data.draw(st.sampled_from("ABCD"))})
        roles[name] = Role(name, "", roles[name].privileges ^ one, roles[name].includes)
    elif what == "include":
        later = [other for other in sorted(roles) if other > name]
        one = frozenset({data.draw(st.sampled_from(later))} if later else ())
        roles[name] = Role(name, "", roles[name].privileges, roles[name].includes ^ one)
    else:
        user = data.draw(st.sampled_from(["ada", "bob", "eve"]))
        had = held[user].roles if user in held else frozenset()
        held[user] = Assignment(user, had ^ {name})
    _agrees(before, State(roles, held), policy)


def _agrees(before: State, after: State, policy: dict[str, Any]) -> None:
    was, now = Opinion(policy, before), Opinion(policy, after)
    found = check_policies([policy], access_of(after), TODAY, before=access_of(before))
    new = {(v.subject_kind, v.subject) for v in found if v.is_new}
    worse = _worse_users(was, now)
    if "max_users" in str(policy):
        assert bool(new) == bool(worse)
        return
    guilty = now.guilty_roles()
    assert {v.subject for v in found if v.subject_kind == "role"} == guilty.keys()
    roles = {
        role
        for role, items in guilty.items()
        if items - (_held_before(was, role, itself=was.kind != "deny") - _filled(was, now))
        and not _taken_over(role, items, was, now)
    }
    assert {subject for kind, subject in new if kind == "role"} == roles
    named = {subject for kind, subject in new if kind == "user"}
    assert named <= worse
    # Whoever is not named holds a role whose break is new and says it all.
    for user in worse - named:
        held = now.where.assignments[user].roles & guilty.keys()
        assert held & roles
        covers = [guilty[role] for role in held]
        items = now.items_of_user(user)
        assert items <= set().union(*covers)
        assert now.kind == "deny" or any(items <= each for each in covers)


def _held_before(was: Opinion, role: str, *, itself: bool = True) -> set[str]:
    return was.items_of_role(role, itself=itself) if role in was.where.roles else set()


def _worse_users(was: Opinion, now: Opinion) -> set[str]:
    hollow = _filled(was, now)
    return {
        user
        for user, items in now.guilty_users().items()
        if items - (was.items_of_user(user) - hollow)
    }


def _filled(was: Opinion, now: Opinion) -> set[str]:
    """Roles that carried no privilege before, and carry one now."""

    def carries(where: State, role: str) -> bool:
        if where.roles[role].privileges:
            return True
        return any(carries(where, other) for other in where.roles[role].includes)

    both = was.where.roles.keys() & now.where.roles.keys()
    return {r for r in both if carries(now.where, r) and not carries(was.where, r)}


def _taken_over(role: str, items: set[str], was: Opinion, now: Opinion) -> bool:
    """Whether a role that was not there before gives nothing to anybody who carries it."""
    if role in was.where.roles or role in now.exempt:
        return False

    def carries(name: str) -> bool:
        if name in now.exempt:
            return False
        return name == role or any(carries(n) for n in now.where.roles[name].includes)

    hollow = _filled(was, now)
    users = [u for u, held in now.where.assignments.items() if any(map(carries, held.roles))]
    had = [was.items_of_user(user) - hollow for user in users]
    above = [n for n in now.where.roles if n != role and carries(n) and n in was.where.roles]
    had += [was.items_of_role(name) - hollow for name in above]
    return bool(had) and all(items <= each for each in had)
