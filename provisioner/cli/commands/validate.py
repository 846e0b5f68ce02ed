"""``validate``: check the sources, without asking the panel or, if that is wanted, with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from provisioner.cli import options
from provisioner.cli.declaring import command
from provisioner.cli.opening.targets import WRITES_A_CATALOGUE, chosen_targets, load_for_targets
from provisioner.desired.load import Loaded
from provisioner.diagnostics import Diagnostic
from provisioner.engine.access.chains import declared_state
from provisioner.engine.access.effective import access_of
from provisioner.engine.phrases import listed, quoted
from provisioner.engine.rules.access_tests import run_access_tests
from provisioner.engine.rules.policies import check_policies
from provisioner.engine.transition.online import check_against_store
from provisioner.errors import Blocked, InvalidInput
from provisioner.model import Catalogue
from provisioner.opening.session import assumed_catalogue, load_project, open_project
from provisioner.project.reading import load_catalogue
from provisioner.reports.validation import ValidationReport

if TYPE_CHECKING:
    from datetime import date

    from provisioner.cli.invocation import Invocation
    from provisioner.engine.access.effective import EffectiveAccess
    from provisioner.model import DesiredState
    from provisioner.project.settings import Project


class _Checked(Struct, frozen=True):
    """The sources as they were read for one target, or for several that make no difference.

    ``missing`` is what they refer to and the panel does not have, where it was asked.
    """

    loaded: Loaded
    catalogue: Catalogue
    missing: tuple[Diagnostic, ...] = ()


@command("validate", ValidationReport)
@options.sources
@options.option(
    "--online", is_flag=True, help="Read the target too, and check what only the panel knows."
)
@options.config
@options.target
@options.as_of
def validate(
    run: Invocation,
    sources: tuple[str, ...],
    online: bool,
    as_of: date | None,
) -> ValidationReport:
    """Check the sources for every mistake that shows without the panel's state.

    Policies and access tests are checked as well. With --online the target is read, to check that
    it has the privileges, external roles and users that the sources name.

    With several targets and no --target, the sources are checked for each of them.
    """
    as_of = as_of or options.today()
    project = load_project(run)
    warnings: dict[Diagnostic, None] = {}
    failed: dict[Diagnostic, None] = {}
    broken: dict[Diagnostic, None] = {}
    every = (_checked_online if online else _checked)(run, project, sources, as_of)
    for checked in every:
        desired, catalogue = checked.loaded.desired, checked.catalogue
        warnings |= dict.fromkeys(checked.loaded.warnings)
        broken |= dict.fromkeys(checked.missing)
        access = access_of(declared_state(desired, catalogue, as_of))
        if checked.loaded.is_testable:
            failed |= dict.fromkeys(_failed_tests(desired, catalogue, access))
        if checked.loaded.is_whole:
            broken |= dict.fromkeys(_broken_policies(desired, catalogue, access, as_of))
    if failed:
        raise InvalidInput([*failed, *broken])
    if any(found.severity == "error" for found in broken):
        raise Blocked(broken)
    warnings |= broken
    desired = every[0].loaded.desired
    roles, users = len(desired.roles or ()), len(desired.users or ())
    return ValidationReport(tuple(desired.files), roles, users, tuple(warnings))


def _checked(
    run: Invocation, project: Project, sources: tuple[str, ...], _: date
) -> list[_Checked]:
    """Read the sources for each catalogue, and say for which targets it is not known."""
    unknown = [
        chosen.name
        for chosen in chosen_targets(project, run.target)
        if load_catalogue(project, chosen) is None and not assumed_catalogue(chosen).known
    ]
    found = [
        _Checked(loaded, catalogue)
        for loaded, catalogue in load_for_targets(run, project, sources, offline=True)
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
    remedy = f"use --online, or declare `catalogue:`: {WRITES_A_CATALOGUE}"
    warning = Diagnostic("privileges-not-checked", message, None, remedy, "warning")
    loaded = replace(loaded, warnings=(*loaded.warnings, warning))
    return replace(checked, loaded=loaded)


def _checked_online(
    run: Invocation, project: Project, sources: tuple[str, ...], as_of: date
) -> list[_Checked]:
    """Read each target, and the sources for it."""
    errors: dict[Diagnostic, None] = {}
    found = []
    chosen = chosen_targets(project, run.target)
    for name in (settings.name for settings in chosen):
        session = open_project(run, project, name)
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


def _failed_tests(
    desired: DesiredState, catalogue: Catalogue, access: EffectiveAccess
) -> list[Diagnostic]:
    tests = desired.rules.get("tests", ())
    results = run_access_tests(tests, access, catalogue, desired.provenance)
    return [failure for result in results for failure in result.failures]


def _broken_policies(
    desired: DesiredState, catalogue: Catalogue, access: EffectiveAccess, as_of: date
) -> list[Diagnostic]:
    found = check_policies(
        desired.rules.get("policies", ()),
        access,
        as_of,
        provenance=desired.provenance,
        users=desired.users,
        shipped=frozenset(
            role.name for role in catalogue.default_roles if role.name not in (desired.roles or {})
        ),
    )
    return [violation.diagnostic(told_apart=False) for violation in found]
