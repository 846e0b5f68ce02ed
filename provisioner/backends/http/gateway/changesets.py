"""A plan's writes as one changeset of the gateway contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.documents.gateway.encode import recording_document, run_document, write_document
from provisioner.engine.writes import CreateRole, DeleteRole, RenameRole, Unfit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provisioner.backends.base import Run
    from provisioner.engine.writes import Write
    from provisioner.model import Role, State


def changeset_of(
    writes: Iterable[Write], roles: Mapping[str, Role], after: State, run: Run
) -> dict[str, Any]:
    """Return the body of POST /changesets.

    ``roles`` are those that the writes begin with. On the wire roles go by their ids, which stay
    the same over renames; one that the changeset creates, by a reference of its own.

    Raises:
        Unfit: A write names a role that is not there.
    """
    ids = {name: role.id for name, role in roles.items() if role.id is not None}
    documents = []
    for number, write in enumerate(writes, 1):
        ref = f"new-{number}"
        try:
            documents.append(write_document(write, ids, ref))
            match write:
                case CreateRole(role):
                    ids[role.name] = ref
                case RenameRole(before, name):
                    ids[name] = ids.pop(before.name)
                case DeleteRole(before):
                    del ids[before.name]
        except KeyError as error:
            raise Unfit(f"there is no role {error.args[0]}") from error
    return {
        "writes": documents,
        **recording_document(after.recorded, after.policies),
        "run": run_document(run),
    }
