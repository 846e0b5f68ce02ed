"""Nothing damaged is ever believed: every kind of damage is noticed, named, and has a remedy."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from provisioner.backends.base import Run
from provisioner.backends.file import FileBackend
from provisioner.documents import state as document
from provisioner.engine.writes import CreateRole
from provisioner.errors import BackendError, StateDamaged
from provisioner.model import Base, Role, State

WHOLE = (Path(__file__).parent.parent / "golden" / "state.json").read_bytes()
NO_DAY = "2026-02-30"
RUN = Run("2026-03-01T09:30:00Z", "ada@desk", "apply", "1 to create")


def signed(text: str) -> bytes:
    """Return a state file with the right digest over any content, as a forger would make it."""
    body = text.encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(body).hexdigest()
    return b'{\n"digest": "sha256:%s",\n%s' % (digest.encode(), body)


def resigned(**changes: Any) -> bytes:
    """Return the golden file with some fields replaced, and the digest made to match."""
    content = json.loads(WHOLE) | changes
    del content["digest"]
    return signed(json.dumps(content)[1:])


def damage(data: bytes) -> str:
    """Return the id of what is wrong with the data."""
    with pytest.raises(StateDamaged) as caught:
        document.decode(data, "state.json")
    (found,) = caught.value.diagnostics
    assert found.place == "state.json"
    assert "state.json" in found.message
    assert found.remedy
    assert "rollback N --replace-broken" in found.remedy
    return found.id


def damages(data: bytes) -> list[str]:
    """Return all that is said to be wrong with the data."""
    with pytest.raises(StateDamaged) as caught:
        document.decode(data, "state.json")
    return [found.message for found in caught.value.diagnostics]


def message(data: bytes) -> str:
    """Return what is said about damaged data."""
    with pytest.raises(StateDamaged) as caught:
        document.decode(data, "state.json")
    return str(caught.value)


def test_a_truncated_state_is_refused() -> None:
    """Cut off at any byte, the file is damaged and nothing else, and never believed."""
    data = WHOLE
    found = {damage(data[:size]) for size in range(1, len(data))}
    assert found <= {"state-truncated", "state-edited"}
    assert damage(data[: len(data) // 2]) == "state-truncated"


def test_an_empty_state_file_is_refused() -> None:
    """Empty is what a failed write leaves, not a store without roles."""
    assert damage(b"") == "state-empty"


def test_a_flipped_bit_is_noticed() -> None:
    """In any byte of the file, any other value of it is damage."""
    data = WHOLE
    values = random.Random(1)
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= values.randrange(1, 256)
        with pytest.raises(StateDamaged):
            document.decode(bytes(flipped), "state.json")


@pytest.mark.parametrize("extra", [b" ", b"\n", b"{}", b"\0" * 512])
def test_trailing_bytes_are_noticed(extra: bytes) -> None:
    """What stands after the end was not written by provisioner."""
    assert damage(WHOLE + extra) in {"state-edited", "state-truncated"}


def test_a_hand_edit_shows() -> None:
    """A valid document with one grant more is refused all the same."""
    edited = WHOLE.replace(b'["A_VIEW", "B_VIEW"]', b'["A_VIEW", "B_VIEW", "CONFIG_SECURITY"]')
    assert damage(edited) == "state-edited"
    assert "edited by hand" in message(edited)


def test_changed_line_endings_are_named() -> None:
    """Git may have done it, and can be told not to."""
    edited = WHOLE.replace(b"\n", b"\r\n")
    assert damage(edited) == "state-edited"
    assert "line endings" in message(edited)


def test_an_unfinished_merge_is_named() -> None:
    """Conflict markers are seen for what they are."""
    start = WHOLE.index(b'"roles"')
    edited = WHOLE[:start] + b"<<<<<<< ours\n=======\n>>>>>>> theirs\n" + WHOLE[start:]
    assert damage(edited) == "state-edited"
    assert "merge" in message(edited)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_another_encoding_is_named(encoding: str) -> None:
    """An editor that saved the file in its own encoding is told."""
    assert damage(WHOLE.decode().encode(encoding)) == "state-encoding"


def test_bytes_that_are_no_utf8_are_refused() -> None:
    """Even where the digest matches."""
    body = WHOLE.split(b"\n", 2)[2].replace(b"Viewer", b"View\xe9r")
    digest = hashlib.sha256(body).hexdigest().encode()
    assert damage(b'{\n"digest": "sha256:%s",\n%s' % (digest, body)) == "state-encoding"


@pytest.mark.parametrize("data", [b"hello\n", b"{}\n", b"[]", b"\0" * 4096, b'{"version": 4}'])
def test_another_file_is_not_taken_for_a_state(data: bytes) -> None:
    """A path that names the wrong file is an error."""
    assert damage(data) == "state-foreign"


@pytest.mark.parametrize("version", [2, 99])
def test_a_state_of_a_newer_version_is_refused(version: int) -> None:
    """With the advice to upgrade, even if its digest is made in another way."""
    data = WHOLE.replace(b'"version": 1', b'"version": %d' % version)
    assert damage(data) == "state-newer"
    assert f"version {version}, this one reads up to 1" in message(data)


def violating() -> dict[str, tuple[dict[str, Any], str]]:
    """Return changes that break the schema, each with the field that must be named."""
    content = json.loads(WHOLE)
    role, user = content["roles"][0], content["users"][0]
    without_id = {key: value for key, value in role.items() if key != "id"}
    return {
        "a list for an object": ({"roles": {}}, "roles"),
        "a missing id": ({"roles": [without_id]}, "roles[0]"),
        "an empty id": ({"roles": [role | {"id": ""}]}, "roles[0].id"),
        "an unknown key": ({"roles": [role | {"colour": "red"}]}, "roles[0]"),
        "a number for a name": ({"roles": [role | {"name": 5}]}, "roles[0].name"),
        "a privilege that is null": (
            {"roles": [role | {"privileges": ["A", None]}]},
            "roles[0].privileges[1]",
        ),
        "a flag in quotes": ({"roles": [role | {"protected": "no"}]}, "roles[0].protected"),
        "a text for roles": ({"users": [user | {"roles": "all"}]}, "users[0].roles"),
        "an unknown kind": ({"recorded": ["groups"]}, "recorded[0]"),
        "a negative serial": ({"serial": -1}, "serial"),
        "a serial that is text": ({"serial": "7"}, "serial"),
        "a serial that no file could count to": ({"serial": 10**15}, "serial"),
        "a lineage that is no UUID": ({"lineage": "mine"}, "lineage"),
        "a run without a time": ({"run": {"by": "ada"}}, "run"),
        "another format": ({"format": "tfstate"}, "format"),
        "an unknown field": ({"comment": ""}, "comment"),
    }


@pytest.mark.parametrize("case", violating())
def test_a_state_of_the_wrong_shape_is_refused(case: str) -> None:
    """Though its digest matches: the message names the field."""
    changes, field = violating()[case]
    assert damage(resigned(**changes)) == "state-schema"
    assert field in message(resigned(**changes))


def contradicting() -> dict[str, tuple[dict[str, Any], str]]:
    """Return changes that fit the schema and make no sense, with what must be named."""
    content = json.loads(WHOLE)
    roles, users = content["roles"], content["users"]
    viewer = roles[2]
    return {
        "names that differ in case": (
            {"roles": [*roles, viewer | {"name": "VIEWER", "id": "x"}]},
            "VIEWER",
        ),
        "a name twice": ({"roles": [*roles, viewer | {"id": "x"}]}, "Viewer"),
        "an id twice": (
            {"roles": [*roles, viewer | {"name": "Other"}]},
            "is the id of Viewer already",
        ),
        "a login twice": ({"users": [*users, users[0] | {"user": "ADA@example.com"}]}, "ADA@"),
        "an include of nothing": (
            {"roles": [roles[0] | {"includes": ["Gone"]}, *roles[1:]]},
            "Gone",
        ),
        "an assignment to nothing": ({"users": [users[0] | {"roles": ["Gone"]}]}, "Gone"),
        "a user twice": ({"users": [*users, users[0]]}, "users[2].user: Ada@example.com"),
        "a privilege twice": (
            {"roles": [*roles[:2], viewer | {"privileges": ["A_VIEW", "B_VIEW", "A_VIEW"]}]},
            "roles[2].privileges (Viewer): A_VIEW is there twice",
        ),
        "an include twice": (
            {"roles": [roles[0], roles[1] | {"includes": ["Viewer", "Viewer"]}, viewer]},
            'includes (Süd "Ost" 🚒): Viewer is there twice',
        ),
        "a role given twice": (
            {"users": [users[0] | {"roles": ["Viewer", "Viewer"]}]},
            "users[0].roles (Ada@example.com): Viewer is there twice",
        ),
        "a role that includes itself": (
            {"roles": [*roles[:2], viewer | {"includes": ["Viewer"]}]},
            "roles (Viewer).includes: it includes itself: Viewer > Viewer",
        ),
        "roles that include each other": (
            {"roles": [*roles[:2], viewer | {"includes": ['Süd "Ost" 🚒']}]},
            "it includes itself: ",
        ),
        "a kind twice": ({"recorded": ["roles", "roles"]}, "recorded: roles is there twice"),
        "no run for a serial": ({"run": None}, "run: every serial but 0"),
        "a run for no serial": ({"serial": 0}, "run: every serial but 0"),
        "a policy without a rule": (
            {"policies": [{"name": "p"}]},
            "policies[0]: policy `p` has no",
        ),
        "a policy with two rules": (
            {"policies": [{"name": "p", "deny": ["A"], "dated": {"roles": ["Viewer"]}}]},
            "policies[0]: policy `p` has no rule, more than one",
        ),
        "a policy without a name": ({"policies": [{"deny": ["A"]}]}, "policies[0]"),
        "a policy that is wrong inside": (
            {"policies": [{"name": "p", "restrict": {"roles": ["Viewer"], "max_users": -1}}]},
            "policies[0]: restrict.max_users: -1",
        ),
        "a policy until no day": (
            {
                "policies": [
                    {"name": "p", "deny": ["A"], "except": [{"role": "V", "until": NO_DAY}]}
                ]
            },
            "policies[0].except: there is no date 2026-02-30",
        ),
        "a policy twice": (
            {"policies": [{"name": "p", "deny": ["A"]}, {"name": "p", "deny": ["B"]}]},
            "policies[1].name: p is there twice",
        ),
    }


@pytest.mark.parametrize("case", contradicting())
def test_a_state_that_contradicts_itself_is_refused(case: str) -> None:
    """References and names are checked, since a schema can't."""
    changes, named = contradicting()[case]
    assert damage(resigned(**changes)) == "state-inconsistent"
    assert named in message(resigned(**changes))


def test_all_contradictions_are_told_at_once() -> None:
    """Up to twenty; the rest is counted."""
    content = json.loads(WHOLE)
    users = [{"user": f"u{number}@example.com", "roles": ["Gone"]} for number in range(30)]
    told = damages(resigned(users=users, roles=[*content["roles"], content["roles"][0]]))
    assert len(told) == 21
    assert any("roles[3].name: Full Access is there twice" in each for each in told)
    assert any("roles[3].id" in each for each in told)
    assert any("users[17].roles (u17@example.com): there is no role Gone" in each for each in told)
    assert "state.json contradicts itself: and 12 more of such" in told
    with pytest.raises(StateDamaged) as caught:
        document.decode(resigned(users=users), "state.json")
    # What to do stands below the last, once.
    assert ["rollback" in str(found.remedy) for found in caught.value.diagnostics] == [
        False
    ] * 20 + [True]


def test_json_that_breaks_parsers_is_refused() -> None:
    """Nesting, numbers and surrogates that a parser chokes on are damage, not a crash."""
    head = '"format": "provisioner-state",\n"version": 1,\n'
    for body in ("[" * 100_000, f'"serial": {"9" * 5000}}}', '"serial": 1', "}{", "", "1}"):
        assert damage(signed(head + body)) in {"state-json", "state-schema"}
    assert damage(resigned(lineage="\ud800")) == "state-json"


def test_what_programs_read_differently_is_refused() -> None:
    """Each flaw is told with its place, all of them at once."""
    body = WHOLE.split(b"\n", 2)[2].decode()
    twice = body.replace('"recorded":', '"serial": 8,\n"recorded":')
    (told,) = damages(signed(twice))
    assert "line 8, column 1 (/serial): the key `serial` stands twice in one object" in told
    assert "the first is at line 6, column 1" in told
    numbers = body.replace('"serial": 7', f'"serial": {"9" * 21}').replace("false", "NaN", 1)
    first, second = damages(signed(numbers))
    assert "(/roles/1/protected): NaN is no JSON number" in first
    assert "(/serial): 999999999999999999999 is a larger number" in second


def test_a_serial_is_a_whole_number_however_it_is_written() -> None:
    """1e0 is 1 to every program, and is kept as 1."""
    body = WHOLE.split(b"\n", 2)[2].decode().replace('"serial": 7', '"serial": 7.0')
    serial = document.decode(signed(body), "state.json").header.serial
    assert (serial, type(serial)) == (7, int)


def test_text_without_utf8_form_is_not_written(tmp_path: Path) -> None:
    """Lone surrogates can't be stored; the refusal is an error of ours and changes nothing."""
    path = tmp_path / "state.json"
    backend = FileBackend(path, State())
    role = Role("a", "\ud800")
    with pytest.raises(BackendError, match="nothing was changed"):
        backend.commit(Base(), (CreateRole(role),), State({"a": role}), RUN)
    assert not path.exists()


def test_a_path_to_the_wrong_thing_is_an_error(tmp_path: Path) -> None:
    """The backend reports a damaged file under the path that the configuration gave."""
    path = tmp_path / "state.json"
    path.write_bytes(WHOLE[:100])
    with pytest.raises(StateDamaged, match=r"state\.json is cut off after 100 bytes"):
        FileBackend(path, State()).read()
