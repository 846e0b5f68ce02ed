"""The state file as bytes: what it looks like, and that it keeps whatever is put into it."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner import schemas
from provisioner.backends.base import Run
from provisioner.documents import state as document
from provisioner.model import KINDS, Assignment, Base, Ending, Role, State

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent.parent / "golden" / "state.json"
LINEAGE = "6f1c5a0e-7d43-4f0e-9a2b-3c8d5e9f0a11"
RUN = Run(
    "2026-03-01T09:30:00Z", "ada@desk", "apply", "2 to create, 1 to change", "sha256:" + "ab" * 32
)


def example() -> State:
    """Return a state with one of everything."""
    roles = (
        Role(
            "Full Access", "", frozenset({"CONFIG_SECURITY"}), protected=True, id="r-000000000001"
        ),
        Role(
            "Viewer", "Looks, touches nothing", frozenset({"B_VIEW", "A_VIEW"}), id="r-000000000002"
        ),
        Role('Süd "Ost" 🚒', "a\nb", frozenset(), frozenset({"Viewer"}), id="r-000000000003"),
    )
    users = (
        Assignment("Ada@example.com", frozenset({"Viewer", "Full Access"})),
        Assignment("grace@example.com", frozenset({'Süd "Ost" 🚒'})),
    )
    return State(
        {role.name: role for role in roles},
        {held.user.casefold(): held for held in users},
        frozenset({"users", "roles"}),
    )


def encoded(state: State | None = None, serial: int = 7, run: Run | None = RUN) -> bytes:
    """Return the bytes of a state file."""
    return document.encode(LINEAGE, serial, run, state or example())


def test_the_state_file_looks_like_the_golden_one(golden: Callable[[str, str], None]) -> None:
    """Any change of the format shows here."""
    golden("state.json", encoded().decode())


def test_the_golden_file_is_read_as_it_was_meant() -> None:
    """Header and state come out as they went in."""
    read = document.decode(GOLDEN.read_bytes(), "state.json")
    assert read.state == example()
    assert read.header.run == RUN
    assert read.header.base == Base(LINEAGE, 7, read.header.digest)
    assert document.read_header(GOLDEN.read_bytes(), "state.json") == read.header


def test_the_state_file_is_one_json_document() -> None:
    """Any JSON parser reads it, and the schema describes it."""
    assert schemas.valid("state", json.loads(encoded()))
    assert not list(schemas.violations("state", json.loads(encoded())))


def test_each_role_and_each_user_has_a_line() -> None:
    """So that a diff shows the role that changed."""
    state = example()
    lines = encoded().decode().splitlines()
    for name in [*state.roles, *(held.user for held in state.assignments.values())]:
        holding = [
            line
            for line in lines
            if line.startswith("{") and json.dumps(name, ensure_ascii=False) in line
        ]
        assert holding
    changed = Role("Viewer", "Only looks", id="r-000000000002")
    other = State(dict(state.roles) | {"Viewer": changed}, state.assignments, state.recorded)
    differing = set(encoded(other).splitlines()) - set(encoded().splitlines())
    assert len(differing) == 2, "the digest and the line of the role"


def test_the_digest_is_over_all_bytes_after_its_line() -> None:
    """As docs/state-file.md says, so that other programs can check it."""
    first, second, rest = encoded().split(b"\n", 2)
    assert first == b"{"
    assert second == b'"digest": "sha256:%s",' % hashlib.sha256(rest).hexdigest().encode()


def test_the_order_of_a_state_does_not_show() -> None:
    """The same state is the same bytes."""
    state = example()
    turned = State(
        dict(reversed(list(state.roles.items()))),
        dict(reversed(list(state.assignments.items()))),
        state.recorded,
    )
    assert encoded(turned) == encoded()


def test_an_empty_state_can_be_stored() -> None:
    """No roles and no users are lists without lines."""
    assert document.decode(encoded(State(), 0, None), "state.json").state == State()


names = st.text(min_size=1, max_size=12)
privilege_sets = st.frozensets(st.text(min_size=1, max_size=8), max_size=5)


@st.composite
def states(draw: st.DrawFn) -> State:
    """Draw states with any text in them."""
    chosen = draw(st.lists(names, unique_by=str.casefold, max_size=6))
    some = st.frozensets(st.sampled_from(chosen), max_size=3) if chosen else st.just(frozenset())
    roles = {
        name: Role(
            name,
            draw(st.text(max_size=20)),
            draw(privilege_sets),
            draw(some) & set(chosen[:number]),
            draw(st.booleans()),
            f"r-{number}",
        )
        for number, name in enumerate(chosen)
    }
    logins = draw(st.lists(names, unique_by=str.casefold, max_size=6))
    users = {login.casefold(): Assignment(login, draw(some)) for login in logins}
    recorded = draw(st.frozensets(st.sampled_from(KINDS)))
    return State(roles, users, recorded)


@given(
    state=states(), serial=st.integers(1, 10**15 - 1), texts=st.tuples(*[st.text(max_size=9)] * 5)
)
@settings(max_examples=150, deadline=None)
def test_any_state_comes_back_as_it_was(state: State, serial: int, texts: tuple[str, ...]) -> None:
    """Encoding loses nothing, whatever the names, and is read by both readers."""
    ends = (Ending(texts[0], texts[1], date(2026, 1, 31)),)
    run = Run(texts[0], texts[1], texts[2], texts[3], texts[4], ends)
    data = encoded(state, serial, run)
    read = document.decode(data, "state.json")
    assert read.state == state
    assert (read.header.serial, read.header.run) == (serial, run)
    assert document.read_header(data, "state.json") == read.header
    assert data.count(b"\n") == encoded(State(), serial, run).count(b"\n") + sum(
        len(kind) + 1 for kind in (state.roles, state.assignments) if kind
    )
