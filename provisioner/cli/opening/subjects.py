"""Whom a question about access is about: names as they are typed, found in a view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.catalogue import where_listed
from provisioner.diagnostics import Diagnostic
from provisioner.engine.access.effective import access_of
from provisioner.engine.access.explain import Explainer
from provisioner.errors import InvalidInput
from provisioner.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provisioner.cli.opening.views import View
    from provisioner.engine.access.explain import Kind

KINDS: Final[tuple[Kind, ...]] = ("user", "role")
_NEAR: Final = 3


def explainer_of(view: View) -> Explainer:
    """An explainer for a view."""
    provenance = view.desired.provenance if view.desired else None
    return Explainer(
        access_of(view.state), view.catalogue, view.as_of, provenance, view.users, view.exclusions
    )


def known_subject(
    view: View, explainer: Explainer, name: str, kinds: Sequence[Kind] = KINDS
) -> tuple[Kind, str]:
    """Which of these kinds a name is of, and the name as it is known; case does not matter.

    Raises:
        InvalidInput: It is of none, with near names of these kinds; or of both.
    """
    known = {"user": explainer.logins(), "role": explainer.state.roles}
    found = {kind: _known(name, known[kind]) for kind in kinds}
    match [(kind, as_known) for kind, as_known in found.items() if as_known is not None]:
        case [(kind, as_known)]:
            return kind, as_known
        case []:
            remedy = _near(name, [other for kind in kinds for other in known[kind]])
            raise _unknown(kinds, name, remedy or _listed(view, kinds))
        case _:
            message = f"`{name}` is the name of a user and of a role"
            remedy = "say which is meant: repeat with --user, or with --role"
            raise InvalidInput(Diagnostic("ambiguous-name", message, None, remedy))


def check_privilege(explainer: Explainer, name: str) -> None:
    """Check that somebody knows the privilege: the catalogue, or a role that grants it.

    Raises:
        InvalidInput: Nobody does; with near names.
    """
    granted = (role.privileges for role in explainer.state.roles.values())
    known = frozenset(explainer.catalogue.privileges).union(*granted)
    if name not in known:
        remedy = did_you_mean(name, known) or where_listed(explainer.catalogue, name)
        raise _unknown(("privilege",), name, remedy)


def _known(name: str, known: Iterable[str]) -> str | None:
    """The name as it is known; one that is the same in case too comes first."""
    folded = name.casefold()
    alike = [other for other in known if other.casefold() == folded]
    return name if name in alike else max(alike, default=None)


def _near(name: str, known: Sequence[str]) -> str | None:
    # People write the first part of a login, and mean the rest.
    starts = sorted({other for other in known if other.casefold().startswith(name.casefold())})
    if name and starts:
        return f"did you mean {', '.join(starts[:_NEAR])}?"
    return did_you_mean(name, known)


def _listed(view: View, kinds: Sequence[Kind]) -> str:
    """Which commands list what there is of these kinds, where the question was asked."""
    if view.desired is None:
        commands = [view.command(f"{kind}s") for kind in kinds]
        what = "the stored ones"
    else:
        commands = [view.command("access", "--by", kind) for kind in kinds]
        what = "those of the sources"
    verb = "lists" if len(kinds) == 1 else "list"
    return f"{' and '.join(f'`{each}`' for each in commands)} {verb} {what}"


def _unknown(kinds: Sequence[str], name: str, remedy: str) -> InvalidInput:
    message = f"there is {' and '.join(f'no {kind}' for kind in kinds)} `{name}`"
    return InvalidInput(Diagnostic(f"unknown-{'-or-'.join(kinds)}", message, None, remedy))
