"""What lint and access tests found, as text and as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from provisioner.engine.phrases import counted
from provisioner.reports.text.diagnostics import diagnostic_document, folded
from provisioner.reports.text.style import Style, page, safe, whole, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

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


def lint_document(
    findings: Iterable[Diagnostic], files: Iterable[str], as_of: date
) -> dict[str, Any]:
    """The findings as plain data."""
    return {
        "format": "provisioner-lint",
        "version": 1,
        "as_of": as_of.isoformat(),
        "files": list(files),
        "findings": [diagnostic_document(finding) for finding in findings],
    }


def access_tests_text(results: Sequence[TestResult], style: Style, *, every: bool = False) -> str:
    """The failures, and how many tests there were; with ``every``, a line for each test too."""
    lines: list[str] = []
    if every:
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


def access_tests_document(results: Sequence[TestResult], as_of: date) -> dict[str, Any]:
    """The results of access tests as plain data."""
    failed = sum(bool(result.failures) for result in results)
    return {
        "format": "provisioner-test",
        "version": 1,
        "as_of": as_of.isoformat(),
        "passed": len(results) - failed,
        "failed": failed,
        "tests": [_test_document(result) for result in results],
    }


def _test_document(result: TestResult) -> dict[str, Any]:
    place = result.place
    return {
        "test": result.title,
        "place": place and {"file": place.file, "line": place.line, "column": place.column},
        "passed": not result.failures,
        "failures": [diagnostic_document(failure) for failure in result.failures],
    }
