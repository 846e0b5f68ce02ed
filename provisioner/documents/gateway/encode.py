"""From values to the contract's JSON. Pure.

Values refer to roles by name, the contract by id: whoever holds the roles passes them along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioner.documents import codec
from provisioner.documents.gateway.shapes import CONTRACT
from provisioner.engine.writes import (
    CreateRole,
    DeleteRole,
    RenameRole,
    SetAssignment,
    UpdateRole,
)
from provisioner.version import __version__

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from provisioner.backends.base import Run
    from provisioner.engine.writes import Write
    from provisioner.model import Assignment, Catalogue, Role, State

    Document = dict[str, Any]
    Roles = Mapping[str, Role]

PRODUCT = f"provisioner {__version__}"


def about_document(panel: str, capabilities: Mapping[str, bool]) -> Document:
    """Who a gateway is and what it can do."""
    return {
        "contract": CONTRACT,
        "panel": panel,
        "product": PRODUCT,
        "capabilities": dict(capabilities),
    }


def subject_document(login: str | None, *, may_write: bool) -> Document:
    """Whom a token stands for."""
    return {"login": login, "scopes": ["read", "write"] if may_write else ["read"]}


def catalogue_document(catalogue: Catalogue) -> Document:
    """The catalogue, its privileges sorted by name."""
    privileges = catalogue.privileges
    return {
        "name": catalogue.name,
        "privileges": codec.plain([privileges[name] for name in sorted(privileges)]),
    }


def role_document(role: Role, roles: Roles, *, default: bool) -> Document:
    """A role without its ETag. ``roles`` holds, by name, those that it includes."""
    return {
        "id": role.id,
        "name": role.name,
        "description": role.description,
        "privileges": sorted(role.privileges),
        "includes": _ids(role.includes, roles),
        "protected": role.protected,
        "default": default,
    }


def user_document(assignment: Assignment, roles: Roles) -> Document:
    """A user without its ETag. ``roles`` holds, by name, those that it is given."""
    return {"login": assignment.user, "roles": _ids(assignment.roles, roles)}


def recording_document(recorded: Iterable[str], policies: Iterable[Mapping[str, Any]]) -> Document:
    """What a store remembers beside roles and users."""
    return {"recorded": sorted(recorded), "policies": [dict(policy) for policy in policies]}


def state_document(state: State, defaults: Container[str | None]) -> Document:
    """Roles and users without ETags, sorted, and what is recorded; ``defaults`` holds ids."""
    return {
        **recording_document(state.recorded, state.policies),
        "roles": [
            role_document(role, state.roles, default=role.id in defaults)
            for _, role in sorted(state.roles.items())
        ],
        "users": [
            user_document(assignment, state.roles)
            for _, assignment in sorted(state.assignments.items())
        ],
    }


def run_document(run: Run) -> Document:
    """A run as its client tells it. ``until`` is only for gateways that keep end dates."""
    document: Document = codec.plain(run)
    ends = document.pop("until")
    if ends is not None:
        document["until"] = [{"login": end.pop("user"), **end} for end in ends]
    return document


def write_document(write: Write, ids: Mapping[str, str], ref: str | None = None) -> Document:
    """One write of a changeset.

    Args:
        write: The write; roles in it go by the names they have when it runs.
        ids: The id, or the ref of a create that came before, of each of those names.
        ref: For a create: what later writes call the role by.
    """
    match write:
        case CreateRole(role):
            content = _content(role, ids)
            return {"op": "create_role", "ref": ref, "name": role.name, **content}
        case UpdateRole(before, after):
            return {"op": "update_role", "role": ids[before.name], **_content(after, ids)}
        case RenameRole(before, name):
            return {"op": "rename_role", "role": ids[before.name], "name": name}
        case DeleteRole(before):
            return {"op": "delete_role", "role": ids[before.name]}
        case SetAssignment(user, _, after):
            return {
                "op": "assign",
                "login": user,
                "roles": sorted(ids[name] for name in after),
            }


def content_document(role: Role, roles: Roles) -> Document:
    """What a role is replaced by: everything but its name and id."""
    return _content(role, {name: roles[name].id for name in role.includes})


def _content(role: Role, ids: Mapping[str, str | None]) -> Document:
    return {
        "description": role.description,
        "privileges": sorted(role.privileges),
        "includes": sorted(str(ids[name]) for name in role.includes),
        "protected": role.protected,
    }


def _ids(names: Iterable[str], roles: Roles) -> list[str]:
    return sorted(str(roles[name].id) for name in names)
