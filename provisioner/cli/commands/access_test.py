"""``test``: run the access tests of the sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.cli import options
from provisioner.cli.declaring import command
from provisioner.cli.opening.session import load_project
from provisioner.cli.opening.targets import load_for_targets
from provisioner.engine.access.chains import declared_state
from provisioner.engine.access.effective import access_of
from provisioner.engine.rules.access_tests import run_access_tests
from provisioner.reports.access_tests import AccessTestsReport

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from provisioner.cli.invocation import Invocation
    from provisioner.engine.rules.access_tests import TestResult


@command("test", AccessTestsReport)
@options.source
@options.config
@options.target
@options.as_of
def test(run: Invocation, sources: tuple[str, ...], as_of: date | None) -> AccessTestsReport:
    """Run the access tests of the sources, and say why one fails. -v names every test.

    With several targets and no --target, a test has to pass for each of them. A target is asked for
    its catalogue where only the panel knows what default roles carry and globs stand for.
    """
    day = as_of or options.today()
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
    return AccessTestsReport(tuple(results), day)


def _over_targets(same: Iterable[TestResult]) -> TestResult:
    """One test's results for several catalogues as one."""
    first, *others = same
    failures = dict.fromkeys(first.failures)
    for other in others:
        failures |= dict.fromkeys(other.failures)
    return replace(first, failures=tuple(failures))
