"""What a plan says it changes for people is what it changes for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.engine.access.effective import UserImpact, access_of, holders, impact
from provisioner.engine.changes import Action, AssignmentChange
from provisioner.engine.diff import field_changes
from provisioner.engine.planning.summary import Summary, summarise
from provisioner.model import Role, State
from provisioner.testing.strategies import privileges, states, worlds
from provisioner.testing.write_strategies import rollbacks
from tests.engine import oracle
from tests.engine.build import desired, renamed, role, stored, world

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject

    from provisioner.engine.changes import Change
    from provisioner.testing.world import World

Told = dict[str, tuple[frozenset[str], frozenset[str]]]


def told(found: tuple[UserImpact, ...]) -> Told:
    """An impact as the oracle says it."""
    return {u.user.casefold(): (frozenset(u.gained), frozenset(u.lost)) for u in found}


# Effective access


@given(states(tidy=False))
def test_effective_access_is_what_a_slow_search_finds(state: State) -> None:
    """Over any depth of includes, through cycles, past references to nothing."""
    access = access_of(state)
    for login, holds in oracle.access(state).items():
        assert access.of_user(login) == holds
        assert access.of_user(login.upper().casefold()) == holds


@given(states(tidy=False))
def test_a_role_carries_what_its_only_holder_would_have(state: State) -> None:
    """The access of a role is the access of somebody who holds nothing else."""
    access = access_of(state)
    for name in state.roles:
        alone = stored(*state.roles.values(), probe=name)
        assert access.of_role(name) == oracle.access(alone)["probe"]


@given(states(tidy=False))
def test_carriers_are_counted_directly_and_through_includes(state: State) -> None:
    """Each person once for each role, however many ways lead there."""
    expected = {name: len(logins) for name, logins in oracle.carriers(state).items()}
    assert holders(access_of(state)) == expected


def test_roles_that_include_each_other_carry_the_same() -> None:
    """A circle is followed once round and does not hang."""
    access = access_of(
        stored(
            role("A", "a", includes=("B",)),
            role("B", "b", includes=("C",)),
            role("C", "c", includes=("A", "C")),
        )
    )
    assert access.of_role("A") == access.of_role("B") == access.of_role("C") == {"a", "b", "c"}


def test_a_long_chain_of_includes_is_followed_to_its_end() -> None:
    """Depth is not limited by the interpreter's stack."""
    links = [role(f"R{i}", includes=(f"R{i + 1}",)) for i in range(5000)]
    access = access_of(stored(*links, role("R5000", "deep"), ada="R0"))
    assert access.of_user("ada") == {"deep"}


def test_nobody_and_nothing_have_no_access() -> None:
    """Unknown users and roles carry nothing; that is no error."""
    access = access_of(State())
    assert access.of_user("ada") == access.of_role("Clerk") == frozenset()


# Impact


@given(states(tidy=False), states(tidy=False))
def test_the_impact_between_two_states(before: State, after: State) -> None:
    """Every user whose access differs, with what is gained and lost, net; nobody else."""
    found = impact(access_of(before), access_of(after))
    assert told(found) == oracle.impact(before, after)
    assert [u.user.casefold() for u in found] == sorted(u.user.casefold() for u in found)
    for user in found:
        assert (user.gained, user.lost) == (tuple(sorted(user.gained)), tuple(sorted(user.lost)))


@given(worlds() | rollbacks())
def test_the_impact_of_a_plan(it: World) -> None:
    """It compares the stored state with the one that the sources ask for."""
    plan, wanted = it.plan(), oracle.target(it)
    if plan.blockers or wanted is None:
        return
    after = plan.passage(it.current).after
    assert oracle.content(after) == (wanted.roles, wanted.users)
    assert told(plan.impact) == oracle.impact(it.current, after)


@given(states(), st.data())
def test_a_role_split_in_two_has_no_impact(state: State, data: DataObject) -> None:
    """Whoever holds the one shall hold both halves: many changes, nobody's access moves."""
    name = data.draw(st.sampled_from(sorted(state.roles)))
    whole = state.roles[name]
    half = data.draw(privileges())
    roles = dict(state.roles)
    roles[name] = replace(whole, privileges=whole.privileges - half)
    roles["Other Half"] = Role("Other Half", privileges=whole.privileges & half)
    for other in state.roles.values():
        if name in other.includes:
            roles[other.name] = replace(other, includes=other.includes | {"Other Half"})
    users = {
        held.user: ",".join(held.roles | ({"Other Half"} if name in held.roles else set()))
        for held in state.assignments.values()
    }
    it = world(state, desired(*roles.values(), users=users), allow_lockout=True)
    plan = it.plan()
    assert not plan.is_empty
    assert plan.impact == ()


def test_a_privilege_that_arrives_another_way_is_not_gained() -> None:
    """Losing one of two ways to a privilege is no loss."""
    current = stored(role("Clerk", "A"), role("Lead", "A B"), ada="Clerk, Lead")
    plan = world(current, desired(role("Clerk"), role("Lead", "A B"))).plan()
    assert not plan.is_empty
    assert plan.impact == ()


def test_an_impact_names_the_user_as_written() -> None:
    """Users are told apart without case, but shown as they were written."""
    current = stored(role("Clerk", "A B"))
    plan = world(current, desired(role("Clerk", "A B"), users={"Ada@Example.com": "Clerk"})).plan()
    assert plan.impact == (UserImpact("Ada@Example.com", ("A", "B")),)


# Changes: effect, fields, holders, summary


@given(worlds() | rollbacks())
def test_the_effect_of_each_change(it: World) -> None:
    """Grants where something is added, revokes where something is taken, cosmetic where neither."""
    for change in it.plan().changes:
        assert change.effect == oracle.effect(*zip(*parts_of(change), strict=True))


def parts_of(change: Change) -> list[tuple[frozenset[str], frozenset[str]]]:
    """The sets in which a change can give or take, before and after."""
    if isinstance(change, AssignmentChange):
        return [(change.before.roles, change.after.roles)]
    if change.action is Action.RENAME:
        return [(frozenset(), frozenset())]
    before, after = change.before or Role(""), change.after or Role("")
    return [(before.privileges, after.privileges), (before.includes, after.includes)]


@pytest.mark.parametrize(
    ("before", "after", "effect"),
    [
        (None, role("R", "A"), "grants"),
        (None, role("R"), "cosmetic"),
        (role("R", "A"), None, "revokes"),
        (role("R", "A"), role("R", "A B"), "grants"),
        (role("R", "A B"), role("R", "A"), "revokes"),
        (role("R", "A"), role("R", "B"), "both"),
        (role("R", "A"), replace(role("R", "A"), description="new"), "cosmetic"),
        (role("R", "A"), replace(role("R", "A"), protected=True), "cosmetic"),
        (role("R"), role("R", includes=("Base",)), "grants"),
        (role("R", includes=("Base",)), role("R"), "revokes"),
        (role("R", "A"), role("R", includes=("Base",)), "both"),
    ],
)
def test_the_effect_of_an_edit(before: Role | None, after: Role | None, effect: str) -> None:
    """The edit itself counts, includes too; descriptions and protection give nobody anything."""
    base = role("Base", "C")
    it = world(stored(*(r for r in (before, base) if r)), desired(*(r for r in (after, base) if r)))
    (change,) = it.plan().changes
    assert change.effect == effect


@given(worlds() | rollbacks())
def test_field_changes_are_set_arithmetic(it: World) -> None:
    """Every field that differs is listed once, in order, with what was added and removed."""
    order = ["description", "protected", "privileges", "includes"]
    for change in it.plan().changes:
        if isinstance(change, AssignmentChange) or change.before is None or change.after is None:
            continue
        if change.action is Action.RENAME:
            assert change.fields == ()
            continue
        assert field_changes(change.before, change.after) == change.fields
        listed = [field.field for field in change.fields]
        differing = [n for n in order if getattr(change.before, n) != getattr(change.after, n)]
        assert listed == differing
        for field in change.fields:
            old, new = getattr(change.before, field.field), getattr(change.after, field.field)
            if isinstance(old, frozenset):
                assert frozenset(field.added) == new - old
                assert frozenset(field.removed) == old - new
                assert (field.before, field.after) == (None, None)
            else:
                assert (field.before, field.after) == (old, new)
                assert field.added == field.removed == ()


@given(privileges(), privileges(), privileges(), privileges())
def test_deepdiff_sees_what_set_arithmetic_sees(
    one: frozenset[str], two: frozenset[str], three: frozenset[str], four: frozenset[str]
) -> None:
    """Also where a set is replaced by one of the same size, or emptied."""
    before, after = Role("R", "", one, three), Role("R", "", two, four)
    found = {f.field: (set(f.added), set(f.removed)) for f in field_changes(before, after)}
    expected = {}
    for field, old, new in (("privileges", one, two), ("includes", three, four)):
        if old != new:
            expected[field] = (set(new - old), set(old - new))
    assert found == expected


def test_fields_are_compared_without_parsing_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython 3.11 can't parse in two threads at once (its issue 106905); programs plan in many."""

    def refuse(*_args: object, **_options: object) -> None:
        raise AssertionError("comparing two roles parsed Python")

    before = Role("R", "old", frozenset({"A", "B"}), frozenset({"One"}), protected=True)
    after = Role("R", "new", frozenset({"B", "__C"}), frozenset(), protected=False)
    field_changes(before, after)  # What is imported late is compiled now.
    with monkeypatch.context() as patch:
        patch.setattr("builtins.compile", refuse)
        changes = field_changes(before, after)
    assert [c.field for c in changes] == ["description", "protected", "privileges", "includes"]


def test_a_name_python_would_call_private_is_seen() -> None:
    """deepdiff leaves such keys out unless told otherwise."""
    [change] = field_changes(role("R"), role("R", "__A"))
    assert (change.field, change.added, change.removed) == ("privileges", ("__A",), ())


def test_equal_roles_have_no_field_changes() -> None:
    """Name and id are not content."""
    assert field_changes(role("One", "A", id="1"), role("Two", "A", id="2")) == ()


@given(worlds() | rollbacks())
def test_holders_are_all_who_carry_the_role_before_or_after(it: World) -> None:
    """Everybody counts who has to do with the role, be it only before or only afterwards."""
    plan = it.plan()
    if plan.blockers:
        return
    before = oracle.carriers(plan.passage(it.current).before)
    after = oracle.carriers(plan.passage(it.current).after)
    for change in plan.changes:
        if not isinstance(change, AssignmentChange):
            people = before.get(change.name, set()) | after.get(change.name, set())
            assert change.holders == len(people), change.name


def test_holders_before_and_after_are_counted_together() -> None:
    """A role that goes from one person to another, and is edited, has two holders."""
    current = stored(role("Clerk", "A"), ada="Clerk")
    plan = world(current, desired(role("Clerk", "B"), users={"grace": "Clerk"})).plan()
    assert [c.holders for c in plan.changes if not isinstance(c, AssignmentChange)] == [2]


@given(worlds() | rollbacks())
def test_the_summary_counts_what_the_plan_lists(it: World) -> None:
    """Each change under its action; people once for gaining and once for losing."""
    plan = it.plan()
    summary = summarise(plan)
    for action in Action:
        assert getattr(summary, action.value) == sum(c.action is action for c in plan.changes)
    assert summary.gaining == sum(bool(user.gained) for user in plan.impact)
    assert summary.losing == sum(bool(user.lost) for user in plan.impact)


def test_a_summary_of_nothing_is_all_zeros() -> None:
    """The empty plan has the empty summary."""
    assert summarise(world(stored(), desired()).plan()) == Summary()


def test_a_renamed_and_edited_role_gives_two_changes() -> None:
    """The edit is told under the new name already."""
    current = stored(role("Helpdesk", "A"), ada="Helpdesk")
    plan = world(current, desired(renamed("Helpdesk", role("Support", "A B")))).plan()
    rename, update = plan.changes
    assert (rename.action, rename.name, rename.effect) == (Action.RENAME, "Support", "cosmetic")
    assert (update.action, update.name, update.added) == (Action.UPDATE, "Support", ("B",))
    assert summarise(plan) == Summary(update=1, rename=1, gaining=1)


@given(worlds())
def test_changes_stand_in_the_order_in_which_people_read(it: World) -> None:
    """Roles by name, then users by login."""
    plan = it.plan()
    roles = [c.name for c in plan.changes if not isinstance(c, AssignmentChange)]
    users = [c.name.casefold() for c in plan.changes if isinstance(c, AssignmentChange)]
    assert roles == sorted(roles)
    assert users == sorted(users)
    assert [c.name for c in plan.changes][: len(roles)] == roles


def test_coverage_counts_what_was_compared() -> None:
    """Ignored roles are counted by the glob that says so, and unmanaged kinds are named."""
    current = stored(role("Clerk"), role("Legacy One"), role("Legacy Two"), ada="Clerk")
    plan = world(current, desired(role("Clerk"), role("Desk")), ignore=("Legacy *",)).plan()
    assert (plan.coverage.roles, plan.coverage.users) == (2, 1)
    assert plan.coverage.ignored == {"Legacy *": 2}
    assert plan.coverage.unmanaged == ("users",)
