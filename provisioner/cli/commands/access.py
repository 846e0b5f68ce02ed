"""``access``: who effectively holds what, and how it differs."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import click

from provisioner.cli import options
from provisioner.cli.declaring import command
from provisioner.cli.opening.views import open_view
from provisioner.engine.access.chains import declared_state
from provisioner.engine.access.review import Review, Selection, by_privilege, differences
from provisioner.engine.transition.matching import find_target
from provisioner.engine.transition.passage import passage_from
from provisioner.opening.session import open_session
from provisioner.reports.access import About, AccessReport, DifferenceReport

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from provisioner.cli.invocation import Invocation
    from provisioner.cli.opening.views import View
    from provisioner.engine.access.review import By, Difference, Holdings
    from provisioner.model import Catalogue, State
    from provisioner.reports.report import Report

    Subject = Literal["user", "role"]


def _globs(kind: str, note: str) -> options.Decorator:
    text = f"Only {kind}s that match; a glob, repeatable{note}."
    return options.option(f"--{kind}", f"{kind}s", multiple=True, metavar="GLOB", help=text)


@command("access", AccessReport, DifferenceReport)
@options.sources
@options.option(
    "--by",
    type=click.Choice(["user", "role", "privilege"]),
    default="user",
    help="What the rows are. Default: user.",
)
@_globs("user", "")
@_globs("role", ": access that comes through these assigned roles")
@_globs("privilege", "")
@options.current
@options.option("--diff", is_flag=True, help="From the target's state to what the sources ask for.")
@options.option(
    "--against",
    metavar="REV-or-FILE",
    help="The difference to an earlier state: its CSV, its sources, or a git revision of them.",
)
@options.config
@options.target
@options.as_of
def access(run: Invocation, **given: Any) -> Report:
    """Show who effectively holds what, over all roles and everything that they include.

    That is what the sources ask for, or, without sources, what the target holds now. `--format csv`
    is a sheet for access reviews: a line for each user and privilege, and why.
    """
    for both, what in (
        (given["current"] and given["diff"], "--current and --diff"),
        (given["diff"] and given["against"] is not None, "--diff and --against"),
    ):
        if both:
            raise click.UsageError(f"{what} exclude each other")
    return _Request(run, given).answer()


class _Request:
    """One question about access, as the options put it."""

    def __init__(self, run: Invocation, given: dict[str, Any]) -> None:
        self._run = run
        self._given = given
        self._by: By = given["by"]
        self._subject: Subject = "role" if self._by == "role" else "user"
        self._as_of: date = given["as_of"] or options.today()
        self._selection = Selection(given["users"], given["roles"], given["privileges"])

    def answer(self) -> Report:
        """Return the answer."""
        if self._given["diff"]:
            return self._to_the_sources()
        sources, current = self._given["sources"], self._given["current"]
        # With --current and --against, they say what the revision is of.
        is_of_revision = current and self._given["against"] is not None
        view = open_view(self._run, () if is_of_revision else sources, self._as_of, current=current)
        if self._given["against"] is not None:
            return self._since(view, self._given["against"])
        review = Review(view.state, self._selection)
        provenance = view.desired.provenance if view.desired else None
        return AccessReport(
            self._about(view.origin, view.catalogue),
            view.about,
            partial(review.rows, self._by),
            partial(review.attestations, self._subject, provenance=provenance, users=view.users),
        )

    def _about(self, origin: str, catalogue: Catalogue) -> About:
        sensitive = frozenset(p.name for p in catalogue.privileges.values() if p.sensitive)
        return About(origin, self._by, self._as_of, sensitive)

    def _to_the_sources(self) -> Report:
        """The difference from the current state to the one that a plan would lead to."""
        session = open_session(self._run)
        snapshot = session.backend.read()
        catalogue = session.catalogue_for(snapshot)
        sources = self._given["sources"]
        loaded = session.load(sources, catalogue, stored=snapshot.state.roles)
        self._run.output.warn(loaded.warnings)
        settings = session.settings()
        found = find_target(loaded.desired, snapshot.state, settings, catalogue, self._as_of)
        self._run.output.warn(found.problems)
        passage = found.passage
        words = f"From the current state to the sources as of {self._as_of}"
        changed = differences(self._holdings(passage.before), self._holdings(passage.after))
        return self._differences(changed, self._about("sources", catalogue), "current", words)

    def _since(self, view: View, against: str) -> Report:
        """The difference from an earlier state to the view."""
        before = self._earlier(view, against)
        changed = differences(before, self._holdings(view.state))
        now = "the sources" if view.desired else "the current state"
        words = f"From {against} to {now} as of {self._as_of}"
        about = self._about(view.origin, view.catalogue)
        return self._differences(changed, about, against, words)

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

    def _differences(
        self, found: Sequence[Difference], about: About, against: str, words: str
    ) -> DifferenceReport:
        rows = by_privilege(found) if self._by == "privilege" else found
        return DifferenceReport(about, against, words, tuple(rows))


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
