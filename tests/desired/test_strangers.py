"""A file that is given as what it is not is said for what it is, and no value of it repeated."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from provisioner import schemas
from provisioner.desired.load import checked_document
from provisioner.desired.strangers import KEYS
from provisioner.reports.text.diagnostics import diagnostic_document

if TYPE_CHECKING:
    from provisioner.diagnostics import Diagnostic

FILES = {
    "a saved plan": '{"format": "provisioner-plan", "version": 1, "changes": []}',
    "a state file": '{"format": "provisioner-state", "version": 1, "roles": [], "users": []}',
    "what a command printed": '{"format": "provisioner-access", "version": 1}',
    "the lock file of a state": '{"by": "x", "pid": 1, "operation": "apply", "since": "y"}',
    "a project file": "version: 1\nsources: [roles]\nignore: [x]\n",
    "a catalogue": "version: 1\nname: x\nprivileges: [{name: A}]\n",
    "a profile": "version: 1\nroles: {list: {}}\nusers: {}\npaging: {}\n",
    "a roles file": "version: 1\nusers: {}\nignore: [x]\n",
}
OWN = {
    "a project file": "project",
    "a catalogue": "catalogue",
    "a profile": "profile",
    "a roles file": "roles",
}


def found(text: str | bytes, schema: str = "roles") -> list[Diagnostic]:
    data = text if isinstance(text, bytes) else text.encode()
    return checked_document(data, "the file", schema).diagnostics


def test_the_keys_are_those_of_the_schemas() -> None:
    for name, keys in KEYS.items():
        assert keys | {"version"} == schemas.load(name)["properties"].keys()


@pytest.mark.parametrize("schema", KEYS)
@pytest.mark.parametrize("what", FILES)
def test_each_is_said_for_what_it_is(what: str, schema: str) -> None:
    problems = found(FILES[what], schema)
    if OWN.get(what) == schema or (what, schema) == ("a roles file", "profile"):
        assert "wrong-kind-of-file" not in {problem.id for problem in problems}
    else:
        (problem,) = problems
        assert problem.id == "wrong-kind-of-file"
        assert f"this is {what}" in problem.message


def test_a_saved_plan_says_how_to_apply_it() -> None:
    (problem,) = checked_document(FILES["a saved plan"].encode(), "my plan", "roles").diagnostics
    assert problem.remedy == "to apply it: `provisioner apply --plan 'my plan'`"


SECRETS = [
    "SECRET\n",
    "12345SECRET\n",
    "0123456789\n",
    "SECRET: SECRET\n",
    "root:SECRET:19000:0:99999:7:::\nbin:SECRET:1:::::\n",
    "*SECRET\n",
    "&SECRET x\n",
    "!SECRET x\n",
    "a: *SECRET\n",
    "SECRET: 1\nSECRET: 2\n",
    "a: 0123456789\n",
    "0123456789: a\n",
    "- SECRET\n- user: SECRET\n",
    '{"token": "SECRET", "url": "SECRET"}',
    "[SECRET\n",
    "SECRET: [\n",
    "---\nSECRET\n---\nSECRET\n",
    b"SECRET\xff",
    "machine x login y password SECRET\n",
]


@pytest.mark.parametrize("schema", KEYS)
@pytest.mark.parametrize("text", SECRETS)
def test_no_value_of_a_file_that_is_none_of_ours_is_repeated(
    text: str | bytes, schema: str
) -> None:
    problems = found(text, schema)
    assert problems
    told = json.dumps([diagnostic_document(problem) for problem in problems])
    assert "SECRET" not in told
    assert "123456" not in told


@pytest.mark.parametrize(
    "text",
    ["rols: {}\nversion: 1\n", "users: {a: {role: []}}\n", "version: 1\nroles: {A: *x}\n"],
)
def test_a_file_that_says_to_be_one_of_ours_is_explained(text: str) -> None:
    assert "wrong-kind-of-file" not in {problem.id for problem in found(text)}
    told = "\n".join(problem.message for problem in found(text))
    assert any(name in told for name in ("`rols`", "`role`", "`*x`"))
