"""Many writes at once: all or nothing, in order."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from provisioner.documents.gateway import shapes
from tests.server.client import EDIT, RUN, VIEW, Client, pointers, problem, role_content

if TYPE_CHECKING:
    from collections.abc import Callable


def create(ref: str, name: str, **content: Any) -> dict[str, Any]:
    return {"op": "create_role", "ref": ref, "name": name, **role_content(**content)}


def update(role: str, **content: Any) -> dict[str, Any]:
    return {"op": "update_role", "role": role, **role_content(**content)}


def rename(role: str, name: str) -> dict[str, Any]:
    return {"op": "rename_role", "role": role, "name": name}


def delete(role: str) -> dict[str, Any]:
    return {"op": "delete_role", "role": role}


def assign(login: str, *roles: str) -> dict[str, Any]:
    return {"op": "assign", "login": login, "roles": list(roles)}


def test_all_writes_are_carried_out_in_order(gateway: Client):
    old, kept = gateway.role("Old")["id"], gateway.role("Kept")["id"]
    gateway.give("ada", old)
    reply = gateway.commit(
        assign("ada"),
        delete(old),
        rename(kept, "Old"),
        create("new-7", "Kept"),
        create("new-1", "Outer", includes=["new-7", kept], privileges=[EDIT]),
        update("new-7", privileges=[VIEW, EDIT], protected=True),
        assign("bob", "new-1", kept),
        recorded=["users", "roles"],
        policies=[{"name": "p", "deny": ["X"], "severity": "warning"}],
    )
    assert reply.status_code == 200, reply.text
    done = reply.json()
    assert shapes.valid("Committed", done)
    state = gateway.state()
    new, outer = done["created"]["new-7"], done["created"]["new-1"]
    assert (state["serial"], state["lineage"]) == (done["serial"], done["lineage"])
    roles = {role["name"]: role for role in state["roles"] if not role["default"]}
    assert {name: role["id"] for name, role in roles.items()} == {
        "Kept": new,
        "Old": kept,
        "Outer": outer,
    }
    assert (roles["Kept"]["privileges"], roles["Kept"]["protected"]) == ([EDIT, VIEW], True)
    assert roles["Outer"]["includes"] == sorted([new, kept])
    assert {user["login"]: user["roles"] for user in state["users"]} == {
        "bob": sorted([outer, kept])
    }
    assert state["recorded"] == ["roles", "users"]
    assert state["policies"] == [{"name": "p", "deny": ["X"], "severity": "warning"}]
    assert reply.headers["ETag"] == gateway.get("/state").headers["ETag"]


def test_names_may_change_in_a_circle_over_a_free_one(gateway: Client):
    a, b = gateway.role("A")["id"], gateway.role("B")["id"]
    assert gateway.commit(rename(a, "C"), rename(b, "A"), rename(a, "B")).status_code == 200
    assert gateway.get(f"/roles/{a}").json()["name"] == "B"
    assert gateway.get(f"/roles/{b}").json()["name"] == "A"


def test_a_changeset_without_writes_records_its_run(gateway: Client):
    before = gateway.state()["serial"]
    reply = gateway.commit()
    assert reply.json()["created"] == {}
    assert gateway.state()["serial"] == before + 1 == reply.json()["serial"]
    assert gateway.listed("/runs")[reply.json()["run"]]["run"] == RUN


def test_one_refused_write_undoes_all_others(gateway: Client):
    held = gateway.role("Held")
    gateway.give("ada", held["id"])
    protected = gateway.role("Protected", protected=True)["id"]
    before = gateway.get("/state")
    good = create("new-1", "Good")
    for bad, expected, places in (
        (create("new-2", "HELD"), (409, "name-taken"), ["/writes/1/name"]),
        (create("new-2", " x"), (422, "invalid"), ["/writes/1/name"]),
        (create("new-1", "Two"), (422, "invalid"), ["/writes/1/ref"]),
        (create("new-2", "Two", includes=["new-2"]), (422, "invalid"), ["/writes/1/includes/0"]),
        (create("new-2", "Two", privileges=["NO"]), (422, "invalid"), ["/writes/1/privileges/0"]),
        (update("new-9"), (422, "invalid"), ["/writes/1/role"]),
        (update("r-none"), (422, "invalid"), ["/writes/1/role"]),
        (update("new-1", includes=["new-1"]), (409, "include-cycle"), ["/writes/1/includes"]),
        (rename("default-full-access", "X"), (409, "default-role"), ["/writes/1"]),
        (rename("new-1", "held"), (409, "name-taken"), ["/writes/1/name"]),
        (delete(held["id"]), (409, "role-in-use"), ["/writes/1"]),
        (delete(protected), (409, "role-protected"), ["/writes/1"]),
        (delete("default-full-access"), (409, "default-role"), ["/writes/1"]),
        (assign("ada", "new-3"), (422, "invalid"), ["/writes/1/roles/0"]),
        (assign(" ada"), (422, "invalid"), ["/writes/1/login"]),
        ({"op": "rename_role", "role": "new-1"}, (422, "invalid"), ["/writes/1"]),
        ({"op": "nothing"}, (422, "invalid"), ["/writes/1"]),
        ({**assign("ada"), "more": 1}, (422, "invalid"), ["/writes/1"]),
    ):
        refused = gateway.commit(good, bad)
        assert problem(refused) == expected, (bad, refused.text)
        assert pointers(refused) == places
        assert gateway.get("/state").content == before.content
    assert gateway.get("/state").headers["ETag"] == before.headers["ETag"]
    assert len(gateway.listed("/runs")) == 1


def test_a_deleted_role_can_t_be_named_later_in_the_changeset(gateway: Client):
    role = gateway.role()["id"]
    refused = gateway.commit(delete(role), assign("ada", role))
    assert problem(refused) == (422, "invalid")
    assert gateway.get(f"/roles/{role}").status_code == 200


def test_a_changeset_made_from_another_state_is_refused(gateway: Client):
    etag = gateway.get("/state").headers["ETag"]
    gateway.role()
    before = gateway.state()
    refused = gateway.commit(create("new-1", "Late"), match=etag)
    assert problem(refused) == (412, "precondition-failed")
    assert gateway.state() == before


def test_the_reply_s_etag_is_what_the_next_changeset_is_made_from(gateway: Client):
    first = gateway.commit(create("new-1", "One"))
    second = gateway.commit(create("new-1", "Two"), match=first.headers["ETag"])
    assert second.status_code == 200
    assert second.json()["created"]["new-1"] != first.json()["created"]["new-1"]


def test_what_changed_survives_a_restart(gateway: Client, open_gateway: Any):
    reply = gateway.commit(
        create("new-1", "Inner"),
        create("new-2", "Outer", includes=["new-1"], description="é"),
        assign("Ada", "new-2"),
        recorded=["roles"],
        policies=[{"name": "x", "deny": ["X"]}],
    )
    gateway.commit(
        update(reply.json()["created"]["new-2"], includes=[], privileges=[]),
        assign("ada", *reply.json()["created"].values()),
        recorded=["roles"],
        policies=[{"name": "x", "deny": ["X"]}],
    )
    again = open_gateway()
    assert again.get("/state").content == gateway.get("/state").content
    assert again.get("/state").headers["ETag"] == gateway.get("/state").headers["ETag"]


def test_whatever_is_written_is_what_another_server_reads(gateway: Client, open_gateway: Any):
    """The first goes on from what it holds in memory; the other knows the database alone."""
    chance = random.Random(1)
    for step in range(25):
        roles = [role["id"] for role in gateway.listed("/roles")]
        for _ in range(chance.randrange(1, 4)):
            known, role = chance.sample(roles, min(3, len(roles))), chance.choice(roles)
            writes = [
                create("new-1", f"Role {chance.randrange(12)}", includes=known),
                rename(role, f"Role {chance.randrange(12)}"),
                rename(role, chance.choice(["role 1", "ROLE 1", "Role 1"])),
                update(role, includes=known, description=str(step)),
                update(role, privileges=chance.choice([[], [VIEW], [EDIT]])),
                delete(role),
                assign(chance.choice(["ada", "Ada", "bob"]), *known),
                assign(chance.choice(["ada", "bob"])),
            ]
            gateway.commit(*chance.sample(writes, chance.randrange(1, 4)))
            gateway.put(f"/roles/{role}/name", {"name": f"Role {chance.randrange(12)}"})
            gateway.put(f"/users/{chance.choice('ab')}", {"roles": known})
        if step % 5 == 4:
            assert open_gateway().get("/state").content == gateway.get("/state").content
    assert gateway.state()["serial"] > 25


def test_a_login_that_is_spelled_anew_stays_so_after_a_restart(
    open_gateway: Callable[..., Client],
):
    gateway = open_gateway()
    role = gateway.role()["id"]
    gateway.give("bob", role)
    assert gateway.commit(assign("bob"), assign("BOB", role)).status_code == 200
    before, after = gateway.get("/state"), open_gateway().get("/state")
    assert before.headers["ETag"] == after.headers["ETag"]
    assert before.json() == after.json()
    assert [user["login"] for user in after.json()["users"]] == ["BOB"]
