"""What each module of the package does, as facts: ``import yaml``, ``load yaml``, ``call print``.

``load`` is an import that runs when the module is imported; ``import`` is any, those for type
checkers included.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import TYPE_CHECKING

import provisioner

if TYPE_CHECKING:
    from collections.abc import Iterator

Facts = list[tuple[str, int]]


@cache
def package() -> dict[str, Facts]:
    """Return the facts of every module, by its dotted name; a folder's own module is `__init__`."""
    root = Path(provisioner.__file__).parent
    return {
        (module := ".".join(file.relative_to(root.parent).with_suffix("").parts)): facts_of(
            module, file.read_text(encoding="utf-8")
        )
        for file in sorted(root.rglob("*.py"))
    }


def facts_of(module: str, source: str) -> Facts:
    return list(_facts(ast.parse(source), module.rpartition(".")[0], loads=True))


def _facts(node: ast.AST, folder: str, *, loads: bool) -> Iterator[tuple[str, int]]:
    """Walk the tree; ``loads`` tells whether what stands here runs on import."""
    match node:
        case ast.Import() | ast.ImportFrom():
            for name in _imported(node, folder):
                yield f"import {name}", node.lineno
                if loads:
                    yield f"load {name}", node.lineno
        case ast.Call():
            yield f"call {ast.unparse(node.func)}", node.lineno
        case ast.Raise(exc=ast.Name(id=name) | ast.Call(func=ast.Name(id=name))):
            yield f"raise {name}", node.lineno
        case ast.ExceptHandler(type=None):
            yield "except everything", node.lineno
        case ast.ExceptHandler(type=ast.Tuple(elts=caught)):
            yield from ((f"except {ast.unparse(each)}", node.lineno) for each in caught)
        case ast.ExceptHandler(type=ast.expr() as caught):
            yield f"except {ast.unparse(caught)}", node.lineno
    in_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for_types = (
        node.body
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        else []
    )
    for child in ast.iter_child_nodes(node):
        yield from _facts(child, folder, loads=loads and not in_function and child not in for_types)


def _imported(node: ast.Import | ast.ImportFrom, folder: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    source = resolve_name("." * node.level + (node.module or ""), folder)
    return [f"{source}.{alias.name}" for alias in node.names]
