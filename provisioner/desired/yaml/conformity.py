"""Whether a document is what its schema says, and, where not, what to tell its author.

jsonschema-rs answers yes or no in a few milliseconds; only after a no does jsonschema, slow and
exact, say what is wrong. Both read the same schema files.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from provisioner import schemas
from provisioner.desired.yaml.marked import MarkedMapping, MarkedSequence
from provisioner.desired.yaml.scalars import BARE_DATE_KEY
from provisioner.diagnostics import Diagnostic
from provisioner.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.desired.yaml.document import Document

_TYPE_NAMES = {
    "string": "text",
    "array": "a list",
    "object": "a mapping",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
}


_PLAIN: Final = re.compile(r"[A-Za-z][\w @.-]{0,60}")


def check(document: Document, schema: str) -> None:
    """Add a diagnostic for every violation of the schema, and leave what conforms.

    What violates the schema is taken out of the document, so that the rest can be looked at for
    further mistakes; ``is_whole`` says whether that took out a declaration. If nothing usable
    remains, the root is None afterwards.
    """
    if schemas.valid(schema, document.root):
        return
    document.is_whole = False
    document.keep_marks()
    violations = list(schemas.violations(schema, document.root))
    said = {diagnostic.place for diagnostic in document.diagnostics}
    found = (diagnostic for v in violations for diagnostic in _explain(document, v))
    document.diagnostics += [diagnostic for diagnostic in found if diagnostic.place not in said]
    if isinstance(document.root, dict):
        paths = {path for violation in violations for path in _unfit(violation)}
        document.is_whole = all(len(path) > _DECLARATION_DEPTH for path in paths)
        for path in sorted(paths, key=_last_items_first, reverse=True):
            _take_out(document.root, path)
        document.root.setdefault("version", 1)
    if not schemas.valid(schema, document.root):
        document.root, document.is_whole = None, False


# roles → name: what lies deeper can be missing without a reference to the name leading nowhere.
_DECLARATION_DEPTH = 2


def _unfit(violation: Any) -> Iterator[tuple[str | int, ...]]:
    """The paths of what must go for this violation to be gone."""
    path = tuple(violation.absolute_path)
    if "propertyNames" in violation.absolute_schema_path:
        yield (*path, violation.instance)
    elif violation.validator == "additionalProperties":
        known = violation.schema.get("properties", {})
        yield from ((*path, key) for key in violation.instance if key not in known)
    elif path:
        yield path


def _last_items_first(path: tuple[str | int, ...]) -> tuple[tuple[bool, int, str], ...]:
    return tuple((isinstance(s, int), s if isinstance(s, int) else 0, str(s)) for s in path)


def _take_out(root: Any, path: tuple[str | int, ...]) -> None:
    *way, last = path
    node = root
    for step in way:
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            return  # taken out with something around it
    if isinstance(node, MarkedMapping):
        node.pop(str(last), None)
    elif isinstance(node, MarkedSequence) and isinstance(last, int) and last < len(node):
        del node[last], node.marks[last]


def _explain(document: Document, violation: Any) -> Iterator[Diagnostic]:
    path = tuple(violation.absolute_path)
    is_name = "propertyNames" in violation.absolute_schema_path
    if is_name:
        path = (*path, violation.instance)
    explain: _Explain = _EXPLANATIONS.get(str(violation.validator), _other)
    for key, message, remedy in explain(violation, path):
        whole = (*path, key) if key else path
        place = document.place(whole, key=is_name or key is not None)
        yield Diagnostic(_ids(violation.validator), message, place, remedy)


def _ids(keyword: str) -> str:
    """``maxLength`` becomes ``schema-max-length``."""
    return "schema-" + "".join(f"-{c.lower()}" if c.isupper() else c for c in keyword)


# Each explanation yields (key below the path or None, message, remedy).
_Explained: TypeAlias = "Iterator[tuple[str | None, str, str | None]]"
_Explain: TypeAlias = "Callable[[Any, tuple[str | int, ...]], _Explained]"


def _where(path: tuple[str | int, ...]) -> str:
    """The value's name for a message: the last key on the way to it."""
    keys = [step for step in path if isinstance(step, str)]
    if not keys:
        return "the file"
    return f"an item of `{keys[-1]}`" if path and isinstance(path[-1], int) else f"`{keys[-1]}`"


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"the number `{value}`"
        case str():
            return f"`{value}`" if len(value) <= 60 else f"a text of {len(value)} characters"
        case dict():
            return "a mapping"
        case _:
            return "a list"


def _kind(value: object) -> str:
    """What a file is that is none of ours, without its value: that may be a secret."""
    match value:
        case None:
            return "nothing"
        case list():
            return "a list"
        case str():
            return "text"
        case _:
            return "a single value"


def _type(violation: Any, path: tuple[str | int, ...]) -> _Explained:
    expected = violation.validator_value
    names = [expected] if isinstance(expected, str) else list(expected)
    due = " or ".join(_TYPE_NAMES.get(name, name) for name in names)
    value = violation.instance
    remedy = None
    if not path:
        remedy = "start it with `version: 1`"
    elif path[-1] == BARE_DATE_KEY:
        remedy = "write the date as YYYY-MM-DD"
    elif value is None:
        remedy = "give it a value, or remove the key"
    elif "string" in names and isinstance(value, (bool, int, float)):
        remedy = f'quote it: "{str(value).lower()}"'
    elif names == ["array"] and isinstance(value, str):
        remedy = f"write a list: [{value}]"
    elif names == ["object"] and isinstance(value, (list, str)) and path[:-1] in _LISTED:
        key = _LISTED[path[:-1]]
        remedy = f"write {{{key}: {_flow(value)}}}"
    elif names == ["object"] and isinstance(value, list):
        remedy = "write `name: ...` lines instead of `- ` items"
    shown = _shown(value) if path else _kind(value)
    yield None, f"{_where(path)} must be {due}, not {shown}", remedy


# Where a list, or one name, is likely meant as what stands under this key.
_LISTED: Final[dict[tuple[str | int, ...], str]] = {
    ("users",): "roles",
    ("roles",): "privileges",
}


def _flow(value: list[Any] | str) -> str:
    """A list as it is written in YAML, if that is short, and of names that need no quotes."""
    items = [value] if isinstance(value, str) else value
    plain = all(isinstance(item, str) and _PLAIN.fullmatch(item) for item in items)
    return f"[{', '.join(items)}]" if plain and len(items) <= 5 else "[...]"


def _unknown_key(violation: Any, path: tuple[str | int, ...]) -> _Explained:
    known = list(violation.schema.get("properties", {}))
    for key in violation.instance:
        if key not in known:
            remedy = did_you_mean(key, known) or f"known here: {', '.join(known)}"
            where = "" if not path else f" in {_where(path)}"
            yield key, f"unknown key `{key}`{where}", remedy


def _required(violation: Any, path: tuple[str | int, ...]) -> _Explained:
    for key in violation.validator_value:
        if key not in violation.instance and repr(key) in violation.message:
            remedy = "add `version: 1` as the first line" if key == "version" else f"add `{key}:`"
            yield None, f"{_where(path)} lacks `{key}`", remedy


def _const(violation: Any, path: tuple[str | int, ...]) -> _Explained:
    value = violation.validator_value
    message = f"{_where(path)} must be {value}, not {_shown(violation.instance)}"
    yield None, message, f"write `{path[-1] if path else ''}: {value}`"


def _enum(violation: Any, path: tuple[str | int, ...]) -> _Explained:
    allowed = [str(value) for value in violation.validator_value]
    remedy = did_you_mean(str(violation.instance), allowed) or f"use one of: {', '.join(allowed)}"
    yield None, f"{_where(path)} can't be {_shown(violation.instance)}", remedy


def _max_length(violation: Any, path: tuple[str | int, ...]) -> _Explained:
    length, limit = len(violation.instance), violation.validator_value
    yield None, f"{_where(path)} has {length} characters", f"use at most {limit:,}"


def _too_short(violation: Any, path: tuple[str | int, ...]) -> _Explained:
    is_name = "propertyNames" in violation.absolute_schema_path
    what = f"a name in {_where(path[:-1])}" if is_name else _where(path)
    yield None, f"{what} is empty", "give it a value, or remove it"


def _pattern(violation: Any, path: tuple[str | int, ...]) -> _Explained:
    wanted = violation.schema.get("description", f"pattern {violation.validator_value}")
    message = f"{_where(path)} can't be {_shown(violation.instance)}"
    if "propertyNames" in violation.absolute_schema_path:
        message = f"{_shown(violation.instance)} can't be a name in {_where(path[:-1])}"
    yield None, message, f"write it as {wanted}"


def _range(violation: Any, path: tuple[str | int, ...]) -> _Explained:
    bound = "at least" if violation.validator == "minimum" else "at most"
    value, limit = violation.instance, violation.validator_value
    yield None, f"{_where(path)} can't be {value}", f"use {bound} {limit}"


def _choice(violation: Any, path: tuple[str | int, ...]) -> _Explained:
    if not isinstance(violation.instance, dict):
        return  # its type is wrong, and that is said already
    keys = [key for option in violation.validator_value for key in option.get("required", ())]
    if not keys:
        yield from _other(violation, path)
        return
    given = [key for key in keys if key in violation.instance]
    listed = ", ".join(f"`{key}`" for key in keys)
    has = f"has {' and '.join(f'`{key}`' for key in given)}" if given else "has none"
    count = "exactly one" if violation.validator == "oneOf" else "at least one"
    yield None, f"{_where(path)} needs {count} of {listed}; it {has}", None


def _other(violation: Any, path: tuple[str | int, ...]) -> _Explained:
    message = violation.message
    yield None, f"{_where(path)}: {message if len(message) < 200 else violation.validator}", None


_EXPLANATIONS: dict[str, _Explain] = {
    "type": _type,
    "additionalProperties": _unknown_key,
    "required": _required,
    "const": _const,
    "enum": _enum,
    "maxLength": _max_length,
    "minLength": _too_short,
    "minItems": _too_short,
    "minProperties": _too_short,
    "pattern": _pattern,
    "minimum": _range,
    "maximum": _range,
    "oneOf": _choice,
    "anyOf": _choice,
}
