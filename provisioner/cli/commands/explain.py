"""``explain``: why a user or a role has a privilege, or why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioner.cli import options
from provisioner.cli.declaring import command
from provisioner.cli.opening.subjects import KINDS, check_privilege, explainer_of, known_subject
from provisioner.cli.opening.views import open_view
from provisioner.reports.explanation import ExplanationReport

if TYPE_CHECKING:
    from datetime import date

    from provisioner.cli.invocation import Invocation


# Without variables: PROVISIONER_USER and PROVISIONER_ROLE are the globs of `access`.
@command("explain", ExplanationReport)
@click.argument("name")
@click.argument("privilege", required=False)
@click.option("--user", is_flag=True, help="NAME is a user, though a role is called so too.")
@click.option("--role", is_flag=True, help="NAME is a role, though a user is called so too.")
@options.current
@options.source
@options.config
@options.target
@options.as_of
def explain(
    run: Invocation,
    name: str,
    privilege: str | None,
    *,
    user: bool,
    role: bool,
    current: bool,
    sources: tuple[str, ...],
    as_of: date | None,
) -> ExplanationReport:
    """Say why the user or role NAME has PRIVILEGE, or why not.

    Each chain is shown from the user over roles and includes to the line that grants, with file and
    line of each link. Without PRIVILEGE: everything that NAME has.

    Without sources, or with --current, the target's state is explained, which has no places.
    """
    if user and role:
        raise click.UsageError("--user and --role exclude each other")
    view = open_view(run, sources, as_of or options.today(), current=current)
    explainer = explainer_of(view)
    kinds = KINDS if user == role else ("user",) if user else ("role",)
    kind, subject = known_subject(view, explainer, name, kinds)
    if privilege is not None:
        check_privilege(explainer, privilege)
    found = explainer.explain(kind, subject, privilege)
    return ExplanationReport(found, view.about, view.origin, view.as_of)
