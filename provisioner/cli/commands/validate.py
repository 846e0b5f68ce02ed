"""``validate``: check the sources, without asking the panel or, if that is wanted, with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from provisioner.cli import options, output
from provisioner.cli.app import command
from provisioner.cli.opening import (
    assumed_catalogue,
    chosen_targets,
    load_for_targets,
    load_project,
    open_project,
)
from provisioner.desired.load import Loaded
from provisioner.diagnostics import Diagnostic
from provisioner.engine.access.chains import declared_state
from provisioner.engine.phrases import listed, quoted
from provisioner.engine.rules.access_tests import run_access_tests
from provisioner.engine.rules.policies import check_policies
from provisioner.engine.transition.online import check_against_store
from provisioner.errors import Blocked, InvalidInput
from provisioner.model import Catalogue
from provisioner.reports.text.diagnostics import Ceiling, diagnostic_document

if TYPE_CHECKING:
    from datetime import date

    from provisioner.model import DesiredState
    from provisioner.project import Project


class _Checked(Struct, frozen=True):
    """The sources as they were read for one target, or for several that make no difference.

    ``missing`` is what they refer to and the panel does not have, where it was asked.
    """

    loaded: Loaded
    catalogue: Catalogue
    missing: tuple[Diagnostic, ...] = ()


@command("validate")
@options.sources
@options.option(
    "--online", is_flag=True, help="Read the target too, and check what only the panel knows."
)
@options.config
@options.target
@options.formats
@options.as_of
@options.manner
def validate(
    sources: tuple[str, ...],
    online: bool,
    config: str | None,
    target: str | None,
    as_of: date | None,
) -> int:
    """Check the sources for every mistake that shows without the panel's state.

    Policies and access tests are checked as well. With --online the target is read, to check that
    it has the privileges, external roles and users that the sources name.

    With several targets and no --target, the sources are checked for each of them.
    """
    as_of = as_of or options.today()
    project = load_project(config)
    warnings: dict[Diagnostic, None] = {}
    failed: dict[Diagnostic, None] = {}
    broken: dict[Diagnostic, None] = {}
    every = (_checked_online if online else _checked)(project, target, sources, as_of)
    for checked in every:
        desired, catalogue = checked.loaded.desired, checked.catalogue
        warnings |= dict.fromkeys(checked.loaded.warnings)
        broken |= dict.fromkeys(checked.missing)
        if checked.loaded.is_testable:
            failed |= dict.fromkeys(_failed_tests(desired, catalogue, as_of))
        if checked.loaded.is_whole:
            broken |= dict.fromkeys(_broken_policies(desired, catalogue, as_of))
    if failed:
        raise InvalidInput([*failed, *broken])
    if any(found.severity == "error" for found in broken):
        raise Blocked(broken)
    warnings |= broken
    _report(every[0].loaded.desired, list(warnings))
    return 0


def _checked(
    project: Project, target: str | None, sources: tuple[str, ...], _: date
) -> list[_Checked]:
    """Read the sources for each catalogue, and say for which targets it is not known."""
    unknown = [
        chosen.name
        for chosen in chosen_targets(project, target)
        if project.load_catalogue(chosen) is None and not assumed_catalogue(chosen).known
    ]
    found = [
        _Checked(loaded, catalogue)
        for loaded, catalogue in load_for_targets(project, target, sources, offline=True)
    ]
    return [
        checked if checked.catalogue.known else _with_warning(checked, unknown) for checked in found
    ]


def _with_warning(checked: _Checked, targets: list[str]) -> _Checked:
    loaded, rules = checked.loaded, checked.loaded.desired.rules
    unchecked = ["privilege names"]
    if not loaded.is_whole and rules.get("policies"):
        unchecked.append("policies")
    if not loaded.is_testable and rules.get("tests"):
        unchecked.append("access tests")
    what = f"{listed(unchecked)} not checked"
    if loaded.is_whole and not loaded.is_testable and rules.get("policies"):
        what += ", policies only without what the panel's own roles carry"
    of = quoted(targets)
    message = (
        f"{what}: the catalogue of target{'s' * (len(targets) > 1)} {of} is only known to the panel"
    )
    remedy = "use --online, or declare `catalogue:`: `provisioner privileges --out` writes one"
    warning = Diagnostic("privileges-not-checked", message, None, remedy, "warning")
    loaded = replace(loaded, warnings=(*loaded.warnings, warning))
    return replace(checked, loaded=loaded)


def _checked_online(
    project: Project, target: str | None, sources: tuple[str, ...], as_of: date
) -> list[_Checked]:
    """Read each target, and the sources for it."""
    errors: dict[Diagnostic, None] = {}
    found = []
    chosen = chosen_targets(project, target)
    for name in (settings.name for settings in chosen):
        session = open_project(project, name)
        snapshot = session.backend.read()
        catalogue = session.catalogue_for(snapshot)
        try:
            loaded = session.load(sources, catalogue, stored=snapshot.state.roles)
        except InvalidInput as error:
            errors |= dict.fromkeys(error.diagnostics)
            continue
        missing = check_against_store(
            loaded.desired,
            snapshot,
            session.settings(),
            catalogue,
            as_of,
            closed_users=session.backend.describe().capabilities.closed_users,
        )
        if len(chosen) > 1:
            missing = (replace(m, message=f"{m.message} (target `{name}`)") for m in missing)
        found.append(_Checked(_not_told(loaded, name, catalogue), catalogue, tuple(missing)))
    if errors:
        raise InvalidInput(errors)
    return found


def _not_told(loaded: Loaded, target: str, catalogue: Catalogue) -> Loaded:
    if catalogue.known:
        return loaded
    message = f"privilege names not checked: target `{target}` tells no catalogue"
    remedy = "declare `catalogue:` in the project file"
    warning = Diagnostic("privileges-not-checked", message, None, remedy, "warning")
    return replace(loaded, warnings=(*loaded.warnings, warning))


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
        ceiling = Ceiling.over(warnings)
        output.result_json(
            {
                "format": "provisioner-validation",
                "version": 1,
                "valid": True,
                "files": list(desired.files),
                "roles": roles,
                "users": users,
                "warnings": [diagnostic_document(warning) for warning in ceiling.shown],
                **({"more": ceiling.more} if ceiling.more else {}),
            }
        )
        return
    output.warn(warnings)
    numbers = {"file": len(desired.files), "role": roles, "user": users}
    counted = ", ".join(f"{n:,} {what}{'s' * (n != 1)}" for what, n in numbers.items())
    output.result(f"Valid: {counted}.\n")
