"""``revoke``: what to cut so that somebody loses a privilege."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioner import globs
from provisioner.cli import options
from provisioner.cli.declaring import command
from provisioner.cli.opening.subjects import check_privilege, explainer_of, known_subject
from provisioner.cli.opening.views import open_view
from provisioner.engine.access.revoke import revoke as find_cuts
from provisioner.reports.revocation import RevocationReport

if TYPE_CHECKING:
    from datetime import date

    from provisioner.cli.invocation import Invocation
    from provisioner.cli.opening.views import View


@command("revoke", RevocationReport)
@click.argument("user")
@click.argument("privilege")
@options.current
@options.source
@options.config
@options.target
@options.as_of
def revoke(
    run: Invocation,
    user: str,
    privilege: str,
    current: bool,
    sources: tuple[str, ...],
    as_of: date | None,
) -> RevocationReport:
    """List the fewest edges (assignments, includes, grants) to cut so that USER loses PRIVILEGE.

    Of equally few, those that are assignments, then those by which the fewest others lose anything.
    Nothing is changed. What default, external and ignored roles carry is not to be cut, unless the
    sources declare it.
    """
    view = open_view(run, sources, as_of or options.today(), current=current)
    explainer = explainer_of(view)
    _, login = known_subject(view, explainer, user, ("user",))
    check_privilege(explainer, privilege)
    provenance = view.desired.provenance if view.desired else None
    found = find_cuts(explainer.access, login, privilege, provenance=provenance, fixed=_fixed(view))
    return RevocationReport(found, view.about, view.origin, view.as_of)


def _fixed(view: View) -> frozenset[str]:
    """The roles that are not the sources' to change."""
    if view.desired is not None:
        return frozenset(view.state.roles.keys() - (view.desired.roles or {}).keys())
    ignore, external = view.project.ignore, view.project.external
    names = view.state.roles
    return frozenset(
        name for name in names if globs.first_caseless(ignore, name) or name in external
    )
