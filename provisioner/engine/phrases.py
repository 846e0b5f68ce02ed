"""Wording that several kinds of findings share: lists of names, and chains of access."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provisioner.engine.access.chains import Chain
    from provisioner.model import Place

SHOWN: Final = 5


def listed(names: Sequence[str], *, limit: int = SHOWN) -> str:
    """``A, B and C``, or ``A, B and 7 more`` where there are more than ``limit``."""
    if len(names) > limit:
        return f"{', '.join(names[:limit])} and {len(names) - limit} more"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def quoted(names: Sequence[str], *, limit: int = SHOWN) -> str:
    """The same, with every name in backquotes."""
    return listed([f"`{name}`" for name in names], limit=limit)


def counted(number: int, noun: str) -> str:
    """``1 role``, ``2 roles``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def word(name: str) -> str:
    """The name as it stands within a sentence: in backquotes where it has blanks of its own."""
    return f"`{name}`" if " " in name else name


def adopted_line(kinds: Iterable[str]) -> str:
    """``adopted: [roles, users]``, as the project file records what is under management."""
    return f"adopted: [{', '.join(sorted(kinds))}]"


def line_of(place: Place | None) -> str:
    """`` at roles.yaml:14``, or nothing where there is no place."""
    return f" at {word(place.file)}:{place.line}" if place is not None else ""


def way(chain: Chain) -> str:
    """How a chain leads to its end: ``through Accountant at roles.yaml:14``.

    The place is that of the last link that has one.
    """
    roles = [word(link.subject) for link in chain if link.kind != "assignment"]
    place = next((link.place for link in reversed(chain) if link.place is not None), None)
    return f"through {' → '.join(roles)}{line_of(place)}"
