"""The smallest cut, against trying every set of edges."""

from __future__ import annotations

from itertools import combinations
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.engine.access.effective import access_of, impact
from provisioner.engine.access.revoke import Revocation, revoke, without
from provisioner.model import Assignment, Role, State

Edge = tuple[str, str, str]


@st.composite
def small_states(draw) -> State:
    names = [f"R{n}" for n in range(draw(st.integers(1, 5)))]
    some = st.frozensets(st.sampled_from([*names, "Gone"]), max_size=3)
    own = st.frozensets(st.sampled_from("PQ"))
    roles = {name: Role(name, "", draw(own), draw(some)) for name in names}
    users = {login: Assignment(login, draw(some)) for login in ("ada", "bob", "eve")}
    return State(roles, users)


def edges(state: State, fixed: frozenset[str]) -> list[Edge]:
    """All that can be cut: ada's assignments, includes, grants of P."""
    found = [("assignment", "ada", role) for role in state.assignments["ada"].roles]
    for name, role in state.roles.items():
        if name not in fixed:
            found += [("include", name, included) for included in role.includes]
            found += [("grant", name, "P")] * ("P" in role.privileges)
    return sorted(found)


def cut(state: State, gone: tuple[Edge, ...]) -> State:
    """The state without these edges, the obvious way."""
    roles = {
        name: replace(
            role,
            privileges=frozenset(p for p in role.privileges if ("grant", name, p) not in gone),
            includes=frozenset(i for i in role.includes if ("include", name, i) not in gone),
        )
        for name, role in state.roles.items()
    }
    held = frozenset(
        r for r in state.assignments["ada"].roles if ("assignment", "ada", r) not in gone
    )
    return State(roles, {**state.assignments, "ada": Assignment("ada", held)})


def holds(state: State) -> bool:
    return "P" in access_of(state).of_user("ada")


def bystanders(state: State, gone: tuple[Edge, ...]) -> list[str]:
    return [
        change.user
        for change in impact(access_of(state), access_of(cut(state, gone)))
        if change.user != "ada"
    ]


def best(state: State, fixed: frozenset[str]) -> tuple[int, int, int]:
    """Size, edges that are no assignments, bystanders: of the best of all smallest cuts."""
    for size in range(20):
        sets = combinations(edges(state, fixed), size)
        ranks = [
            (size, sum(kind != "assignment" for kind, _, _ in gone), len(bystanders(state, gone)))
            for gone in sets
            if not holds(cut(state, gone))
        ]
        if ranks:
            return min(ranks)
    raise AssertionError(state)


def edges_of(found: Revocation) -> tuple[Edge, ...]:
    links = [item.links[0] for item in found.cuts]
    return tuple((link.kind, link.subject, link.object) for link in links)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(small_states(), st.frozensets(st.sampled_from(["R0", "R1"])))
def test_the_cut_is_smallest_then_most_assignments_then_fewest_bystanders(state, fixed) -> None:
    found = revoke(access_of(state), "ADA", "P", fixed=fixed)
    gone = edges_of(found)
    assert set(gone) <= set(edges(state, fixed))
    after = cut(state, gone)
    assert not holds(after)
    assert found.compared_all
    rank = (len(gone), sum(kind != "assignment" for kind, _, _ in gone), len(found.others))
    assert rank == best(state, fixed)
    # What it says of people is what the cut does to them.
    changes = {change.user: change.lost for change in impact(access_of(state), access_of(after))}
    own = changes.pop("ada", ())
    assert tuple(p for p in own if p != "P") == found.also
    assert {other.user: other.lost for other in found.others} == changes
    for item, edge in zip(found.cuts, gone, strict=True):
        assert [other.user for other in item.others] == bystanders(state, (edge,))
        assert without(access_of(state), "ada", frozenset(item.links)) == cut(state, (edge,))


def test_assignments_are_cut_before_includes_and_grants() -> None:
    roles = {"A": Role("A", includes=frozenset("B")), "B": Role("B", "", frozenset("PQ"))}
    users = {u: Assignment(u, frozenset("A")) for u in ("ada", "bob")}
    found = revoke(access_of(State(roles, users)), "ada", "P")
    assert edges_of(found) == (("assignment", "ada", "A"),)
    assert (found.others, found.also) == ((), ("Q",))


def test_one_grant_is_less_than_two_assignments() -> None:
    """Fewest edges count first, even where others lose by it."""
    roles = {n: Role(n, includes=frozenset("C")) for n in "AB"}
    roles["C"] = Role("C", "", frozenset("P"))
    users = {"ada": Assignment("ada", frozenset("AB")), "bob": Assignment("bob", frozenset("C"))}
    found = revoke(access_of(State(roles, users)), "ada", "P")
    assert edges_of(found) == (("grant", "C", "P"),)
    assert [other.user for other in found.others] == ["bob"]
    assert edges_of(revoke(access_of(State(roles, users)), "ada", "P", fixed=frozenset("C"))) == (
        ("assignment", "ada", "A"),
        ("assignment", "ada", "B"),
    )


@pytest.mark.parametrize("privilege", ["Q", "UNKNOWN"])
def test_there_is_nothing_to_cut_for_what_is_not_held(privilege: str) -> None:
    state = State({"A": Role("A", "", frozenset("P"))}, {"ada": Assignment("ada", frozenset("A"))})
    assert revoke(access_of(state), "ada", privilege).cuts == ()
    assert revoke(access_of(state), "nobody", "P").cuts == ()


def test_a_large_state_is_quick() -> None:
    """3,000 roles in layers, 20,000 users, one of whom holds 40 roles that all lead to P."""
    layers = [[f"L{level} {n}" for n in range(300)] for level in range(10)]
    roles = {}
    for level, names in enumerate(layers):
        below = layers[level + 1] if level < 9 else []
        for n, name in enumerate(names):
            includes = (
                frozenset(below[(n * 7 + k) % 300] for k in range(3)) if below else frozenset()
            )
            roles[name] = Role(name, "", frozenset("P" if not below else ()), includes)
    users = {
        f"u{n}": Assignment(f"u{n}", frozenset((f"L{n % 10} {n % 300}",))) for n in range(20_000)
    }
    users["ada"] = Assignment("ada", frozenset(layers[0][:40]))
    state = State(roles, users)
    started = process_time()
    found = revoke(access_of(state), "ada", "P")
    assert process_time() - started < 10
    assert len(found.cuts) == 40
    assert found.others == ()
