"""Catalogues: the shipped one, and from checked plain data to the value.

The shipped catalogue holds every privilege name that public pages of the panel's vendor show; the
pages are listed in the data file, by privilege.
"""

from __future__ import annotations

import shlex
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioner import globs, strict_json
from provisioner.documents import codec
from provisioner.model import Catalogue, Privilege, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SHIPPED = Path(__file__).parent / "data" / "catalogue.json"


@lru_cache(maxsize=1)
def shipped() -> Catalogue:
    """The catalogue that comes with provisioner, the panel's three default roles included."""
    return from_document(strict_json.parse(_SHIPPED.read_bytes()))


def where_listed(catalogue: Catalogue, text: str = "") -> str:
    """Return the remedy for an unknown privilege: the command that lists them.

    It searches for the text where that finds something.
    """
    folded = text.casefold()
    is_found = folded and any(
        folded in f"{name}\n{privilege.summary}\n{privilege.group}".casefold()
        for name, privilege in catalogue.privileges.items()
    )
    search = f" --search {shlex.quote(text)}" if is_found else ""
    return f"`provisioner privileges{search}` lists what there is"


def unknown(stored: Mapping[str, Role] | None = None) -> Catalogue:
    """The catalogue of a panel that tells none. The default roles are those of the shipped one.

    Only their names are taken for granted: what they carry is what is stored, where that is known.
    """
    by_name = {role.name.casefold(): role for role in (stored or {}).values()}
    defaults = tuple(
        by_name.get(role.name.casefold(), Role(role.name, protected=True))
        for role in shipped().default_roles
    )
    return Catalogue("unknown", {}, defaults, known=False)


def from_document(document: dict[str, Any], name: str | None = None) -> Catalogue:
    """Build a catalogue from data that the ``catalogue`` schema accepts.

    A catalogue without ``default_roles`` takes the shipped ones, reduced to its own privileges.
    """
    listed = codec.typed(list(map(_privilege, document["privileges"])), tuple[Privilege, ...])
    privileges = {privilege.name: privilege for privilege in listed}
    grantable = [p.name for p in privileges.values() if not p.internal]
    if "default_roles" in document:
        defaults = tuple(_default_role(role, grantable) for role in document["default_roles"])
    else:
        defaults = tuple(
            Role(
                r.name,
                r.description,
                r.privileges.intersection(privileges),
                protected=True,
                id=r.id,
            )
            for r in shipped().default_roles
        )
    return Catalogue(name or document.get("name", "unnamed"), privileges, defaults)


def _privilege(entry: dict[str, Any]) -> dict[str, Any]:
    """A privilege with each of its requirements as a mapping, that of a name alone too."""
    requires = entry.get("requires", ())
    return {**entry, "requires": [{"name": n} if isinstance(n, str) else n for n in requires]}


def _default_role(entry: dict[str, Any], grantable: Iterable[str]) -> Role:
    patterns = entry.get("privileges", ())
    return Role(
        name=entry["name"],
        description=entry.get("description", ""),
        privileges=frozenset(p for p in grantable if any(globs.matches(g, p) for g in patterns)),
        protected=True,
        id="default-" + entry["name"].casefold().replace(" ", "-"),
    )
