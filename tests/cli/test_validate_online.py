"""`validate --online`: what only the panel can tell about the sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

PROJECT = """\
version: 1
sources: [roles.yaml]
external: [Regional]
targets:
  here:
    backend: panel
    catalogue_of: [DOCS_VIEW, DOCS_EDIT]
    roles: {Regional: [DOCS_VIEW]}
"""


def project(shell: Shell, text: str, more: str = "", declared: str = PROJECT) -> None:
    """A project with one panel, and sources that begin in line 2."""
    shell.write("provisioner.yaml", declared + more)
    shell.write("roles.yaml", "version: 1\n" + text)


def test_names_and_globs_are_those_of_the_panel(panel: Shell) -> None:
    """Without --online it is the shipped catalogue that the sources are held against."""
    project(panel, "roles: {Clerk: {privileges: ['DOCS_*'], includes: [Regional]}}\n")
    assert panel("validate", "--online").out == "Valid: 1 file, 1 role, 0 users.\n"
    assert panel("validate").code == 1
    panel.edit("roles.yaml", "'DOCS_*'", "DOCS_VEIW")
    (error,) = panel.refused("validate", "--online")
    assert error.text == (
        "roles.yaml:2:30: error: there is no privilege `DOCS_VEIW` in the catalogue\n"
        "    did you mean DOCS_VIEW, DOCS_EDIT?"
    )


def test_external_roles_have_to_be_there(panel: Shell) -> None:
    """Blocked as a plan would be, with the near name."""
    project(panel, "roles: {}\n")
    panel.edit("provisioner.yaml", "external: [Regional]", "external: [Regional Auditor]")
    (error,) = panel.refused("validate", "--online", code=3)
    assert error.text == (
        "error: the external role `Regional Auditor` does not exist in this target\n"
        "    did you mean Regional?"
    )


def test_default_roles_have_to_be_there(panel: Shell) -> None:
    """A panel that goes without one of them shows at every line that refers to it."""
    project(
        panel,
        "roles: {Clerk: {includes: [Service Desk Only]}}\n"
        "users: {ada: {roles: [Service Desk Only]}}\n",
        "    without: [Service Desk Only]\n",
    )
    assert panel("validate", "--online").code == 3
    errors = panel.refused("validate", "--online", code=3)
    assert [(error.id, error.place) for error in errors] == [
        ("role-missing", "roles.yaml:2:28"),
        ("role-missing", "roles.yaml:3:23"),
    ]
    assert errors[0].message == (
        "`Clerk` refers to the role `Service Desk Only`, which this target does not have"
    )


def test_users_have_to_be_known(panel: Shell) -> None:
    """Where the panel gives roles to its own users only."""
    project(
        panel,
        "users: {ada@example.com: {roles: [Full Access]}, ida@example.com: {roles: [Regional]}}\n",
        "    has: [closed_users]\n    knows: [Ada@example.com]\n",
    )
    (error,) = panel.refused("validate", "--online", code=3)
    assert error.text == (
        "roles.yaml:2:50: error: this target has no user `ida@example.com`\n"
        "    did you mean ada@example.com?"
    )


def test_a_panel_that_does_not_answer(panel: Shell) -> None:
    """Its failure is the error; without --online nobody asks it."""
    project(panel, "roles: {}\n", "    fails: true\n")
    (error,) = panel.refused("validate", "--online")
    assert (error.id, error.place) == ("unreachable", "panel:here")
    assert panel("validate").code == 0


TWO = """\
version: 1
sources: [roles.yaml]
external: [Regional]
targets:
  one: {backend: panel, catalogue_of: [DOCS_VIEW]}
  two: {backend: panel, catalogue_of: [DOCS_EDIT], roles: {Regional: []}}
"""


def test_all_targets_are_asked_or_the_one_that_is_named(panel: Shell) -> None:
    """What is missing says where; what is wrong anywhere is an error."""
    project(panel, "roles: {}\n", declared=TWO)
    (error,) = panel.refused("validate", "--online", code=3)
    assert error.message == (
        "the external role `Regional` does not exist in this target (target `one`)"
    )
    assert panel("validate", "--online", "--target", "two").code == 0
    project(panel, "roles: {Clerk: {privileges: [DOCS_EDIT]}}\n", declared=TWO)
    assert [error.id for error in panel.refused("validate", "--online")] == ["unknown-privilege"]
    assert panel("validate", "--online", "--target", "two").code == 0


def test_a_file_is_a_panel_too(shell: Shell) -> None:
    """The default target can be asked like any other."""
    shell.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\nexternal: [Regional]\n")
    shell.write("roles.yaml", "version: 1\nroles: {Clerk: {privileges: [ARDOCS_VIEW]}}\n")
    assert shell("validate").code == 0
    assert [error.id for error in shell.refused("validate", "--online", code=3)] == [
        "external-missing"
    ]
    shell.edit("provisioner.yaml", "external: [Regional]\n", "")
    assert shell("validate", "--online").out == "Valid: 1 file, 1 role, 0 users.\n"
