"""Who holds which roles."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import quote, urlsplit

from provisioner.documents.gateway import shapes
from tests.server.client import Client, pointers, problem
from tests.server.running import WRITER, bearer


def test_a_user_is_given_roles_and_loses_them(gateway: Client):
    one, two = sorted(gateway.role()["id"] for _ in range(2))
    user = gateway.give("ada@example.com", two, one)
    assert shapes.valid("User", user)
    assert user == {"login": "ada@example.com", "roles": [one, two], "etag": user["etag"]}
    assert gateway.listed("/users") == [user]
    read = gateway.get("/users/ada@example.com")
    assert (read.json(), read.headers["ETag"]) == (user, user["etag"])
    assert gateway.give("ada@example.com")["roles"] == []
    assert gateway.listed("/users") == []


def test_any_login_may_be_asked_for(gateway: Client):
    reply = gateway.get("/users/nobody@example.com")
    assert reply.status_code == 200
    assert reply.json()["roles"] == []
    again = gateway.get("/users/nobody@example.com", unless=reply.headers["ETag"])
    assert again.status_code == 304


def test_the_version_of_one_who_holds_nothing_can_be_written_to(gateway: Client):
    role = gateway.role()
    etag = gateway.get("/users/ada").headers["ETag"]
    given = gateway.put("/users/ada", {"roles": [role["id"]]}, etag)
    assert given.status_code == 200
    beaten = gateway.put("/users/ada", {"roles": []}, etag)
    assert problem(beaten) == (412, "precondition-failed")


def test_logins_compare_without_case_and_keep_their_first_spelling(gateway: Client):
    role, other = gateway.role()["id"], gateway.role()["id"]
    first = gateway.give("Ada@Example.com", role)
    assert gateway.get("/users/ADA@EXAMPLE.COM").json() == first
    assert gateway.give("ada@example.com", other)["login"] == "Ada@Example.com"
    gateway.give("ADA@example.com")
    assert gateway.give("ada@example.com", role)["login"] == "ada@example.com"


def test_a_login_may_hold_any_character_that_a_name_may(gateway: Client):
    role = gateway.role()["id"]
    for login in ("a/b", "a%2Fb", "/", "ß?#&=+", "名前 \U0001f9fe", "a//b/", "users/x"):
        user = gateway.give(login, role)
        assert user["login"] == login
        assert gateway.get(f"/users/{quote(login, safe='')}").json() == user
    assert len(gateway.listed("/users")) == 7


def test_a_login_that_can_be_none_is_not_found(gateway: Client):
    for path in ("/users/", "/users/%20a", "/users/a%00", "/users/a%0A", f"/users/{'x' * 129}"):
        assert problem(gateway.get(path)) == (404, "not-found"), path
        assert problem(gateway.put(path, {"roles": []})) == (404, "not-found"), path
    assert problem(gateway.get("/users/%ff")) == (400, "malformed")


def test_a_role_that_does_not_exist_is_not_given(gateway: Client):
    role = gateway.role()["id"]
    for bad in ("r-none", "default"):
        refused = gateway.put("/users/ada", {"roles": [role, bad]})
        assert problem(refused) == (422, "invalid")
        assert pointers(refused) == ["/roles/1"]
    assert gateway.listed("/users") == []


def test_the_login_of_a_path_is_where_it_was_sent(gateway: Client):
    """A proxy's rule for one path must not let another one through."""
    role = gateway.role()
    parts = urlsplit(gateway.url)
    headers = {**bearer(WRITER), "If-Match": "*", "Content-Type": "application/json"}
    for path in ("/%75sers/a/users/victim", "/%75sers/zed"):
        with closing(HTTPConnection(parts.netloc)) as raw:  # others correct the path
            raw.request("PUT", parts.path + path, json.dumps({"roles": [role["id"]]}), headers)
            reply = raw.getresponse()
            assert (reply.status, json.load(reply)["detail"]) == (404, "there is no such path")
    assert gateway.get("/users/victim").json()["roles"] == []
