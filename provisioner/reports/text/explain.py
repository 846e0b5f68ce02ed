"""Explanations of access, and ways to revoke it, as text and as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.engine.access.explain import Everything, Explanation, Held, NotHeld
from provisioner.engine.phrases import counted
from provisioner.reports.text.ceilings import (
    EXPLANATION,
    OFFERS,
    OTHERS,
    WHOLE,
    WHOLE_OR_JSON,
    fitting,
)
from provisioner.reports.text.style import Style, page, paragraph, safe, whole, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import date

    from provisioner.engine.access.chains import Chain, Link
    from provisioner.engine.access.explain import Group, Needs, Offer
    from provisioner.engine.access.revoke import Cut, Revocation
    from provisioner.model import DatedRole, Place


def explanation_text(found: Explanation, style: Style) -> str:
    """The answer for people."""
    return page(_lines(found, style))


def _lines(found: Explanation, style: Style) -> Iterator[str]:
    match found.answer:
        case Held():
            return _held(found, found.answer, style)
        case NotHeld():
            return _not_held(found, found.answer, style)
        case Everything():
            return _everything(found, found.answer, style)


def link_words(link: Link, dated: Mapping[str, DatedRole] | None = None) -> str:
    """One link as a sentence: ``Accountant grants ARDOCS_VIEW as ARDOCS_*``."""
    subject, thing = whole(link.subject), whole(link.object)
    match link.kind:
        case "assignment":
            return f"{subject} holds {thing}{_dates((dated or {}).get(link.object))}"
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


def _dates(dated: DatedRole | None) -> str:
    if dated is None:
        return ""
    until = f" until {dated.until}" if dated.until else ""
    return until + (f" ({safe(dated.reason)})" if dated.reason else "")


def _placed(
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


def _verb(found: Explanation) -> str:
    return "holds" if found.kind == "user" else "carries"


def _held(found: Explanation, held: Held, style: Style) -> Iterator[str]:
    count = len(held.chains)
    ways = "one way" if held.total == 1 else f"{held.total:,} ways" if held.total else "many ways"
    head = f"{whole(found.subject)} {_verb(found)} {whole(found.privilege or '')}, {ways}:"
    for line in paragraph(head, style):
        yield style.paint(line, "bold")

    def lines_of(numbered: tuple[int, Chain]) -> Iterator[str]:
        number, chain = numbered
        yield ""
        for index, link in enumerate(chain):
            first = "" if index or count == 1 else f"{number}. "
            words = link_words(link, found.dated)
            yield from _placed(words, link.place, style, indent=5, first=first)

    chains = list(enumerate(held.chains, 1))
    lines, count_shown = fitting(chains, lines_of, style.most(EXPLANATION))
    yield from lines
    if count_shown < count:
        yield ""
        yield f"and {count - count_shown:,} of these more ({WHOLE_OR_JSON})"
    if held.total is None:
        yield ""
        left = (
            f"Only the {count} shortest are shown. There are more: stored includes run in circles."
        )
        yield from paragraph(left, style)
    elif held.total > count:
        yield ""
        yield f"Left out: {held.total - count:,} more, none of them shorter."
    yield from _needs_text(found, held.needs, style)


def _needs_text(found: Explanation, needs: Needs, style: Style) -> Iterator[str]:
    who = whole(found.subject)
    if needs.always:
        yield ""
        names = style.names(needs.always)
        text = f"It has no effect: it requires {names}, which {who} does not have."
        for line in paragraph(text, style):
            yield style.paint(line, "yellow")
    for case, name in needs.sometimes:
        yield ""
        text = f"For {safe(case)} it also requires {whole(name)}, which {who} does not have."
        yield from paragraph(text, style)


def _not_held(found: Explanation, answer: NotHeld, style: Style) -> Iterator[str]:
    verb = "hold" if found.kind == "user" else "carry"
    head = f"{whole(found.subject)} does not {verb} {whole(found.privilege or '')}."
    for line in paragraph(head, style):
        yield style.paint(line, "bold")
    if answer.internal:
        yield "It is internal to the panel and is never granted."
        return
    for ended in answer.ended:
        yield ""
        until = f"ended on {ended.dated.until}"
        text = f"{whole(ended.dated.role)} {until}; it gave it to {whole(found.subject)}:"
        yield from _placed(text, ended.place, style, indent=2)
        for link in ended.chain:
            yield from _placed(link_words(link), link.place, style, indent=4)
    for excepted in answer.excepted:
        yield ""
        pattern = whole(excepted.pattern)
        text = f"{whole(excepted.role)} would grant it, but for its `except: {pattern}`"
        yield from _placed(text, excepted.place, style, indent=2)
    yield ""
    if not answer.offers:
        yield "No role carries it."
        return
    shown = answer.offers[: style.most(OFFERS)]
    yield "Roles that would grant it, those with the fewest other privileges first:"
    for offer in shown:
        yield from _offer(offer, style)
    if len(shown) < len(answer.offers):
        yield f"  and {len(answer.offers) - len(shown):,} more ({WHOLE})"


def _offer(offer: Offer, style: Style) -> Iterator[str]:
    path = via_words(offer.chain, whole)
    size = f"{counted(offer.privileges, 'privilege')}, {counted(offer.holders, 'holder')}"
    yield from _placed(f"{path} ({size})", offer.chain[-1].place, style, indent=2)


def _everything(found: Explanation, answer: Everything, style: Style) -> Iterator[str]:
    size = counted(len(answer.privileges), "privilege") if answer.privileges else "no privileges"
    head = f"{whole(found.subject)} {_verb(found)} {size}"
    if answer.carried_by:
        how = "through" if found.kind == "user" else "also by including"
        head += f", {how} {style.names(answer.carried_by)}"
    for line in paragraph(head + ".", style):
        yield style.paint(line, "bold")
    path: Chain | None = None

    def lines_of(group: Group) -> Iterator[str]:
        nonlocal path
        if group.path != path:
            yield ""
            path = group.path
            yield from _path(group, found, style)
        yield from _group(group, style)

    lines, count = fitting(answer.groups, lines_of, style.most(EXPLANATION))
    yield from lines
    if count < len(answer.groups):
        yield ""
        left = answer.groups[count:]
        number = counted(sum(len(group.privileges) for group in left), "privilege")
        yield f"and {number} more, from {counted(len(left), 'line')} ({WHOLE_OR_JSON})"
    yield from _without_effect(answer, style)


def _without_effect(answer: Everything, style: Style) -> Iterator[str]:
    if answer.idle:
        yield ""
        yield style.paint("Without effect, since something is missing that they require:", "yellow")
        for need in answer.idle:
            text = f"{whole(need.privilege)} requires {style.names(need.always)}"
            yield from paragraph(text, style, 4)
    if answer.ended:
        yield ""
        yield "Ended:"
        for dated, place in answer.ended:
            text = f"{whole(dated.role)}{_dates(dated)}"
            yield from _placed(text, place, style, indent=4)


def _path(group: Group, found: Explanation, style: Style) -> Iterator[str]:
    """The way to the role of a group, once for all groups that share it."""
    if not group.path:
        yield f"  {whole(group.role)} itself"
    for link in group.path:
        yield from _placed(link_words(link, found.dated), link.place, style, indent=2)


def _group(group: Group, style: Style) -> Iterator[str]:
    if group.pattern is not None or group.set_name is not None:
        what = whole(group.pattern) if group.pattern else "by name"
        what += f" in the set {whole(group.set_name)}" if group.set_name else ""
        yield from _placed(f"{what}:", group.place, style, indent=4)
        yield from paragraph(style.names(group.privileges), style, 6)
    else:
        yield from paragraph(style.names(group.privileges), style, 4)


def revocation_text(found: Revocation, style: Style) -> str:
    """The edges to cut, and who loses what by it."""
    who, what = whole(found.user), whole(found.privilege)
    if not found.cuts:
        return page(paragraph(f"{who} does not hold {what}; there is nothing to cut.", style))
    number = "one edge" if len(found.cuts) == 1 else f"these {len(found.cuts)} edges"
    head = paragraph(f"To take {what} from {who}, cut {number}; fewer do not suffice:", style)
    lines = [style.paint(line, "bold") for line in head]
    cuts, count = fitting(
        list(enumerate(found.cuts, 1)),
        lambda numbered: ["", *_cut(*numbered, style)],
        style.most(EXPLANATION),
    )
    lines += cuts
    if count < len(found.cuts):
        lines += ["", f"and {counted(len(found.cuts) - count, 'edge')} more ({WHOLE_OR_JSON})"]
    lines.append("")
    if found.also:
        lines += paragraph(f"{who} also loses: {style.names(found.also)}", style)
    else:
        lines.append(f"{who} loses nothing else.")
    lines += _others(found)
    if not found.compared_all:
        text = (
            f"There are more than {found.compared:,} equally small ways; of those looked at, this "
            "one takes the least from others."
        )
        lines += paragraph(text, style)
    lines.append("Nothing was changed.")
    return page(lines)


def _cut(index: int, cut: Cut, style: Style) -> Iterator[str]:
    for position, link in enumerate(cut.links):
        first = "" if position else f"{index}. "
        yield from _placed(link_words(link), link.place, style, indent=5, first=first)
    if cut.links[0].kind == "assignment":
        return
    if not cut.others:
        yield "       alone it takes nothing from anybody else"
        return
    shown = cut.others[: style.most(OTHERS)]
    for other in shown:
        text = f"takes from {whole(other.user)}: {style.names(other.lost)}"
        yield from wrapped(text, style.width, first=" " * 7, rest=" " * 9)
    if len(shown) < len(cut.others):
        yield f"       and from {len(cut.others) - len(shown):,} more ({WHOLE_OR_JSON})"


def _others(found: Revocation) -> list[str]:
    if not found.others:
        return ["Nobody else loses anything."]
    count = len(found.others)
    return [f"{count:,} other{'s lose' if count > 1 else ' loses'} something by it."]


def explanation_document(found: Explanation, origin: str, as_of: date) -> dict[str, Any]:
    """The explanation as plain data; ``origin`` is ``sources`` or ``current``."""
    return {
        "format": "provisioner-explain",
        "version": 1,
        "of": origin,
        "as_of": as_of.isoformat(),
        "subject": {"kind": found.kind, "name": found.subject},
        "privilege": found.privilege,
        "answer": _answer(found),
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


def revocation_document(found: Revocation, origin: str, as_of: date) -> dict[str, Any]:
    """The edges to cut as plain data."""
    return {
        "format": "provisioner-revoke",
        "version": 1,
        "of": origin,
        "as_of": as_of.isoformat(),
        "user": found.user,
        "privilege": found.privilege,
        "cuts": [
            {
                "links": chain_document(cut.links),
                "others": [{"user": o.user, "lost": list(o.lost)} for o in cut.others],
            }
            for cut in found.cuts
        ],
        "others": [{"user": other.user, "lost": list(other.lost)} for other in found.others],
        "also": list(found.also),
        "compared": found.compared,
        "compared_all": found.compared_all,
    }
