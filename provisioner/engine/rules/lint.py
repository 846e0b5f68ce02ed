"""What roles and assignments say without need, or without effect: findings, none of them an error.

A *warning* is something to mend; a *note* is good to know, and may be as it should be. Every check
is a function, in a table by the stable id of its findings. What external roles carry is
not known here; roles that include one are never called equal, less or superfluous.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.diagnostics import Diagnostic, gravest_first
from provisioner.engine.rules import lint_roles, lint_users
from provisioner.engine.rules.ignores import UNUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioner.engine.rules.lint_case import Case, Found

    Check = Callable[[Case], Iterator[Found]]

CHECKS: Final[dict[str, Check]] = {
    "equal-roles": lint_roles.equal_roles,
    "role-subset": lint_roles.role_subset,
    "redundant-include": lint_roles.redundant_include,
    "granted-twice": lint_roles.granted_twice,
    "unused-set": lint_roles.unused_set,
    "unheld-role": lint_roles.unheld_role,
    "redundant-assignment": lint_users.redundant_assignment,
    "idle-except": lint_roles.idle_except,
    "assignment-ended": lint_users.assignment_ended,
    "assignment-ends-soon": lint_users.assignment_ends_soon,
    "requires-unmet": lint_roles.requires_unmet,
}
IDS: Final = (*CHECKS, UNUSED)
# What passes by itself, and what is a matter of taste.
NOTES: Final = frozenset({"assignment-ends-soon", "role-subset"})


def lint(case: Case) -> tuple[Diagnostic, ...]:
    """Return every finding of every check, warnings first, by place."""
    found = {
        Diagnostic(id, message, place, remedy, "note" if id in NOTES else "warning")
        for id, check in CHECKS.items()
        for message, place, remedy in check(case)
    }
    return tuple(sorted(found, key=gravest_first))
