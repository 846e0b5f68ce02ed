"""Writing through a profile: nothing lost, nothing twice, nothing over what somebody else did."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
)
from provisioner.errors import BackendError, StateMoved
from provisioner.model import Role
from tests.http.small_api import Answer, Asked, JsonServer
from tests.http.small_panel import (
    LOST,
    PROFILE,
    SmallPanel,
    apart,
    by_names,
    last_role_by_remove,
    opened,
    versioned,
    versioned_apart,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provisioner.backends.http.objects.backend import ObjectBackend
    from provisioner.engine.writes import Write

NOBODY: frozenset[str] = frozenset()
ADA = "ada@example.com"


def some(*names: str) -> frozenset[str]:
    return frozenset(names)


PROFILES = {
    "plain": lambda: PROFILE,
    "versioned": versioned,
    "apart": apart,
    "versioned-apart": versioned_apart,
    "names": by_names,
}


class Store:
    """A panel behind its server, and one handle on it."""

    def __init__(self, panel: SmallPanel, server: JsonServer, backend: ObjectBackend) -> None:
        self.panel, self.server, self.backend = panel, server, backend

    def role(self, name: str) -> Role:
        return self.backend.read().state.roles[name]

    def asked(self, *methods: str) -> list[str]:
        """What was asked with these methods since the last time."""
        asked = [f"{a.method} {a.path}" for a in self.server.asked if a.method in methods]
        self.server.asked.clear()
        return asked

    def on(self, method: str, path: str, *what: Callable[[Callable[[], Answer]], Any]) -> None:
        """What happens to the first, second, ... request of that kind; then nothing special."""
        left = list(what)

        def meddle(asked: Asked, act: Callable[[], Answer]) -> Answer | None:
            if (asked.method, asked.path) == (method, path) and left:
                found: Answer | None = left.pop(0)(act)
                return found
            return None

        self.panel.meddle = meddle


def lost_after(act: Callable[[], Answer]) -> Answer:
    act()
    return LOST


def lost_before(_: Callable[[], Answer]) -> Answer:
    return LOST


def bad_gateway_after(act: Callable[[], Answer]) -> Answer:
    act()
    return Answer(502, {"message": "bad gateway"})


@pytest.fixture(params=PROFILES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A panel of each kind, with Base (SEE, EDIT), Wide (BILL, includes Base), Spare (DELETE)."""
    kind: str = request.param
    profile = PROFILES[kind]()
    panel = SmallPanel(etags="versioned" in kind, apart="apart" in kind, names=kind == "names")
    panel.add("Wide", 4, inner=(panel.add("Base", 1, 2),))
    panel.add("Spare", 3)
    with JsonServer(panel) as server:
        yield Store(panel, server, opened(server, profile, tmp_path))


only = {kind: pytest.mark.parametrize("store", [kind], indirect=True) for kind in PROFILES}


def test_an_update_whose_answer_is_lost_took_place_once(store: Store) -> None:
    spare = store.role("Spare")
    store.on("PUT", "/roles/3", lost_after)
    store.backend.write(UpdateRole(spare, replace(spare, description="kept")))
    assert store.panel.roles[3]["text"] == "kept"
    assert store.panel.roles[3]["version"] == 2


def test_an_update_that_got_lost_is_sent_again(store: Store) -> None:
    spare = store.role("Spare")
    store.on("PUT", "/roles/3", lost_before)
    store.backend.write(UpdateRole(spare, replace(spare, description="kept")))
    assert store.asked("PUT") == ["PUT /roles/3"] * 2
    assert store.role("Spare").description == "kept"


def test_an_update_that_keeps_getting_lost_is_an_error_that_says_so(store: Store) -> None:
    spare = store.role("Spare")
    store.on("PUT", "/roles/3", *[lost_before] * 99)
    with pytest.raises(BackendError, match=r"PUT http.*/roles/3"):
        store.backend.write(UpdateRole(spare, replace(spare, description="kept")))
    store.panel.meddle = lambda _, __: None
    assert store.role("Spare") == spare


def test_a_refusal_of_what_its_own_first_attempt_did_is_no_conflict(store: Store) -> None:
    """The first answer is a 502 after the fact; the second attempt finds another version."""
    spare = store.role("Spare")
    store.on("PUT", "/roles/3", bad_gateway_after)
    store.backend.write(UpdateRole(spare, replace(spare, description="kept")))
    assert store.panel.roles[3]["version"] == 2
    store.on("DELETE", "/roles/3", bad_gateway_after)
    store.backend.write(DeleteRole(replace(spare, description="kept")))
    assert 3 not in store.panel.roles
    store.on("PUT", "/people/1", bad_gateway_after)
    store.backend.write(SetAssignment(ADA, NOBODY, some("Base")))
    assert store.panel.people[1]["roles"] == [1]


def test_a_role_is_never_made_twice(store: Store) -> None:
    new = Role("New", "text", some("SEE"))
    store.on("POST", "/roles", lost_after)
    store.backend.write(CreateRole(new))
    titles = [role["title"] for role in store.panel.roles.values()]
    assert titles.count("New") == 1
    assert replace(store.role("New"), id=None) == new


@only["plain"]
def test_a_creation_that_got_lost_is_not_sent_again(store: Store) -> None:
    """It may be on its way still; the plan that comes next sees what became of it."""
    store.on("POST", "/roles", lost_before)
    with pytest.raises(BackendError, match="looked for role New afterwards: it is not there"):
        store.backend.write(CreateRole(Role("New")))
    assert store.asked("POST") == ["POST /roles"]


@only["versioned"]
def test_a_creation_with_a_key_is_sent_again_under_the_same_key(store: Store) -> None:
    store.on("POST", "/roles", lost_before)
    store.backend.write(CreateRole(Role("New")))
    keys = [a.headers["Idempotency-Key"] for a in store.server.asked if a.method == "POST"]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_somebody_else_made_another_role_of_that_name_meanwhile(store: Store) -> None:
    def other(_: Callable[[], Answer]) -> Answer:
        store.panel.add("New", 1, 2, 3, text="not ours")
        return LOST

    store.on("POST", "/roles", other)
    with pytest.raises(BackendError, match="New") as caught:
        store.backend.write(CreateRole(Role("New")))
    assert not isinstance(caught.value, StateMoved)
    (made,) = [role for role in store.panel.roles.values() if role["title"] == "New"]
    assert (made["text"], made["perms"]) == ("not ours", [1, 2, 3])


def test_what_another_run_did_since_is_not_overwritten(store: Store) -> None:
    spare, base = store.role("Spare"), store.role("Base")
    store.panel.roles[3] |= {"perms": [1], "version": 7}
    store.panel.people[1] |= {"roles": [3], "version": 7}
    held = deepcopy((store.panel.roles, store.panel.people))
    writes: list[Write] = [
        UpdateRole(spare, replace(spare, description="mine")),
        RenameRole(spare, "Mine"),
        DeleteRole(spare),
        SetAssignment(ADA, NOBODY, some("Base")),
        CreateRole(Role("BASE")),
        RenameRole(base, "SPARE"),
    ]
    for write in writes:
        with pytest.raises(StateMoved):
            store.backend.write(write)
    assert (store.panel.roles, store.panel.people) == held


def test_a_role_that_is_gone_is_a_conflict(store: Store) -> None:
    spare = store.role("Spare")
    del store.panel.roles[3]
    for write in (UpdateRole(spare, replace(spare, description="x")), DeleteRole(spare)):
        with pytest.raises(StateMoved):
            store.backend.write(write)


def test_deleting_looks_at_who_holds_and_includes_a_role_now(store: Store) -> None:
    """The API would take the role away from them without a word."""
    spare, base = store.role("Spare"), store.role("Base")
    store.panel.people[2]["roles"] = [3]
    with pytest.raises(StateMoved, match="1 user holds it"):
        store.backend.write(DeleteRole(spare))
    with pytest.raises(StateMoved, match="role Wide includes it"):
        store.backend.write(DeleteRole(base))
    assert store.panel.roles.keys() == {1, 2, 3}


def test_privileges_that_the_api_drops_silently_are_named(store: Store) -> None:
    spare = store.role("Spare")
    store.panel.drops = {2}
    if not store.panel.apart:
        with pytest.raises(BackendError, match="privileges missing: EDIT"):
            store.backend.write(UpdateRole(spare, replace(spare, privileges=some("EDIT", "SEE"))))
        with pytest.raises(BackendError, match="privileges missing: EDIT"):
            store.backend.write(CreateRole(Role("New", privileges=some("EDIT", "SEE"))))


@only["apart"]
def test_grants_that_break_off_say_exactly_what_was_done(store: Store) -> None:
    base = store.role("Base")
    store.on("POST", "/roles/1/perms/4", lambda _: Answer(409, {"message": "not that one"}))
    with pytest.raises(BackendError) as caught:
        store.backend.write(UpdateRole(base, replace(base, privileges=some("BILL", "DELETE"))))
    assert "not that one" in str(caught.value)
    assert (
        "Done: take EDIT (role Base), take SEE (role Base). "
        "Not done: give BILL (role Base), give DELETE (role Base)"
    ) in str(caught.value)
    assert store.panel.roles[1]["perms"] == []


@only["apart"]
def test_a_new_role_without_its_privileges_is_said_to_be_there(store: Store) -> None:
    store.on("POST", "/roles/4/perms/1", lambda _: Answer(403, {"message": "no"}))
    with pytest.raises(BackendError, match=r"Done: make role New\. Not done: give SEE"):
        store.backend.write(CreateRole(Role("New", privileges=some("SEE"))))


@only["apart"]
def test_each_grant_that_got_lost_is_settled_by_itself(store: Store) -> None:
    base = store.role("Base")
    store.on("POST", "/roles/1/perms/3", lost_after)
    store.backend.write(UpdateRole(base, replace(base, privileges=some("DELETE"))))
    assert store.panel.roles[1]["perms"] == [3]
    store.on("POST", "/people/1/roles/3", lost_before)
    store.backend.write(SetAssignment(ADA, NOBODY, some("Base", "Spare")))
    store.on("DELETE", "/people/1/roles/1", lost_after)
    store.backend.write(SetAssignment(ADA, some("Base", "Spare"), some("Wide")))
    assert store.panel.people[1]["roles"] == [2]


def test_names_follow_the_renames_of_a_run(store: Store) -> None:
    base, wide, spare = store.role("Base"), store.role("Wide"), store.role("Spare")
    store.backend.write(RenameRole(base, "Ground"))
    with pytest.raises(StateMoved, match="there is no role Base"):
        store.backend.write(SetAssignment(ADA, NOBODY, some("Base")))
    store.backend.write(CreateRole(Role("Base")))
    wide = replace(wide, includes=some("Ground"))
    store.backend.write(UpdateRole(wide, replace(wide, includes=some("Ground", "Base"))))
    store.backend.write(UpdateRole(spare, replace(spare, includes=some("Wide"))))
    store.backend.write(SetAssignment(ADA, NOBODY, some("Ground", "Base")))
    assert store.panel.roles[2]["inner"] == [4, 1]
    assert sorted(store.panel.people[1]["roles"]) == [1, 4]


@only["versioned"]
def test_versions_that_are_known_save_reading(store: Store) -> None:
    spare = store.role("Spare")
    store.asked()
    store.backend.write(UpdateRole(spare, replace(spare, description="kept")))
    assert store.asked("GET", "PUT") == ["PUT /roles/3", "GET /roles/3"]


def test_an_etag_that_nobody_compares_saves_no_reading(tmp_path: Path) -> None:
    panel = SmallPanel()
    panel.add("Spare", 3)
    profile = deepcopy(PROFILE)
    profile["roles"]["etag"] = "to_string(id)"
    with JsonServer(panel) as server:
        store = Store(panel, server, opened(server, profile, tmp_path))
        spare = store.role("Spare")
        panel.roles[1]["perms"] = [1]
        with pytest.raises(
            StateMoved, match="privileges missing: DELETE, privileges too many: SEE"
        ):
            store.backend.write(UpdateRole(spare, replace(spare, description="mine")))


@only["versioned"]
def test_a_missing_or_weak_etag_is_an_error_before_anything_is_sent(store: Store) -> None:
    person = {"id": 1, "mail": ADA, "roles": []}
    for etag in (None, 'W/"v1"'):
        answer = Answer(200, person, {"ETag": etag} if etag else {})
        store.on("GET", "/people/1", *[lambda _, answer=answer: answer] * 9)
        with pytest.raises(BackendError, match="needs the ETag"):
            store.backend.write(SetAssignment(ADA, NOBODY, some("Base")))
    assert store.asked("PUT") == []


def test_many_writes_side_by_side_all_arrive(store: Store) -> None:
    names = [f"Role {number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        roles = [Role(name, privileges=some("SEE", "BILL")) for name in names]
        list(pool.map(store.backend.write, map(CreateRole, roles)))
    found = store.backend.read().state.roles
    assert {name: found[name].privileges for name in names} == dict.fromkeys(
        names, some("SEE", "BILL")
    )
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store.backend.write, [DeleteRole(found[name]) for name in names]))
    assert store.panel.roles.keys() == {1, 2, 3}
    deletes = Counter(a.path for a in store.server.asked if a.method == "DELETE")
    assert set(deletes.values()) == {1}


def test_taking_a_last_role_waits_for_other_assignments(tmp_path: Path) -> None:
    """The API wants to know who else holds the role, so that nobody may change it meanwhile."""
    panel = SmallPanel()
    panel.add("Base", 1)
    panel.add("Spare", 3)
    panel.people[1]["roles"], panel.people[2]["roles"] = [1], [1, 2]
    with JsonServer(panel) as server:
        store = Store(panel, server, opened(server, last_role_by_remove(), tmp_path))
        store.backend.read()
        other = SetAssignment("grace@example.com", some("Base", "Spare"), some("Spare"))
        thread = threading.Thread(target=store.backend.write, args=(other,))

        def meanwhile(act: Callable[[], Answer]) -> Answer:
            thread.start()
            thread.join(0.2)
            return act()

        store.on("PUT", "/roles/1/people", meanwhile)
        store.backend.write(SetAssignment(ADA, some("Base"), NOBODY))
        thread.join(10)
    assert [person["roles"] for person in panel.people.values()] == [[], [2]]


def test_holders_that_are_lost_when_their_list_is_rewritten_are_named(tmp_path: Path) -> None:
    """Somebody else takes the role from them meanwhile, or the API takes no more than so many."""
    panel = SmallPanel()
    panel.add("Base", 1)
    for person in panel.people.values():
        person["roles"] = [1]
    with JsonServer(panel) as server:
        store = Store(panel, server, opened(server, last_role_by_remove(), tmp_path))
        store.backend.read()

        def forgetful(act: Callable[[], Answer]) -> Answer:
            answer = act()
            panel.people[2]["roles"] = []
            return answer

        store.on("PUT", "/roles/1/people", forgetful)
        with pytest.raises(BackendError, match=r"any more: grace@example\.com \(Base\)"):
            store.backend.write(SetAssignment(ADA, some("Base"), NOBODY))


def by_detour() -> dict[str, Any]:
    profile = deepcopy(PROFILE)
    profile["users"]["last_role_by_detour"] = True
    return profile


@pytest.fixture
def stubborn(tmp_path: Path) -> Iterator[Store]:
    """A panel that refuses to leave a user without roles, and whose other administrator is busy."""
    panel = SmallPanel()
    panel.add("Base", 1)
    panel.people[1]["roles"] = [1]

    def meddle(asked: Asked, _: Callable[[], Answer]) -> Answer | None:
        panel.people[2]["roles"] = sorted({*panel.people[2]["roles"], 1})
        if asked.method == "PUT" and asked.body.get("roles") == []:
            return Answer(400, {"message": "a user needs a role"})
        return None

    panel.meddle = meddle
    with JsonServer(panel) as server:
        store = Store(panel, server, opened(server, by_detour(), tmp_path))
        store.backend.read()
        panel.people[2]["roles"] = []
        server.asked.clear()
        yield store


def test_a_last_role_goes_by_a_detour_that_touches_nobody_else(stubborn: Store) -> None:
    """The other holder of the role was given it at the same moment."""
    stubborn.backend.write(SetAssignment(ADA, some("Base"), NOBODY))
    assert [person["roles"] for person in stubborn.panel.people.values()] == [[], [1]]
    assert stubborn.panel.roles.keys() == {1}
    changes = stubborn.asked("POST", "PUT", "DELETE")
    assert changes == ["POST /roles", "PUT /people/1", "DELETE /roles/2"]


def test_a_detour_that_fails_leaves_no_role_behind(stubborn: Store) -> None:
    before = stubborn.panel.meddle
    stubborn.panel.meddle = lambda asked, act: (
        Answer(403, {"message": "not for you"}) if asked.method == "PUT" else before(asked, act)
    )
    with pytest.raises(BackendError, match="not for you"):
        stubborn.backend.write(SetAssignment(ADA, some("Base"), NOBODY))
    assert stubborn.panel.roles.keys() == {1}
    assert stubborn.panel.people[1]["roles"] == [1]


def test_a_temporary_role_that_can_not_be_deleted_is_named(stubborn: Store) -> None:
    before = stubborn.panel.meddle
    stubborn.panel.meddle = lambda asked, act: (
        Answer(403, {"message": "not for you"}) if asked.method == "DELETE" else before(asked, act)
    )
    left = "the temporary role provisioner-leaving-[0-9a-f]{12} is left behind"
    with pytest.raises(BackendError, match=left):
        stubborn.backend.write(SetAssignment(ADA, some("Base"), NOBODY))
    assert stubborn.panel.people[1]["roles"] == [2]
    assert stubborn.panel.roles[2]["perms"] == []


def test_what_can_not_be_is_refused_before_anything_is_sent(store: Store) -> None:
    base = store.role("Base")
    store.asked()
    for write, message in (
        (CreateRole(Role("New", privileges=some("FLY"))), "the panel has no privilege FLY"),
        (CreateRole(Role("New", includes=some("Nowhere"))), "there is no role Nowhere"),
        (UpdateRole(base, replace(base, privileges=some("FLY"))), "no privilege FLY"),
        (SetAssignment(ADA, NOBODY, some("Nowhere")), "there is no role Nowhere"),
        (SetAssignment("nobody@x", NOBODY, some("Base")), "there is no user nobody@x"),
    ):
        with pytest.raises((BackendError, StateMoved), match=message):
            store.backend.write(write)
    assert store.asked("POST", "PUT", "PATCH", "DELETE") == []


@only["plain"]
def test_a_lost_deletion_is_not_done_because_of_a_404_on_the_way(store: Store) -> None:
    """A proxy without a backend answers 404 as well; the list of roles knows better."""
    spare = store.role("Spare")
    store.panel.meddle = lambda asked, _: (
        {"DELETE": LOST, "GET": Answer(404, "<html>no backend</html>")}.get(asked.method)
        if asked.path == "/roles/3" and asked in deletions_and_after(store)
        else None
    )
    with pytest.raises(BackendError):
        store.backend.write(DeleteRole(spare))
    assert 3 in store.panel.roles


def deletions_and_after(store: Store) -> list[Asked]:
    asked = store.server.asked
    first = next((n for n, each in enumerate(asked) if each.method == "DELETE"), len(asked))
    return asked[first:]


@pytest.mark.parametrize("part", ["holders", "used_by"])
def test_a_list_of_uses_that_is_not_there_is_an_error(tmp_path: Path, part: str) -> None:
    profile = last_role_by_remove()
    nowhere = {"path": "/roles/{role_id}/nowhere", "items": "data"}
    if part == "holders":
        profile["users"]["holders"] = nowhere
    else:
        profile["roles"]["used_by"] = [nowhere]
    panel = SmallPanel()
    panel.add("Spare", 3)
    panel.meddle = lambda asked, _: (
        Answer(404, {"message": "no such list"}) if asked.path.endswith("/nowhere") else None
    )
    with JsonServer(panel) as server:
        backend = opened(server, profile, tmp_path)
        spare = backend.read().state.roles["Spare"]
        with pytest.raises(BackendError, match="no such list"):
            backend.write(DeleteRole(spare))
    assert 1 in panel.roles
