"""``test``: run the access tests of the sources."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.cli import options, output
from provisioner.cli.app import command
from provisioner.cli.opening import load_for_targets, load_project
from provisioner.engine.access.chains import declared_state
from provisioner.engine.rules.access_tests import run_access_tests
from provisioner.reports.text.findings import access_tests_document, access_tests_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from provisioner.engine.rules.access_tests import TestResult

FAILED = 1


@command("test")
@options.source
@options.config
@options.target
@options.formats
@options.as_of
@options.manner
def test(
    sources: tuple[str, ...], config: str | None, target: str | None, as_of: date | None
) -> int:
    """Run the access tests of the sources, and say why one fails. -v names every test.

    With several targets and no --target, a test has to pass for each of them. A target is asked for
    its catalogue where only the panel knows what default roles carry and globs stand for.
    """
    day = as_of or options.today()
    every = load_for_targets(load_project(config), target, sources)
    output.warn(dict.fromkeys(warning for loaded, _ in every for warning in loaded.warnings))
    runs = [
        run_access_tests(
            loaded.desired.rules.get("tests", ()),
            declared_state(loaded.desired, catalogue, day),
            catalogue,
            loaded.desired.provenance,
        )
        for loaded, catalogue in every
    ]
    results = [_over_targets(same) for same in zip(*runs, strict=True)]
    if output.wants_json():
        output.result_json(access_tests_document(results, day))
    else:
        style = output.style_of(sys.stdout)
        output.result(access_tests_text(results, style, every=output.MANNER.verbose))
    return FAILED if any(result.failures for result in results) else 0


def _over_targets(same: Iterable[TestResult]) -> TestResult:
    """One test's results for several catalogues as one."""
    first, *others = same
    failures = dict.fromkeys(first.failures)
    for other in others:
        failures |= dict.fromkeys(other.failures)
    return replace(first, failures=tuple(failures))
