"""Every command in every format that it offers: the same bytes in a file, the same exit code."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import TYPE_CHECKING

import click
import pytest

from provisioner import schemas
from provisioner.cli.delivery import deliver
from provisioner.reports import RESULTS, report
from provisioner.reports.errors import ErrorList, ErrorReport, error_report
from provisioner.reports.formats import FORMATS, Format, offered
from provisioner.reports.products import Product
from tests.reports.commands import LINES, RUNS, every_command, reports_of

if TYPE_CHECKING:
    from provisioner.cli.invocation import Invocation
    from provisioner.reports.report import Report
    from tests.reports.commands import Place

IN_FORMATS = [
    (name, line, form) for name, line in LINES for form in offered(reports_of(name.strip()))
]


def test_every_command_is_tried() -> None:
    assert RUNS.keys() == {words for words, _ in every_command()}


@pytest.mark.parametrize(("name", "line", "form"), IN_FORMATS, ids=str)
def test_a_file_holds_what_standard_output_gets(
    name: str, line: str, form: str, place: Place
) -> None:
    plain = place(line)
    printed = place(line, "--format", form)
    filed = place(line, "--format", f"{form}=result")
    assert plain.code == printed.code == filed.code
    assert (filed.out, filed.err) == (plain.out, plain.err)
    expected: bytes | None = printed.out
    if not printed.out and form == "text" and printed.err:  # why it failed, for people
        expected = printed.err if place.read("result") else printed.out
    elif not printed.out and printed.code:  # a format that has no way to say why
        assert printed.err == plain.err
        expected = None
    assert place.read("result") == expected
    if place.read("result") is not None:
        assert (place.folder / "result").stat().st_mode & 0o777 == 0o600
        again = place.again(line, "--format", f"{form}=other", "--format", "json")
        assert (place.read("other") is None) == (expected is None) or name in ("init", "apply")
        assert json.loads(again.out)["version"] == 1


@pytest.mark.parametrize(
    ("name", "line"), [(n, ln) for n, ln in LINES if "json" in offered(reports_of(n))], ids=str
)
def test_every_document_has_its_entry(name: str, line: str, place: Place) -> None:
    """All have the same outer form, and are valid by the schema that the table names."""
    document = json.loads(place(line, "--format", "json").out)
    assert isinstance(document["version"], int)
    assert schemas.valid(RESULTS[document["format"]], document)
    assert document["format"] in formats_of((*reports_of(name), ErrorReport))


def test_the_table_of_results_is_complete() -> None:
    known = {name for words in RUNS for name in formats_of(reports_of(words))}
    assert RESULTS.keys() == known | {ErrorReport.format}
    listed = schemas.load("results")["properties"]["format"]["enum"]
    assert set(listed) == {name for name, schema in RESULTS.items() if schema == "results"}


def formats_of(reports: tuple[type[Report], ...]) -> set[str]:
    return {each.format for each in reports if issubclass(each, report.Document)}


@pytest.mark.parametrize(
    ("name", "line"), [(n, ln) for n, ln in LINES if "csv" in offered(reports_of(n))], ids=str
)
def test_every_sheet_has_headings_that_its_report_knows(name: str, line: str, place: Place) -> None:
    rows = list(csv.reader(StringIO(place(line, "--format", "csv").out.decode())))
    reports: tuple[type[Report], ...] = (*reports_of(name), ErrorList)
    known = {
        heading for each in reports if issubclass(each, report.Table) for heading in each.headings
    }
    assert all(len(row) == len(rows[0]) for row in rows)
    assert not rows or tuple(rows[0]) in known


@pytest.mark.parametrize("words", RUNS)
def test_the_formats_on_offer_are_the_facets(words: str) -> None:
    reports = reports_of(words)
    by_hand = [
        name
        for name, facet in (
            ("text", report.Text),
            ("json", report.Document),
            ("csv", report.Table),
        )
        if reports and all(issubclass(each, facet) for each in reports)
    ]
    assert list(offered(reports)) == by_hand
    if reports:
        help_text = click.Context(dict(every_command())[words], info_name=words).get_help()
        assert f"[{'|'.join(by_hand)}][=FILE]" in help_text


@pytest.mark.parametrize(("name", "line"), LINES, ids=str)
def test_a_command_returns_a_report_that_it_declares(
    name: str, line: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    returned: list[Report] = []

    def delivered(each: Report, run: Invocation) -> int:
        returned.append(each)
        return deliver(each, run)

    monkeypatch.setattr("provisioner.cli.declaring.deliver", delivered)
    place(line)
    for each in returned:
        assert isinstance(each, reports_of(name) or Product)


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new format: one module, and one line in the table."""
    form = Format("marked", report.Findings, (".marked",), "tests.reports.marked")
    monkeypatch.setitem(FORMATS, "marked", form)


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize(("name", "line"), LINES, ids=str)
def test_a_new_format_works_wherever_there_are_findings(name: str, line: str, place: Place) -> None:
    reports = reports_of(name)
    printed = place(line, "--format", "marked")
    if not reports or not all(issubclass(each, report.Findings) for each in reports):
        refused = "'marked' is not one of 'text', 'json'" if reports else "No such option"
        assert printed.code == 1
        assert printed.out.decode().startswith("* error - ")  # errors are findings
        assert refused in printed.out.decode()
        assert printed.out.decode().count("'marked'") == bool(reports)
        return
    plain = place(line)
    assert printed.code == plain.code
    found = printed.out.decode().splitlines()
    assert all(each.startswith("* ") for each in found)
    document = json.loads(place(line, "--format", "json").out)
    if document["format"] == "provisioner-errors":
        assert [each.rpartition(" ")[2] for each in found] == [
            each["message"].rpartition(" ")[2] for each in document["errors"]
        ]
    filed = place(line, "--format", "marked=x.marked", "--format", "json")
    assert place.read("x.marked") == printed.out
    assert json.loads(filed.out) == document


@pytest.mark.usefixtures("marked")
def test_a_new_format_is_among_the_choices(place: Place) -> None:
    refused = place("lint", "--format", "xml")
    assert "'xml' is not one of 'text', 'json', 'csv', 'marked'" in refused.err.decode()


def test_a_facet_that_is_missing_takes_the_format_away() -> None:
    class OnlyText(report.Report, report.Text):
        def text(self, _style: object) -> str:
            return ""

    class AlsoDocument(OnlyText, report.Document):
        format = "provisioner-x"

        def content(self) -> dict[str, object]:
            return {}

    assert offered((OnlyText,)) == ("text",)
    assert offered((AlsoDocument,)) == ("text", "json")
    assert offered((AlsoDocument, OnlyText)) == ("text",)
    assert offered(()) == ()


def test_errors_are_a_sheet_only_where_results_are_lists_of_findings() -> None:
    assert isinstance(error_report((), 1, reports_of("lint")), ErrorList)
    for words in ("access", "test", "plan", "schema"):
        assert not isinstance(error_report((), 1, reports_of(words)), ErrorList)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("roles --search clerk", 2),
        ("roles --search zzz", 0),
        ("users --search ardocs_create", 3),
        ("privileges --search (internal:", None),
    ],
)
def test_a_search_finds_the_same_in_every_format(
    line: str, found: int | None, place: Place
) -> None:
    document = json.loads(place(line, "--format", "json").out)
    rows = document[line.partition(" ")[0]]
    sheet = list(csv.reader(StringIO(place(line, "--format", "csv").out.decode())))
    assert len(sheet) == 1 + len(rows)
    text = place(line).out.decode().splitlines()
    assert sum(row.get("name", row.get("user")) in ln for ln in text for row in rows) >= len(rows)
    assert rows if found is None else len(rows) == found
