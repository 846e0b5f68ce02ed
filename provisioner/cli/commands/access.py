"""``access``: who effectively holds what, how it differs, and what to cut to take it away."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Literal

import click

from provisioner import globs
from provisioner.cli import options, output
from provisioner.cli.app import COMMANDS
from provisioner.cli.commands.explain import check_privilege, explainer_of, known_user
from provisioner.cli.opening import open_session
from provisioner.cli.views import open_view
from provisioner.engine.access.chains import declared_state
from provisioner.engine.access.review import Review, Selection, by_privilege, differences
from provisioner.engine.transition.matching import find_target
from provisioner.engine.transition.passage import passage_from
from provisioner.reports.text import access as render
from provisioner.reports.text.explain import revocation_document, revocation_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from provisioner.cli.views import View
    from provisioner.engine.access.review import By, Difference, Holdings
    from provisioner.model import State

    Subject = Literal["user", "role"]

_ACCESS_FORMATS = options.option(
    "--format",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    help="How to print results; with csv, errors are text.",
)


def _globs(kind: str, note: str) -> options.Decorator:
    text = f"Only {kind}s that match; a glob, repeatable{note}."
    return options.option(f"--{kind}", f"{kind}s", multiple=True, metavar="GLOB", help=text)


@click.group("access", short_help=COMMANDS["access"][1], invoke_without_command=True)
@options.option(
    "--by",
    type=click.Choice(["user", "role", "privilege"]),
    default="user",
    help="What the rows are. Default: user.",
)
@_globs("user", "")
@_globs("role", ": access that comes through these assigned roles")
@_globs("privilege", "")
@options.option("--current", is_flag=True, help="The target's state, not what the sources ask for.")
@options.option("--diff", is_flag=True, help="From the target's state to what the sources ask for.")
@options.option(
    "--against",
    metavar="REV-or-FILE",
    help="The difference to an earlier state: its CSV, its sources, or a git revision of them.",
)
@options.source
@options.config
@options.target
@options.as_of
@_ACCESS_FORMATS
@options.manner
@click.pass_context
def access(ctx: click.Context, /, **given: Any) -> int:
    """Show who effectively holds what, over all roles and everything that they include.

    That is what the sources ask for, or, without sources, what the target holds now. `--format csv`
    is a sheet for access reviews: a line for each user and privilege, and why.
    """
    if ctx.invoked_subcommand is not None:
        words = (click.core.ParameterSource.COMMANDLINE,)
        if any(ctx.get_parameter_source(name) in words for name in ctx.params):
            ctx.fail(f"put options behind `{ctx.invoked_subcommand}`")
        return 0
    _check_options(ctx, given)
    return _Request(ctx.params["format"], given).answer()


def _check_options(ctx: click.Context, given: dict[str, Any]) -> None:
    """Refuse options that ask for two things at once."""
    # With --against, --source says what the revision is of.
    sources = given["sources"] and given["against"] is None
    for both, what in (
        (given["current"] and given["diff"], "--current and --diff"),
        (given["current"] and sources, "--current and --source"),
        (given["diff"] and given["against"] is not None, "--diff and --against"),
    ):
        if both:
            ctx.fail(f"{what} exclude each other")


class _Request:
    """One question about access, as the options put it."""

    def __init__(self, form: str, given: dict[str, Any]) -> None:
        self._form = form
        self._given = given
        self._by: By = given["by"]
        self._subject: Subject = "role" if self._by == "role" else "user"
        self._as_of: date = given["as_of"] or options.today()
        self._selection = Selection(given["users"], given["roles"], given["privileges"])

    def answer(self) -> int:
        """Print the answer."""
        if self._given["diff"]:
            return self._to_the_sources()
        view = open_view(
            self._given["config"],
            self._given["target"],
            self._given["sources"],
            self._as_of,
            current=self._given["current"],
        )
        if self._given["against"] is not None:
            return self._since(view, self._given["against"])
        return self._now(view)

    def _now(self, view: View) -> int:
        review = Review(view.state, self._selection)
        sensitive = _sensitive(view)
        style = output.style_of(sys.stdout)
        if self._form == "csv":
            provenance = view.desired.provenance if view.desired else None
            lines = review.attestations(self._subject, provenance=provenance, users=view.users)
            output.result_csv(render.review_csv(lines, self._by, sensitive))
            return 0
        rows = review.rows(self._by)
        if self._form == "json":
            document = render.access_document(rows, self._by, sensitive, view.origin, self._as_of)
            output.result_json(document)
        else:
            text = render.access_text(rows, self._by, sensitive, style)
            output.result(f"{view.about}\n\n{text}")
        return 0

    def _to_the_sources(self) -> int:
        """The difference from the current state to the one that a plan would lead to."""
        session = open_session(self._given["config"], self._given["target"])
        snapshot = session.backend.read()
        catalogue = session.catalogue_for(snapshot)
        sources = self._given["sources"]
        loaded = session.load(sources, catalogue, stored=snapshot.state.roles)
        output.warn(loaded.warnings)
        settings = session.settings()
        found = find_target(loaded.desired, snapshot.state, settings, catalogue, self._as_of)
        output.warn(found.problems)
        passage = found.passage
        sensitive = frozenset(p.name for p in catalogue.privileges.values() if p.sensitive)
        words = f"From the current state to the sources as of {self._as_of}"
        changed = differences(self._holdings(passage.before), self._holdings(passage.after))
        return self._show(changed, sensitive, "sources", "current", words)

    def _since(self, view: View, against: str) -> int:
        """The difference from an earlier state to the view."""
        before = self._earlier(view, against)
        changed = differences(before, self._holdings(view.state))
        now = "the sources" if view.desired else "the current state"
        words = f"From {against} to {now} as of {self._as_of}"
        return self._show(changed, _sensitive(view), view.origin, against, words)

    def _earlier(self, view: View, against: str) -> Holdings:
        from provisioner.desired.load import load
        from provisioner.desired.surroundings import Surroundings

        project = view.project
        surroundings = Surroundings(view.catalogue, project.ignore, project.external)
        if against.startswith("-") or not os.path.lexists(against):
            from provisioner.desired.revisions import load_revision

            sources = self._given["sources"] or project.sources
            loaded = load_revision(against, sources, surroundings, without=project.file)
        elif against.casefold().endswith(".csv"):
            return self._from_sheet(against)
        else:
            loaded = load((against,), surroundings, without=project.file)
        state = declared_state(loaded.desired, view.catalogue, self._as_of)
        return self._holdings(passage_from(state, _renames(view, state)).before)

    def _from_sheet(self, file: str) -> Holdings:
        from provisioner.desired.files import read_bytes
        from provisioner.diagnostics import Diagnostic
        from provisioner.documents.access_review import read_holdings
        from provisioner.errors import InvalidInput

        if self._selection.roles and self._by != "role":
            message = "--role can't be used with an earlier CSV"
            what = "it has one reason for each privilege, not all of them"
            raise InvalidInput(Diagnostic("bad-sheet", message, file, what))
        data = read_bytes(file, streams=True)
        if isinstance(data, Diagnostic):
            raise InvalidInput(data)
        chosen = self._selection
        matches = chosen.role if self._subject == "role" else chosen.user
        return {
            key: (name, frozenset(filter(chosen.privilege, held)))
            for key, (name, held) in read_holdings(data, file, self._subject).items()
            if matches(name)
        }

    def _holdings(self, state: State) -> Holdings:
        review = Review(state, self._selection)
        return review.holdings(self._subject)

    def _show(
        self,
        found: Sequence[Difference],
        sensitive: frozenset[str],
        origin: str,
        against: str,
        words: str,
    ) -> int:
        if self._by == "privilege":
            found = by_privilege(found)
        if self._form == "csv":
            output.result_csv(render.difference_csv(found, self._by, sensitive))
        elif self._form == "json":
            document = render.difference_document(
                found, self._by, sensitive, origin, self._as_of, against=against
            )
            output.result_json(document)
        else:
            style = output.style_of(sys.stdout)
            output.result(render.difference_text(found, self._by, words, style))
        return 0


def _sensitive(view: View) -> frozenset[str]:
    return frozenset(p.name for p in view.catalogue.privileges.values() if p.sensitive)


def _renames(view: View, earlier: State) -> dict[str, str]:
    """The roles of an earlier state that have another name in the view."""
    declared = (view.desired.roles or {}) if view.desired else {}
    return {
        role.renamed_from: name
        for name, role in declared.items()
        if role.renamed_from is not None
        and role.renamed_from in earlier.roles
        and name not in earlier.roles
    }


@access.command("revoke", short_help="The fewest edges to cut so that a user loses a privilege")
@click.argument("user")
@click.argument("privilege")
@options.option("--current", is_flag=True, help="In the target's state, not in the sources.")
@options.source
@options.config
@options.target
@options.as_of
@options.formats
@options.manner
def revoke(
    user: str,
    privilege: str,
    current: bool,
    sources: tuple[str, ...],
    config: str | None,
    target: str | None,
    as_of: date | None,
) -> int:
    """List the fewest edges (assignments, includes, grants) to cut so that USER loses PRIVILEGE.

    Of equally few, those that are assignments, then those by which the fewest others lose anything.
    Nothing is changed. What default, external and ignored roles carry is not to be cut, unless the
    sources declare it.
    """
    from provisioner.engine.access.revoke import revoke as find_cuts

    if current and sources:
        click.get_current_context().fail("--current and --source exclude each other")
    view = open_view(config, target, sources, as_of or options.today(), current=current)
    explainer = explainer_of(view)
    login = known_user(explainer, user)
    check_privilege(explainer, privilege)
    provenance = view.desired.provenance if view.desired else None
    found = find_cuts(explainer.access, login, privilege, provenance=provenance, fixed=_fixed(view))
    if output.wants_json():
        output.result_json(revocation_document(found, view.origin, view.as_of))
    else:
        text = revocation_text(found, output.style_of(sys.stdout))
        output.result(f"{view.about}\n{text}")
    return 0


def _fixed(view: View) -> frozenset[str]:
    """The roles that are not the sources' to change."""
    if view.desired is not None:
        return frozenset(view.state.roles.keys() - (view.desired.roles or {}).keys())
    ignore, external = view.project.ignore, view.project.external
    names = view.state.roles
    return frozenset(
        name for name in names if globs.first_caseless(ignore, name) or name in external
    )
