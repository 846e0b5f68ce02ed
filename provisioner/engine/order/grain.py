"""What a store takes as one write."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.engine.order.elements import Element

    Group = tuple[Element, ...]


class Grain(Struct, frozen=True):
    """What a store writes at once: a user's set of roles; a role's privileges; its includes; both.

    What it does not write at once is written element by element.
    """

    sets: bool = True
    privileges: bool = True
    includes: bool = True
    roles: bool = True

    def wholes(self, elements: Iterable[Element]) -> Iterator[Group]:
        """The groups among the elements of one target that can be one write, the largest first."""
        of_kind: defaultdict[str, list[Element]] = defaultdict(list)
        for element in elements:
            of_kind[element.kind].append(element)
        if self.roles and of_kind["privilege"] and of_kind["include"]:
            yield (*of_kind["privilege"], *of_kind["include"])
        for kind, at_once in (
            ("role", self.sets),
            ("include", self.includes),
            ("privilege", self.privileges),
        ):
            if at_once and len(of_kind[kind]) > 1:
                yield tuple(of_kind[kind])


WHOLE: Final = Grain()
ONE_BY_ONE: Final = Grain(sets=False, privileges=False, includes=False, roles=False)
