"""``test``: run the access tests of the sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.cli import options
from provisioner.cli.declaring import command
from provisioner.cli.opening.targets import load_for_targets
from provisioner.cli.opening.views import about_the_sources, about_the_target
from provisioner.engine.access.chains import declared_state
from provisioner.engine.access.effective import access_of
from provisioner.engine.rules.access_tests import run_access_tests
from provisioner.engine.transition.matching import find_target
from provisioner.opening.session import load_project, open_session, tell_if_new
from provisioner.reports.access_tests import AccessTestsReport

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from provisioner.cli.invocation import Invocation
    from provisioner.engine.rules.access_tests import TestResult


@command("test", AccessTestsReport)
@options.sources
@options.current
@options.config
@options.target
@options.as_of
def test(
    run: Invocation, sources: tuple[str, ...], current: bool, as_of: date | None
) -> AccessTestsReport:
    """Run the access tests of the sources, and say why one fails. -v names every test.

    With --current the same tests are run on what the target holds now.

    With several targets and no --target, a test has to pass for each of them. A target is asked for
    its catalogue where only the panel knows what default roles carry and globs stand for.
    """
    day = as_of or options.today()
    if current:
        return _of_the_target(run, sources, day)
    every = load_for_targets(run, load_project(run), sources)
    run.output.warn(dict.fromkeys(warning for loaded, _ in every for warning in loaded.warnings))
    runs = [
        run_access_tests(
            loaded.desired.rules.get("tests", ()),
            access_of(declared_state(loaded.desired, catalogue, day)),
            catalogue,
            loaded.desired.provenance,
        )
        for loaded, catalogue in every
    ]
    results = [_over_targets(same) for same in zip(*runs, strict=True)]
    head = about_the_sources(every[0][0].desired, day)
    return AccessTestsReport(tuple(results), head, "sources", day)


def _of_the_target(run: Invocation, sources: tuple[str, ...], day: date) -> AccessTestsReport:
    """Run the tests on what the target holds; a role goes by the name that the sources give it."""
    session = open_session(run)
    tell_if_new(session)
    snapshot = session.backend.read()
    catalogue = session.catalogue_for(snapshot)
    loaded = session.load(sources, catalogue, stored=snapshot.state.roles)
    run.output.warn(loaded.warnings)
    desired = loaded.desired
    found = find_target(desired, snapshot.state, session.settings(), catalogue, day)
    results = run_access_tests(desired.rules.get("tests", ()), found.passage.old, catalogue)
    return AccessTestsReport(results, about_the_target(session.target.name), "current", day)


def _over_targets(same: Iterable[TestResult]) -> TestResult:
    """One test's results for several catalogues as one."""
    first, *others = same
    failures = dict.fromkeys(first.failures)
    for other in others:
        failures |= dict.fromkeys(other.failures)
    return replace(first, failures=tuple(failures))
