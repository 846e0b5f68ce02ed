"""The plain order: shrink, sets, grow. For what is too large to be tried out.

Roles that are new are filled first; nobody holds them. Then the contents of roles shrink to what
they have in common with those afterwards, users' roles are exchanged, and contents grow. Contents
that only shrink leave everybody within B; with the least contents, every set of roles is within B
or F; from the exchange on all sets are the final ones, and contents within theirs. So nobody ever
holds more. What is missing in between is told like any gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.engine.order.sequence import Move, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from provisioner.engine.order.elements import Element
    from provisioner.engine.order.grain import Grain
    from provisioner.engine.order.sequence import Manner
    from provisioner.engine.order.world import World


def plain_sequence(
    world: World, elements: Iterable[Element], grain: Grain, new: Callable[[str], bool]
) -> Sequence:
    """Return the plain order of elements, and carry it out; ``new`` tells roles to be created."""
    found = Sequence()
    of_target: dict[tuple[bool, str], list[Element]] = {}
    for element in elements:
        of_target.setdefault(element.target, []).append(element)
    roles = [(name, group) for (is_user, name), group in of_target.items() if not is_user]
    users = [group for (is_user, _), group in of_target.items() if is_user]
    _add(world, found, "grow", (group for name, group in roles if new(name)))
    old = [group for name, group in roles if not new(name)]
    _add(world, found, "shrink", ([e for e in group if not e.grows] for group in old))
    if grain.sets:
        _add(world, found, "set", users)
    else:
        _add(world, found, "shrink", ([e for e in group if not e.grows] for group in users))
        _add(world, found, "grow", ([e for e in group if e.grows] for group in users))
    _add(world, found, "grow", ([e for e in group if e.grows] for group in old))
    return found


def _add(world: World, found: Sequence, manner: Manner, groups: Iterable[list[Element]]) -> None:
    """Do all groups at once: of what only grows, or shrinks, the end is the least or the most."""
    some = [tuple(group) for group in groups if group]
    found.moves += (Move(group, manner) for group in some)
    trial = world.do([element for group in some for element in group])
    for login in trial.former if trial is not None else ():
        if missing := world.missing(login):
            found.gaps[login] = found.gaps.get(login, 0) | missing
