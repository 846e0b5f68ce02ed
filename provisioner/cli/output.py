"""What reaches the user: results to standard output, everything else to standard error.

What must not get lost, why a run failed and how a change ended, goes to the other one where its own
stream takes nothing. This is the one place where text leaves; the format of what leaves sees to it
that no terminal and no CI runner obeys it, and that no encoding fails on it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

import click
from msgspec import Struct
from msgspec.structs import replace

from provisioner.cli import streams
from provisioner.printable import is_utf8, shown
from provisioner.reports.errors import ErrorReport
from provisioner.reports.formats import TEXT, Format
from provisioner.reports.report import Continued
from provisioner.reports.text.diagnostics import Ceiling, diagnostic_lines
from provisioner.reports.text.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.diagnostics import Diagnostic
    from provisioner.reports.report import Beside, Report, Text


def printed(text: str, stream: TextIO) -> str:
    """Text for people as it may be written to a stream."""
    return TEXT.renderer.leaving(text, stream.encoding or "ascii")


def is_ascii_only(stream: TextIO) -> bool:
    """Whether what programs read shall be in ASCII, which every reader takes for UTF-8 too."""
    return not is_utf8(stream.encoding or "ascii")


def leave(text: str, form: Format = TEXT, *, err: bool = False) -> None:
    """Write to a stream, as the format says. Nothing else writes."""
    stream = sys.stderr if err else sys.stdout
    leaving = form.renderer.leaving(text, stream.encoding or "ascii")
    click.echo(leaving, nl=False, err=err, color=True)


def line(text: str) -> None:
    """Print a line of a result, whatever the text holds."""
    leave(f"{shown(text)}\n")


def _is_lost(*, err: bool) -> bool:
    return (streams.ERR if err else streams.OUT).lost is not None


class Output(Struct, frozen=True):
    """How one run talks. ``format`` is that of standard output."""

    format: Format = TEXT
    color: bool = True
    verbose: bool = False
    quiet: bool = False

    @property
    def is_text(self) -> bool:
        """Whether standard output is for people."""
        return self.format is TEXT

    @property
    def plain(self) -> Style:
        """The style of what is no terminal."""
        return Style(every=self.verbose, brief=self.quiet)

    def style_of(self, stream: TextIO) -> Style:
        """The style for a stream: coloured on a terminal, and with FORCE_COLOR anywhere.

        NO_COLOR and --no-color say no to both. https://no-color.org and https://force-color.org
        only say what each variable does alone: like Python itself, this lets NO_COLOR win over
        FORCE_COLOR, and that over a dumb terminal (``can_colorize`` in CPython's ``_colorize``).
        """
        is_terminal, value = stream.isatty(), os.environ.get
        wanted = value("FORCE_COLOR") or (is_terminal and value("TERM") != "dumb")
        color = bool(self.color and not value("NO_COLOR") and wanted)
        if not is_terminal:
            return replace(self.plain, color=color)
        from shutil import get_terminal_size

        width = get_terminal_size((80, 24)).columns
        return Style(color, max(40, min(width, 120)), self.verbose, self.quiet)

    def begin(self, report: Text) -> None:
        """Show what the run's report begins with, where that is text."""
        if self.is_text:
            leave(report.text(self.style_of(sys.stdout)))

    def show(self, report: Report) -> None:
        """Print a report: the result to standard output, what is said beside it to the other.

        A report that lacks the facet of the format tells people why there is no result.
        """
        form = self.format if self.format.suits(type(report)) else TEXT
        err = form is TEXT and isinstance(report, ErrorReport)
        style = self.style_of(sys.stderr if err else sys.stdout)
        if form is TEXT and isinstance(report, Continued):
            text = report.rest(style)
        else:
            text = form.renderer.render(report, style)
        leave(text, form, err=err)
        essence = report.essence()
        if essence is report and _is_lost(err=err):
            leave(text, form, err=not err)
        elif essence is not None and _is_lost(err=err):
            self.show(essence)
        if form is TEXT:
            self._say_beside(report.beside())
        for each in report.notes:
            self.note(each)

    def _say_beside(self, beside: Beside) -> None:
        self.warn(beside.warnings)
        self.complain(beside.errors)
        for each in beside.notes:
            self.note(each)

    def complain(self, errors: Iterable[Diagnostic]) -> None:
        """Say errors beside a result, in full; where nobody hears them, behind it if it is text."""
        text = self._lines(errors)
        leave(text, err=True)
        if self.is_text and _is_lost(err=True):
            leave(text)

    def warn(self, found: Iterable[Diagnostic]) -> None:
        """Print findings to standard error: every error, and warnings up to a ceiling."""
        found = list(found)
        ceiling = Ceiling.over([each for each in found if each.severity == "warning"])
        rest = ceiling.rest()
        text = self._lines(each for each in found if each.severity == "error")
        text += self._lines(ceiling.shown) + (f"{rest} (warnings)\n" if rest else "")
        leave(text, err=True)

    def _lines(self, found: Iterable[Diagnostic]) -> str:
        style = self.style_of(sys.stderr)
        return "".join(f"{each}\n" for item in found for each in diagnostic_lines(item, style))

    def say(self, text: str) -> None:
        """Say something of one line on standard error, whatever the text holds."""
        leave(f"{shown(text)}\n", err=True)

    def note(self, text: str) -> None:
        """Say something beside the result, unless --quiet."""
        if not self.quiet:
            self.say(text)

    def detail(self, text: str) -> None:
        """Say something that only --verbose wants to know."""
        if self.verbose:
            self.say(text)
