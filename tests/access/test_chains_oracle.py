"""Chains: all of them, each once, each replays; and no explosion."""

from __future__ import annotations

from itertools import islice, pairwise
from time import process_time

from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.engine.access.chains import Chain, Chains
from provisioner.model import Assignment, Role, State

PRIVILEGES = ("P", "Q")


@st.composite
def small_states(draw) -> State:
    """States with circles of includes, references to nothing, and users without roles."""
    names = [f"R{n}" for n in range(draw(st.integers(1, 5)))]
    some = st.frozensets(st.sampled_from([*names, "Gone"]), max_size=3)
    own = st.frozensets(st.sampled_from(PRIVILEGES))
    roles = {name: Role(name, "", draw(own), draw(some)) for name in names}
    return State(roles, {"ada": Assignment("Ada", draw(some))})


def simple_paths(state: State, path: tuple[str, ...], privilege: str):
    """The oracle: walk everywhere, never twice through one role."""
    role = state.roles.get(path[-1])
    if role is None:
        return
    if privilege in role.privileges:
        yield path
    for included in role.includes - set(path):
        yield from simple_paths(state, (*path, included), privilege)


def roles_along(chain: Chain) -> tuple[str, ...]:
    return tuple(link.subject for link in chain if link.kind != "assignment")


def assert_replays(chain: Chain, state: State) -> None:
    for link in chain:
        match link.kind:
            case "assignment":
                assert link.object in state.assignments[link.subject.casefold()].roles
            case "include":
                assert link.object in state.roles[link.subject].includes
            case "grant":
                assert link.object in state.roles[link.subject].privileges
    for link, following in pairwise(chain):
        assert link.object == following.subject
    assert [link.kind == "grant" for link in chain] == [False] * (len(chain) - 1) + [True]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(small_states(), st.sampled_from(PRIVILEGES))
def test_chains_are_all_simple_paths_shortest_first(state: State, privilege: str) -> None:
    chains = Chains(state)
    for name in (*state.roles, "Gone"):
        found = list(chains.of_role(name, privilege))
        expected = sorted(simple_paths(state, (name,), privilege), key=lambda p: (len(p), p))
        assert [roles_along(chain) for chain in found] == expected
        assert chains.shortest_of_role(name, privilege) == next(iter(found), None)
        assert chains.count_of_role(name, privilege) in (len(found), None)
        for chain in found:
            assert_replays(chain, state)
    found = list(chains.of_user("ADA", privilege))
    held = state.assignments["ada"].roles
    paths = (path for role in held for path in simple_paths(state, (role,), privilege))
    assert [roles_along(chain) for chain in found] == sorted(paths, key=lambda p: (len(p), p))
    assert chains.shortest_of_user("ada", privilege) == next(iter(found), None)
    assert chains.reach_of_user("ada").get(privilege) == next(iter(found), None)
    assert chains.count_of_user("ada", privilege) in (len(found), None)
    for chain in found:
        assert_replays(chain, state)


def ladder(height: int, *, in_a_circle: bool = False) -> State:
    """Two roles on each level, both including both of the next: 2 ** height ways down."""
    roles = {}
    for level in range(height):
        includes = frozenset((f"A{level + 1}", f"B{level + 1}"))
        for side in "AB":
            roles[f"{side}{level}"] = Role(f"{side}{level}", includes=includes)
    bottom = frozenset(("A0",)) if in_a_circle else frozenset()
    for side in "AB":
        roles[f"{side}{height}"] = Role(f"{side}{height}", "", frozenset("P"), bottom)
    return State(roles, {"ada": Assignment("ada", frozenset(("A0",)))})


def test_chains_come_one_by_one_and_are_counted_without_finding_them() -> None:
    started = process_time()
    chains = Chains(ladder(60))
    assert chains.count_of_user("ada", "P") == 2**60
    first = list(islice(chains.of_user("ada", "P"), 200))
    assert len(set(first)) == 200
    assert len(chains.shortest_of_user("ada", "P") or ()) == 62
    assert list(chains.of_user("ada", "Q")) == []
    assert chains.shortest_of_user("ada", "Q") is None
    assert process_time() - started < 5


def test_stored_circles_do_not_hang() -> None:
    started = process_time()
    chains = Chains(ladder(30, in_a_circle=True))
    assert chains.count_of_user("ada", "P") is None
    assert len(set(islice(chains.of_user("ada", "P"), 200))) == 200
    assert process_time() - started < 5
