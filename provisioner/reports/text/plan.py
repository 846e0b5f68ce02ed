"""Plans as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.reports.text.ceilings import WHOLE_OR_JSON
from provisioner.reports.text.changes import change_lines, rules_lines
from provisioner.reports.text.diagnostics import folded
from provisioner.reports.text.impact import ending_lines, impact_lines, kept_lines
from provisioner.reports.text.style import Style, page, safe, whole, wrapped
from provisioner.reports.text.summary import coverage_line, left_out_line, summary_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.changes import Change
    from provisioner.engine.planning.plan import Plan
    from provisioner.engine.settings import Settings


def plan_text(plan: Plan, style: Style) -> str:
    """The plan: changes, who is affected, what was adapted and compared, what forbids it.

    A brief style leaves everything out but the objections and the sum; one that shows everything
    adds which line of the sources grants each added privilege. Of a plan that is too long for
    people the gravest changes are shown, and what is left out is counted beside the sum.
    """
    lines: list[str] = []
    left_out: list[Change] = []
    if not style.brief:
        lines += _header(plan, style)
        shown, left_out = change_lines(plan, style)
        lines += shown
        lines += rules_lines(plan.rule_changes, style)
        lines += impact_lines(plan, style)
        lines += kept_lines(plan, style)
        lines += _violations(plan, style)
        lines += _notes(plan, style)
        lines += ["", *_wrapped(coverage_line(plan), style)]
        lines += ending_lines(plan, style)
    lines += _blockers(plan, style)
    if left_out:
        text = f"Not shown above: {left_out_line(plan, left_out)} ({WHOLE_OR_JSON})."
        lines += [style.paint(part, "yellow", "bold") for part in _wrapped(text, style)]
    for line in summary_line(plan).splitlines():
        lines += [style.paint(part, "bold") for part in _wrapped(line, style)]
    return page(lines)


def question(plan: Plan, style: Style) -> str:
    """What is asked below the plan's text; it says what the text left out."""
    _, left_out = ([], []) if style.brief else change_lines(plan, style)
    if not left_out:
        return "Apply these changes?"
    return f"Apply all changes, also those not shown above ({left_out_line(plan, left_out)})?"


def _header(plan: Plan, style: Style) -> list[str]:
    where = plan.target.identity
    text = f"Target {whole(plan.target.name)} ({whole(where)}), as of {plan.as_of}"
    options = [whole(option) for option in options_given(plan.settings)]
    given = _wrapped(f"Planned with {', '.join(options)}.", style) if options else []
    return [*_wrapped(text, style), *given]


def options_given(settings: Settings) -> Iterator[str]:
    """The options that a plan was made with, and that change what it is judged by."""
    flags = ("adopt", "allow_lockout", "new_only")
    yield from (f"--{name.replace('_', '-')}" for name in flags if getattr(settings, name))
    for name in sorted(settings.given):
        yield f"--{name.replace('_', '-')} {getattr(settings.safety, name)}"
    if settings.actor is not None:
        yield f"--actor {settings.actor}"
    if settings.rules_from is not None:
        yield f"--rules-from {settings.rules_from}"


def _violations(plan: Plan, style: Style) -> Iterator[str]:
    """Breaks of policies that do not block; those that do stand among the objections."""
    blocking = {blocker.message for blocker in plan.blockers}
    passing = [v.diagnostic() for v in plan.violations]
    passing = [found for found in passing if found.message not in blocking]
    if passing:
        yield ""
    yield from folded(passing, style)


def _notes(plan: Plan, style: Style) -> Iterator[str]:
    """How the plan was adapted to what the target lacks."""
    if plan.notes:
        yield ""
    for note in plan.notes:
        start = "note: "
        text = "; ".join(filter(None, (note.message, note.remedy)))
        first, *rest = _wrapped(start + safe(text), style, indent=4)
        yield style.paint(start.rstrip(), "cyan", "bold") + first.removeprefix(start.rstrip())
        yield from rest


def _blockers(plan: Plan, style: Style) -> Iterator[str]:
    if plan.blockers:
        yield ""
        yield style.paint("This plan can't be applied:", "red", "bold")
        yield from folded(plan.blockers, style)
        yield ""


def _wrapped(text: str, style: Style, indent: int = 0) -> list[str]:
    return wrapped(text, max(style.width, 40), rest=" " * indent)
