"""The contract's documents and the values they stand for: there and back, and what contradicts."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace

from provisioner import catalogue
from provisioner.backends.base import Run
from provisioner.backends.committed_state import with_initial_ids
from provisioner.backends.http.gateway.changesets import changeset_of
from provisioner.documents.gateway import encode, shapes
from provisioner.documents.gateway.decode import (
    Contradiction,
    capabilities_of,
    catalogue_of,
    entry_of,
    state_of,
)
from provisioner.engine.writes import CreateRole, DeleteRole, RenameRole, SetAssignment, Unfit
from provisioner.model import Ending, Role, State
from provisioner.testing.strategies import worlds
from tests.engine.build import plan_writes

RUN = Run("2026-03-01T00:00:00Z", "tests@here", "apply", "a test")


def role(id: str, name: str, *includes: str) -> dict[str, Any]:
    return {
        "id": id,
        "name": name,
        "description": "",
        "privileges": ["ACCOUNTS_VIEW_DET"],
        "includes": list(includes),
        "protected": False,
        "default": False,
    }


def kept(roles: list[dict[str, Any]], users: list[dict[str, Any]]) -> dict[str, Any]:
    return {"recorded": [], "policies": [], "roles": roles, "users": users}


@given(worlds())
def test_a_state_comes_back_as_it_was_sent(it: Any) -> None:
    state = with_initial_ids(it.current)
    sent = json.loads(json.dumps(encode.state_document(state, set())))
    held = {user: found for user, found in state.assignments.items() if found.roles}
    assert state_of(sent) == replace(state, assignments=held)


@given(worlds())
def test_every_plan_makes_a_changeset_of_the_contract(it: Any) -> None:
    without = {name: replace(found, id=None) for name, found in it.current.roles.items()}
    state = with_initial_ids(replace(it.current, roles=without))
    it = replace(it, current=state)
    plan = it.plan()
    if plan.blockers or plan.is_empty:
        return
    writes = plan_writes(plan, state)
    body = changeset_of(writes, state.roles, state, RUN)
    assert shapes.valid("Changeset", body), list(shapes.violations("Changeset", body))
    assert len(body["writes"]) == len(writes)


def test_roles_that_a_changeset_makes_go_by_a_reference() -> None:
    old = Role("Old", id="r-1")
    writes = (
        RenameRole(old, "New"),
        CreateRole(Role("Old", includes=frozenset({"New"}))),
        SetAssignment("ada", frozenset(), frozenset({"New", "Old"})),
    )
    sent = changeset_of(writes, {"Old": old}, State(), RUN)["writes"]
    assert sent[0] == {"op": "rename_role", "role": "r-1", "name": "New"}
    assert sent[1]["includes"] == ["r-1"]
    assert sent[2]["roles"] == sorted([sent[1]["ref"], "r-1"])


@pytest.mark.parametrize(
    "write",
    [
        DeleteRole(Role("Nowhere")),
        RenameRole(Role("Nowhere"), "Other"),
        SetAssignment("ada", frozenset(), frozenset({"Nowhere"})),
        CreateRole(Role("Outer", includes=frozenset({"Nowhere"}))),
    ],
)
def test_a_role_that_is_not_there_has_no_id(write: Any) -> None:
    with pytest.raises(Unfit, match="there is no role Nowhere"):
        changeset_of((write,), {}, State(), RUN)


@pytest.mark.parametrize(
    ("roles", "users", "message"),
    [
        ([role("a", "A"), role("a", "B")], [], "roles[1].id (B): a is the id of A already"),
        (
            [role("a", "Ä"), role("b", "ä")],
            [],
            "roles[1].name: ä is taken by Ä; case does not count",
        ),
        ([role("a", "A", "b")], [], "roles[0].includes (A): there is no role b"),
        (
            [role("a", "A")],
            [{"login": "ada", "roles": ["a"]}, {"login": "bob", "roles": ["z"]}],
            "users[1].roles (bob): there is no role z",
        ),
        (
            [role("a", "A")],
            [{"login": "ada", "roles": []}, {"login": "ADA", "roles": ["a"]}],
            "users[1].login: ADA is taken by ada; case does not count",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(roles: Any, users: Any, message: str) -> None:
    with pytest.raises(Contradiction) as caught:
        state_of(kept(roles, users))
    assert str(caught.value) == message


def test_roles_that_include_each_other_are_refused() -> None:
    roles = [role("a", "A", "b"), role("b", "B", "a")]
    with pytest.raises(Contradiction, match=r"includes itself: (A > B > A|B > A > B)"):
        state_of(kept(roles, []))


def test_a_policy_without_a_rule_is_refused() -> None:
    document = kept([], []) | {"policies": [{"name": "p"}, {"name": "q", "deny": ["A"]}]}
    with pytest.raises(Contradiction, match=re.escape("policies[0]: policy `p` has no rule")):
        state_of(document)


def test_all_that_contradicts_is_told_at_once() -> None:
    users = [{"login": f"u{number}", "roles": ["z"]} for number in range(30)]
    with pytest.raises(Contradiction) as caught:
        state_of(kept([role("a", "A"), role("a", "a")], users))
    assert len(caught.value.problems) == 21
    assert "roles[1].name: a is taken by A" in str(caught.value)
    assert str(caught.value).endswith("and 12 more of such")


def test_a_user_without_roles_is_no_assignment() -> None:
    assert state_of(kept([], [{"login": "ada", "roles": []}])).assignments == {}


def test_the_catalogue_comes_back_with_the_default_roles() -> None:
    shipped = catalogue.shipped()
    roles = {found.name: found for found in shipped.default_roles}
    state = with_initial_ids(State(roles))
    ids = {found.id for found in state.roles.values()}
    document = {
        **encode.state_document(state, ids),
        "catalogue": encode.catalogue_document(shipped),
    }
    found = catalogue_of(document, state.roles)
    assert found.privileges == shipped.privileges
    assert found.default_names == shipped.default_names


def test_a_privilege_that_is_listed_twice_is_refused() -> None:
    document = encode.catalogue_document(catalogue.shipped())
    document["privileges"].append(document["privileges"][0])
    with pytest.raises(Contradiction, match="is there twice"):
        catalogue_of({"catalogue": document, "roles": []}, {})


def test_what_a_gateway_can_do_and_does_not_say_here_is_left_out() -> None:
    told: dict[str, Any] = {
        "state": True,
        "changesets": True,
        "renames": False,
        "time_travel": True,
    }
    told |= {"versions": "strong", "whole_roles": None}
    found = capabilities_of(told, atomic=True)
    assert found.atomic
    assert not found.renames
    assert found.versions
    assert found.whole_roles


def test_a_run_of_the_history() -> None:
    item = {
        "number": 3,
        "run": encode.run_document(RUN),
        "subject": "ci@example.com",
        "has_state": False,
    }
    assert entry_of(item).run == RUN
    assert not entry_of(item).has_snapshot
    assert entry_of({"number": 0, "run": None, "subject": None, "has_state": True}).run is None


def test_end_dates_come_back_as_they_were_sent() -> None:
    """Nothing that ends is something else than nothing said of it; and a wrong date is no run."""
    end = Ending("Ada@example.com", "Sales", date(2028, 2, 29))
    around = {"number": 1, "subject": None, "has_state": True}
    for until in (None, (), (end,)):
        run = replace(RUN, until=until)
        sent = encode.run_document(run)
        assert ("until" in sent) == (until is not None)
        assert shapes.valid("Run", sent)
        assert shapes.valid("RunItem", {**around, "run": sent})
        assert entry_of({**around, "run": sent}).run == run
    sent = encode.run_document(replace(RUN, until=(end,)))
    sent["until"][0]["until"] = "2027-02-29"
    with pytest.raises(Contradiction, match=r"run\.until\[0\]: there is no date 2027-02-29"):
        entry_of({**around, "run": sent})


def test_an_odd_list_is_explained_in_no_time() -> None:
    """Comparing each item with each other one would take minutes."""
    odd = role("r-1", "Odd") | {"privileges": [*(f"P{n}" for n in range(40_000)), 1], "etag": '"1"'}
    found = next(shapes.violations("Role", odd))
    assert "40000" in found.json_path
