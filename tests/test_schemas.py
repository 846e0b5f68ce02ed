"""The schemas themselves, and that both libraries read them alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from provisioner import schemas

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", schemas.names())
def test_a_schema_is_a_schema_and_stands_alone(name: str) -> None:
    """Valid by its own rules, for both libraries, and without references to other files."""
    schema = schemas.load(name)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)
    schemas.valid(name, {})
    text = json.dumps(schema)
    assert text.count('"$ref": "') == text.count('"$ref": "#')


def test_a_loaded_schema_belongs_to_the_caller() -> None:
    """Changing it changes no later check."""
    schemas.load("state").clear()
    assert schemas.load("state")


def test_both_libraries_agree() -> None:
    """What the fast one refuses, the other explains; what it accepts, the other does too."""
    state = json.loads((GOLDEN / "state.json").read_bytes())
    assert schemas.valid("state", state)
    assert not list(schemas.violations("state", state))
    for field in state:
        broken = {key: value for key, value in state.items() if key != field}
        assert not schemas.valid("state", broken)
        (violation,) = schemas.violations("state", broken)
        assert field in violation.message


def test_what_has_no_json_form_is_not_valid() -> None:
    """Text that can't be encoded is refused, not an error of the library."""
    state = json.loads((GOLDEN / "state.json").read_bytes())
    assert not schemas.valid("state", {**state, "lineage": "\ud800"})
    assert not schemas.valid("state", {**state, "serial": {1, 2}})


def test_an_unknown_schema_is_an_error() -> None:
    """A misspelled name is a mistake of the program, never a verdict."""
    with pytest.raises(ValueError, match=r"no schema named 'sate'; there are: .*state"):
        schemas.load("sate")
    with pytest.raises(ValueError, match="no schema named"):
        schemas.valid("sate", {})
