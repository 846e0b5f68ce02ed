"""The shapes of the contract, and checking a JSON value against one of them.

The OpenAPI file is the one copy of the rules; its component schemas are JSON Schema 2020-12. As in
``provisioner.schemas``, ``valid`` is fast and ``violations`` explains.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from provisioner import schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jsonschema import ValidationError

CONTRACT: Final = "1.0"
_FILE: Final = "gateway.openapi.yaml"


def contract_text() -> bytes:
    """Return the OpenAPI file as it is."""
    return (schemas.folder() / _FILE).read_bytes()


def valid(shape: str, value: object) -> bool:
    """Whether a value of JSON types has the shape of that name, such as ``"Role"``.

    Raises:
        ValueError: The contract has no such shape.
    """
    fits = _gate(shape)
    try:
        return fits(value)
    except (TypeError, ValueError):
        # Raised for what has no JSON form, such as lone surrogates or keys that are not text.
        return False


def violations(shape: str, value: object) -> Iterator[ValidationError]:
    """Yield what is wrong with a value, in the order of the schema. Nothing if it fits.

    Raises:
        ValueError: The contract has no such shape.
    """
    yield from _explainer()(_schema(shape)).iter_errors(value)


def _schema(shape: str) -> dict[str, Any]:
    """A schema of its own for one shape, with all components beside it for the references."""
    components = _components()
    if shape not in components:
        raise ValueError(f"the contract has no shape {shape!r}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": f"#/components/schemas/{shape}",
        "components": {"schemas": components},
    }


@cache
def _explainer() -> Any:
    """The validator that explains, with a ``uniqueItems`` that takes no longer for odd lists.

    The library's own compares each item with each other one when they can't be sorted.
    """
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    def unique_items(_: Any, wanted: bool, items: Any, __: Any) -> Iterator[ValidationError]:  # noqa: FBT001 - the library's signature
        if not wanted or not isinstance(items, list):
            return
        texts = [json.dumps(item, sort_keys=True) for item in items]
        if len(set(texts)) < len(texts):
            yield ValidationError("the list holds an item twice")

    return extend(Draft202012Validator, {"uniqueItems": unique_items})  # type: ignore[no-untyped-call]


@cache
def _gate(shape: str) -> Callable[[object], bool]:
    import jsonschema_rs

    return jsonschema_rs.validator_for(_schema(shape)).is_valid


@cache
def _components() -> dict[str, Any]:
    import yaml

    loaded = yaml.load(contract_text(), Loader=yaml.CSafeLoader)
    components: dict[str, Any] = loaded["components"]["schemas"]
    return components
