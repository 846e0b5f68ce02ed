"""The smallest changes that lead from one state to another, and which of them belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.model import State

NOTHING: Final[frozenset[str]] = frozenset()


class Element(NamedTuple):
    """The smallest change: ``kind`` is "privilege", "include" or "role" (of a user).

    ``owner`` is the role's name, or the case-folded login; ``item`` what it gains or loses.
    """

    kind: str
    owner: str
    item: str
    grows: bool

    @property
    def target(self) -> tuple[bool, str]:
        """What a write of this element changes: whether that is a user, and its name."""
        return self.kind == "role", self.owner


class Groups:
    """Targets that belong together, each group known by one of them."""

    def __init__(self) -> None:
        self._above: dict[tuple[bool, str], tuple[bool, str]] = {}

    def of(self, target: tuple[bool, str]) -> tuple[bool, str]:
        """The target that the group is known by."""
        root = target
        while (above := self._above.get(root, root)) != root:
            root = above
        while target != root:
            self._above[target], target = root, self._above[target]
        return root

    def join(self, one: tuple[bool, str], other: tuple[bool, str]) -> None:
        """Make one group of two."""
        self._above[self.of(one)] = self.of(other)


def elements_of(
    before: State, after: State, roles: Iterable[str], users: Iterable[str]
) -> Iterator[Element]:
    """Yield what comes or goes; of roles to be deleted, only who holds and includes them."""
    for name in sorted(roles):
        if name in after.roles:
            was, shall = before.roles.get(name), after.roles[name]
            held = was.privileges if was else NOTHING
            yield from _difference("privilege", name, held, shall.privileges)
            included = was.includes if was else NOTHING
            yield from _difference("include", name, included, shall.includes)
    for login in sorted(users):
        now, then = before.assignments.get(login), after.assignments.get(login)
        yield from _difference(
            "role", login, now.roles if now else NOTHING, then.roles if then else NOTHING
        )


def _difference(
    kind: str, owner: str, before: frozenset[str], after: frozenset[str]
) -> Iterator[Element]:
    if before != after:
        for item in sorted(before ^ after):
            yield Element(kind, owner, item, item in after)
