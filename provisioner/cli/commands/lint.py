"""``lint``: look for roles and assignments without need or effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioner.cli import options
from provisioner.cli.declaring import command
from provisioner.cli.opening.targets import load_for_targets
from provisioner.engine.rules.ignores import without_ignored
from provisioner.engine.rules.lint import IDS
from provisioner.engine.rules.lint import lint as find
from provisioner.engine.rules.lint_case import Case
from provisioner.opening.session import load_project
from provisioner.reports.lint import LintReport

if TYPE_CHECKING:
    from datetime import date

    from provisioner.cli.invocation import Invocation
    from provisioner.diagnostics import Diagnostic


@command("lint", LintReport)
@options.sources
@options.option(
    "--soon",
    type=click.IntRange(min=0),
    default=30,
    metavar="DAYS",
    help="Tell of assignments that end within these days. Default: 30.",
)
@options.option("--strict", is_flag=True, help="Exit with 1 if there is a warning.")
@options.config
@options.target
@options.as_of
def lint(
    run: Invocation,
    sources: tuple[str, ...],
    soon: int,
    strict: bool,
    as_of: date | None,
) -> LintReport:
    """Look for roles and assignments without need or effect. Nothing that is found is an error.

    Warnings are something to mend; notes are good to know, and never fail `--strict`.

    A comment at the end of a line, `# provisioner: ignore[ID, ID]`, hides findings on that line; on
    a line of its own above `version:`, those of the file. `lint: {ignore: [ID]}` in the project
    file hides them everywhere. docs/lint.md explains each id.
    """
    project = load_project(run)
    day = as_of or options.today()
    findings: set[Diagnostic] = set()
    every = load_for_targets(run, project, sources)
    for loaded, catalogue in every:
        case = Case(
            loaded.desired,
            catalogue,
            day,
            soon_days=soon,
            knows_all_holders=project.manage == "all",
        )
        findings.update(find(case))
    loaded = every[0][0]
    run.output.warn(dict.fromkeys(warning for each, _ in every for warning in each.warnings))
    shown = without_ignored(findings, (*loaded.ignores, *project.lint_ignores), IDS)
    return LintReport(tuple(shown), tuple(loaded.desired.files), day, strict)
