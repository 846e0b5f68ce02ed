"""The way back to a former state is judged like any plan to the same state."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.engine.planning.way_back import way_back
from provisioner.model import Assignment, DatedRole, DesiredRole, DesiredState, DesiredUser, State
from provisioner.testing.world import PRIVILEGES, TODAY
from provisioner.testing.write_strategies import rollbacks
from tests.engine.build import blockers, role, stored, world

if TYPE_CHECKING:
    from provisioner.engine.planning.plan import Plan
    from provisioner.testing.world import World

POLICIES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(
        lambda items: {"separation_of_duty": sorted(items)},
        st.frozensets(st.sampled_from(PRIVILEGES), min_size=2),
    ),
    st.builds(
        lambda items, limit: {"restrict": {"privileges": sorted(items), "max_users": limit}},
        st.frozensets(st.sampled_from(PRIVILEGES), min_size=1),
        st.integers(0, 2),
    ),
    st.builds(
        lambda items: {"deny": sorted(items)},
        st.frozensets(st.sampled_from(PRIVILEGES), min_size=1, max_size=2),
    ),
)


def back(it: World, then: State, dates: dict[tuple[str, str], DatedRole] | None = None) -> Plan:
    """The plan of the way back to a former state."""
    names = it.catalogue.default_names
    way = way_back(then, it.current, it.settings, dates or {}, it.as_of, names)
    return replace(it, desired=way.desired).plan()


def then_of(it: World) -> State:
    """The former state that a world of rollbacks asks for."""
    roles = {name: wanted.role for name, wanted in (it.desired.roles or {}).items()}
    users = {
        login: Assignment(user.user, frozenset(d.role for d in user.roles))
        for login, user in (it.desired.users or {}).items()
    }
    return State(roles, users, it.current.recorded)


@given(it=rollbacks(), policies=st.lists(POLICIES, max_size=3))
def test_a_rollback_leads_nowhere_that_a_plan_would_be_refused_for(
    it: World, policies: list[dict[str, Any]]
) -> None:
    """The rules in force judge where it leads to, and stay in force."""
    rules = tuple({"name": f"p{n}", **policy} for n, policy in enumerate(policies))
    it = replace(it, current=replace(it.current, policies=rules))
    plan = back(it, then_of(it))
    reached = plan.passage(it.current).after
    assert reached.policies == plan.in_force
    assert {p["name"] for p in reached.policies} == {p["name"] for p in rules}
    default = it.catalogue.default_names
    same = DesiredState(
        {
            name: DesiredRole(replace(found, id=None))
            for name, found in reached.roles.items()
            if name.casefold() not in default or found != it.current.roles.get(name)
        },
        {
            login: DesiredUser(held.user, tuple(map(DatedRole, sorted(held.roles))))
            for login, held in reached.assignments.items()
        },
        rules={"policies": rules},
    )
    refused = {v.message for v in replace(it, desired=same).plan().violations}
    assert refused <= {v.message for v in plan.violations}
    assert not plan.violations or "policy-violation" in blockers(plan)


def test_what_has_ended_or_is_others_is_left_out_by_name() -> None:
    """An end date of the run, an ignored role, one that is external and gone, an ignored user."""
    then = stored(
        role("Clerk"), role("Old"), role("Theirs"), ada="Clerk, Theirs", bob="Clerk", eve="Clerk"
    )
    now = stored(role("Clerk"), role("Old", "A"))
    it = world(now, DesiredState(), ignore=("Old",), external=("Theirs",), ignore_users=("e*",))
    ended = DatedRole("Clerk", TODAY.replace(day=1))
    dates = {("bob", "Clerk"): replace(ended, until=date(2026, 2, 28)), ("ada", "Clerk"): ended}
    way = way_back(then, now, it.settings, dates, TODAY)
    assert [left.message for left in way.left_out] == [
        "role `Old` is ignored: it stays as it is now",
        "role `Theirs` is external: it does not come back",
        "ada does not get `Theirs` back, which is gone",
        "bob does not get `Clerk` back: that ended on 2026-02-28",
        "user eve is ignored: what they hold stays as it is now",
    ]
    wanted = {login: user.roles for login, user in (way.desired.users or {}).items()}
    assert wanted == {"ada": (ended,), "bob": ()}
