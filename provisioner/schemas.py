"""The JSON Schemas (2020-12) of every format, and checking a document against one of them.

There is one copy of the rules. ``valid`` asks jsonschema-rs, which is fast enough for every run;
``violations`` asks jsonschema, which explains, and is meant for documents that are known to be
wrong. Both load their library on first use. Each schema stands alone: no ``$ref`` leaves its file.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioner import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jsonschema import ValidationError

_SUFFIX = ".schema.json"


def load(name: str) -> dict[str, Any]:
    """Return a fresh copy of the schema of that name, such as ``"state"``.

    Raises:
        ValueError: There is no such schema.
    """
    path = folder() / f"{name}{_SUFFIX}"
    if not path.is_file():
        raise ValueError(f"no schema named {name!r}; there are: {', '.join(names())}")
    schema: dict[str, Any] = strict_json.parse(path.read_bytes())
    return schema


def names() -> tuple[str, ...]:
    """Return the names of all schemas, sorted."""
    return tuple(sorted(path.name.removesuffix(_SUFFIX) for path in folder().glob(f"*{_SUFFIX}")))


def valid(name: str, document: object) -> bool:
    """Whether a document of JSON types fits the schema of that name.

    Raises:
        ValueError: There is no such schema.
    """
    fits = _gate(name)
    try:
        return fits(document)
    except (TypeError, ValueError):
        # Raised for what has no JSON form, such as lone surrogates or keys that are not text.
        return False


def violations(name: str, document: object) -> Iterator[ValidationError]:
    """Yield what is wrong with a document, in the order of the schema. Nothing if it is valid."""
    from jsonschema import Draft202012Validator

    yield from Draft202012Validator(load(name)).iter_errors(document)


@cache
def folder() -> Path:
    """Where the schemas are: inside an installed package, or beside it in a source checkout."""
    package = Path(__file__).parent
    packaged = package / "_schemas"
    return packaged if packaged.is_dir() else package.parent / "schemas"


@cache
def _gate(name: str) -> Callable[[object], bool]:
    import jsonschema_rs

    return jsonschema_rs.validator_for(load(name)).is_valid
