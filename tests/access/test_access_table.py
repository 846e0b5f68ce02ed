"""The table of bits, the sheet, and the review, against the obvious way."""

from __future__ import annotations

import csv
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.documents.access_review import read_holdings, sheet_text
from provisioner.engine.access.effective import AccessTable, access_of, carriers, indices
from provisioner.engine.access.review import Review, Selection, by_privilege, differences
from provisioner.errors import InvalidInput
from provisioner.model import Assignment, DatedRole, DesiredUser, Role, State

PROPERTY = settings(max_examples=200, deadline=None, derandomize=True, database=None)


@st.composite
def small_states(draw) -> State:
    names = [f"R{n}" for n in range(draw(st.integers(1, 6)))]
    some = st.frozensets(st.sampled_from([*names, "Gone"]), max_size=3)
    own = st.frozensets(st.sampled_from("PQST"))
    roles = {name: Role(name, "", draw(own), draw(some)) for name in names}
    users = {login: Assignment(login.title(), draw(some)) for login in ("ada", "bob")}
    return State(roles, users)


def walked(state: State, roles: frozenset[str]) -> set[str]:
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(roles)
    while waiting:
        name = waiting.pop()
        if name in state.roles and name not in seen:
            seen.add(name)
            found |= state.roles[name].privileges
            waiting += state.roles[name].includes
    return found


@PROPERTY
@given(small_states())
def test_the_table_is_what_a_walk_finds(state: State) -> None:
    table, access = AccessTable(state), access_of(state)
    for name in state.roles:
        expected = sorted(walked(state, frozenset((name,))))
        assert list(table.names(table.roles[name])) == expected == sorted(access.of_role(name))
    for login, held in state.assignments.items():
        expected = sorted(walked(state, held.roles))
        assert list(table.names(table.users[login])) == expected == sorted(access.of_user(login))


@PROPERTY
@given(small_states())
def test_every_way_to_look_tells_the_same(state: State) -> None:
    review = Review(state, Selection())
    by_user = {(row.name, p) for row in review.rows("user") for p in row.privileges}
    assert by_user == {(user, row.name) for row in review.rows("privilege") for user in row.users}
    attested = [(line.subject, line.privilege) for line in review.attestations("user")]
    assert attested == sorted(by_user)
    by_role = {(row.name, p) for row in review.rows("role") for p in row.privileges}
    assert by_role == {(role, row.name) for row in review.rows("privilege") for role in row.roles}
    assert [(x.subject, x.privilege) for x in review.attestations("role")] == sorted(by_role)


@PROPERTY
@given(small_states(), small_states())
def test_a_difference_leads_from_one_to_the_other(before: State, after: State) -> None:
    old, new = (Review(state, Selection()).holdings("user") for state in (before, after))
    found = differences(old, new)
    reached = {name: set(held) for name, held in old.values()}
    for change in found:
        held = reached.setdefault(change.name, set())
        assert held.isdisjoint(change.gained)
        assert held.issuperset(change.lost)
        held.difference_update(change.lost)
        held.update(change.gained)
    assert {n: h for n, h in reached.items() if h} == {n: set(h) for n, h in new.values()}
    turned = {(user, c.name) for c in by_privilege(found) for user in c.gained}
    assert turned == {(c.name, privilege) for c in found for privilege in c.gained}


def test_a_review_names_the_way_that_lasts_longest() -> None:
    roles = {
        "Short": Role("Short", "", frozenset("P")),
        "Long": Role("Long", includes=frozenset({"Short"})),
    }
    state = State(roles, {"ada": Assignment("ada", frozenset({"Short", "Long"}))})
    dated = DesiredUser("ada", (DatedRole("Short", date(2026, 1, 1)), DatedRole("Long")))
    (line,) = Review(state, Selection()).attestations("user", users={"ada": dated})
    assert [link.object for link in line.chain] == ["Long", "Short", "P"]
    assert line.dated == DatedRole("Long")


def test_a_selection_of_roles_is_of_assigned_ones() -> None:
    roles = {"A": Role("A", "", frozenset("P")), "B": Role("B", "", frozenset("Q"))}
    state = State(roles, {"ada": Assignment("ada", frozenset("AB"))})
    (row,) = Review(state, Selection(roles=("a",))).rows("user")
    assert (row.roles, row.privileges) == (("A",), ("P",))
    assert Review(state, Selection(users=("bob",))).rows("role") == ()


@PROPERTY
@given(st.text("='+-@\tab\",\n ", min_size=1), st.text("'=X", min_size=1))
def test_a_sheet_is_harmless_and_reads_back(name: str, privilege: str) -> None:
    text = sheet_text(("role", "privilege"), [(name, privilege)])
    assert read_holdings(text.encode(), "x.csv", "role") == {name: (name, frozenset({privilege}))}
    cell = next(csv.reader(text.splitlines(keepends=True)[1:]))[0]
    assert not cell.startswith(("=", "+", "-", "@", "\t"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a;b\n", "no column `user`"),
        (b"", "no column `user`"),
        (b"user,privilege\nada\n", "line 2 lacks a privilege"),
        (b"user,privilege\n\xff,P\n", "not in UTF-8"),
        (b'user,privilege\n"ada,P\n', "is no CSV"),
    ],
)
def test_a_sheet_that_is_none_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read_holdings(data, "x.csv", "user")


@PROPERTY
@given(small_states())
def test_who_carries_a_role_is_what_walking_from_each_user_finds(state: State) -> None:
    """Over includes, circles among them; a bit for each user, in the order that was asked for."""
    access, logins = access_of(state), sorted(state.assignments)
    found = carriers(state, logins)
    for name in state.roles:
        walked = [u for u in logins if name in access.closure(state.assignments[u].roles)]
        assert [logins[index] for index in indices(found[name])] == walked
