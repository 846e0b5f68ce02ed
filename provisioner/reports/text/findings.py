"""What lint and access tests found, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.engine.phrases import counted
from provisioner.reports.text.diagnostics import folded
from provisioner.reports.text.style import Style, page, safe, whole, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioner.diagnostics import Diagnostic
    from provisioner.engine.rules.access_tests import TestResult
    from provisioner.model import Place


def lint_text(findings: Sequence[Diagnostic], files: Sequence[str], style: Style) -> str:
    """The findings with their ids, and how many warnings and notes there are."""
    named = (replace(found, message=f"{found.message} [{found.id}]") for found in findings)
    lines = list(folded(named, style, apart=True))
    notes = sum(finding.severity == "note" for finding in findings)
    numbers = [(len(findings) - notes, "warning"), (notes, "note")]
    number = " and ".join(counted(many, noun) for many, noun in numbers if many)
    lines.append(f"{number or 'No findings'} in {counted(len(files), 'file')}.")
    return page(lines)


def access_tests_text(results: Sequence[TestResult], style: Style) -> str:
    """The failures, and how many tests there were; a line for each test where all is shown."""
    lines: list[str] = []
    if style.every:
        for result in results:
            lines += [*_ending(result, style), *folded(result.failures, style, apart=True)]
    else:
        failures = [failure for result in results for failure in result.failures]
        lines += folded(failures, style, apart=True)
    failed = sum(bool(result.failures) for result in results)
    if not results:
        lines.append("No access tests.")
    else:
        if lines and lines[-1]:
            lines.append("")
        number = counted(len(results), "access test")
        ending = style.paint(f"{failed} failed", "red") if failed else "all passed"
        lines.append(f"{number}, {ending}")
    return page(lines)


def _ending(result: TestResult, style: Style) -> Iterator[str]:
    mark, color = ("failed", "red") if result.failures else ("passed", "green")
    text = f"{mark}  {_shown(result.place)}{safe(result.title)}"
    first, *rest = wrapped(text, style.width, rest=" " * 8)
    yield style.paint(mark, color) + first.removeprefix(mark)
    yield from rest


def _shown(place: Place | None) -> str:
    return f"{whole(place.file)}:{place.line}: " if place is not None else ""
