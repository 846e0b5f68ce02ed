"""JMESPath expressions: where in an API's answers the things are that a profile speaks of.

See https://jmespath.org/specification.html. An expression is compiled when its profile is loaded,
and what can be known to be wrong with it is said then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

from provisioner.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Unusable(ValueError):
    """An expression is wrong, or does not work on an answer; the message says why."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; ``text`` is what the profile says.

    Most are the name of a field. Looking that up without JMESPath's interpreter makes reading a
    list of objects several times as fast.
    """

    text: str
    compiled: Any = field(repr=False, compare=False)
    field_name: str | None = None

    def of(self, document: object) -> Any:
        """Return what the expression finds; None where there is nothing.

        Raises:
            Unusable: A function in it can't take what the document holds, or a list of it (`[]`,
                `[*]`, `[?...]`) has an item without what is asked of each.
        """
        if self.field_name is not None:
            return document.get(self.field_name) if isinstance(document, dict) else None
        try:
            return _STRICT.visit(self.compiled.parsed, document)
        except Unusable:
            raise
        except (JMESPathError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise Unusable(_first_line(error)) from error
        except RecursionError as error:
            raise Unusable("is nested too deeply") from error

    def nothing_as_empty(self, found: object) -> str | None:
        """How to write the expression if the API means an empty list by what was found."""
        if found is not None:
            return None
        return f"if the API means that there are none, write: {self.text} || `[]`"


class _Strict(TreeInterpreter):
    """Evaluates JMESPath, but never leaves out an item silently: it would look deleted.

    Only the condition of a filter leaves items out.
    """

    def visit_projection(self, node: Any, value: Any) -> Any:
        """Return what is asked of each item of a list."""
        base = self.visit(node["children"][0], value)
        return self._each(node, enumerate(base)) if isinstance(base, list) else None

    def visit_value_projection(self, node: Any, value: Any) -> Any:
        """Return what is asked of each value of an object."""
        base = self.visit(node["children"][0], value)
        return self._each(node, base.items()) if isinstance(base, dict) else None

    def visit_filter_projection(self, node: Any, value: Any) -> Any:
        """Return what is asked of each item that meets a condition."""
        base = self.visit(node["children"][0], value)
        if not isinstance(base, list):
            return None
        condition = node["children"][2]
        chosen = [pair for pair in enumerate(base) if _is_true(self.visit(condition, pair[1]))]
        return self._each(node, chosen)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        """Return a list, the items of lists in it in their places.

        Where such lists are what was asked of each item, one may be empty; elsewhere an empty list
        is an item that is not what is due, and would be gone.
        """
        source = node["children"][0]
        base = self.visit(source, value)
        if not isinstance(base, list):
            return None
        merged: list[Any] = []
        for number, element in enumerate(base):
            if element == [] and not source["type"].endswith("projection"):
                raise Unusable(f"is an empty list in item {number}")
            merged += element if isinstance(element, list) else [element]
        return merged

    def _each(self, node: Any, pairs: Iterable[tuple[int | str, Any]]) -> list[Any]:
        collected = []
        for name, element in pairs:
            found = self.visit(node["children"][1], element)
            if found is None:
                raise Unusable(f"is missing in item {name}")
            collected.append(found)
        return collected


def _is_true(found: object) -> bool:
    """Whether JMESPath takes a value for true: all but null, false, and what is empty."""
    return found is True or (found is not None and found is not False and found not in ("", [], {}))


# It holds nothing of one evaluation, so that all threads may share it.
_STRICT: Final = _Strict()


def compiled(text: str) -> Expression:
    """Compile an expression.

    Raises:
        Unusable: It is no JMESPath, or calls a function that does not exist, or wrongly.
    """
    try:
        parsed = jmespath.compile(text)
        calls = list(_calls(parsed.parsed))
    except JMESPathError as error:
        raise Unusable(f"`{text}` is no JMESPath: {_first_line(error)}") from error
    except RecursionError as error:
        raise Unusable(f"`{text[:50]}...` is nested too deeply") from error
    table: dict[str, Any] = Functions.FUNCTION_TABLE
    for name, arguments in calls:
        if name not in table:
            known = sorted(table)
            remedy = did_you_mean(name, known) or f"there are: {', '.join(known)}"
            raise Unusable(f"`{text}` calls `{name}`, which JMESPath does not have", remedy)
        signature = table[name]["signature"]
        variadic = bool(signature and signature[-1].get("variadic"))
        if arguments < len(signature) or (arguments > len(signature) and not variadic):
            takes = f"takes {len(signature)} arguments{' or more' if variadic else ''}"
            raise Unusable(f"`{text}`: `{name}` {takes}, not {arguments}")
    is_field = parsed.parsed["type"] == "field"
    return Expression(text, parsed, parsed.parsed["value"] if is_field else None)


_DEEPEST: Final = 50
_KINDS: Final = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
}


def described(found: object) -> str:
    """Say what an expression found instead of what was due."""
    return "is missing or null" if found is None else f"is {_KINDS[type(found)]}"


def _calls(node: Any, depth: int = 0, *, argument: bool = False) -> Iterator[tuple[str, int]]:
    if not isinstance(node, dict):
        return  # the numbers of a slice
    if depth > _DEEPEST:
        raise RecursionError
    if node["type"] == "expref" and not argument:
        raise Unusable(
            "`&` makes an expression an argument of a function, and is nothing elsewhere"
        )
    is_call = node["type"] == "function_expression"
    if is_call:
        yield node["value"], len(node["children"])
    for child in node["children"]:
        yield from _calls(child, depth + 1, argument=is_call)


def _first_line(error: Exception) -> str:
    """JMESPath draws the expression below its message; the place in the profile says it better."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(" :")
    return line.removeprefix("Invalid jmespath expression: ")
