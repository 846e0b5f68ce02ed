"""The shapes of the contract, and checking a JSON value against one of them.

The OpenAPI file is the one copy of the rules; its component schemas are JSON Schema 2020-12. As in
``provisioner.schemas``, ``valid`` is fast and ``violations`` explains.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from provisioner import schemas, strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jsonschema import ValidationError

CONTRACT: Final = "1.1"
REST: Final = "rest"
_FILE: Final = "gateway.openapi.yaml"
_EXPLAINED_ITEMS: Final = 50


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

    Of one list only the first wrong items are explained; an error whose ``validator`` is ``REST``
    has the number of the others as its ``validator_value``.

    Raises:
        ValueError: The contract has no such shape.
    """
    yield from _explainer()(_schema(shape)).iter_errors(value)


def _schema(shape: str) -> dict[str, Any]:
    """A schema of its own for one shape, with all components beside it for the references."""
    if shape not in _components():
        raise ValueError(f"the contract has no shape {shape!r}")
    return {**_around(), "$ref": f"#/components/schemas/{shape}"}


def _around() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": {"schemas": _components()},
    }


@cache
def _explainer() -> Any:
    """The validator that explains, in time that goes with the size of what it explains.

    The library's own takes some 20 µs for each item of a list, wrong or not, and compares each item
    with each other one where they can't be sorted.
    """
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    def items(validator: Any, schema: Any, listed: Any, __: Any) -> Iterator[ValidationError]:
        if not isinstance(listed, list):
            return
        fits = _item_gate(json.dumps(schema, sort_keys=True))
        wrong = [index for index, item in enumerate(listed) if not fits(item)]
        for index in wrong[:_EXPLAINED_ITEMS]:
            yield from validator.descend(listed[index], schema, path=index)
        if rest := len(wrong[_EXPLAINED_ITEMS:]):
            message = f"{rest} more items are wrong"
            yield ValidationError(message, validator=REST, validator_value=rest)

    def unique_items(_: Any, wanted: bool, listed: Any, __: Any) -> Iterator[ValidationError]:  # noqa: FBT001 - the library's signature
        if not wanted or not isinstance(listed, list):
            return
        is_text = set(map(type, listed)) <= {str}
        texts = listed if is_text else [json.dumps(item, sort_keys=True) for item in listed]
        if len(set(texts)) < len(texts):
            yield ValidationError("the list holds an item twice")

    return extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"items": items, "uniqueItems": unique_items}
    )


@cache
def _item_gate(schema: str) -> Callable[[object], bool]:
    """Whether an item fits the part of the contract that a list has for its items."""
    import jsonschema_rs

    whole = {**_around(), **strict_json.parse(schema)}
    return jsonschema_rs.validator_for(whole).is_valid


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
