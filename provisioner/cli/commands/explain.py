"""``explain``: why a user or a role has a privilege, or why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioner.catalogue import where_listed
from provisioner.cli import options
from provisioner.cli.app import COMMANDS
from provisioner.cli.declaring import command
from provisioner.cli.opening.views import open_view
from provisioner.diagnostics import Diagnostic
from provisioner.engine.access.effective import access_of
from provisioner.engine.access.explain import Explainer
from provisioner.errors import InvalidInput
from provisioner.names import did_you_mean
from provisioner.reports.explanation import ExplanationReport

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from provisioner.cli.invocation import Invocation
    from provisioner.cli.opening.views import View
    from provisioner.engine.access.explain import Kind

_NEAR = 3
_CURRENT = options.option(
    "--current", is_flag=True, help="In the target's state, not in the sources."
)


def explainer_of(view: View) -> Explainer:
    """An explainer for a view."""
    provenance = view.desired.provenance if view.desired else None
    return Explainer(
        access_of(view.state), view.catalogue, view.as_of, provenance, view.users, view.exclusions
    )


def known_user(explainer: Explainer, login: str) -> str:
    """The login as it is known; compared without regard to case.

    Raises:
        InvalidInput: There is no such user; with near logins.
    """
    return _known("user", login, explainer.logins(), explainer)


def known_role(explainer: Explainer, name: str) -> str:
    """The role's name as it is known; compared without regard to case.

    Raises:
        InvalidInput: There is no such role; with near names.
    """
    return _known("role", name, explainer.state.roles, explainer)


def check_privilege(explainer: Explainer, name: str) -> None:
    """Check that somebody knows the privilege: the catalogue, or a role that grants it.

    Raises:
        InvalidInput: Nobody does; with near names.
    """
    granted = (role.privileges for role in explainer.state.roles.values())
    known = frozenset(explainer.catalogue.privileges).union(*granted)
    if name not in known:
        remedy = did_you_mean(name, known) or where_listed(explainer.catalogue, name)
        raise _unknown("privilege", name, remedy)


def _known(kind: str, name: str, known: Iterable[str], explainer: Explainer) -> str:
    known = sorted(known)
    by_folded = {other.casefold(): other for other in known}
    if name in known:
        return name
    if name.casefold() in by_folded:
        return by_folded[name.casefold()]
    # People write the first part of a login, and mean the rest.
    starts = [other for other in known if other.casefold().startswith(name.casefold())]
    remedy = f"did you mean {', '.join(starts[:_NEAR])}?" if name and starts else None
    remedy = remedy or did_you_mean(name, known) or _listed(kind, explainer)
    raise _unknown(kind, name, remedy)


def _listed(kind: str, explainer: Explainer) -> str:
    if explainer.provenance is None:
        return f"`provisioner {kind}s` lists the stored ones"
    return f"`provisioner access --by {kind}` lists those of the sources"


def _unknown(kind: str, name: str, remedy: str) -> InvalidInput:
    return InvalidInput(Diagnostic(f"unknown-{kind}", f"there is no {kind} `{name}`", None, remedy))


@click.group("explain", short_help=COMMANDS["explain"][1])
def explain() -> None:
    """Say why a user or a role has a privilege, with file and line of each link; or why not.

    Without PRIVILEGE: everything that the user or role has. With --current, or with neither
    --source nor a project file that lists sources, the target's state is explained, without places.
    """


@command("user", ExplanationReport, below=explain, summary="Why a user has a privilege, or why not")
@click.argument("login")
@click.argument("privilege", required=False)
@_CURRENT
@options.source
@options.config
@options.target
@options.as_of
def explain_user(
    run: Invocation,
    login: str,
    privilege: str | None,
    current: bool,
    sources: tuple[str, ...],
    as_of: date | None,
) -> ExplanationReport:
    """Show each chain from the user over roles and includes to the privilege, or why not."""
    view = _view(run, sources, as_of, current=current)
    explainer = explainer_of(view)
    return _explained(view, explainer, "user", known_user(explainer, login), privilege)


@command(
    "role", ExplanationReport, below=explain, summary="Why a role carries a privilege, or why not"
)
@click.argument("name")
@click.argument("privilege", required=False)
@_CURRENT
@options.source
@options.config
@options.target
@options.as_of
def explain_role(
    run: Invocation,
    name: str,
    privilege: str | None,
    current: bool,
    sources: tuple[str, ...],
    as_of: date | None,
) -> ExplanationReport:
    """Show each chain from the role over includes to the privilege, or why not."""
    view = _view(run, sources, as_of, current=current)
    explainer = explainer_of(view)
    return _explained(view, explainer, "role", known_role(explainer, name), privilege)


def _view(run: Invocation, sources: tuple[str, ...], as_of: date | None, *, current: bool) -> View:
    if current and sources:
        raise click.UsageError("--current and --source exclude each other")
    return open_view(run, sources, as_of or options.today(), current=current)


def _explained(
    view: View, explainer: Explainer, kind: Kind, subject: str, privilege: str | None
) -> ExplanationReport:
    if privilege is not None:
        check_privilege(explainer, privilege)
    found = explainer.explain(kind, subject, privilege)
    return ExplanationReport(found, view.about, view.origin, view.as_of)
