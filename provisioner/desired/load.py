"""Sources in, desired state out; or every diagnostic of the run at once."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from provisioner import schemas
from provisioner.desired import files, merge, resolve, strangers
from provisioner.desired.privileges import GLOB_WITHOUT_CATALOGUE
from provisioner.desired.references import ROLES_NOT_CHECKED
from provisioner.desired.yaml import comments, reader
from provisioner.desired.yaml.document import Document
from provisioner.diagnostics import Diagnostic
from provisioner.engine.rules.ignores import Ignore
from provisioner.errors import InvalidInput
from provisioner.model import DesiredState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from provisioner.desired.surroundings import Surroundings


class Loaded(Struct, frozen=True):
    """A desired state, and what deserves a word though it is no error.

    ``ignores`` are the comments in the sources that switch findings off.
    """

    desired: DesiredState
    warnings: tuple[Diagnostic, ...] = ()
    ignores: tuple[Ignore, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the roles carry all that they shall: no glob was left out."""
        return all(warning.id != GLOB_WITHOUT_CATALOGUE for warning in self.warnings)

    @property
    def is_testable(self) -> bool:
        """Whether it is known what the roles carry: no glob and no role is the panel's alone."""
        return self.is_whole and all(w.id != ROLES_NOT_CHECKED for w in self.warnings)


def load(
    sources: Iterable[str],
    surroundings: Surroundings,
    *,
    without: Path | None = None,
    named: bool = True,
) -> Loaded:
    """Read, check, merge and resolve the sources (files, folders, ``-``).

    ``without`` and ``named`` as in ``files.find``.

    Raises:
        InvalidInput: With every problem found in any of the files, each with its place.
    """
    sources = tuple(sources)
    found = files.find(sources, without=without, named=named)
    streams = frozenset(sources) if named else frozenset()
    documents = [read_document(path, "roles", streams=path in streams) for path in found.paths]
    problems = [*found.diagnostics, *(d for doc in documents for d in doc.diagnostics)]
    merged = merge.merge(doc for doc in documents if doc.root is not None)
    problems += merged.diagnostics
    # A reference into what could not be read is no mistake of whoever refers to it.
    complete = not found.diagnostics and all(doc.is_whole for doc in documents)
    resolved = resolve.resolve(merged, surroundings, complete=complete)
    problems += resolved.diagnostics
    errors = [d for d in problems if d.severity == "error"]
    if errors:
        raise InvalidInput(resolved.hints.given(errors))
    digests = "\n".join(sorted(document.digest for document in documents))
    desired = replace(resolved.desired, digest=f"sha256:{sha256(digests.encode()).hexdigest()}")
    ignores = tuple(ignore for document in documents for ignore in document.ignores)
    return Loaded(desired, tuple(d for d in problems if d.severity == "warning"), ignores)


def read_document(path: str, schema: str, *, streams: bool = False) -> Document:
    """Read one YAML file and check it against a schema; never raises, see its ``diagnostics``.

    ``streams`` as in ``files.read_bytes``.
    """
    data = files.read_bytes(path, streams=streams)
    name = "standard input" if path == files.STANDARD_INPUT else path
    if isinstance(data, Diagnostic):
        return Document(name, None, [data], is_whole=False)
    document = checked_document(data, name, schema)
    if document.root is not None:
        document.ignores = comments.find_ignores(data, name)
    return document


def checked_document(data: bytes, name: str, schema: str) -> Document:
    """Read the bytes of a YAML file and check them; never raises, see its ``diagnostics``."""
    document = reader.read(data, name)
    strangers.give_up_strangers(document, data, schema)
    if document.is_whole and not schemas.valid(schema, document.root):
        from provisioner.desired.yaml import conformity

        conformity.check(document, schema)
    return document


def read_checked(path: str, schema: str) -> dict[str, Any]:
    """Read one YAML file that must conform to a schema.

    Raises:
        InvalidInput: With every problem of the file.
    """
    document = read_document(path, schema)
    if document.diagnostics:
        raise InvalidInput(document.diagnostics)
    root: dict[str, Any] = document.root
    return root
