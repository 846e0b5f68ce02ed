"""``validate``: check the sources, without asking the panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.cli import options, output
from provisioner.cli.app import command
from provisioner.cli.session import load_for_targets
from provisioner.engine.access_tests import run_access_tests
from provisioner.engine.chains import declared_state
from provisioner.engine.policy import check_policies
from provisioner.errors import Blocked, InvalidInput
from provisioner.project import load_project
from provisioner.render.diagnostics import diagnostic_document

if TYPE_CHECKING:
    from datetime import date

    from provisioner.diagnostics import Diagnostic
    from provisioner.model import Catalogue, DesiredState


@command("validate")
@options.sources
@options.config
@options.target
@options.formats
@options.as_of
@options.manner
def validate(
    sources: tuple[str, ...], config: str | None, target: str | None, as_of: date | None
) -> int:
    """Check the sources for every mistake that shows without the panel's state.

    Policies and access tests are checked as well.

    With several targets and no --target, the sources are checked for each of them.
    """
    as_of = as_of or options.today()
    warnings: dict[Diagnostic, None] = {}
    failed: dict[Diagnostic, None] = {}
    broken: dict[Diagnostic, None] = {}
    every = load_for_targets(load_project(config), target, sources)
    for loaded, catalogue in every:
        warnings |= dict.fromkeys(loaded.warnings)
        failed |= dict.fromkeys(_failed_tests(loaded.desired, catalogue, as_of))
        broken |= dict.fromkeys(_broken_policies(loaded.desired, catalogue, as_of))
    if failed:
        raise InvalidInput([*failed, *broken])
    if any(found.severity == "error" for found in broken):
        raise Blocked(broken)
    warnings |= broken
    _report(every[0][0].desired, list(warnings))
    return 0


def _failed_tests(desired: DesiredState, catalogue: Catalogue, as_of: date) -> list[Diagnostic]:
    state = declared_state(desired, catalogue, as_of)
    tests = desired.rules.get("tests", ())
    results = run_access_tests(tests, state, catalogue, desired.provenance)
    return [failure for result in results for failure in result.failures]


def _broken_policies(desired: DesiredState, catalogue: Catalogue, as_of: date) -> list[Diagnostic]:
    state = declared_state(desired, catalogue, as_of)
    found = check_policies(
        desired.rules.get("policies", ()),
        state,
        as_of,
        provenance=desired.provenance,
        users=desired.users,
        shipped=frozenset(
            role.name for role in catalogue.default_roles if role.name not in (desired.roles or {})
        ),
    )
    return [violation.diagnostic(told_apart=False) for violation in found]


def _report(desired: DesiredState, warnings: list[Diagnostic]) -> None:
    roles, users = len(desired.roles or ()), len(desired.users or ())
    if output.wants_json():
        output.result_json(
            {
                "format": "provisioner-validation",
                "version": 1,
                "valid": True,
                "files": list(desired.files),
                "roles": roles,
                "users": users,
                "warnings": [diagnostic_document(warning) for warning in warnings],
            }
        )
        return
    output.warn(warnings)
    numbers = {"file": len(desired.files), "role": roles, "user": users}
    counted = ", ".join(f"{n:,} {what}{'s' * (n != 1)}" for what, n in numbers.items())
    output.result(f"Valid: {counted}.\n")
