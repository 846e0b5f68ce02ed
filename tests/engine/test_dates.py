"""Assignments that end: `until` is the last day, and plans depend on no clock (design §2, §5)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.documents import plan as planfile
from provisioner.engine.changes import AssignmentChange
from provisioner.model import DatedRole
from provisioner.testing.strategies import worlds
from provisioner.testing.world import TODAY
from tests.engine import oracle
from tests.engine.build import actions, desired, role, stored, world

if TYPE_CHECKING:
    from provisioner.testing.world import World

WEEK = [TODAY + timedelta(days=days) for days in range(-5, 6)]
ROLES = (role("Clerk", "A"), role("Desk", "B"), role("Lead", "C"))


def ending(*ends: date | None) -> World:
    """Ada holds three roles; the sources end them on the given days."""
    dated = tuple(DatedRole(r.name, end) for r, end in zip(ROLES, ends, strict=True))
    return world(stored(*ROLES, ada="Clerk, Desk, Lead"), desired(*ROLES, users={"ada": dated}))


def held(it: World, day: date) -> set[str]:
    """What Ada holds if the plan of that day is carried out."""
    wanted = oracle.target(replace(it, as_of=day))
    plan = it.plan(as_of=day)
    assert wanted is not None
    now = set(it.current.assignments["ada"].roles)
    for change in plan.changes:
        assert isinstance(change, AssignmentChange)
        now = set(change.after.roles)
    assert now == wanted.users.get("ada", set())
    return now


def test_until_is_the_last_day() -> None:
    """Held on the day itself, gone on the next, and nothing else happens before or after."""
    it = ending(TODAY, None, None)
    for day in WEEK:
        assert held(it, day) == ({"Clerk", "Desk", "Lead"} if day <= TODAY else {"Desk", "Lead"})


def test_each_boundary_is_crossed_once() -> None:
    """Over the days, roles end one after the other and never come back."""
    it = ending(TODAY, TODAY + timedelta(days=2), TODAY + timedelta(days=3))
    numbers = [len(held(it, day)) for day in WEEK]
    assert numbers == [3, 3, 3, 3, 3, 3, 2, 2, 1, 0, 0]


@given(worlds())
def test_an_assignment_ends_once(it: World) -> None:
    """In any world, day by day: what a user is given by the sources only ever shrinks."""
    former = None
    for day in WEEK:
        wanted = oracle.target(replace(it, as_of=day))
        if wanted is None or it.desired.users is None:
            return
        given = {login: wanted.users.get(login, frozenset()) for login in it.desired.users}
        plan = it.plan(as_of=day)
        for change in plan.changes:
            login = change.name.casefold()
            if isinstance(change, AssignmentChange) and login in given:
                assert change.after.roles == given[login]
        assert former is None or all(given[login] <= former[login] for login in given)
        former = given


@given(worlds())
def test_valid_until_is_the_next_end(it: World) -> None:
    """The earliest last day that has not passed; beyond it the plan would be another one."""
    for day in WEEK:
        plan = it.plan(as_of=day)
        ends = {d.until for user in (it.desired.users or {}).values() for d in user.roles}
        to_come = sorted(end for end in ends if end is not None and end >= day)
        assert plan.valid_until == (to_come[0] if to_come else None)


@given(worlds(), st.integers(0, 10))
def test_a_plan_means_the_same_as_long_as_it_is_valid(it: World, days: int) -> None:
    """Made on any day up to ``valid_until`` it has the same changes, impact and blockers."""
    plan = it.plan()
    later = TODAY + timedelta(days=days)
    if plan.valid_until is None or later <= plan.valid_until:
        then = it.plan(as_of=later)
        assert (then.changes, then.impact, then.blockers) == (
            plan.changes,
            plan.impact,
            plan.blockers,
        )


@given(worlds(), st.sampled_from(WEEK))
def test_only_the_inputs_count(it: World, day: date) -> None:
    """The same day gives the same bytes, whatever was planned in between."""
    first = planfile.encode(it.plan(as_of=day))
    it.plan()
    assert planfile.encode(it.plan(as_of=day)) == first


@pytest.mark.parametrize("day", [date.min, date(2024, 2, 29), date(2099, 12, 31), date.max])
def test_days_at_the_edges(day: date) -> None:
    """Leap days and the ends of the calendar are days like others."""
    it = ending(day, None, None)
    assert "Clerk" in held(it, day)
    assert it.plan(as_of=day).valid_until == day
    if day < date.max:
        after = day + timedelta(days=1)
        assert "Clerk" not in held(it, after)
        assert it.plan(as_of=after).valid_until is None


def test_a_change_tells_the_dates_of_what_moves() -> None:
    """Given with an end or a reason, or come to its end: the change says so; the rest is silent."""
    dated = (
        DatedRole("Clerk", TODAY, "year-end close"),
        DatedRole("Desk", TODAY - timedelta(days=1)),
        DatedRole("Lead"),
    )
    it = world(stored(*ROLES, ada="Desk, Lead"), desired(*ROLES, users={"ada": dated}))
    (change,) = it.plan().changes
    assert isinstance(change, AssignmentChange)
    assert (change.added, change.removed) == (("Clerk",), ("Desk",))
    assert change.dated == (dated[0], dated[1])


def test_a_reason_alone_is_no_change() -> None:
    """Dates and reasons are never stored in the panel, so there is nothing to update."""
    dated = tuple(DatedRole(r.name, TODAY, "because") for r in ROLES)
    it = world(stored(*ROLES, ada="Clerk, Desk, Lead"), desired(*ROLES, users={"ada": dated}))
    assert it.plan().is_empty
    assert it.plan().valid_until == TODAY
    assert actions(it.plan(as_of=TODAY + timedelta(days=1))) == [("assign", "ada")]
