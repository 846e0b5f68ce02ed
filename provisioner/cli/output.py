"""What reaches the user: results to standard output, everything else to standard error.

What must not get lost, why a run failed and how a change ended, goes to the other one where its own
stream takes nothing. This is the one place where text leaves, and the last line of defence:
whatever a renderer forgot, no terminal and no CI runner obeys it, and no encoding fails on it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TextIO

import click

from provisioner.cli import streams
from provisioner.diagnostics import Diagnostic
from provisioner.printable import harmless, is_utf8, shown, spelled
from provisioner.reports.text.diagnostics import Ceiling, diagnostic_document, diagnostic_lines
from provisioner.reports.text.style import Style, ascii_json, json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from provisioner.engine.planning.plan import Plan


@dataclass
class Manner:
    """How this run talks, set once from the common options."""

    as_json: bool = False
    color: bool = True
    verbose: bool = False
    quiet: bool = False


def _first_guess() -> Manner:
    """What the command line asks for, as far as it shows before it is parsed.

    Usage errors come before the options are known, and shall be JSON too where JSON is asked for.
    """
    words = sys.argv[1:]
    wants = os.environ.get("PROVISIONER_FORMAT") == "json" or "--format=json" in words
    wants = wants or ("--format", "json") in pairwise(words)
    return Manner(as_json=wants)


MANNER = _first_guess()


def wants_json() -> bool:
    """Whether results and errors shall be JSON."""
    return MANNER.as_json


def style_of(stream: TextIO) -> Style:
    """The style for a stream: coloured on a terminal, unless NO_COLOR or --no-color say no."""
    is_terminal = stream.isatty()
    color = is_terminal and MANNER.color and not os.environ.get("NO_COLOR")
    color = color and os.environ.get("TERM") != "dumb"
    width = 80
    if is_terminal:
        from shutil import get_terminal_size

        width = get_terminal_size((80, 24)).columns
    return Style(color=color, width=max(40, min(width, 120)), every=MANNER.verbose)


def printed(text: str, stream: TextIO) -> str:
    """The text as it may be written to a stream: nobody obeys it, and the encoding holds it."""
    return spelled(harmless(text), stream.encoding or "ascii")


def is_ascii_only(stream: TextIO) -> bool:
    """Whether formats for programs shall be in ASCII, which every reader takes for UTF-8 too."""
    return not is_utf8(stream.encoding or "ascii")


def _json(text: str, stream: TextIO) -> str:
    return ascii_json(text) if is_ascii_only(stream) else text


def _csv(text: str, stream: TextIO) -> str:
    return spelled(text, "ascii") if is_ascii_only(stream) else text


def _leave(text: str, form: Callable[[str, TextIO], str] = printed, *, err: bool = False) -> None:
    """Write to a stream, in the form that it holds. Nothing else writes."""
    leaving = form(text, sys.stderr if err else sys.stdout)
    click.echo(leaving, nl=False, err=err, color=True)


def result(text: str) -> None:
    """Print a result: lines in which what is outside text was escaped by ``render.style``."""
    _leave(text)


def result_line(text: str) -> None:
    """Print a result of one line, whatever the text holds."""
    result(f"{shown(text)}\n")


def result_json(document: Any) -> None:
    """Print a result as JSON: keys sorted, two blanks of indentation."""
    _leave(_document(document), _json)


def result_csv(text: str) -> None:
    """Print what ``sheet_text`` made; reading it gives the same names in any encoding."""
    _leave(text, _csv)


def account(text: str, found: Iterable[Diagnostic] = ()) -> None:
    """Print how a change ended, to whichever stream still takes it."""
    _to_either(text, err=False)
    _to_either(_lines(found), err=True)


def account_json(document: Any) -> None:
    """Print how a change ended as JSON, to whichever stream still takes it."""
    _to_either(_document(document), _json, err=False)


def _to_either(text: str, form: Callable[[str, TextIO], str] = printed, *, err: bool) -> None:
    for to_error in (err, not err):
        _leave(text, form, err=to_error)
        if (streams.ERR if to_error else streams.OUT).lost is None:
            return


def _document(document: Any) -> str:
    return json_text(document, indent=2) + "\n"


def _lines(found: Iterable[Diagnostic]) -> str:
    style = style_of(sys.stderr)
    return "".join(f"{line}\n" for each in found for line in diagnostic_lines(each, style))


def show_plan(plan: Plan) -> None:
    """Print a plan as the result of a command."""
    if MANNER.as_json:
        from provisioner.documents.plan import encode

        _leave(encode(plan).decode(), _json)
    else:
        from provisioner.reports.text.plan import plan_text

        result(plan_text(plan, style_of(sys.stdout), brief=MANNER.quiet, places=MANNER.verbose))


def say(text: str) -> None:
    """Say something of one line on standard error, whatever the text holds."""
    _leave(f"{shown(text)}\n", err=True)


def note(text: str) -> None:
    """Say something beside the result, unless --quiet."""
    if not MANNER.quiet:
        say(text)


def detail(text: str) -> None:
    """Say something that only --verbose wants to know."""
    if MANNER.verbose:
        say(text)


def warn(found: Iterable[Diagnostic]) -> None:
    """Print findings to standard error: every error, and warnings up to a ceiling."""
    found = list(found)
    ceiling = Ceiling.over([each for each in found if each.severity == "warning"])
    rest = ceiling.rest()
    text = _lines(each for each in found if each.severity == "error") + _lines(ceiling.shown)
    text += f"{rest} (warnings)\n" if rest else ""
    _leave(text, err=True)


def report(errors: Iterable[Diagnostic]) -> None:
    """Print why a command failed: JSON to standard output if asked for, else text to stderr.

    Of many errors the first are shown in full, the rest counted by id. Where the stream takes
    nothing, it goes to the other one.
    """
    errors = list(errors)
    ceiling = Ceiling.over(errors)
    if MANNER.as_json:
        documents = [diagnostic_document(error) for error in ceiling.shown]
        more = {"more": ceiling.more} if ceiling.more else {}
        account_json({"format": "provisioner-errors", "version": 1, "errors": documents, **more})
        return
    rest = ceiling.rest()
    text = _lines(ceiling.shown) + (f"{rest}\n" if rest else "")
    if len(errors) > 1:
        untouched = not any(error.id == "unknown-outcome" for error in errors)
        text += f"{len(errors):,} errors{'; nothing was changed' if untouched else ''}\n"
    _to_either(text, err=True)


def report_defect(error: Exception) -> None:
    """Print that provisioner itself is at fault."""
    what = f"internal error: {type(error).__name__}: {error}"
    report(
        [
            Diagnostic(
                "internal-error", what, None, "this is a defect of provisioner; -v shows where"
            )
        ]
    )
    if MANNER.verbose:
        from traceback import format_exception

        _leave("".join(format_exception(error)) + "\n", err=True)
