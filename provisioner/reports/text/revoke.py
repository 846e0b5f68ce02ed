"""Ways to take a privilege away, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.engine.phrases import counted
from provisioner.reports.text.ceilings import EXPLANATION, OTHERS, WHOLE_OR_JSON, fitting
from provisioner.reports.text.chains import link_words, placed
from provisioner.reports.text.style import Style, page, paragraph, whole, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.access.revoke import Cut, Revocation


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
        yield from placed(link_words(link), link.place, style, indent=5, first=first)
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
