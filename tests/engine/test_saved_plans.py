"""A plan as a file: the same plan gives the same bytes, and only those bytes give the plan."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner import schemas
from provisioner.documents import plan as planfile
from provisioner.errors import InvalidInput
from provisioner.model import (
    Assignment,
    Base,
    DatedRole,
    DesiredState,
    DesiredUser,
    Grant,
    Place,
    State,
)
from provisioner.testing.strategies import worlds
from provisioner.testing.write_strategies import rollbacks
from tests.engine.build import desired, renamed, role, stored, world

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

    from provisioner.engine.planning.plan import Plan
    from provisioner.testing.world import World

    Path = tuple[str | int, ...]


ODD_VALUES: tuple[Any, ...] = ("other", 12345, None, True, [], {})


class Everywhere:
    """A provenance that has an answer to everything."""

    def role(self, name: str) -> Place | None:
        return Place("roles/ä.yaml", 3, 1)

    def user(self, login: str) -> Place | None:
        return Place("users.yaml", 1, 5)

    def assignment(self, login: str, role: str) -> Place | None:
        return Place("users.yaml", 2, 9)

    def grants(self, role: str) -> tuple[Grant, ...]:
        place = Place("roles/ä.yaml", 4, 7)
        return (Grant("A", "A", place, "basics"), Grant("B", "*", None))

    def include(self, role: str, included: str) -> Place | None:
        return None


BASICS: Mapping[str, str | tuple[DatedRole, ...]] = {
    "ada": (DatedRole("Support", date(2026, 12, 31), "holiday cover"),),
    "Grace": "Clerk",
}
WIDE = replace(
    world(
        stored(role("Helpdesk", "C"), role("Legacy One"), role("Old"), recorded=(), bob="Helpdesk"),
        replace(
            desired(
                renamed("Helpdesk", role("Support", "A B")),
                role("Clerk", "B", includes=("Support",)),
                users=BASICS,
            ),
            files=("roles/ä.yaml", "users.yaml"),
            digest="sha256:" + 64 * "a",
            rules={"policies": (), "tests": ({"user": "ada", "can": ["A"]},)},
            provenance=Everywhere(),
        ),
        ignore=("Legacy *",),
        self_users=("ci@example.com",),
    ),
    base=Base("a lineage", 3, "sha256:" + 64 * "b"),
)
"""A plan with every kind of change, dates, places, blockers and coverage."""


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every scalar in a document."""
    items: list[tuple[str | int, Any]]
    match value:
        case dict():
            items = list(value.items())
        case list():
            items = list(enumerate(value))
        case _:
            yield path
            return
    for key, item in items:
        yield from leaves(item, (*path, key))


def changed(document: Any, path: Path, value: Any) -> Any:
    """A copy of a document with another value at a path."""
    copy = json.loads(json.dumps(document))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


def sealed(document: dict[str, Any]) -> bytes:
    """A forged document whose digest is right."""
    return json.dumps({**document, "digest": planfile.digest(document)}).encode()


def shuffled(it: World, random: Random) -> World:
    """The same world, every mapping in another order."""

    def shuffle(mapping: Mapping[str, Any] | None) -> dict[str, Any] | None:
        items = list(mapping.items()) if mapping is not None else []
        random.shuffle(items)
        return dict(items) if mapping is not None else None

    current = State(
        shuffle(it.current.roles) or {},
        shuffle(it.current.assignments) or {},
        it.current.recorded,
    )
    wanted = replace(
        it.desired,
        roles=shuffle(it.desired.roles),
        users=shuffle(it.desired.users),
        rules=shuffle(it.desired.rules) or {},
    )
    return replace(it, current=current, desired=wanted)


@given(worlds() | rollbacks() | worlds(tidy=False))
def test_a_saved_plan_is_the_plan(it: World) -> None:
    """Reading gives an equal plan, writing that the same bytes; the schema accepts them."""
    plan = it.plan()
    data = planfile.encode(plan)
    again = planfile.decode(data, "plan.json")
    assert again == plan
    assert planfile.encode(again) == data
    assert list(schemas.violations("plan", json.loads(data))) == []


def test_a_plan_with_everything_in_it_comes_back() -> None:
    """Places, grants, dates, blockers, rules and coverage among it."""
    plan = WIDE.plan()
    assert plan.blockers
    assert plan.valid_until == date(2026, 12, 31)
    data = planfile.encode(plan)
    assert planfile.decode(data, "plan.json") == plan
    assert planfile.encode(planfile.decode(data, "plan.json")) == data
    assert list(schemas.violations("plan", json.loads(data))) == []
    assert schemas.valid("plan", json.loads(data))


@given(worlds() | rollbacks() | worlds(tidy=False), st.randoms(use_true_random=False))
def test_the_same_inputs_give_the_same_bytes(it: World, random: Random) -> None:
    """In whatever order roles, users and rules were read."""
    assert planfile.encode(shuffled(it, random).plan()) == planfile.encode(it.plan())


@pytest.mark.parametrize("reverse", [False, True])
def test_objections_stand_in_the_same_order(reverse: bool) -> None:
    """Which user comes first in the store does not show in the plan."""
    users = {"ada": "Clerk", "grace": "Clerk", "linus": "Clerk"}
    current = stored(role("Clerk"), users=dict(sorted(users.items(), reverse=reverse)))
    plan = world(current, desired()).plan()
    in_use = [b.message for b in plan.blockers if b.id == "role-in-use"]
    assert in_use == sorted(in_use)
    assert len(in_use) == 3


@pytest.mark.parametrize("reverse", [False, True])
def test_look_alikes_stand_in_the_same_order(reverse: bool) -> None:
    """Nor which role the sources declare first."""
    current = stored(role("\u0421lerk"), role("\u0410uditor"))  # with a Cyrillic first letter
    declared = sorted([role("Clerk"), role("Auditor")], key=lambda r: r.name, reverse=reverse)
    found = [b.message for b in world(current, desired(*declared)).plan().blockers]
    assert found == sorted(found)
    assert len(found) >= 2


def test_the_digest_tells_plans_apart() -> None:
    """Another day, another digest; the same day, the same."""
    document = planfile.to_document(WIDE.plan())
    assert document["digest"] == planfile.to_document(WIDE.plan())["digest"]
    later = planfile.to_document(WIDE.plan(as_of=date(2026, 3, 2)))
    assert document["digest"] != later["digest"]


# Tampering


def refuses(data: bytes) -> bool:
    """Whether a plan is refused, with sentences that name the file; a remedy ends the last."""
    try:
        planfile.decode(data, "plan.json")
    except InvalidInput as error:
        found = error.diagnostics
        *others, last = (bool(each.remedy) for each in found)
        return last and not any(others) and all(each.place == "plan.json" for each in found)
    return False


@given(st.data())
def test_a_changed_byte_is_refused(data: st.DataObject) -> None:
    """Any byte, any value: unless the text still says the same, as it does in other white space."""
    plan = WIDE.plan()
    saved = planfile.encode(plan)
    at = data.draw(st.integers(0, len(saved) - 1))
    byte = data.draw(st.integers(0, 255) | st.sampled_from(b'"{}[]:,0123456789abcntu \\\n'))
    tampered = saved[:at] + bytes([byte]) + saved[at + 1 :]
    assert refuses(tampered) or planfile.decode(tampered, "plan.json") == plan


@given(st.data())
def test_a_byte_too_many_or_too_few_is_refused(data: st.DataObject) -> None:
    """The same, for what was put in or left out."""
    plan = WIDE.plan()
    saved = planfile.encode(plan)
    at = data.draw(st.integers(0, len(saved)))
    more = data.draw(st.binary(max_size=2))
    fewer = data.draw(st.integers(0, 3))
    tampered = saved[:at] + more + saved[at + fewer :]
    assert refuses(tampered) or planfile.decode(tampered, "plan.json") == plan


def test_a_changed_field_is_refused() -> None:
    """Every single value of the document counts, the digest among them."""
    document = json.loads(planfile.encode(WIDE.plan()))
    for path in leaves(document):
        for value in ODD_VALUES:
            tampered = changed(document, path, value)
            assert tampered == document or refuses(json.dumps(tampered).encode()), path


@given(st.data())
def test_a_cut_off_plan_is_refused(data: st.DataObject) -> None:
    """Wherever the disk became full."""
    saved = planfile.encode(WIDE.plan())
    assert refuses(saved[: data.draw(st.integers(0, len(saved) - 3))])


@given(st.binary(max_size=40) | st.text().map(str.encode))
def test_anything_else_is_refused(data: bytes) -> None:
    """Whatever it is, the answer is a sentence."""
    assert refuses(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"plan"',
        b"{}",
        b"[" * 100_000,
        b'{"format": "provisioner-plan"}',
        b'{"format": "provisioner-plan", "version": 1}',
        b'{"format": "provisioner-plan", "version": 2, "digest": "sha256:0"}',
        b'{"format": "provisioner-plan", "version": NaN}',
        b'{"format": "provisioner-plan", "version": ' + b"9" * 10_000 + b"}",
        b"\xff\xfe{\x00}\x00",
    ],
    ids=lambda data: repr(data[:50]),
)
def test_what_is_no_plan_is_refused(data: bytes) -> None:
    """With a sentence, not with a traceback."""
    assert refuses(data)


# A right digest is no proof: what it seals is checked like any input


@given(st.data())
def test_a_forged_plan_is_refused_or_read(data: st.DataObject) -> None:
    """With any value anywhere and a matching digest, the answer is a plan or a sentence."""
    document = planfile.to_document(WIDE.plan())
    path = data.draw(st.sampled_from([p for p in leaves(document) if p != ("digest",)]))
    odd = st.sampled_from(("", "2026-02-31", "0000-01-01", "create", "rename", -1, 1.5, 10**30))
    value = data.draw(odd | st.none() | st.booleans() | st.text() | st.just([]) | st.just({}))
    forged = sealed(changed(document, path, value))
    if not refuses(forged):
        assert planfile.decode(forged, "plan.json") is not None


@pytest.mark.parametrize("field", ["as_of", "valid_until"])
def test_a_day_that_does_not_exist_is_refused(field: str) -> None:
    """The form of a date is not enough."""
    document = planfile.to_document(WIDE.plan())
    assert refuses(sealed({**document, field: "2026-02-31"}))


def test_half_a_character_is_refused() -> None:
    """Text that no file can hold does not come in by an escape."""
    document = {**planfile.to_document(WIDE.plan()), "desired_digest": "sha256:HALF"}
    assert refuses(sealed(document).replace(b"HALF", b"\\ud800"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("summary", {"create": 0, "update": 0, "rename": 0, "delete": 0, "assign": 0}),
        ("applyable", True),
        ("has_changes", False),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(field: str, value: Any) -> None:
    """What people read in it is what would be applied."""
    document = planfile.to_document(WIDE.plan())
    if isinstance(value, dict):
        value = {**document[field], **value}
    assert refuses(sealed({**document, field: value}))


def test_a_change_that_contradicts_itself_is_refused() -> None:
    """A deletion without the role that is deleted would pass by its protection."""
    document = planfile.to_document(WIDE.plan())
    at = next(i for i, c in enumerate(document["changes"]) if c["action"] == "delete")
    assert refuses(sealed(changed(document, ("changes", at, "before"), None)))
    assert refuses(sealed(changed(document, ("changes", at, "removed"), ["A"])))
    assert refuses(sealed(changed(document, ("changes", at, "name"), "Legacy One")))


def contradictions(**changes: Any) -> list[str]:
    """What is said of the wide plan, with these values at the top of its document, or below."""
    document = planfile.to_document(WIDE.plan())
    for pointer, value in changes.items():
        path = [int(step) if step.isdigit() else step for step in pointer.split("__")]
        document = changed(document, tuple(path), value)
    with pytest.raises(InvalidInput) as refused:
        planfile.decode(sealed(document), "plan.json")
    return [found.message for found in refused.value.diagnostics]


def at(action: str) -> int:
    """Where the first change of that kind stands in the wide plan."""
    changes = planfile.to_document(WIDE.plan())["changes"]
    return next(i for i, change in enumerate(changes) if change["action"] == action)


def test_a_contradiction_names_the_field_what_it_says_and_what_follows() -> None:
    """As a JSON pointer, so that programs find it too."""
    number = at("update")
    (found,) = contradictions(**{f"changes__{number}__effect": "cosmetic"})
    assert found == (
        f'the plan contradicts itself: /changes/{number}/effect says "cosmetic"; '
        'from the rest of it follows "both"'
    )


def test_a_number_written_otherwise_is_refused() -> None:
    """Two digests for one plan: it could be applied twice."""
    document = planfile.to_document(WIDE.plan())
    number = float(document["base"]["serial"])
    assert refuses(sealed(changed(document, ("base", "serial"), number)))


def test_an_edit_that_is_not_shown_is_refused() -> None:
    """What people read is ``fields``; what is stored is ``after``."""
    number = at("update")
    added = {f"changes__{number}__after__privileges": ["A", "B", "CONFIG_SECURITY"]}
    told = contradictions(**added, **{f"changes__{number}__added": ["A", "B", "CONFIG_SECURITY"]})
    assert any(f"/changes/{number}/fields/0/added/2 says null" in line for line in told)


def test_a_rename_with_an_edit_in_it_is_refused() -> None:
    """It is shown as a pure rename; the edit has to be a change of its own."""
    number = at("rename")
    told = contradictions(**{f"changes__{number}__after__privileges": ["A", "B", "C"]})
    assert any("renamed as one thing and changed as another" in line for line in told)
    alone = world(stored(role("Desk", "A")), desired(renamed("Desk", role("Support", "A"))))
    document = planfile.to_document(alone.plan())
    forged = changed(document, ("changes", 0, "after", "privileges"), ["A", "B"])
    forged = changed(forged, ("changes", 0, "added"), ["B"])
    with pytest.raises(InvalidInput, match='/changes/0/after/privileges/1 says "B"'):
        planfile.decode(sealed(forged), "plan.json")


def test_changes_in_another_order_are_refused() -> None:
    """The order is that in which people read them."""
    changes = planfile.to_document(WIDE.plan())["changes"]
    assert contradictions(changes=changes[::-1])


def test_a_change_of_what_is_not_managed_is_refused() -> None:
    """It would be a kind that `show` calls not managed."""
    (found,) = contradictions(manages=["users"])
    assert "though roles are not managed" in found


def test_a_plan_that_a_policy_forbids_can_not_hide_it() -> None:
    """A new break is among what blocks it."""
    rules = {"policies": ({"name": "p", "deny": ["A"]},)}
    it = world(stored(role("Desk")), replace(desired(role("Desk", "A")), rules=rules))
    document = planfile.to_document(it.plan()) | {"blockers": [], "applyable": True}
    with pytest.raises(InvalidInput, match="policy p forbids it"):
        planfile.decode(sealed(document), "plan.json")


@pytest.mark.parametrize(
    "policy",
    [
        {"name": "p"},
        {"name": "p", "deny": "A"},
        {"name": "p", "deny": ["A"], "except": 5},
        {"name": "p", "deny": ["A"], "place": ["p.yaml", 1, 1, 1]},
        {"name": "p", "deny": ["A"], "except": [{"role": "R", "until": "2026-02-30"}]},
        {"name": 1, "deny": ["A"]},
    ],
    ids=str,
)
def test_a_policy_that_no_source_could_hold_is_refused(policy: Any) -> None:
    """Rules in a plan are input like the rest of it."""
    document = planfile.to_document(WIDE.plan())
    assert refuses(sealed({**document, "rules": {"policies": [policy]}}))


# Secrets and odd text


def test_names_and_texts_of_all_scripts_come_back() -> None:
    """Quotes, newlines and emoji in names and descriptions change nothing in the form."""
    odd = replace(role('Say "hi" \\ 🚒'), description="one\ntwo\u2028three\x7f")
    wanted = DesiredState(
        roles=desired(odd).roles,
        users={"ω": DesiredUser("Ω", (DatedRole(odd.name, None, 'a "reason"'),))},
    )
    it = world(State({}, {"ω": Assignment("Ω")}), wanted)
    plan: Plan = it.plan()
    assert planfile.decode(planfile.encode(plan), "plan.json") == plan
