"""Why somebody has a privilege, or why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioner.engine.access.explain import Everything, Explanation, Held, NotHeld
from provisioner.reports.report import Document, Report, Text
from provisioner.reports.text.explain import explanation_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from provisioner.engine.access.chains import Link
    from provisioner.engine.access.explain import Needs
    from provisioner.model import DatedRole, Place
    from provisioner.reports.text.style import Style


@dataclass(frozen=True, slots=True)
class ExplanationReport(Report, Text, Document):
    """An explanation; ``head`` says of which state, ``origin`` is ``sources`` or ``current``."""

    format: ClassVar = "provisioner-explain"

    found: Explanation
    head: str
    origin: str
    as_of: date

    def text(self, style: Style) -> str:
        """The answer for people."""
        return f"{self.head}\n{explanation_text(self.found, style)}"

    def content(self) -> dict[str, Any]:
        """The answer as plain data."""
        return {
            "of": self.origin,
            "as_of": self.as_of.isoformat(),
            "subject": {"kind": self.found.kind, "name": self.found.subject},
            "privilege": self.found.privilege,
            "answer": _answer(self.found),
        }


def _answer(found: Explanation) -> dict[str, Any]:
    match found.answer:
        case Held(chains, total, needs):
            return {
                "has": True,
                "chains": [chain_document(chain, found.dated) for chain in chains],
                "total": total,
                "requires": _needs_document(needs),
            }
        case NotHeld(internal, offers, ended, excepted):
            return {
                "has": False,
                "internal": internal,
                "offers": [
                    {
                        "role": offer.role,
                        "chain": chain_document(offer.chain),
                        "privileges": offer.privileges,
                        "holders": offer.holders,
                    }
                    for offer in offers
                ],
                "ended": [
                    {
                        **_dated_document(item.dated),
                        "place": place_document(item.place),
                        "chain": chain_document(item.chain),
                    }
                    for item in ended
                ],
                "excepted": [
                    {"role": e.role, "pattern": e.pattern, "place": place_document(e.place)}
                    for e in excepted
                ],
            }
        case Everything(privileges, carried_by, groups, idle, ended_roles):
            return {
                "privileges": list(privileges),
                "roles": list(carried_by),
                "groups": [
                    {
                        "path": chain_document(group.path, found.dated),
                        "role": group.role,
                        "pattern": group.pattern,
                        "set": group.set_name,
                        "place": place_document(group.place),
                        "privileges": list(group.privileges),
                    }
                    for group in groups
                ],
                "without_effect": [_needs_document(need) for need in idle],
                "ended": [
                    {**_dated_document(dated), "place": place_document(place)}
                    for dated, place in ended_roles
                ],
            }


def _needs_document(needs: Needs) -> dict[str, Any]:
    sometimes = [{"when": case, "privilege": name} for case, name in needs.sometimes]
    return {"privilege": needs.privilege, "missing": list(needs.always), "sometimes": sometimes}


def _dated_document(dated: DatedRole) -> dict[str, Any]:
    until = dated.until.isoformat() if dated.until else None
    return {"role": dated.role, "until": until, "reason": dated.reason}


def chain_document(
    chain: Iterable[Link], dated: Mapping[str, DatedRole] | None = None
) -> list[dict[str, Any]]:
    """The links of a chain as plain data."""
    return [_link_document(link, (dated or {}).get(link.object)) for link in chain]


def _link_document(link: Link, dated: DatedRole | None) -> dict[str, Any]:
    dated = dated if link.kind == "assignment" else None
    return {
        "kind": link.kind,
        "subject": link.subject,
        "object": link.object,
        "pattern": link.pattern,
        "set": link.set_name,
        "until": dated.until.isoformat() if dated and dated.until else None,
        "reason": dated.reason if dated else None,
        "place": place_document(link.place),
    }


def place_document(place: Place | None) -> dict[str, Any] | None:
    """A place as plain data."""
    if place is None:
        return None
    return {"file": place.file, "line": place.line, "column": place.column}
