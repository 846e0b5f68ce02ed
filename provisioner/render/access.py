"""Effective access, and differences of it, as text, CSV and plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from provisioner.engine.phrases import counted
from provisioner.render.explain import short_place, via_words
from provisioner.render.style import Style, paragraph, safe
from provisioner.sheet import sheet_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from provisioner.engine.review import Attestation, By, Difference, Row

_NAMES: Final = 20
_PLURAL: Final = {"user": "users", "role": "roles", "privilege": "privileges"}


def access_text(
    rows: Sequence[Row], by: By, sensitive: frozenset[str], style: Style, *, every: bool = False
) -> str:
    """Who has what, for people. Users and roles that have the same are shown together.

    Long lists of users and roles are cut short, and say so; with ``every`` they are not.
    """
    lines: list[str] = []
    for names, row in _alike(rows, by):
        mark = "  (sensitive)" if by == "privilege" and row.name in sensitive else ""
        head = _listed(names, _NAMES if not every else None)
        lines += [style.paint(line, "bold") for line in paragraph(head + mark, style)]
        limit = None if every else _NAMES
        if by != "role" and row.roles:
            title = "roles" if by == "user" else f"carried by {counted(len(row.roles), 'role')}"
            lines += paragraph(f"{title}: {_listed(row.roles, limit)}", style, 4)
        if by != "user":
            verb = "holds it" if len(row.users) == 1 else "hold it"
            text = f"{counted(len(row.users), 'user')} {verb}: {_listed(row.users, limit)}"
            lines += paragraph(text if row.users else "nobody holds it", style, 4)
        if by != "privilege":
            lines += _privileges(row.privileges, sensitive, style)
        lines.append("")
    lines.append(f"{counted(len(rows), by)}." if rows else f"No {_PLURAL[by]}.")
    return "\n".join(lines) + "\n"


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
    marked = ", ".join(safe(name) + "*" * (name in sensitive) for name in names)
    title = f"{counted(len(names), 'privilege')}{note}:"
    return [f"    {title}", *paragraph(marked, style, 6)]


def difference_text(
    found: Sequence[Difference], by: By, compared: str, style: Style, *, every: bool = False
) -> str:
    """What differs, for people; ``compared`` says between what."""
    lines = []
    limit = None if every or by != "privilege" else _NAMES
    groups: dict[tuple[object, ...], tuple[list[str], Difference]] = {}
    for item in found:
        key = (item.name,) if by != "user" else (item.gained, item.lost)
        groups.setdefault(key, ([], item))[0].append(item.name)
    for names, item in groups.values():
        head = _listed(names, None if every else _NAMES)
        lines += [style.paint(line, "bold") for line in paragraph(head, style)]
        for symbol, changed in (("+", item.gained), ("-", item.lost)):
            if changed:
                first, *rest = paragraph(_listed(changed, limit), style, 6)
                lines += [f"    {style.symbol(symbol)} {first[6:]}", *rest]
        lines.append("")
    end = f"{compared}: "
    end += (
        f"{counted(len(found), by)} differ{'s' * (len(found) == 1)}." if found else "no difference."
    )
    lines += paragraph(end, style)
    return "\n".join(lines) + "\n"


def _listed(names: Sequence[str], limit: int | None) -> str:
    shown = ", ".join(map(safe, names[:limit]))
    more = len(names) - limit if limit is not None else 0
    return f"{shown} and {more:,} more (-v shows them all)" if more > 0 else shown


def review_csv(lines: Iterable[Attestation], by: By, sensitive: frozenset[str]) -> str:
    """The attestation sheet: a line for each user (or role) and privilege, and why."""
    subject = "role" if by == "role" else "user"
    columns = [subject, "privilege", "sensitive", "via", "place"]
    columns += ["until", "reason"] if subject == "user" else []
    cells = (_attested(line, sensitive)[: len(columns)] for line in lines)
    if by == "privilege":
        columns = ["privilege", "sensitive", "user", *columns[3:]]
        rows = sorted([row[1], row[2], row[0], *row[3:]] for row in cells)
        return sheet_text(columns, rows)
    return sheet_text(columns, cells)


def _attested(line: Attestation, sensitive: frozenset[str]) -> list[str]:
    place = next((link.place for link in line.chain if link.place is not None), None)
    until = line.dated.until.isoformat() if line.dated and line.dated.until else ""
    return [
        safe(line.subject),
        safe(line.privilege),
        "yes" if line.privilege in sensitive else "no",
        safe(via_words(line.chain)),
        short_place(place),
        until,
        safe(line.dated.reason or "") if line.dated else "",
    ]


def difference_csv(found: Iterable[Difference], by: By, sensitive: frozenset[str]) -> str:
    """A line for each privilege that a user (or role) gained or lost."""
    if by == "privilege":
        columns = ["privilege", "sensitive", "change", "user"]
        rows = [[name, _grave(name, sensitive), how, who] for name, how, who in _changes(found)]
    else:
        columns = [by, "change", "privilege", "sensitive"]
        rows = [[name, how, what, _grave(what, sensitive)] for name, how, what in _changes(found)]
    return sheet_text(columns, rows)


def _changes(found: Iterable[Difference]) -> Iterator[tuple[str, str, str]]:
    for item in found:
        for how, names in (("gained", item.gained), ("lost", item.lost)):
            for name in names:
                yield safe(item.name), how, safe(name)


def _grave(name: str, sensitive: frozenset[str]) -> str:
    return "yes" if name in sensitive else "no"


def access_document(
    rows: Iterable[Row], by: By, sensitive: frozenset[str], origin: str, as_of: date
) -> dict[str, Any]:
    """Who has what, as plain data; ``origin`` is ``sources`` or ``current``."""
    return {
        **_head(origin, by, as_of, sensitive),
        "against": None,
        "rows": [
            {key: list(getattr(row, key)) for key in _SHOWN[by]} | {"name": row.name}
            for row in rows
        ],
    }


_SHOWN: Final = {
    "user": ("roles", "privileges"),
    "role": ("users", "privileges"),
    "privilege": ("roles", "users"),
}


def difference_document(
    found: Iterable[Difference],
    by: By,
    sensitive: frozenset[str],
    origin: str,
    as_of: date,
    *,
    against: str,
) -> dict[str, Any]:
    """What differs, as plain data; ``against`` is ``current``, or the earlier state as named."""
    return {
        **_head(origin, by, as_of, sensitive),
        "against": against,
        "rows": [
            {"name": item.name, "gained": list(item.gained), "lost": list(item.lost)}
            for item in found
        ],
    }


def _head(origin: str, by: By, as_of: date, sensitive: frozenset[str]) -> dict[str, Any]:
    return {
        "format": "provisioner-access",
        "version": 1,
        "of": origin,
        "by": by,
        "as_of": as_of.isoformat(),
        "sensitive": sorted(sensitive),
    }
