"""Files and messages that an earlier provisioner wrote, kept in ``before/``, and what they mean.

Each is still read to the same values, which stand beside it, and written to the same bytes.
"""

from __future__ import annotations

import json
from datetime import date
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from provisioner import catalogue, strict_json
from provisioner.backends.http.gateway.changesets import changeset_of
from provisioner.documents import plan as planfile
from provisioner.documents import state as statefile
from provisioner.documents.gateway import shapes
from provisioner.documents.gateway.decode import capabilities_of, catalogue_of, entry_of, state_of
from provisioner.documents.gateway.encode import PRODUCT, recording_document, run_document
from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
)
from provisioner.server.http.tokens import Subject
from provisioner.server.panel.rendering import Rendering
from provisioner.server.panel.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.engine.writes import Write
    from provisioner.model import State

BEFORE = Path(__file__).parent / "before"
LINEAGE = "6f1c5a0e-7d43-4f0e-9a2b-3c8d5e9f0a11"
SUBJECT = Subject("", "ci@example.com", may_write=True)


def files(kind: str) -> Any:
    """A parameter for each file of a kind."""
    found = sorted((BEFORE / kind).glob("*.json"))
    assert found
    return pytest.mark.parametrize("file", found, ids=lambda file: file.stem)


def told(value: Any) -> Any:
    """A value as JSON, whatever its class is made with: names of fields, sets sorted."""
    kind = type(value)
    names = getattr(kind, "__struct_fields__", None) or getattr(kind, "__slots__", None)
    if isinstance(value, dict):
        return {key: told(item) for key, item in value.items()}
    if isinstance(value, tuple | list | frozenset):
        items = list(map(told, value))
        return sorted(items) if isinstance(value, frozenset) else items
    if names and not isinstance(value, Enum | date):
        return {kind.__name__: {name: told(getattr(value, name)) for name in names}}
    plain = value.value if isinstance(value, Enum) else value
    return plain if isinstance(plain, int | str | None) else str(plain)


def expected(file: Path) -> Any:
    """The values that stand beside a file."""
    return json.loads(file.with_suffix(".values").read_bytes())


def message(name: str) -> bytes:
    """A message of the gateway contract."""
    return (BEFORE / "gateway" / f"{name}.json").read_bytes()


def version() -> Version:
    """What the messages of a gateway are about: the state of a file that is kept here too."""
    state = statefile.decode((BEFORE / "states" / "run-2.json").read_bytes(), "run-2").state
    names = {str(role.id): name for name, role in state.roles.items()}
    defaults = frozenset(id for id in names if id.startswith("default-"))
    return Version("sandbox", LINEAGE, 2, "a-mark", state, names, defaults)


@files("plans")
def test_plans(file: Path) -> None:
    plan = planfile.decode(file.read_bytes(), file.name)
    assert told(plan) == expected(file)
    assert planfile.encode(plan) == file.read_bytes()


@files("states")
def test_states_and_entries_of_a_history(file: Path) -> None:
    found = statefile.decode(file.read_bytes(), file.name)
    header = found.header
    assert statefile.read_header(file.read_bytes(), file.name) == header
    assert told(found) == expected(file)
    written = statefile.encode(header.lineage, header.serial, header.run, found.state)
    assert written == file.read_bytes()


@files("catalogues")
def test_catalogues(file: Path) -> None:
    found = catalogue.from_document(strict_json.parse(file.read_bytes()))
    flags = (found.grantable, found.internal, found.sensitive, found.default_names)
    parts = (found.name, found.known, found.privileges, found.default_roles, flags)
    assert told(parts) == expected(file)


def test_what_a_gateway_answers() -> None:
    """Byte for byte: the ETags are made from it."""
    of = version()
    rendering = Rendering(catalogue.shipped())
    written = message("state").replace(b"provisioner 0.1.0", PRODUCT.encode())
    assert rendering.state(of, SUBJECT) == written
    assert rendering.run_state(of) == message("kept")
    role, user = of.state.roles["Bookkeeper"], of.state.assignments["bob@example.com"]
    assert rendering.role(of, role).whole.encode() == message("role")
    assert rendering.user(of, user).whole.encode() == message("user")


@pytest.mark.parametrize("name", ["state", "kept"])
def test_what_a_client_makes_of_a_state(name: str) -> None:
    document = strict_json.parse(message(name))
    values = {"state": told(state_of(document))}
    if name == "state":
        assert shapes.valid("State", document)
        listed = catalogue_of(document, state_of(document).roles)
        values["catalogue"] = told((listed.name, listed.privileges, listed.default_roles))
        values["capabilities"] = told(capabilities_of(document["capabilities"], atomic=True))
    assert values == expected(BEFORE / "gateway" / f"{name}.json")


def test_what_a_client_makes_of_the_runs() -> None:
    document = strict_json.parse(message("runs"))
    assert shapes.valid("RunPage", document)
    assert told(list(map(entry_of, document["items"]))) == expected(BEFORE / "gateway/runs.json")
    dated = {**document["items"][1], "run": strict_json.parse(message("run-with-dates"))}
    assert told(entry_of(dated)) == expected(BEFORE / "gateway/run-with-dates.json")


def writes_of_before(before: State, after: State) -> list[Write]:
    """The writes in the order of then: all that shrinks, then all that grows."""
    ids = {role.id: role.name for role in before.roles.values()}
    books, gone = ids["r-1fabbbf68e02"], ids["r-c8c4a52da339"]
    bob, cy = before.assignments["bob@example.com"], before.assignments["cy@example.com"]
    renamed = replace(before.roles[books], name="Bookkeeper")
    changed = [ids["r-8edae5666e16"], "Bookkeeper", ids["default-full-access"]]
    now = {**before.roles, "Bookkeeper": renamed}
    return [
        SetAssignment(bob.user, bob.roles, frozenset({books})),
        SetAssignment(cy.user, cy.roles, frozenset()),
        DeleteRole(before.roles[gone]),
        RenameRole(before.roles[books], "Bookkeeper"),
        CreateRole(after.roles["Fresh"]),
        *(UpdateRole(now[name], replace(after.roles[name], id=now[name].id)) for name in changed),
        SetAssignment(
            bob.user, frozenset({"Bookkeeper"}), after.assignments["bob@example.com"].roles
        ),
        SetAssignment(cy.user, frozenset(), after.assignments["cy@example.com"].roles),
    ]


def test_what_a_client_sends() -> None:
    plan = planfile.decode((BEFORE / "plans/everything.json").read_bytes(), "a plan")
    before = statefile.decode((BEFORE / "states/run-1.json").read_bytes(), "run-1").state
    after = version().state
    writes = writes_of_before(before, plan.passage(before).after)
    dated = statefile.decode((BEFORE / "states/run-2.json").read_bytes(), "run-2").header.run
    assert dated
    run = replace(dated, until=None)
    changeset = changeset_of(writes, before.roles, after, run)
    assert shapes.valid("Changeset", changeset)
    assert json.dumps(changeset).encode() == message("changeset")
    record = {"run": run_document(run), **recording_document(after.recorded, after.policies)}
    assert json.dumps(record).encode() == message("record")
    assert json.dumps(run_document(dated)).encode() == message("run-with-dates")


def test_every_part_of_a_plan_is_there() -> None:
    """Of each list of a plan's document some file has items, and of each kind of change."""
    documents = [json.loads(file.read_bytes()) for file in (BEFORE / "plans").glob("*.json")]
    lists = {key for key, value in documents[0].items() if isinstance(value, list)}
    assert {key for key in lists if any(document[key] for document in documents)} == lists
    assert actions(documents) == {"create", "update", "rename", "delete", "assign"}


def actions(documents: Iterable[dict[str, Any]]) -> set[str]:
    """What the changes of the plans do."""
    return {change["action"] for document in documents for change in document["changes"]}
