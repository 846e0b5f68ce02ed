"""``lint``: look for roles and assignments without need or effect."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from provisioner.cli import options, output
from provisioner.cli.app import command
from provisioner.cli.opening import load_for_targets, load_project
from provisioner.engine.rules.ignores import without_ignored
from provisioner.engine.rules.lint import IDS
from provisioner.engine.rules.lint import lint as find
from provisioner.engine.rules.lint_case import Case
from provisioner.reports.text.findings import lint_document, lint_text

if TYPE_CHECKING:
    from datetime import date

    from provisioner.diagnostics import Diagnostic

FOUND = 1


@command("lint")
@options.source
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
@options.formats
@options.as_of
@options.manner
def lint(
    sources: tuple[str, ...],
    soon: int,
    strict: bool,
    config: str | None,
    target: str | None,
    as_of: date | None,
) -> int:
    """Look for roles and assignments without need or effect. Nothing that is found is an error.

    Warnings are something to mend; notes are good to know, and never fail `--strict`.

    A comment at the end of a line, `# provisioner: ignore[ID, ID]`, hides findings on that line; on
    a line of its own above `version:`, those of the file. `lint: {ignore: [ID]}` in the project
    file hides them everywhere. docs/lint.md explains each id.
    """
    project = load_project(config)
    day = as_of or options.today()
    findings: set[Diagnostic] = set()
    every = load_for_targets(project, target, sources)
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
    output.warn(dict.fromkeys(warning for each, _ in every for warning in each.warnings))
    shown = without_ignored(findings, (*loaded.ignores, *project.lint_ignores), IDS)
    files = loaded.desired.files
    if output.wants_json():
        output.result_json(lint_document(shown, files, day))
    else:
        output.result(lint_text(shown, files, output.style_of(sys.stdout)))
    return FOUND if strict and any(found.severity != "note" for found in shown) else 0
