"""Chains of access, link by link, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.reports.text.style import Style, safe, whole, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provisioner.engine.access.chains import Chain, Link
    from provisioner.model import DatedRole, Place


def link_words(link: Link, dated: Mapping[str, DatedRole] | None = None) -> str:
    """One link as a sentence: ``Accountant grants ARDOCS_VIEW as ARDOCS_*``."""
    subject, thing = whole(link.subject), whole(link.object)
    match link.kind:
        case "assignment":
            return f"{subject} holds {thing}{dates((dated or {}).get(link.object))}"
        case "include":
            return f"{subject} includes {thing}"
        case "grant":
            return f"{subject} grants {thing}{_how(link, thing)}"


def via_words(chain: Chain, spell: Callable[[str], str]) -> str:
    """A chain in one line, each name spelled: ``Accountant → Account Viewer, as ARDOCS_*``."""
    roles = " → ".join(spell(link.subject) for link in chain if link.kind != "assignment")
    grant = chain[-1]
    is_other = grant.pattern is not None and grant.pattern != grant.object
    how = f", as {spell(grant.pattern or '')}" if is_other else ""
    return roles + how + (f", in the set {spell(grant.set_name)}" if grant.set_name else "")


def short_place(place: Place | None) -> str:
    """``roles.yaml:14``, or nothing."""
    return f"{whole(place.file)}:{place.line}" if place is not None else ""


def _how(link: Link, thing: str) -> str:
    pattern = f" as {whole(link.pattern)}" if link.pattern and whole(link.pattern) != thing else ""
    return pattern + (f" in the set {whole(link.set_name)}" if link.set_name else "")


def dates(dated: DatedRole | None) -> str:
    """`` until 2026-06-30 (reason)``, or nothing."""
    if dated is None:
        return ""
    until = f" until {dated.until}" if dated.until else ""
    return until + (f" ({safe(dated.reason)})" if dated.reason else "")


def placed(
    text: str, place: Place | None, style: Style, *, indent: int, first: str = ""
) -> list[str]:
    """Text with its place at the right edge, or below where both do not fit on a line."""
    start = first.rjust(indent) if first else " " * indent
    lines = wrapped(text, style.width, first=start, rest=" " * indent + "  ")
    where = short_place(place)
    if not where:
        return lines
    gap = style.width - len(lines[-1]) - len(where)
    if gap >= 2:
        lines[-1] += " " * gap + style.paint(where, "dim")
    else:
        lines.append(" " * max(style.width - len(where), indent) + style.paint(where, "dim"))
    return lines
