"""Effective access, and differences of it, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.engine.phrases import counted
from provisioner.reports.text.ceilings import ACCESS, ALIKE, NAMES, WHOLE, fitting
from provisioner.reports.text.style import Style, listed, page, paragraph, safe, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from provisioner.engine.access.review import By, Difference, Row

_PLURAL: Final = {"user": "users", "role": "roles", "privilege": "privileges"}


# Where the whole is, of a list that is too long for people.
_NARROWER: Final = "--user, --role and --privilege ask for less, --format csv or json has them all"


def access_text(rows: Sequence[Row], by: By, sensitive: frozenset[str], style: Style) -> str:
    """Who has what, for people. Users and roles that have the same are shown together."""
    groups = _alike(rows, by)
    lines, count = fitting(
        groups, lambda group: _access_of(*group, by, sensitive, style), style.most(ACCESS)
    )
    shown = sum(len(names) for names, _ in groups[:count])
    lines += _rest(len(rows) - shown, by, style)
    lines.append(f"{counted(len(rows), by)}." if rows else f"No {_PLURAL[by]}.")
    return page(lines)


def _access_of(
    names: Sequence[str], row: Row, by: By, sensitive: frozenset[str], style: Style
) -> Iterator[str]:
    mark = "  (sensitive)" if by == "privilege" and row.name in sensitive else ""
    for line in paragraph(style.names(names, ALIKE) + mark, style):
        yield style.paint(line, "bold")
    if by != "role" and row.roles:
        title = "roles" if by == "user" else f"carried by {counted(len(row.roles), 'role')}"
        yield from paragraph(f"{title}: {style.names(row.roles, ALIKE)}", style, 4)
    if by != "user":
        verb = "holds it" if len(row.users) == 1 else "hold it"
        text = f"{counted(len(row.users), 'user')} {verb}: {style.names(row.users, ALIKE)}"
        yield from paragraph(text if row.users else "nobody holds it", style, 4)
    if by != "privilege":
        yield from _privileges(row.privileges, sensitive, style)
    yield ""


def _rest(number: int, by: By, style: Style) -> list[str]:
    if not number:
        return []
    text = f"Not shown: {counted(number, by)} more; {WHOLE}; {_NARROWER}."
    return [*(style.paint(line, "yellow") for line in paragraph(text, style)), ""]


def _alike(rows: Iterable[Row], by: By) -> list[tuple[list[str], Row]]:
    groups: dict[tuple[object, ...], tuple[list[str], Row]] = {}
    for row in rows:
        key = (row.name,) if by != "user" else (row.roles, row.privileges)
        groups.setdefault(key, ([], row))[0].append(row.name)
    return list(groups.values())


def _privileges(names: Sequence[str], sensitive: frozenset[str], style: Style) -> list[str]:
    if not names:
        return ["    no privileges"]
    grave = sum(name in sensitive for name in names)
    note = f", {grave} of them sensitive (*)" if grave else ""
    shown = sorted(names, key=lambda name: name not in sensitive) if len(names) > NAMES else names
    marked = [whole(name) + "*" * (name in sensitive) for name in shown[: style.most(NAMES)]]
    title = f"{counted(len(names), 'privilege')}{note}:"
    return [f"    {title}", *paragraph(listed(marked, len(names)), style, 6)]


def difference_text(found: Sequence[Difference], by: By, compared: str, style: Style) -> str:
    """What differs, for people; ``compared`` says between what."""
    groups: dict[tuple[object, ...], tuple[list[str], Difference]] = {}
    for item in found:
        key = (item.name,) if by != "user" else (item.gained, item.lost)
        groups.setdefault(key, ([], item))[0].append(item.name)
    every = list(groups.values())
    lines, count = fitting(
        every, lambda group: _difference_of(*group, by, style), style.most(ACCESS)
    )
    lines += _rest(len(found) - sum(len(names) for names, _ in every[:count]), by, style)
    end = f"{safe(compared)}: "
    end += (
        f"{counted(len(found), by)} differ{'s' * (len(found) == 1)}." if found else "no difference."
    )
    lines += paragraph(end, style)
    return page(lines)


def _difference_of(names: Sequence[str], item: Difference, by: By, style: Style) -> Iterator[str]:
    limit = ALIKE if by == "privilege" else NAMES
    for line in paragraph(style.names(names, ALIKE), style):
        yield style.paint(line, "bold")
    for symbol, changed in (("+", item.gained), ("-", item.lost)):
        if changed:
            first, *rest = paragraph(style.names(changed, limit), style, 6)
            yield f"    {style.symbol(symbol)} {first[6:]}"
            yield from rest
    yield ""
