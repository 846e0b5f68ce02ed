"""Explanations of access as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.engine.access.explain import Everything, Explanation, Held, NotHeld
from provisioner.engine.phrases import counted
from provisioner.reports.text.ceilings import EXPLANATION, OFFERS, WHOLE, WHOLE_OR_JSON, fitting
from provisioner.reports.text.chains import dates, link_words, placed, via_words
from provisioner.reports.text.style import Style, page, paragraph, safe, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.access.chains import Chain
    from provisioner.engine.access.explain import Group, Needs, Offer


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
            yield from placed(words, link.place, style, indent=5, first=first)

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
        yield from placed(text, ended.place, style, indent=2)
        for link in ended.chain:
            yield from placed(link_words(link), link.place, style, indent=4)
    for excepted in answer.excepted:
        yield ""
        pattern = whole(excepted.pattern)
        text = f"{whole(excepted.role)} would grant it, but for its `except: {pattern}`"
        yield from placed(text, excepted.place, style, indent=2)
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
    yield from placed(f"{path} ({size})", offer.chain[-1].place, style, indent=2)


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
            text = f"{whole(dated.role)}{dates(dated)}"
            yield from placed(text, place, style, indent=4)


def _path(group: Group, found: Explanation, style: Style) -> Iterator[str]:
    """The way to the role of a group, once for all groups that share it."""
    if not group.path:
        yield f"  {whole(group.role)} itself"
    for link in group.path:
        yield from placed(link_words(link, found.dated), link.place, style, indent=2)


def _group(group: Group, style: Style) -> Iterator[str]:
    if group.pattern is not None or group.set_name is not None:
        what = whole(group.pattern) if group.pattern else "by name"
        what += f" in the set {whole(group.set_name)}" if group.set_name else ""
        yield from placed(f"{what}:", group.place, style, indent=4)
        yield from paragraph(style.names(group.privileges), style, 6)
    else:
        yield from paragraph(style.names(group.privileges), style, 4)
