"""What a plan means for people, as text: who gains and loses, what is kept, what ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.engine.phrases import counted
from provisioner.reports.text import ceilings
from provisioner.reports.text.ceilings import WHOLE, fitting
from provisioner.reports.text.style import (
    Style,
    at_blanks,
    indented,
    signed_names,
    whole,
    wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.access.effective import UserImpact
    from provisioner.engine.planning.kept import Kept
    from provisioner.engine.planning.plan import Plan
    from provisioner.model import Ending


def impact_lines(plan: Plan, style: Style) -> Iterator[str]:
    """Whose effective access changes, and how."""
    if plan.is_empty:
        return
    yield ""
    if not plan.impact:
        yield "Nobody's effective access changes."
        return
    yield "Effective access, over all roles:"
    groups = _alike(plan)
    most = style.most(ceilings.IMPACT)
    lines, count = fitting(groups, lambda group: _impact_of(*group, plan, style), most)
    yield from lines
    if not style.every and any(len(users) > ceilings.GROUP for users, _ in groups[:count]):
        yield "    (-v names everybody)"
    if count < len(groups):
        gaining = sum(len(users) for users, example in groups[count:] if example.gained)
        losing = sum(len(users) for users, example in groups[count:] if example.lost)
        text = f"and {counted(sum(len(users) for users, _ in groups[count:]), 'user')} more, "
        text += f"{gaining:,} gaining and {losing:,} losing; nobody of them gains what is riskier"
        yield from wrapped(f"{text} ({WHOLE})", style.width, first="    ", rest="    ")


def _impact_of(users: list[str], example: UserImpact, plan: Plan, style: Style) -> Iterator[str]:
    shown = users[: style.most(ceilings.GROUP)]
    who = ", ".join(map(whole, shown))
    if len(shown) < len(users):
        who += f" and {len(users) - len(shown):,} more"
    for part in at_blanks(who, style.width - 4):
        yield f"    {style.paint(part, 'bold')}"
    risky = tuple(name for name in example.gained if name in plan.sensitive)
    harmless = tuple(name for name in example.gained if name not in plan.sensitive)
    yield from signed_names("gains, sensitive:", risky, (), style)
    yield from signed_names("gains", harmless, (), style)
    yield from signed_names("loses", (), example.lost, style)


def _alike(plan: Plan) -> list[tuple[list[str], UserImpact]]:
    """Users whose access changes in the same way, together; who gains the most risk, first."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[UserImpact]] = {}
    for user in plan.impact:
        groups.setdefault((user.gained, user.lost), []).append(user)

    def risk(users: list[UserImpact]) -> tuple[int, int, str]:
        gained = users[0].gained
        return (-len(plan.sensitive.intersection(gained)), -len(gained), users[0].user)

    return [([u.user for u in users], users[0]) for users in sorted(groups.values(), key=risk)]


def kept_lines(plan: Plan, style: Style) -> Iterator[str]:
    """What the plan takes away, and its holders still have another way."""
    if plan.kept:
        yield ""
        yield "Taken away, but still held another way:"
        most = style.most(ceilings.KEPT)
        lines, count = fitting(plan.kept, lambda kept: _kept_by(kept, style), most)
        yield from lines
        if count < len(plan.kept):
            yield f"    and {len(plan.kept) - count:,} more ({WHOLE})"


def _kept_by(kept: Kept, style: Style) -> Iterator[str]:
    own = kept.subject if kept.subject_kind == "role" else None
    ways = ["its own grant" if name == own else whole(name) for name in kept.through]
    was = "its own grant" if kept.role == own else whole(kept.role)
    who = f"role {whole(kept.subject)}" if own else whole(kept.subject)
    text = f"{who} keeps {style.names(kept.privileges)} through "
    text += f"{', '.join(ways)} (was also {was})"
    first, *rest = at_blanks(text, style.width - 4)
    yield f"    {first}"
    yield from indented(rest, 6)


def ending_lines(plan: Plan, style: Style) -> Iterator[str]:
    """What ends soon by name; else the day on which the next dated assignment ends."""
    if plan.ending:
        most = style.most(ceilings.ENDINGS)
        lines, count = fitting(plan.ending, lambda end: _ends_soon(end, plan, style), most)
        yield from lines
        if count < len(plan.ending):
            yield f"Ends soon: {len(plan.ending) - count:,} more assignments ({WHOLE})."
    elif plan.dated:
        yield f"Dated assignments: the next one ends on {plan.dated[0].until}."
    if plan.valid_until is not None and all(plan.valid_until < end.until for end in plan.dated):
        yield f"An exemption from a policy ends on {plan.valid_until}."


def _ends_soon(end: Ending, plan: Plan, style: Style) -> list[str]:
    days = (end.until - plan.as_of).days
    text = f"Ends soon: {whole(end.user)} holds {whole(end.role)} until {end.until}"
    return wrapped(f"{text} ({counted(days, 'more day')}).", max(style.width, 40))
