"""For programs: one document, the same in every encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner import strict_json
from provisioner.printable import is_utf8
from provisioner.reports.report import Document
from provisioner.reports.text.style import ascii_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.reports.report import Report
    from provisioner.reports.text.style import Style


def render(report: Document, _style: Style) -> str:
    """Return the document, laid out."""
    return report.json()


def leaving(text: str, encoding: str) -> str:
    """The text in UTF-8, or else in ASCII, which every reader takes for UTF-8 too."""
    return text if is_utf8(encoding) else ascii_json(text)


def is_earlier(data: bytes, reports: Iterable[type[Report]]) -> bool:
    """Whether it is a document that calls itself one of these reports."""
    try:
        document = strict_json.parse(data)
    except strict_json.Unsound:
        return False
    known = {each.format for each in reports if issubclass(each, Document)}
    return isinstance(document, dict) and document.get("format") in known
