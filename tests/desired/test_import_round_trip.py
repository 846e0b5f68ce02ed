"""What `import` writes reads back as what was stored."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner import names
from provisioner.catalogue import from_document, shipped, unknown
from provisioner.desired.load import load, read_checked
from provisioner.desired.surroundings import Surroundings
from provisioner.desired.writer import write_catalogue, write_state
from provisioner.engine.planning.making import make_plan
from provisioner.engine.planning.plan import TargetIdentity
from provisioner.engine.settings import Settings
from provisioner.model import (
    Assignment,
    Base,
    Capabilities,
    Catalogue,
    DesiredState,
    Privilege,
    Requirement,
    Role,
    Snapshot,
    State,
)
from provisioner.reports.text.style import json_text

if TYPE_CHECKING:
    from pathlib import Path

CATALOGUE = shipped()
DEFAULTS = {role.name: role for role in CATALOGUE.default_roles}
TARGET = TargetIdentity("sandbox", "memory", "memory:test", Capabilities(atomic=True))

# Names that YAML, globs or other tools could take for something else, and any others.
TRICKY = [
    "no",
    "010",
    "~",
    "2026-01-01",
    "a: b",
    "- x",
    "#1",
    "*",
    "A*",
    "é",
    "<<",
    "[x]",
    "&a",
    "'",
]
ANY_NAME = st.one_of(st.sampled_from(TRICKY), st.text(min_size=1, max_size=12))
FIT_NAME = ANY_NAME.filter(lambda name: names.flaw(name) is None and "*" not in name)
LATIN_NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 .:#&'-]{0,20}[A-Za-z0-9]", fullmatch=True)
DESCRIPTION = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=40)
PRIVILEGES = st.frozensets(st.sampled_from(sorted(CATALOGUE.grantable)), max_size=5)


@st.composite
def states(draw: st.DrawFn, names: st.SearchStrategy[str]) -> State:
    """Stored roles and assignments; includes lead to earlier roles only."""
    roles = dict(DEFAULTS)
    for name in draw(st.lists(names, max_size=5, unique_by=str.casefold)):
        if CATALOGUE.is_default(name):
            continue
        includes = draw(st.frozensets(st.sampled_from(sorted(roles)), max_size=2))
        roles[name] = Role(
            name,
            draw(DESCRIPTION),
            draw(PRIVILEGES),
            includes,
            draw(st.booleans()),
            id=f"r-{len(roles)}",
        )
    held = st.frozensets(st.sampled_from(sorted(roles)), min_size=1, max_size=3)
    logins = draw(st.lists(LATIN_NAME, max_size=4, unique_by=str.casefold))
    users = {login.casefold(): Assignment(login, draw(held)) for login in logins}
    return State(roles, users, frozenset({"roles", "users"}))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the imported YAML goes; each example writes over the last."""
    return tmp_path_factory.mktemp("import") / "imported.yaml"


def read_back(text: str, file: Path) -> DesiredState:
    """Load what was written."""
    file.write_bytes(text.encode())
    return load([str(file)], Surroundings(CATALOGUE)).desired


@settings(max_examples=100, deadline=None)
@given(state=states(LATIN_NAME))
def test_a_tidy_state_reads_back_as_it_was(state: State, file: Path) -> None:
    """Roles and users are equal, default roles as shipped are left out, nothing is warned of."""
    written = write_state(state, CATALOGUE, ships_defaults=True)
    desired = read_back(written.text, file)
    assert written.warnings == ()
    found = {name: wanted.role for name, wanted in (desired.roles or {}).items()}
    stored = {
        name: Role(name, r.description, r.privileges, r.includes, r.protected)
        for name, r in state.roles.items()
        if name not in DEFAULTS
    }
    assert found == stored
    held = {login: {d.role for d in user.roles} for login, user in (desired.users or {}).items()}
    assert held == {login: set(a.roles) for login, a in state.assignments.items()}


@settings(max_examples=100, deadline=None)
@given(state=states(FIT_NAME))
def test_every_name_that_validate_accepts_reads_back(state: State, file: Path) -> None:
    """Whatever it looks like to YAML."""
    written = write_state(state, CATALOGUE, ships_defaults=True)
    desired = read_back(written.text, file)
    ignored = set(desired.ignore)
    assert len(written.warnings) == len(ignored)
    declared = {name: wanted.role for name, wanted in (desired.roles or {}).items()}
    assert declared.keys() | ignored | DEFAULTS.keys() == state.roles.keys()
    for name, role in declared.items():
        assert role.description == state.roles[name].description


@settings(max_examples=100, deadline=None)
@given(state=states(ANY_NAME))
def test_every_state_reads_back_to_no_change(state: State, file: Path) -> None:
    """What can't be declared is left alone, so that the imported file plans to nothing."""
    desired = read_back(write_state(state, CATALOGUE, ships_defaults=True).text, file)
    plan = make_plan(
        desired, Snapshot(state, Base("l", 1)), Settings(), date(2026, 3, 1), TARGET, CATALOGUE
    ).plan
    assert plan.changes == ()
    assert plan.blockers == ()


ODD_PRIVILEGES = st.sampled_from(
    ["ARDOCS_VIEW", "ARDOCS_*", "*", " ARDOCS_VIEW", "e\u0301", "x" * 300, "no", "NOBODY", "\x00"]
)
ODD_LOGIN = st.one_of(ANY_NAME, st.sampled_from([" ada", "e\u0301@x", "x" * 200, "y" * 300, "a*b"]))


@settings(max_examples=200, deadline=None)
@given(
    state=states(st.one_of(ANY_NAME, st.sampled_from(["n" * 200, "e\u0301", " blank "]))),
    data=st.data(),
)
def test_no_state_of_any_panel_is_too_odd(state: State, data: st.DataObject, file: Path) -> None:
    """Odd logins, roles and privileges, external roles, a catalogue that nobody knows."""
    catalogue = data.draw(st.sampled_from([CATALOGUE, unknown(state.roles)]))
    roles = {
        name: replace(role, privileges=role.privileges | data.draw(st.frozensets(ODD_PRIVILEGES)))
        if name not in DEFAULTS
        else role
        for name, role in state.roles.items()
    }
    logins = data.draw(st.lists(ODD_LOGIN, max_size=4, unique_by=str.casefold))
    held = st.frozensets(st.sampled_from(sorted(roles)), min_size=1, max_size=3)
    users = {login.casefold(): Assignment(login, data.draw(held)) for login in logins}
    state = State(roles, users, state.recorded)
    fit = sorted(n for n in roles if names.flaw(n) is None and n not in DEFAULTS)
    external = tuple(sorted(data.draw(st.frozensets(st.sampled_from(fit))) if fit else ()))
    written = write_state(
        state, catalogue, external=external, ships_defaults=catalogue is CATALOGUE
    )
    file.write_bytes(written.text.encode())
    desired = load([str(file)], Surroundings(catalogue, external=external)).desired
    settings = Settings(external=external)
    snapshot = Snapshot(state, Base("l", 1))
    plan = make_plan(desired, snapshot, settings, date(2026, 3, 1), TARGET, catalogue).plan
    assert plan.changes == ()
    assert plan.blockers == ()
    assert len(written.warnings) == len(set(desired.ignore)) + len(set(desired.ignore_users))


@settings(max_examples=100, deadline=None)
@given(state=states(ANY_NAME))
def test_the_same_state_is_the_same_text(state: State) -> None:
    """In whatever order it was stored."""
    roles = dict(list(state.roles.items())[::-1])
    users = dict(list(state.assignments.items())[::-1])
    shuffled = State(roles, users, state.recorded)
    written, again = (write_state(s, CATALOGUE, ships_defaults=True) for s in (state, shuffled))
    assert written == again


def test_where_nobody_knows_how_they_were_shipped_default_roles_are_written(file: Path) -> None:
    """A panel tells them as they are now; one that carries everything will do so tomorrow too."""
    edited = replace(DEFAULTS["Service Desk Only"], privileges=frozenset({"ARDOCS_VIEW"}))
    state = State({**DEFAULTS, edited.name: edited}, recorded=frozenset({"roles", "users"}))
    told = replace(CATALOGUE, default_roles=tuple(state.roles.values()))
    written = write_state(state, told, ships_defaults=False)
    assert "shipped" not in written.text
    assert "as the panel ships" not in written.text
    roles = read_back(written.text, file).roles or {}
    assert {name: role.role.privileges for name, role in roles.items()} == {
        name: role.privileges for name, role in state.roles.items()
    }
    assert yaml.safe_load(written.text)["roles"]["Full Access"]["privileges"] == ["*"]


def test_a_catalogue_reads_back_as_it_was(tmp_path: Path) -> None:
    """Requirements, marks, names with blanks, and default roles with what they include."""
    full = Role("Admin", "All of it", frozenset({"can read on Über"}), frozenset({"Public"}))
    told = Catalogue(
        "panel",
        {
            "can read on Über": Privilege("can read on Über", "Pages", "Read it", sensitive=True),
            "NOBODY": Privilege("NOBODY", internal=True),
            "B": Privilege("B", requires=(Requirement("C"), Requirement("NOBODY", "at night"))),
            "C": Privilege("C"),
        },
        (full, Role("Public", privileges=frozenset({"C"}))),
    )
    file = tmp_path / "catalogue.yaml"
    carried = {"Admin": told.grantable, "Public": frozenset({"C"})}
    file.write_text(write_catalogue(told, carried))
    read = from_document(read_checked(str(file), "catalogue"))
    assert read.privileges == told.privileges
    assert [(r.name, r.description, r.privileges) for r in read.default_roles] == [
        ("Admin", "All of it", told.grantable),
        ("Public", "", frozenset({"C"})),
    ]


def test_text_that_plays_tricks_is_written_by_number(tmp_path: Path) -> None:
    """In YAML and in JSON nothing of it reaches a terminal; what is readable stays."""
    tricky = 'é \x7f\x9b31m\u202e\U000e0041 "q" \\ 漢'
    role = Role("Clerk", tricky, id="r-1")
    text = write_state(State({**DEFAULTS, "Clerk": role}), CATALOGUE, ships_defaults=True).text
    assert r"é \u007F\u009B31m\u202E\U000E0041 \"q\" \\ 漢" in text
    (tmp_path / "roles.yaml").write_text(text)
    loaded = load([str(tmp_path)], Surroundings(CATALOGUE))
    assert (loaded.desired.roles or {})["Clerk"].role.description == tricky
    shown = json_text({"a": [tricky]}, indent=2)
    assert r"é \u007f\u009b31m\u202e\udb40\udc41 \"q\" \\ 漢" in shown
    assert json.loads(shown) == {"a": [tricky]}
    assert json_text([tricky]) == json_text([tricky]).translate({0x9B: None, 0x202E: None})
