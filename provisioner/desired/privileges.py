"""Which privileges a role's own lines stand for: names, globs, sets, and what is excepted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from provisioner import globs
from provisioner.catalogue import where_listed
from provisioner.desired.hints import Hints
from provisioner.diagnostics import Diagnostic
from provisioner.engine.phrases import quoted
from provisioner.model import Grant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.desired.yaml.reader import YamlMapping, YamlSequence
    from provisioner.model import Catalogue, Place


GLOB_WITHOUT_CATALOGUE: Final = "glob-without-catalogue"
_LONGEST: Final = 256


class Resolver:
    """Expands lists of privileges over a catalogue. Problems pile up in ``diagnostics``.

    Over a catalogue that is not known, every well-formed name is taken as it is. Globs need one;
    if ``lenient``, they stand for nothing instead (see ``left_out``). ``unknown`` gathers the names
    that the catalogue lacks.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        sets: dict[str, tuple[YamlMapping, YamlSequence]],
        *,
        complete: bool,
        lenient: bool = False,
        hints: Hints | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._hints = hints or Hints()
        self._grantable = catalogue.grantable
        self._set_lists = {name: items for name, (_, items) in sets.items()}
        self._complete = complete
        self._lenient = lenient
        self._left_out: dict[str, Place] = {}
        self._expanded: dict[str, frozenset[str]] = {}
        self._reported: set[Diagnostic] = set()
        self.unknown: set[str] = set()
        self.diagnostics: list[Diagnostic] = []
        self._sets = {name: self.expand(items) for name, items in self._set_lists.items()}

    def own(self, body: YamlMapping) -> frozenset[str]:
        """The privileges that the role itself carries: listed ones and sets, less the excepted."""
        listed = body.get("privileges")
        own = self.expand(listed) if listed else frozenset()
        if "sets" in body:
            sets = body["sets"]
            for index, name in enumerate(sets):
                if name in self._sets:
                    own |= self._sets[name]
                elif self._complete:
                    message = f"there is no privilege set `{name}`"
                    self._report("unknown-set", message, sets.item_place(index), name, self._sets)
        if "except" in body:
            own -= self.expand(body["except"])
        return own

    def expand(self, items: YamlSequence) -> frozenset[str]:
        """Expand names and globs. Unknown ones are reported and left out."""
        exact = frozenset(items)
        if exact <= self._grantable:
            return exact
        return frozenset().union(*(self._match(item, items, i) for i, item in enumerate(items)))

    def _match(self, text: str, items: YamlSequence, index: int) -> frozenset[str]:
        if text in self._grantable:
            return frozenset((text,))
        if not self._catalogue.known:
            return self._taken(text, items.item_place(index))
        if "*" in text:
            if text not in self._expanded:
                matching = globs.pattern(text).fullmatch
                self._expanded[text] = frozenset(filter(matching, self._grantable))
            if not self._expanded[text]:
                message = f"`{text}` matches no privilege of the catalogue"
                known = self._grantable
                self._report("glob-without-match", message, items.item_place(index), text, known)
            return self._expanded[text]
        self.check(text, items.item_place(index))
        return frozenset()

    def _taken(self, text: str, place: Place) -> frozenset[str]:
        """What a name or glob stands for where no catalogue is known."""
        if "*" not in text:
            self.check(text, place)
            return frozenset((text,))
        if self._lenient:
            self._left_out.setdefault(text, place)
        else:
            message = (
                f"`{text}` can't be expanded: globs need a catalogue, and this target has none"
            )
            remedy = "declare `catalogue:` in the project file, or write the names out"
            self._report_once(Diagnostic(GLOB_WITHOUT_CATALOGUE, message, place, remedy))
        return frozenset()

    def left_out(self) -> list[Diagnostic]:
        """A warning that names the globs which stand for nothing, at the place of the first."""
        if not self._left_out:
            return []
        globs_found = sorted(self._left_out)
        message = f"globs not expanded: {quoted(globs_found)}; only the panel knows its catalogue"
        place = min(self._left_out.values())
        remedy = "use --online, or declare `catalogue:` in the project file"
        return [Diagnostic(GLOB_WITHOUT_CATALOGUE, message, place, remedy, "warning")]

    def check(self, name: str, place: Place) -> None:
        """Report a privilege that the catalogue does not have, or never grants."""
        if not self._catalogue.known:
            if not is_well_formed(name):
                message = f"`{name}` can't be the name of a privilege"
                remedy = f"names have 1 to {_LONGEST} printable characters, no blank at either end"
                self._report_once(Diagnostic("bad-privilege-name", message, place, remedy))
        elif name in self._catalogue.internal:
            message = f"`{name}` is internal to the panel and is never granted"
            self.diagnostics.append(Diagnostic("internal-privilege", message, place, "remove it"))
        elif name in self._set_lists and name not in self._grantable:
            message = f"`{name}` is no privilege but a privilege set, and sets do not nest"
            remedy = "name it under `sets` of a role"
            self._report_once(Diagnostic("set-as-privilege", message, place, remedy))
        elif name not in self._grantable:
            self.unknown.add(name)
            message = f"there is no privilege `{name}` in the catalogue"
            self._report("unknown-privilege", message, place, name, self._grantable)

    def _report(self, id: str, message: str, place: Place, name: str, known: Any) -> None:
        if id == "unknown-set":
            found = Diagnostic(id, message, place, "declare it under `privilege_sets`")
            self._report_once(self._hints.expect(found, name, known))
            return
        found = Diagnostic(id, message, place, where_listed(self._catalogue))
        listed = partial(where_listed, self._catalogue, name.strip("*"))
        self._report_once(self._hints.expect(found, name, known, listed))

    def _report_once(self, diagnostic: Diagnostic) -> None:
        if diagnostic not in self._reported:
            self._reported.add(diagnostic)
            self.diagnostics.append(diagnostic)

    def excepted(self, body: YamlMapping) -> Iterator[tuple[str, Place]]:
        """The privileges that a role's ``except`` names, with the place of the line that does."""
        items = body.get("except", ())
        for index, item in enumerate(items):
            for privilege in sorted(self._match(item, items, index)):
                yield privilege, items.item_place(index)

    def grants(self, body: YamlMapping) -> tuple[Grant, ...]:
        """Every line that grants one of the role's own privileges."""
        own = self.own(body)
        found = list(self._granted(body.get("privileges", ()), own, None))
        for name in body.get("sets", ()):
            found += self._granted(self._set_lists.get(name, ()), own, name)
        return tuple(sorted(found, key=lambda grant: (grant.privilege, grant.place or ())))

    def _granted(self, items: Any, own: frozenset[str], set_name: str | None) -> Iterator[Grant]:
        for index, text in enumerate(items):
            for privilege in self._match(text, items, index) & own:
                yield Grant(privilege, text, items.item_place(index), set_name)


def is_well_formed(name: str) -> bool:
    """Whether some panel may call a privilege so."""
    fits = 0 < len(name) <= _LONGEST and name.isprintable()
    return fits and name == name.strip() and "*" not in name
