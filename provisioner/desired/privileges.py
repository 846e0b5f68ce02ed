"""Which privileges a role's own lines stand for: names, globs, sets, and what is excepted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from provisioner import globs
from provisioner.catalogue import where_listed
from provisioner.desired.hints import Hints
from provisioner.desired.yaml.document import Spot
from provisioner.diagnostics import Diagnostic
from provisioner.engine.phrases import quoted
from provisioner.model import Exclusion, Grant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.desired.merge import Declarations
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
        merged: Declarations,
        *,
        complete: bool,
        lenient: bool = False,
        hints: Hints | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._hints = hints or Hints()
        self._grantable = catalogue.grantable
        self._merged = merged
        self._complete = complete
        self._lenient = lenient
        self._left_out: dict[str, Place] = {}
        self._expanded: dict[str, frozenset[str]] = {}
        self._reported: set[Diagnostic] = set()
        self.unknown: set[str] = set()
        self.diagnostics: list[Diagnostic] = []
        self._sets = {
            name: self.expand(Spot(document, ("privilege_sets", name)))
            for name, document in merged.sets.items()
        }

    def own(self, role: Spot) -> frozenset[str]:
        """The privileges that the role itself carries: listed ones and sets, less the excepted."""
        body = role.value
        own = self._granted_by(role, body)
        if "except" in body:
            own -= self.expand(role.at("except"))
        return own

    def _granted_by(self, role: Spot, body: Any) -> frozenset[str]:
        own = frozenset[str](body.get("privileges", ()))
        if not own <= self._grantable:
            own = self.expand(role.at("privileges"))
        for index, name in enumerate(body.get("sets", ())):
            if name in self._sets:
                own |= self._sets[name]
            elif self._complete:
                message = f"there is no privilege set `{name}`"
                place = role.at("sets", index).place
                self._report("unknown-set", message, place, name, self._sets)
        return own

    def expand(self, listed: Spot) -> frozenset[str]:
        """Expand names and globs. Unknown ones are reported and left out."""
        items = listed.value
        exact = frozenset(items)
        if exact <= self._grantable:
            return exact
        return frozenset().union(*(self._match(listed.at(index)) for index in range(len(items))))

    def _match(self, item: Spot) -> frozenset[str]:
        text: str = item.value
        if text in self._grantable:
            return frozenset((text,))
        if not self._catalogue.known:
            return self._taken(text, item)
        if "*" in text:
            if text not in self._expanded:
                matching = globs.pattern(text).fullmatch
                self._expanded[text] = frozenset(filter(matching, self._grantable))
            if not self._expanded[text]:
                message = f"`{text}` matches no privilege of the catalogue"
                known = self._grantable
                self._report("glob-without-match", message, item.place, text, known)
            return self._expanded[text]
        self.check(item)
        return frozenset()

    def _taken(self, text: str, item: Spot) -> frozenset[str]:
        """What a name or glob stands for where no catalogue is known."""
        if "*" not in text:
            self.check(item)
            return frozenset((text,))
        if self._lenient:
            if text not in self._left_out:
                self._left_out[text] = item.place
        else:
            message = (
                f"`{text}` can't be expanded: globs need a catalogue, and this target has none"
            )
            remedy = "declare `catalogue:` in the project file, or write the names out"
            self._report_once(Diagnostic(GLOB_WITHOUT_CATALOGUE, message, item.place, remedy))
        return frozenset()

    def left_out(self) -> list[Diagnostic]:
        """A warning that names the globs which stand for nothing, at the place of the first."""
        if not self._left_out:
            return []
        globs_found = sorted(self._left_out)
        message = f"globs not expanded: {quoted(globs_found)}; only the panel knows its catalogue"
        place = min(self._left_out.values())
        remedy = "use `provisioner validate --online`, or declare `catalogue:` in the project file"
        return [Diagnostic(GLOB_WITHOUT_CATALOGUE, message, place, remedy, "warning")]

    def check(self, item: Spot) -> None:
        """Report a privilege that the catalogue does not have, or never grants."""
        name: str = item.value
        if not self._catalogue.known:
            if not is_well_formed(name):
                message = f"`{name}` can't be the name of a privilege"
                remedy = f"names have 1 to {_LONGEST} printable characters, no blank at either end"
                self._report_once(Diagnostic("bad-privilege-name", message, item.place, remedy))
        elif name in self._catalogue.internal:
            message = f"`{name}` is internal to the panel and is never granted"
            found = Diagnostic("internal-privilege", message, item.place, "remove it")
            self.diagnostics.append(found)
        elif name in self._merged.sets and name not in self._grantable:
            message = f"`{name}` is no privilege but a privilege set, and sets do not nest"
            remedy = "name it under `sets` of a role"
            self._report_once(Diagnostic("set-as-privilege", message, item.place, remedy))
        elif name not in self._grantable:
            self.unknown.add(name)
            message = f"there is no privilege `{name}` in the catalogue"
            self._report("unknown-privilege", message, item.place, name, self._grantable)

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

    def excepted(self, role: Spot) -> Iterator[tuple[Spot, frozenset[str]]]:
        """The items of a role's ``except``, and the privileges that each names."""
        for index in range(len(role.value.get("except", ()))):
            item = role.at("except", index)
            yield item, self._match(item)

    def exclusions(self, role: Spot) -> tuple[Exclusion, ...]:
        """The same, with what the role would carry without them."""
        granted = self._granted_by(role, role.value)
        return tuple(
            Exclusion(item.value, item.place, granted & named)
            for item, named in self.excepted(role)
        )

    def grants(self, role: Spot) -> tuple[Grant, ...]:
        """Every line that grants one of the role's own privileges."""
        own = self.own(role)
        body = role.value
        found = list(self._grants(role.at("privileges"), own)) if "privileges" in body else []
        for name in body.get("sets", ()):
            if listed := self._merged.privilege_set(name):
                found += self._grants(listed, own, name)
        return tuple(sorted(found, key=lambda grant: (grant.privilege, grant.place or ())))

    def _grants(
        self, listed: Spot, own: frozenset[str], set_name: str | None = None
    ) -> Iterator[Grant]:
        for index, text in enumerate(listed.value):
            item = listed.at(index)
            for privilege in self._match(item) & own:
                yield Grant(privilege, text, item.place, set_name)


def is_well_formed(name: str) -> bool:
    """Whether some panel may call a privilege so."""
    fits = 0 < len(name) <= _LONGEST and name.isprintable()
    return fits and name == name.strip() and "*" not in name
