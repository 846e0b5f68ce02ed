"""Field by field: how two versions of one role differ. Asked only for roles that do differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.engine.changes import FieldChange

if TYPE_CHECKING:
    from provisioner.model import Role

_SCALARS = ("description", "protected")
_SETS = ("privileges", "includes")


def field_changes(before: Role, after: Role) -> tuple[FieldChange, ...]:
    """Return the fields of a role that differ, in the order in which they are shown."""
    from deepdiff import DeepDiff

    difference = DeepDiff(
        _content(before), _content(after), view="tree", ignore_private_variables=False
    )
    changed = {
        item.path(output_format="list")[0] for items in difference.values() for item in items
    }
    return tuple(
        _field_change(name, getattr(before, name), getattr(after, name))
        for name in (*_SCALARS, *_SETS)
        if name in changed
    )


def _content(role: Role) -> dict[str, Any]:
    """Return a role's fields, its sets as the keys of mappings.

    deepdiff finds its way through a set by parsing Python, and CPython 3.11 can't do that in two
    threads at once: it fails with a SystemError (github.com/python/cpython/issues/106905).
    """
    scalars = {name: getattr(role, name) for name in _SCALARS}
    return scalars | {name: dict.fromkeys(getattr(role, name)) for name in _SETS}


def _field_change(name: str, before: Any, after: Any) -> FieldChange:
    if name in _SETS:
        added, removed = tuple(sorted(after - before)), tuple(sorted(before - after))
        return FieldChange(name, added=added, removed=removed)
    return FieldChange(name, before, after)
