"""What was done: runs with the states they left, and every change of every object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from provisioner.documents.gateway import shapes
from provisioner.server.database import records
from provisioner.server.http import paging
from tests.server.client import RUN, VIEW, Client, pointers, problem, role_content
from tests.server.running import LOGIN

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def without_etags(state: dict) -> dict:
    return {
        **{part: state[part] for part in ("lineage", "recorded", "policies")},
        **{
            kind: [{k: v for k, v in item.items() if k != "etag"} for item in state[kind]]
            for kind in ("roles", "users")
        },
    }


def test_each_run_keeps_the_state_that_it_left(gateway: Client):
    states = [gateway.state()]
    gateway.commit({"op": "assign", "login": "ada", "roles": ["default-full-access"]})
    states.append(gateway.state())
    gateway.role("One by one")
    body = {"run": RUN, "recorded": ["users"], "policies": [{"name": "p", "deny": ["X"]}]}
    recorded = gateway.post("/runs", body)
    assert (recorded.status_code, recorded.json()) == (201, {"run": 2})
    states.append(gateway.state())
    assert states[2]["recorded"] == ["users"]
    assert states[2]["policies"] == [{"name": "p", "deny": ["X"]}]
    runs = gateway.listed("/runs")
    assert [(run["number"], run["has_state"]) for run in runs] == [(0, True), (1, True), (2, True)]
    assert [(run["run"], run["subject"]) for run in runs] == [(None, None), *[(RUN, LOGIN)] * 2]
    for number, state in enumerate(states):
        kept = gateway.get(f"/runs/{number}/state").json()
        assert shapes.valid("RunState", kept)
        assert kept == {"number": number, **without_etags(state)}


def test_old_states_are_dropped_but_the_first(gateway: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "KEPT_STATES", 2)
    for _ in range(4):
        gateway.commit()
    assert [run["has_state"] for run in gateway.listed("/runs")] == [True, False, False, True, True]
    assert problem(gateway.get("/runs/2/state")) == (404, "not-found")
    assert gateway.get("/runs/4/state").status_code == 200


def ending(*days: str) -> dict[str, Any]:
    """A run after which assignments end on these days."""
    return {**RUN, "until": [{"login": "ada", "role": "Sales", "until": day} for day in days]}


def recording(run: dict[str, Any]) -> dict[str, Any]:
    return {"run": run, "recorded": [], "policies": []}


def test_end_dates_are_kept_as_they_were_told(gateway: Client):
    """Whichever way a run comes, and whether it tells of none or of nothing."""
    told = [ending("2028-02-29", "2030-12-31"), ending(), RUN]
    for run in told:
        assert gateway.commit(run=run).status_code == 200
        assert gateway.post("/runs", recording(run)).status_code == 201
    runs = gateway.listed("/runs")
    assert all(shapes.valid("RunItem", item) for item in runs)
    assert [item["run"] for item in runs[1:]] == [run for run in told for _ in range(2)]


def test_end_dates_go_with_the_state(gateway: Client, monkeypatch: pytest.MonkeyPatch):
    """Nobody can go back to it, and a list of all that ever ended would only grow."""
    monkeypatch.setattr(records, "KEPT_STATES", 2)
    for _ in range(4):
        gateway.commit(run=ending("2030-12-31"))
    told = [item["run"] and "until" in item["run"] for item in gateway.listed("/runs")]
    assert told == [None, False, False, True, True]


def test_what_is_no_end_date_is_refused(gateway: Client):
    run = ending("2030-01-31", "2030-02-30", "0000-01-01")
    for reply in (gateway.post("/runs", recording(run)), gateway.commit(run=run)):
        assert problem(reply) == (422, "invalid")
        assert pointers(reply) == ["/run/until/1/until", "/run/until/2/until"]
    run = {**RUN, "until": [{"login": "a" * 129, "role": "", "until": "soon", "x": 1}]}
    assert problem(gateway.commit(run=run)) == (422, "invalid")
    assert gateway.state()["serial"] == 0


def test_a_page_ends_where_its_items_are_large(gateway: Client, monkeypatch: pytest.MonkeyPatch):
    """Or a client that takes no reply of any size could not list the runs."""
    for _ in range(5):
        gateway.commit(run=ending(*["2030-12-31"] * 100))
    whole = gateway.listed("/runs")
    monkeypatch.setattr(paging, "FULL", 8000)
    page = gateway.get("/runs").json()
    assert [item["number"] for item in page["items"]] == [0, 1, 2]
    assert gateway.listed("/runs") == whole
    monkeypatch.setattr(paging, "FULL", 0)
    assert gateway.listed("/runs") == whole


def test_a_database_from_before_end_dates_is_brought_up_to_date(
    open_gateway: Callable[..., Client],
):
    """Its runs stay; from then on runs tell of them."""
    before = open_gateway()
    before.commit(run=RUN)
    with before.app.state.gateway.database.writing() as connection:
        connection.execute(sa.text("ALTER TABLE snapshots DROP COLUMN until"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    after = open_gateway()
    after.commit(run=ending("2030-12-31"))
    assert [item["run"] for item in after.listed("/runs")] == [None, RUN, ending("2030-12-31")]
    assert after.get("/runs/1/state").status_code == 200


def test_a_run_that_is_not_there_has_no_state(gateway: Client):
    for number in ("1", "-1", "x", "1.0", "9" * 40, "%D9%A0"):
        assert problem(gateway.get(f"/runs/{number}/state")) == (404, "not-found")


def test_the_audit_tells_who_changed_what(gateway: Client):
    role = gateway.role("Sales")
    path = f"roles/{role['id']}"
    changed = gateway.put(f"/{path}", role_content(privileges=[])).json()
    renamed = gateway.put(f"/{path}/name", {"name": "Vente"}).json()
    user = gateway.give("Ada", role["id"])
    gateway.commit(
        {"op": "assign", "login": "ada", "roles": []},
        {"op": "delete_role", "role": role["id"]},
        recorded=["roles"],
    )
    for item in (role, changed, renamed, user):
        del item["etag"]
    audit = gateway.listed("/audit")
    assert all(shapes.valid("AuditItem", item) for item in audit)
    assert [item["number"] for item in audit] == [1, 2, 3, 4, 5, 6, 7]
    assert {item["subject"] for item in audit} == {LOGIN}
    assert [item["serial"] for item in audit] == [1, 2, 3, 4, 5, 5, 5]
    nothing: dict = {"recorded": [], "policies": []}
    assert [(i["action"], i["object"], i["before"], i["after"]) for i in audit] == [
        ("create_role", path, None, role),
        ("update_role", path, role, changed),
        ("rename_role", path, changed, renamed),
        ("assign", "users/Ada", None, user),
        ("assign", "users/Ada", user, None),
        ("delete_role", path, renamed, None),
        ("record", "runs/1", nothing, {**nothing, "recorded": ["roles"]}),
    ]
    assert role["privileges"] == [VIEW]


def test_the_serial_of_a_recording_grows_too(gateway: Client):
    gateway.post("/runs", {"run": RUN, "recorded": [], "policies": []})
    assert gateway.state()["serial"] == 1


def test_what_nobody_could_judge_by_is_not_recorded(gateway: Client):
    """Whoever reads the state next would have to refuse it."""
    sound = {"name": "p", "deny": ["X"]}
    wrong = [sound, {"name": "q"}, {"name": "r", "deny": ["X"], "dated": {}}, sound]
    for reply in (
        gateway.post("/runs", {"run": RUN, "recorded": [], "policies": wrong}),
        gateway.commit(policies=wrong),
    ):
        assert reply.status_code == 422
        assert [(e["pointer"], e["detail"]) for e in reply.json()["errors"]] == [
            (
                "/policies/1",
                "policies[1]: policy `q` has no rule, more than one, or one that is not known",
            ),
            (
                "/policies/2",
                "policies[2]: policy `r` has no rule, more than one, or one that is not known",
            ),
            ("/policies/3", "policies[3].name: p is there twice"),
        ]
    assert gateway.state()["serial"] == 0
