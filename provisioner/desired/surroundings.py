"""What sources are resolved against."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from provisioner.model import Catalogue, Role


class Surroundings(Struct, frozen=True):
    """What the sources are resolved against: the project's lists and the target's catalogue.

    ``stored`` are the roles that are known to be stored, by name: two of them may look alike, and
    what a declared role carries like the stored one is the same object.
    ``lenient`` is for who does not ask the panel: where its catalogue is not known, globs stand for
    nothing and roles may be the panel's, with warnings; without, both are errors.
    """

    catalogue: Catalogue
    ignore: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    ignore_users: tuple[str, ...] = ()
    lenient: bool = False
    stored: Mapping[str, Role] = field(default_factory=dict)
