"""A small panel with an API of its own kind, and the profiles that describe it.

Ids are numbers, roles have a title and a text, privileges are referred to by number. With
``etags`` it compares versions; with ``apart`` privileges and assignments have addresses of their
own; with ``names`` nothing is referred to by number. ``meddle`` lets a test act as somebody else,
or as a network, around single requests.
"""

from __future__ import annotations

import json
import threading
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from provisioner.backends.http.objects.backend import ObjectBackend
from provisioner.backends.http.profile.loading import load_profile
from provisioner.desired.load import read_document
from tests.http.small_api import Answer, Asked, JsonServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PERMS = {1: "SEE", 2: "EDIT", 3: "DELETE", 4: "BILL"}
LOST = Answer(lost=True)
REQUEST = {"title": "{name}", "text": "{description}", "perms": "{privilege_ids}"}

PROFILE: dict[str, Any] = {
    "version": 1,
    "paging": {"style": "none"},
    "privileges": {"list": {"path": "/perms", "items": "data"}, "id": "id", "name": "code"},
    "roles": {
        "list": {"path": "/roles", "items": "data"},
        "id": "id",
        "name": "title",
        "description": "text",
        "includes": {"ids": "inner"},
        "privileges": {"ids": "perms"},
        "get": {"path": "/roles/{id}"},
        "create": {
            "method": "POST",
            "path": "/roles",
            "body": {**REQUEST, "inner": "{include_ids}"},
            "id": "id",
        },
        "update": {
            "method": "PUT",
            "path": "/roles/{id}",
            "body": {**REQUEST, "inner": "{include_ids}"},
        },
        "rename": {"method": "PATCH", "path": "/roles/{id}", "body": {"title": "{name}"}},
        "delete": {"method": "DELETE", "path": "/roles/{id}"},
    },
    "users": {
        "list": {"path": "/people", "items": "data"},
        "id": "id",
        "login": "mail",
        "roles": {"ids": "roles"},
        "closed": True,
        "get": {"path": "/people/{id}"},
        "assign": {"method": "PUT", "path": "/people/{id}", "body": {"roles": "{role_ids}"}},
    },
}


def versioned() -> dict[str, Any]:
    """The profile for the panel with ETags: in roles, and in the header for people."""
    profile = deepcopy(PROFILE)
    profile["roles"]["etag"] = "etag"
    for part, calls in (("roles", ("update", "rename", "delete")), ("users", ("assign",))):
        for call in calls:
            profile[part][call] |= {"match": True}
    profile["roles"]["create"] |= {"key": True}
    return profile


def apart() -> dict[str, Any]:
    """The profile for the panel where grants and assignments are objects of their own."""
    profile = deepcopy(PROFILE)
    roles, users = profile["roles"], profile["users"]
    for call in (roles["create"], roles["update"]):
        del call["body"]["perms"]
    grant = {"path": "/roles/{id}/perms/{privilege_id}"}
    roles["privileges"] = {
        "ids": "@",
        "list": {"path": "/roles/{id}/perms", "items": "data"},
        "add": {"method": "POST", **grant},
        "remove": {"method": "DELETE", **grant},
    }
    del users["assign"]
    users["add"] = {"method": "POST", "path": "/people/{id}/roles/{role_id}"}
    users["remove"] = {"method": "DELETE", "path": "/people/{id}/roles/{role_id}"}
    return profile


def versioned_apart() -> dict[str, Any]:
    """The profile for the panel with both: each single grant is bound to the role's version."""
    profile = apart()
    profile["roles"]["etag"] = "etag"
    for part, calls in (("roles", ("update", "rename", "delete")), ("users", ("add", "remove"))):
        for call in calls:
            profile[part][call] |= {"match": True}
    for call in ("add", "remove"):
        profile["roles"]["privileges"][call] |= {"match": True}
    return profile


def last_role_by_remove() -> dict[str, Any]:
    """The profile for a panel that takes a user's last role only by listing who else holds it."""
    profile = deepcopy(PROFILE)
    profile["users"] |= {
        "holders": {"path": "/roles/{role_id}/people", "items": "data"},
        "last_role_by_remove": True,
        "remove": {
            "method": "PUT",
            "path": "/roles/{role_id}/people",
            "body": {"people": "{other_user_ids}"},
        },
    }
    return profile


def by_names() -> dict[str, Any]:
    """The profile for the panel without numbers, and without reading single objects."""
    profile = deepcopy(PROFILE)
    roles, users = profile["roles"], profile["users"]
    del profile["privileges"]["id"], roles["get"], users["get"], roles["create"]["id"]
    roles["privileges"] = {"names": "perms"}
    roles["includes"] = {"names": "inner"}
    users["roles"] = {"names": "roles"}
    for call in (roles["create"], roles["update"]):
        call["body"] |= {"perms": "{privileges}", "inner": "{includes}"}
    users["assign"]["body"] = {"roles": "{roles}"}
    return profile


def by_pages(profile: dict[str, Any]) -> dict[str, Any]:
    """A profile for the panel with its lists in pages."""
    paging = {"style": "page", "query": {"page": "{page}"}, "total": "total"}
    return deepcopy(profile) | {"paging": paging}


def cut_into_pages(size: int) -> Callable[[Asked, Callable[[], Answer]], Answer | None]:
    """A meddling: the lists come in pages."""

    def meddle(asked: Asked, act: Callable[[], Answer]) -> Answer | None:
        if asked.method != "GET" or "page" not in asked.query:
            return None
        items = act().body["data"]
        start = (int(asked.query["page"]) - 1) * size
        return Answer(200, {"data": items[start : start + size], "total": len(items)})

    return meddle


class SmallPanel:
    """The panel's rules, and what it holds. ``drops`` are privileges that it silently ignores."""

    def __init__(self, *, etags: bool = False, apart: bool = False, names: bool = False) -> None:
        self.etags, self.apart, self.names = etags, apart, names
        self.roles: dict[int, dict[str, Any]] = {}
        self.people: dict[int, dict[str, Any]] = {}
        self.drops: set[int] = set()
        self.meddle: Callable[[Asked, Callable[[], Answer]], Answer | None] = lambda _, __: None
        self.made = 0
        self.guard = threading.RLock()
        for mail in ("ada@example.com", "grace@example.com"):
            number = len(self.people) + 1
            self.people[number] = {"id": number, "mail": mail, "roles": [], "version": 1}

    def add(self, title: str, *perms: int, text: str = "", inner: tuple[int, ...] = ()) -> int:
        self.made += 1
        content = {"title": title, "text": text, "perms": list(perms), "inner": list(inner)}
        self.roles[self.made] = {"id": self.made, **content, "version": 1}
        return self.made

    def __call__(self, asked: Asked) -> Answer:
        done: list[Answer] = []

        def act() -> Answer:
            with self.guard:
                done.append(self.act(asked))
            return done[0]

        answer = self.meddle(asked, act)
        return answer or (done[0] if done else act())

    def act(self, asked: Asked) -> Answer:  # noqa: PLR0911 - one for each kind of request
        match asked.method, *asked.steps:
            case "OPTIONS", *_:
                return Answer(405, {"message": "no"})
            case "GET", "perms":
                return Answer(200, {"data": [{"id": i, "code": c} for i, c in PERMS.items()]})
            case "GET", "roles":
                return Answer(200, {"data": [self.shown(role) for role in self.roles.values()]})
            case "GET", "people":
                return Answer(200, {"data": [self.person(p)[0] for p in self.people.values()]})
            case "POST", "roles":
                if any(role["title"] == asked.body["title"] for role in self.roles.values()):
                    return Answer(409, {"message": "the title is taken"})
                made = self.add("")
                self.roles[made] |= self.kept(asked.body)
                return Answer(201, {"id": made})
            case method, "roles", id, *rest:
                return self.on_role(asked, method, self.roles.get(number_in(id)), rest)
            case method, "people", id, *rest:
                return self.on_person(asked, method, self.people.get(number_in(id)), rest)
        return Answer(405, {"message": "no"})

    def on_role(self, asked: Asked, method: str, role: Any, rest: list[str]) -> Answer:
        if role is None:
            return Answer(404, {"message": "no such role"})
        holders = [p for p in self.people.values() if role["id"] in p["roles"]]
        if method == "GET":
            lists = {"perms": role["perms"], "people": [{"id": p["id"]} for p in holders]}
            return Answer(200, {"data": lists[rest[0]]} if rest else self.shown(role))
        if self.is_stale(asked, role):
            return Answer(412, {"message": "it changed"})
        role["version"] += 1
        match method, *rest:
            case ("DELETE",):
                del self.roles[role["id"]]
                for person in self.people.values():
                    person["roles"] = [id for id in person["roles"] if id != role["id"]]
            case "PUT", "people":
                for person in self.people.values():
                    held = set(person["roles"]) - {role["id"]}
                    person["roles"] = sorted(
                        held | {role["id"]} if person["id"] in asked.body["people"] else held
                    )
            case "POST", "perms", perm:
                role["perms"].append(int(perm))
            case "DELETE", "perms", perm:
                role["perms"].remove(int(perm))
            case _:
                role |= self.kept(asked.body)
        return Answer(200, {})

    def on_person(self, asked: Asked, method: str, person: Any, rest: list[str]) -> Answer:
        if person is None:
            return Answer(404, {"message": "no such person"})
        if method == "GET":
            body, etag = self.person(person)
            return Answer(200, body, {"ETag": etag} if self.etags else {})
        if self.is_stale(asked, person):
            return Answer(412, {"message": "they changed"})
        person["version"] += 1
        match method, *rest:
            case "POST", "roles", role:
                person["roles"].append(int(role))
            case "DELETE", "roles", role:
                person["roles"].remove(int(role))
            case _:
                person["roles"] = self.numbers(asked.body["roles"])
        return Answer(200, {})

    def numbers(self, roles: list[Any]) -> list[int]:
        titles = {role["title"]: id for id, role in self.roles.items()}
        return [titles[role] for role in roles] if self.names else list(roles)

    def titles(self, roles: list[int]) -> list[Any]:
        return [self.roles[id]["title"] for id in roles] if self.names else list(roles)

    def is_stale(self, asked: Asked, held: Any) -> bool:
        return self.etags and asked.headers.get("If-Match") != f'"v{held["version"]}"'

    def kept(self, body: dict[str, Any]) -> dict[str, Any]:
        kept = dict(body)
        if "perms" in body:
            codes = {code: id for id, code in PERMS.items()}
            perms = [codes[code] for code in body["perms"]] if self.names else body["perms"]
            kept["perms"] = [perm for perm in perms if perm not in self.drops]
        if "inner" in body:
            kept["inner"] = self.numbers(body["inner"])
        return kept

    def shown(self, role: dict[str, Any]) -> dict[str, Any]:
        shown = {key: value for key, value in role.items() if key != "version"}
        shown["inner"] = self.titles(role["inner"])
        if self.names:
            shown["perms"] = [PERMS[perm] for perm in role["perms"]]
        if self.etags:
            shown["etag"] = f'"v{role["version"]}"'
        return {k: v for k, v in shown.items() if k != "perms"} if self.apart else shown

    def person(self, person: dict[str, Any]) -> tuple[dict[str, Any], str]:
        shown = {k: v for k, v in person.items() if k != "version"}
        return shown | {"roles": self.titles(person["roles"])}, f'"v{person["version"]}"'


def number_in(id: str) -> int:
    return int(id) if id.isdecimal() else -1


def opened(server: JsonServer, profile: dict[str, Any], folder: Path) -> ObjectBackend:
    """A handle on a panel, by a profile."""
    (folder / "small.yaml").write_text(json.dumps(profile, indent=1))
    loaded = load_profile("small.yaml", folder, read_document)
    return ObjectBackend(server.client(), loaded, server.settings(concurrency=4))
