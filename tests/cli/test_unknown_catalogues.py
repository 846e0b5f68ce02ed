"""Checking sources for panels whose catalogue is known to them only, or to nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

import provisioner.opening.session
from provisioner.cli.app import run
from provisioner.model import Capabilities, State
from provisioner.testing import MemoryBackend
from tests.cli.panel import open_panel

if TYPE_CHECKING:
    from provisioner.backends.base import Description
    from provisioner.backends.opening import Opening
    from tests.cli.conftest import Shell

HTTP = """\
version: 1
sources: [roles.yaml]
targets:
  us-na: {backend: http, url: "https://panel.example.com"}
"""
UNKNOWN = (
    "the catalogue of target `us-na` is only known to the panel\n"
    "    use --online, or declare `catalogue:`: "
    "`provisioner privileges --out catalogue.yaml` writes one\n"
)
NOT_EXPANDED = (
    "roles.yaml:2:30: warning: globs not expanded: `DOCS_*`; only the panel knows its catalogue\n"
    "    use `provisioner validate --online`, or declare `catalogue:` in the project file\n"
)


def sources(shell: Shell, text: str, project: str = HTTP) -> None:
    """A project and its sources; the text begins in line 2."""
    shell.write("provisioner.yaml", project)
    shell.write("roles.yaml", "version: 1\n" + text)


# Without asking the panel


def test_names_are_not_checked_against_a_catalogue_that_is_not_known(shell: Shell) -> None:
    """The shipped one may be another panel's."""
    sources(shell, "roles: {Clerk: {privileges: [ONLY_HERE]}}\n")
    answer = shell("validate")
    assert (answer.code, answer.out) == (0, "Valid: 1 file, 1 role, 0 users.\n")
    assert answer.err == f"warning: privilege names not checked: {UNKNOWN}"


def test_a_declared_catalogue_is_known(shell: Shell) -> None:
    """Then names are checked as always."""
    sources(shell, "roles: {Clerk: {privileges: [ONLY_HERE]}}\n")
    shell.write("catalogue.yaml", "version: 1\nprivileges: [{name: ONLY_THERE}]\n")
    shell.edit("provisioner.yaml", "http,", "http, catalogue: catalogue.yaml,")
    (error,) = shell.refused("validate")
    assert error.id == "unknown-privilege"


def test_other_backends_take_the_shipped_catalogue(shell: Shell) -> None:
    """A file target is a panel of the vendor's."""
    sources(
        shell, "roles: {Clerk: {privileges: [ONLY_HERE]}}\n", "version: 1\nsources: [roles.yaml]\n"
    )
    assert [error.id for error in shell.refused("validate")] == ["unknown-privilege"]


def test_globs_stand_for_nothing_and_nothing_is_concluded_from_that(shell: Shell) -> None:
    """Policies and access tests would judge roles that lack half of what they carry."""
    sources(
        shell,
        "roles: {Clerk: {privileges: ['DOCS_*', 'MEMOS_*']}}\n"
        "tests: [{role: Clerk, can: [DOCS_VIEW]}]\n",
    )
    answer = shell("validate")
    assert answer.code == 0
    assert answer.err == (
        f"{NOT_EXPANDED.replace('`DOCS_*`', '`DOCS_*` and `MEMOS_*`')}"
        f"warning: privilege names and access tests not checked: {UNKNOWN}"
    )


def test_without_globs_policies_and_access_tests_are_checked(shell: Shell) -> None:
    """Every name stands for itself."""
    sources(
        shell,
        "roles: {Clerk: {privileges: [DOCS_VIEW]}}\ntests: [{role: Clerk, cannot: [DOCS_VIEW]}]\n",
    )
    assert [error.id for error in shell.refused("validate")] == ["access-test"]


def test_what_can_be_no_name_is_refused_all_the_same(shell: Shell) -> None:
    """No panel calls a privilege so."""
    sources(shell, "roles: {Clerk: {privileges: [' ARDOCS']}}\n")
    (error,) = shell.refused("validate")
    assert error.text == (
        "roles.yaml:2:30: error: ` ARDOCS` can't be the name of a privilege\n"
        "    names have 1 to 256 printable characters, no blank at either end"
    )


@pytest.mark.parametrize("words", [["validate"], ["lint"], ["test"], ["access"]])
def test_names_may_be_those_of_any_panel(silent: Shell, words: list[str]) -> None:
    """Other panels write them with blanks and other letters."""
    sources(silent, "roles: {Clerk: {privileges: [menu_access on Sécurité]}}\n")
    assert run(words) == 0


def test_roles_of_the_panel_are_not_denied(shell: Shell) -> None:
    """Whether they exist is up to the panel, and so is what their holders can do."""
    sources(
        shell,
        "users: {admin: {roles: [Admin]}}\ntests: [{user: admin, can: [DOCS_VIEW]}]\n",
    )
    answer = shell("validate")
    assert answer.code == 0
    warning = (
        "roles.yaml:2:25: warning: role names not checked: `Admin`; only the panel knows its "
        "roles\n    `provisioner validate --online` checks them\n"
    )
    assert answer.err == (
        f"{warning}warning: privilege names and access tests not checked: {UNKNOWN}"
    )


def test_default_roles_are_the_panels_own(shell: Shell) -> None:
    """They may carry anything there: what depends on it is not judged, and that is said."""
    sources(
        shell,
        "roles: {Clerk: {privileges: [DOCS_VIEW], includes: [Service Desk Only]}}\n"
        "users: {eve: {roles: [Full Access]}}\n"
        "tests: [{user: eve, cannot: [DOCS_VIEW]}]\n"
        "policies: [{name: no-eve, deny: [DOCS_EDIT]}]\n",
    )
    answer = shell("validate")
    assert answer.code == 0
    assert answer.err == (
        "roles.yaml:2:53: warning: role names not checked: `Full Access` and "
        "`Service Desk Only`; only the panel knows its roles\n"
        "    `provisioner validate --online` checks them\n"
        "warning: privilege names and access tests not checked, policies only without what the "
        f"panel's own roles carry: {UNKNOWN}"
    )


@pytest.mark.parametrize("words", ["test", "lint", "access", "explain ada", "revoke ada DOCS_VIEW"])
def test_who_relies_on_what_roles_carry_asks_the_panel(shell: Shell, words: str) -> None:
    """One that does not answer is an error, never a role that carries nothing."""
    sources(
        shell,
        "roles: {Clerk: {privileges: ['DOCS_*']}}\n"
        "users: {ada: {roles: [Clerk]}}\n"
        "tests: [{role: Clerk, can: [DOCS_VIEW]}]\n",
        HTTP.replace("https://panel.example.com", "http://127.0.0.1:1"),
    )
    (error,) = shell.refused(*words.split())
    assert error.message.startswith("GET http://127.0.0.1:1/state: no connection")
    assert "or declare `catalogue:`, to do without the panel" in error.remedy


def test_what_a_target_does_not_have_is_told(
    shell: Shell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No history is another thing than no runs yet, no locks than no lock."""

    class Bare(MemoryBackend):
        def describe(self) -> Description:
            return replace(super().describe(), locks=False)

    def opened(_: str, __: Opening) -> object:
        return Bare(State(), capabilities=Capabilities(history=False))

    sources(shell, "roles: {}\n")
    monkeypatch.chdir(shell.folder)
    monkeypatch.setattr(provisioner.opening.session, "open_backend", opened)
    assert (run(["unlock"]), run(["history"])) == (0, 0)
    assert capsys.readouterr() == ("This target has no locks.\n", "This target keeps no history.\n")
    assert run(["history", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == []


# With a panel that tells no catalogue: the opener gives a store in memory for the HTTP target


@pytest.fixture
def silent(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A folder whose HTTP target is a panel that tells no catalogue."""

    def opened(_: str, opening: Opening) -> object:
        return open_panel(opening)

    monkeypatch.chdir(shell.folder)
    monkeypatch.setattr(provisioner.opening.session, "open_backend", opened)
    return shell


def test_a_plan_says_that_names_were_not_checked(
    silent: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can before the panel does; its default roles are known by name and stay."""
    sources(silent, "roles: {Clerk: {privileges: [ONLY_HERE]}}\n")
    assert run(["plan"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert (
        "note: privilege names are not checked: this target tells no catalogue; declare "
        "`catalogue:` in the project file"
    ) in text
    assert "Plan: 1 to add, 0 to change, 0 to rename, 0 to delete" in text


@pytest.mark.parametrize("words", [["plan"], ["validate", "--online"]])
def test_a_glob_needs_a_catalogue(
    silent: Shell, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """What it stands for would be a guess."""
    sources(silent, "roles: {Clerk: {privileges: ['DOCS_*', 'DOCS_*']}}\n")
    assert run(words) == 1
    assert capsys.readouterr().err.startswith(
        "roles.yaml:2:30: error: `DOCS_*` can't be expanded: globs need a catalogue, and this "
        "target has none\n"
    )


def test_online_a_silent_panel_is_told_of(
    silent: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing left to try but to declare the catalogue."""
    sources(silent, "roles: {Clerk: {privileges: [ONLY_HERE]}}\n")
    assert run(["validate", "--online"]) == 0
    assert capsys.readouterr().err == (
        "warning: privilege names not checked: target `us-na` tells no catalogue\n"
        "    declare `catalogue:` in the project file\n"
    )
