"""Files and folders that can't be read, and project files that say nothing sensible."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

VIEWER = "version: 1\nroles:\n  Viewer:\n    privileges: [ARDOCS_VIEW]\n"


def test_a_missing_file(shell: Shell) -> None:
    """A path that leads nowhere is an error, never an empty desired state."""
    (error,) = shell.refused("apply", "--auto-approve", "rolls.yaml")
    assert error.text == ("rolls.yaml: error: there is no such file or folder\n    check the path")


def test_a_folder_without_yaml(shell: Shell) -> None:
    """A folder that holds other files only was hardly meant."""
    shell.write("roles/README.md", "# Roles\n")
    (error,) = shell.refused("apply", "--auto-approve", "roles")
    assert (error.id, error.place) == ("no-yaml", "roles")
    assert "name a file, or another folder" in error.remedy


def test_a_folder_named_like_a_file(shell: Shell) -> None:
    """It is a folder all the same."""
    shell.write("roles.yaml/README.md", "# Roles\n")
    (error,) = shell.refused("apply", "--auto-approve", "roles.yaml")
    assert (error.id, error.place) == ("no-yaml", "roles.yaml")


def test_a_path_below_a_file(shell: Shell) -> None:
    """Nothing is below a file."""
    shell.write("roles.yaml", VIEWER)
    (error,) = shell.refused("apply", "--auto-approve", "roles.yaml/viewer.yaml")
    assert error.place == "roles.yaml/viewer.yaml"


def test_a_file_that_must_not_be_read(shell: Shell, without_privilege: tuple[str, ...]) -> None:
    """One unreadable file in a folder fails the run: the rest alone would delete its roles."""
    shell.write("roles/a.yaml", VIEWER)
    shell.write("roles/b.yaml", VIEWER).chmod(0)
    answer = shell("plan", "roles", before=without_privilege)
    assert answer.code == 1
    assert "roles/b.yaml: error: can't read it: Permission denied" in answer.err


def test_a_folder_that_must_not_be_read(shell: Shell, without_privilege: tuple[str, ...]) -> None:
    """Nor is a closed folder an empty one."""
    shell.write("roles/a.yaml", VIEWER)
    closed = shell.write("roles/sub/b.yaml", VIEWER).parent
    closed.chmod(0)
    answer = shell("plan", "roles", before=without_privilege)
    closed.chmod(0o700)
    assert answer.code == 1
    assert "roles/sub: error: can't list the folder: Permission denied" in answer.err


def test_a_pipe_in_a_folder(shell: Shell) -> None:
    """It is refused at once, without waiting for somebody to write into it."""
    shell.write("roles/a.yaml", VIEWER)
    os.mkfifo(shell.folder / "roles" / "pipe.yaml")
    (error,) = shell.refused("apply", "--auto-approve", "roles")
    assert (error.id, error.place) == ("unreadable", "roles/pipe.yaml")
    assert "not a regular file" in error.message


def test_a_link_to_nothing(shell: Shell) -> None:
    """A broken link in a folder fails the run, too."""
    shell.write("roles/a.yaml", VIEWER)
    (shell.folder / "roles" / "b.yaml").symlink_to("gone.yaml")
    (error,) = shell.refused("apply", "--auto-approve", "roles")
    assert (error.id, error.place) == ("unreadable", "roles/b.yaml")


def test_a_link_to_itself(shell: Shell) -> None:
    """Named as a source."""
    (shell.folder / "loop.yaml").symlink_to("loop.yaml")
    (error,) = shell.refused("apply", "--auto-approve", "loop.yaml")
    assert (error.id, error.place) == ("unreadable", "loop.yaml")


def test_a_link_to_itself_in_a_folder(shell: Shell) -> None:
    """Found below one."""
    shell.write("roles/a.yaml", VIEWER)
    (shell.folder / "roles" / "loop.yaml").symlink_to("loop.yaml")
    (error,) = shell.refused("apply", "--auto-approve", "roles")
    assert (error.id, error.place) == ("unreadable", "roles/loop.yaml")


def test_a_link_back_to_a_folder_above(shell: Shell) -> None:
    """Following it would never end."""
    shell.write("roles/a.yaml", VIEWER)
    (shell.folder / "roles" / "again").symlink_to("../roles")
    (error,) = shell.refused("apply", "--auto-approve", "roles")
    assert (error.id, error.place) == ("folder-loop", "roles/again")


def test_a_file_that_is_far_too_large(shell: Shell) -> None:
    """64 MiB are enough for every panel, and end a mistaken path to a disk image quickly."""
    with shell.write("disk.yaml", "").open("wb") as file:
        file.truncate(2**26 + 1)
    (error,) = shell.refused("apply", "--auto-approve", "disk.yaml")
    assert (error.id, error.place) == ("too-large", "disk.yaml")


def test_a_file_reached_twice_is_read_once(shell: Shell) -> None:
    """By a folder and by name, by a link and by its target: it declares its roles once."""
    shell.write("roles/a.yaml", VIEWER)
    (shell.folder / "roles" / "b.yaml").symlink_to("a.yaml")
    answer = shell("validate", "roles", "roles/a.yaml", "./roles")
    assert answer.out.startswith("Valid: 1 file,")


def test_standard_input_named_twice_is_read_once(shell: Shell) -> None:
    """Like every other source."""
    answer = shell("validate", "-", "-", stdin=VIEWER)
    assert (answer.code, answer.err) == (0, "")


def test_mistakes_on_standard_input_have_a_place(shell: Shell) -> None:
    """Line and column, as in a file."""
    answer = shell("plan", "-", stdin=VIEWER.replace("VIEW]", "VEIW]"))
    assert answer.code == 1
    assert answer.err.startswith("standard input:4:18: error: there is no privilege `ARDOCS_VEIW`")


def test_no_sources_at_all(shell: Shell) -> None:
    """Planning nothing is not planning to delete everything."""
    (error,) = shell.refused("apply", "--auto-approve")
    assert error.id == "no-sources"
    assert "provisioner init" in error.remedy


def test_every_unreadable_source_is_told_at_once(shell: Shell) -> None:
    """Together with the mistakes in those that could be read."""
    shell.write("roles.yaml", VIEWER.replace("VIEW]", "VEIW]"))
    (shell.folder / "empty").mkdir()
    errors = shell.refused("plan", "gone.yaml", "roles.yaml", "empty")
    assert [error.id for error in errors] == ["no-yaml", "missing-source", "unknown-privilege"]


class Flaw(NamedTuple):
    """A project file that must be refused: where, in which words, with which advice."""

    name: str
    content: str
    place: str
    words: str
    remedy: str


PROJECT_FLAWS = [
    Flaw(
        "an unknown key",
        "version: 1\nsource: [roles.yaml]\n",
        "2:1",
        "unknown key `source`",
        "did you mean sources?",
    ),
    Flaw(
        "an unknown way to manage",
        "version: 1\nmanage: al\n",
        "2:9",
        "`manage` can't be `al`",
        "did you mean all?",
    ),
    Flaw(
        "one source for a list",
        "version: 1\nsources: roles.yaml\n",
        "2:10",
        "`sources` must be a list",
        "write a list: [roles.yaml]",
    ),
    Flaw(
        "a threshold in words",
        "version: 1\nsafety: {max_deletes: few}\n",
        "2:23",
        "`max_deletes` must be a whole number, not `few`",
        "",
    ),
    Flaw(
        "more than everything",
        "version: 1\nsafety: {max_change_percent: 130}\n",
        "2:30",
        "`max_change_percent` can't be 130",
        "use at most 100",
    ),
    Flaw(
        "a file target without a path",
        "version: 1\ntargets:\n  sandbox: {backend: file}\n",
        "3:12",
        "`sandbox` lacks `path`",
        "add `path:`",
    ),
    Flaw(
        "an unknown backend",
        "version: 1\ntargets:\n  sandbox: {backend: fil, path: s.json}\n",
        "3:3",
        "there is no backend `fil`",
        "did you mean file?",
    ),
    Flaw(
        "no targets where there is the key",
        "version: 1\ntargets: {}\n",
        "2:10",
        "`targets` is empty",
        "give it a value, or remove it",
    ),
    Flaw("an empty file", "", "1:1", "the file is empty", "start it with `version: 1`"),
    Flaw(
        "a key twice",
        "version: 1\nmanage: all\nmanage: declared\n",
        "3:1",
        "`manage` stands here twice",
        "keep one of them",
    ),
]


@pytest.mark.parametrize("flaw", PROJECT_FLAWS, ids=[flaw.name for flaw in PROJECT_FLAWS])
def test_a_flaw_in_the_project_file_is_refused(shell: Shell, flaw: Flaw) -> None:
    """With place and advice, as everywhere."""
    shell.write("roles.yaml", VIEWER)
    shell.write("provisioner.yaml", flaw.content)
    (error,) = shell.errors("apply", "--auto-approve", "roles.yaml")
    assert error.place == f"provisioner.yaml:{flaw.place}"
    assert flaw.words in error.message
    assert flaw.remedy in error.remedy


def test_a_source_of_the_project_that_is_missing(shell: Shell) -> None:
    """Told by its path, relative to where one stands."""
    shell.write("billing/provisioner.yaml", "version: 1\nsources: [roles/]\n")
    (error,) = shell.errors("plan", "--config", "billing/provisioner.yaml")
    assert (error.id, error.place) == ("missing-source", "billing/roles")


def test_a_project_file_that_was_named_must_be_there(shell: Shell) -> None:
    """Only the default one may be missing."""
    shell.write("roles.yaml", VIEWER)
    (error,) = shell.errors("plan", "--config", "project.yaml", "roles.yaml")
    assert error.place == "project.yaml"


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (None, "panel.yaml", "No such file"),
        ("version: 1\nprivileges: []\n", "panel.yaml:2:13", "is empty"),
        ("version: 1\nprivileges:\n  - {nam: A}\n", "panel.yaml:3:6", "unknown key `nam`"),
        (
            "version: 1\nprivileges:\n  - {name: A}\n  - {name: A}\n",
            "panel.yaml:4:12",
            "privilege `A` is listed twice",
        ),
        (
            "version: 1\nprivileges: [{name: A}]\ndefault_roles:\n  - {name: B}\n  - {name: b}\n",
            "panel.yaml:5:12",
            "default role `b` is listed twice",
        ),
    ],
)
def test_a_flaw_in_the_catalogue_is_refused(
    shell: Shell, content: str | None, place: str, words: str
) -> None:
    """The catalogue is input like any other."""
    shell.write("roles.yaml", VIEWER)
    shell.write("provisioner.yaml", "version: 1\ncatalogue: panel.yaml\n")
    if content is not None:
        shell.write("panel.yaml", content)
    errors = shell.errors("apply", "--auto-approve", "roles.yaml")
    assert place in {error.place for error in errors}
    assert any(words in error.message for error in errors)


def test_an_unknown_target(shell: Shell) -> None:
    """With the nearest name."""
    shell.write("roles.yaml", VIEWER)
    shell.write(
        "provisioner.yaml", "version: 1\ntargets: {sandbox: {backend: file, path: s.json}}\n"
    )
    (error,) = shell.errors("plan", "--target", "sandbx", "roles.yaml")
    assert error.text == "error: there is no target `sandbx`\n    did you mean sandbox?"


def test_an_external_role_must_exist_when_planning(shell: Shell) -> None:
    """`validate` takes the project file's word for it; the plan is blocked."""
    shell.write("provisioner.yaml", "version: 1\nexternal: [Regional Auditor]\n")
    shell.write("roles.yaml", "version: 1\nusers:\n  ada: {roles: [Regional Auditor]}\n")
    assert shell("validate", "roles.yaml").code == 0
    answer = shell("plan", "roles.yaml")
    assert answer.code == 3
    assert "Regional Auditor" in answer.out
    assert not (shell.folder / ".provisioner").exists()
