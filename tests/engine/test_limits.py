"""How much a plan may delete, take away and give at once (design §6.5), to the number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from provisioner.engine.settings import Safety
from tests.engine.build import (
    DESK,
    FULL,
    SHIPPED,
    actions,
    blockers,
    desired,
    names,
    remedies,
    role,
    stored,
    world,
)

if TYPE_CHECKING:
    from provisioner.model import State


def deleting(count: int, of: int) -> tuple[State, tuple[str, ...]]:
    """A state of so many roles, and the names of those that stay."""
    rows = [f"Role {i:02}" for i in range(of)]
    return stored(*map(role, rows)), tuple(rows[count:])


@pytest.mark.parametrize(
    ("count", "of", "percent", "blocked"),
    [
        (3, 10, 30, False),
        (4, 10, 30, True),
        (2, 9, 30, False),
        (3, 9, 30, True),
        (2, 2, 30, False),
        (3, 4, 30, True),
        (3, 4, 75, False),
        (3, 9, None, False),
        (10, 10, 30, True),
        (3, 11, 30, False),
        (4, 11, 30, True),
        (6, 20, 30, False),
        (7, 20, 30, True),
        (0, 10, 0, False),
        (1, 10, 0, True),
        (1, 9, 0, False),
        (3, 9, 0, True),
        (10, 10, 100, False),
        (10, 10, None, False),
        (33, 100, 33, False),
        (34, 100, 33, True),
        (1, 101, 0, True),
    ],
)
def test_at_most_so_many_percent_of_roles_are_deleted(
    count: int, of: int, percent: int | None, blocked: bool
) -> None:
    """Exactly the limit is allowed; of fewer than ten roles two are, whatever the percentage."""
    current, staying = deleting(count, of)
    wanted = desired(*map(role, staying))
    plan = world(current, wanted, safety=Safety(max_change_percent=percent)).plan()
    assert blockers(plan) == (["max-change-percent"] if blocked else [])


def test_a_refusal_in_percent_says_the_numbers_and_the_option() -> None:
    """How many, of how many, what is allowed, and what to type if it is meant."""
    current, staying = deleting(4, 11)
    (blocker,) = world(current, desired(*map(role, staying))).plan().blockers
    assert blocker.message == "4 of 11 roles deleted (37%), at most 30% allowed"
    assert "--max-change-percent 37" in str(blocker.remedy)
    assert "safety: max_change_percent" in str(blocker.remedy)


@pytest.mark.parametrize(
    ("count", "limit", "blocked"), [(0, 0, False), (1, 0, True), (5, 5, False), (6, 5, True)]
)
def test_at_most_so_many_roles_are_deleted(count: int, limit: int, blocked: bool) -> None:
    """`max_deletes` counts roles, however few there are."""
    current, staying = deleting(count, 6)
    wanted = desired(*map(role, staying))
    plan = world(current, wanted, safety=Safety(limit, max_change_percent=None)).plan()
    assert blockers(plan) == (["max-deletes"] if blocked else [])
    assert not blocked or f"--max-deletes {count}" in remedies(plan)[0]


@pytest.mark.parametrize(
    ("losing", "of", "blocked"),
    [(3, 10, False), (4, 10, True), (2, 9, False), (3, 9, True), (4, 5, True), (4, 13, True)],
)
def test_at_most_so_many_percent_of_users_lose_access(losing: int, of: int, blocked: bool) -> None:
    """People count by what they can do in the end; below ten of them, two may lose."""
    users = {f"user{i:02}": "Clerk" for i in range(of)}
    current = stored(role("Clerk", "A"), role("Desk"), users=users)
    given = {u: ("Desk" if i < losing else "Clerk") for i, u in enumerate(users)}
    plan = world(current, desired(role("Clerk", "A"), role("Desk"), users=given)).plan()
    assert blockers(plan) == (["max-change-percent"] if blocked else [])


def test_who_gains_and_loses_counts_as_losing_too() -> None:
    """Another privilege in exchange makes no loss undone."""
    users = {f"user{i:02}": "Clerk" for i in range(10)}
    current = stored(role("Clerk", "A"), users=users)
    assert blockers(world(current, desired(role("Clerk", "B"))).plan()) == ["max-change-percent"]


def test_a_role_split_loses_nobody_anything() -> None:
    """Ten reassigned people whose access stays the same are no loss at all."""
    users = {f"user{i:02}": "Clerk" for i in range(10)}
    current = stored(role("Clerk", "A B"), users=users)
    halves = desired(
        role("Clerk", "A"), role("Desk", "B"), users=dict.fromkeys(users, "Clerk, Desk")
    )
    safety = Safety(max_users_losing=0, max_users_gaining=0)
    assert blockers(world(current, halves, safety=safety).plan()) == []


LIMITED = [
    ("max_changes", 2),
    ("max_users_losing", 1),
    ("max_users_gaining", 1),
    ("max_privileges_granted", 2),
]


@pytest.mark.parametrize(("setting", "count"), LIMITED)
@pytest.mark.parametrize("above", [False, True])
def test_each_limit_is_exact(setting: str, count: int, above: bool) -> None:
    """So many are allowed, one more is not; each is a setting of the project file."""
    current = stored(role("Clerk", "A"), role("Desk"), ada="Clerk", grace="Desk")
    wanted = desired(role("Clerk"), role("Desk", "B C"))
    safety = Safety(**{setting: count - above})
    plan = world(current, wanted, safety=safety).plan()
    assert blockers(plan) == ([setting.replace("_", "-")] if above else [])
    assert not above or f"safety: {setting}" in remedies(plan)[0]


STRICT = Safety(0, 0, 0, 0, 0, 0)


def test_the_first_use_of_an_empty_target_never_counts() -> None:
    """Creates and first assignments in a panel that holds default roles only pass any limit."""
    current = stored(FULL, DESK, recorded=())
    wanted = desired(role("Clerk", "A B"), users={"ada": "Clerk", "bob": "Full Access"})
    it = world(current, wanted, catalogue=SHIPPED, safety=STRICT)
    assert blockers(it.plan()) == []
    assert actions(it.plan()) == [("create", "Clerk"), ("assign", "ada"), ("assign", "bob")]


@pytest.mark.parametrize("current", [stored(FULL, role("Other")), stored(FULL, zoe="Full Access")])
def test_the_second_use_counts(current: State) -> None:
    """One custom role, or one assignment, and the target is not empty any more."""
    wanted = desired(role("Clerk", "A"), role("Other"))
    plan = world(current, wanted, catalogue=SHIPPED, safety=STRICT).plan()
    assert set(blockers(plan)) == {"max-changes", "max-privileges-granted"}


def test_editing_a_default_role_counts_from_the_first_use() -> None:
    """Only creates and first assignments are exempt; a default role was there before."""
    current = stored(FULL, DESK, recorded=())
    wider = replace(DESK, privileges=names("A,B,C"))
    plan = world(current, desired(wider), catalogue=SHIPPED, safety=STRICT).plan()
    assert set(blockers(plan)) == {"max-changes", "max-privileges-granted"}
