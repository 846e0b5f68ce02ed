"""For spreadsheets: no cell is calculated, and ``printable.uncell`` reads each back."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING

from provisioner.documents.access_review import sheet_text
from provisioner.printable import is_utf8, spelled
from provisioner.reports.report import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.reports.report import Report
    from provisioner.reports.text.style import Style


def render(report: Table, _style: Style) -> str:
    """Return the table, as RFC 4180 has it, but with plain line feeds."""
    sheet = report.table()
    return sheet_text(sheet.columns, sheet.rows)


def leaving(text: str, encoding: str) -> str:
    """The text in UTF-8, or else in ASCII; reading it gives the same names."""
    return text if is_utf8(encoding) else spelled(text, "ascii")


def is_earlier(data: bytes, reports: Iterable[type[Report]]) -> bool:
    """Whether it has the headings of one of these reports; a column more, and it was edited."""
    try:
        rows = csv.reader(StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        heading = tuple(next(rows, ()))
    except (UnicodeDecodeError, csv.Error):
        return False
    return any(heading in each.headings for each in reports if issubclass(each, Table))
