"""Roles one by one: what is answered, and what the panel's rules refuse."""

from __future__ import annotations

from provisioner.documents.gateway import shapes
from tests.server.client import EDIT, VIEW, Client, new_role, pointers, problem, role_content

FULL = "default-full-access"


def test_a_role_is_created_read_changed_renamed_and_deleted(gateway: Client):
    body = new_role("Sales", description="Sells", privileges=[VIEW, EDIT], protected=False)
    created = gateway.post("/roles", body)
    role = created.json()
    assert created.status_code == 201
    assert shapes.valid("Role", role)
    assert role == {
        **body,
        "id": role["id"],
        "privileges": [EDIT, VIEW],
        "default": False,
        "etag": role["etag"],
    }
    assert created.headers["Location"] == f"roles/{role['id']}"
    path = f"/roles/{role['id']}"
    read = gateway.get(path)
    assert (read.json(), read.headers["ETag"]) == (role, role["etag"])
    changed = gateway.put(path, role_content(description="More"), role["etag"])
    assert changed.json()["description"] == "More"
    renamed = gateway.put(f"{path}/name", {"name": "Vente"}, changed.headers["ETag"])
    assert (renamed.json()["name"], renamed.json()["id"]) == ("Vente", role["id"])
    gone = gateway.delete(path, renamed.headers["ETag"])
    assert (gone.status_code, gone.content) == (204, b"")
    assert problem(gateway.get(path)) == (404, "not-found")


def test_a_new_panel_holds_the_default_roles_of_the_catalogue(gateway: Client):
    assert [(r["name"], r["default"], r["protected"]) for r in gateway.listed("/roles")] == [
        ("Customer Full Access", True, True),
        ("Full Access", True, True),
        ("Service Desk Only", True, True),
    ]


def test_renaming_an_included_role_does_not_touch_those_that_include_it(gateway: Client):
    inner = gateway.role()
    outer = gateway.role(includes=[inner["id"]])
    gateway.give("ada", outer["id"], inner["id"])
    user = gateway.get("/users/ada").headers["ETag"]
    gateway.put(f"/roles/{inner['id']}/name", {"name": "Other"})
    assert gateway.get(f"/roles/{outer['id']}").json() == outer
    assert gateway.get("/users/ada").headers["ETag"] == user


def test_a_request_that_changes_nothing_leaves_serial_and_etag(gateway: Client):
    role = gateway.role("Same")
    gateway.give("ada", role["id"])
    before = gateway.get("/state")
    content = {name: role[name] for name in role_content()}
    assert gateway.put(f"/roles/{role['id']}", content, role["etag"]).json() == role
    assert gateway.put(f"/roles/{role['id']}/name", {"name": "Same"}).json() == role
    gateway.give("ADA", role["id"])
    after = gateway.get("/state")
    assert (after.json(), after.headers["ETag"]) == (before.json(), before.headers["ETag"])
    assert len(gateway.listed("/audit")) == 2


def test_the_serial_grows_by_one_with_each_write(gateway: Client):
    serials = [gateway.state()["serial"]]
    role = gateway.role()
    serials.append(gateway.state()["serial"])
    gateway.give("ada", role["id"])
    serials.append(gateway.state()["serial"])
    assert serials == [0, 1, 2]


def test_names_are_unique_without_regard_to_case(gateway: Client):
    gateway.role("Straße")
    other = gateway.role("Other")
    assert problem(gateway.post("/roles", new_role("STRASSE"))) == (409, "name-taken")
    renamed = gateway.put(f"/roles/{other['id']}/name", {"name": "strasse"})
    assert problem(renamed) == (409, "name-taken")
    assert pointers(renamed) == ["/name"]


def test_a_role_may_change_the_case_of_its_name(gateway: Client):
    role = gateway.role("sales")
    assert gateway.put(f"/roles/{role['id']}/name", {"name": "SALES"}).json()["name"] == "SALES"


BLANK = ("Full Access\ufe0f", "Full\u034f Access", "Full\u2800Access", "\u3164")


def test_a_bad_name_is_refused(gateway: Client):
    for name in (" blank", "blank ", "a\nb", "a\u200bb", "e\u0301", "a\u2028b", "\u00a0x", *BLANK):
        refused = gateway.post("/roles", new_role(name))
        assert problem(refused) == (422, "invalid"), name
        assert pointers(refused) == ["/name"]


def test_everything_that_is_wrong_is_told_at_once(gateway: Client):
    body = new_role(" x", privileges=[VIEW, "NO_SUCH", "NOBODY"], includes=["r-none"])
    refused = gateway.post("/roles", body)
    assert problem(refused) == (422, "invalid")
    assert pointers(refused) == ["/name", "/privileges/1", "/privileges/2", "/includes/0"]
    assert [e["detail"] for e in refused.json()["errors"]][1:] == [
        "privilege NO_SUCH is not in the panel's catalogue",
        "privilege NOBODY is internal",
        "there is no role r-none",
    ]


def test_a_wrong_shape_is_told_with_its_place(gateway: Client):
    for change, places in (
        ({"privileges": [VIEW, VIEW]}, ["/privileges"]),
        ({"description": "x" * 1025}, ["/description"]),
        ({"description": "a\x00b"}, ["/description"]),
        ({"protected": "yes"}, ["/protected"]),
        ({"more": 1}, [""]),
        ({"includes": ["new-1"]}, ["/includes/0"]),
        ({"name": ""}, ["/name"]),
        ({"name": "x" * 129}, ["/name"]),
    ):
        refused = gateway.post("/roles", {**new_role(), **change})
        assert problem(refused) == (422, "invalid"), change
        assert pointers(refused) == places


def test_default_roles_are_neither_deleted_nor_renamed_but_may_be_changed(gateway: Client):
    assert problem(gateway.delete(f"/roles/{FULL}")) == (409, "default-role")
    renamed = gateway.put(f"/roles/{FULL}/name", {"name": "Mine"})
    assert problem(renamed) == (409, "default-role")
    assert gateway.put(f"/roles/{FULL}", role_content(protected=True)).status_code == 200


def test_a_protected_role_is_not_deleted(gateway: Client):
    role = gateway.role(protected=True)
    path = f"/roles/{role['id']}"
    assert problem(gateway.delete(path)) == (409, "role-protected")
    gateway.put(path, role_content())
    assert gateway.delete(path).status_code == 204


def test_a_role_that_is_held_or_included_is_not_deleted(gateway: Client):
    held, inner = gateway.role(), gateway.role()
    outer = gateway.role(includes=[inner["id"]])
    gateway.give("ada", held["id"])
    for role in (held, inner):
        assert problem(gateway.delete(f"/roles/{role['id']}")) == (409, "role-in-use")
    gateway.give("ada")
    assert gateway.delete(f"/roles/{outer['id']}").status_code == 204
    for role in (held, inner):
        assert gateway.delete(f"/roles/{role['id']}").status_code == 204


def test_no_role_includes_itself(gateway: Client):
    one = gateway.role()
    two = gateway.role(includes=[one["id"]])
    three = gateway.role(includes=[two["id"]])
    for includes in ([one["id"]], [three["id"]]):
        refused = gateway.put(f"/roles/{one['id']}", role_content(includes=includes))
        assert problem(refused) == (409, "include-cycle")
        assert pointers(refused) == ["/includes"]


def test_a_write_without_if_match_is_refused(gateway: Client):
    role = gateway.role()
    path = f"/roles/{role['id']}"
    for reply in (
        gateway.put(path, role_content(), None),
        gateway.put(f"{path}/name", {"name": "New"}, None),
        gateway.delete(path, None),
        gateway.put("/users/ada", {"roles": []}, None),
        gateway.commit(match=None),
    ):
        assert problem(reply) == (428, "precondition-required")


def test_an_if_match_that_does_not_fit_is_refused(gateway: Client):
    role = gateway.role()
    path = f"/roles/{role['id']}"
    etag = role["etag"]
    garbled = (f"{etag}x", f"x{etag}", f"w/{etag}", f"X/{etag}", f"W /{etag}", f'"a" {etag}')
    for match in ('"other"', "nonsense", f"W/{etag}", "W/*", '"a", "b"', *garbled, f"[{etag}]"):
        refused = gateway.put(path, role_content(description="x"), match)
        assert problem(refused) == (412, "precondition-failed"), match
    assert gateway.get(path).json() == role


def test_one_of_several_etags_is_enough(gateway: Client):
    role = gateway.role()
    reply = gateway.put(
        f"/roles/{role['id']}", role_content(description="x"), f'"other", {role["etag"]}'
    )
    assert reply.status_code == 200


def test_what_does_not_exist_is_not_found_before_its_version_is_judged(gateway: Client):
    for reply in (
        gateway.get("/roles/r-none"),
        gateway.put("/roles/r-none", role_content(), None),
        gateway.put("/roles/r-none/name", {"name": "New"}, '"x"'),
        gateway.delete("/roles/r-none"),
    ):
        assert problem(reply) == (404, "not-found")


def test_the_client_s_own_version_is_not_sent_again(gateway: Client):
    role = gateway.role()
    path = f"/roles/{role['id']}"
    for unless in (role["etag"], f"W/{role['etag']}", "*", f'"x", {role["etag"]}'):
        reply = gateway.get(path, unless=unless)
        assert (reply.status_code, reply.content) == (304, b"")
        assert reply.headers["ETag"] == role["etag"]
    assert gateway.get(path, unless='"x"').status_code == 200


def test_texts_of_all_scripts_come_back_as_they_were(gateway: Client):
    name, description = "販売 🧾 Ünïcode'\"\\", "\n\t\u2028 \U0001f9fe %s :x \\"
    role = gateway.role(name, description=description)
    read = gateway.get(f"/roles/{role['id']}").json()
    assert (read["name"], read["description"]) == (name, description)
