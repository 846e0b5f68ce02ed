"""Which files a run reads: links stay in their tree, hidden files are passed over, pipes work."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from provisioner.catalogue import shipped
from provisioner.desired.load import load
from provisioner.desired.surroundings import Surroundings
from provisioner.engine.settings import Settings
from provisioner.engine.transition.matching import conflicts
from provisioner.errors import InvalidInput
from provisioner.model import Role, State

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell

VIEWER = "version: 1\nroles:\n  Viewer: {privileges: [ARDOCS_VIEW]}\n"
OTHER = VIEWER.replace("Viewer", "Other")


def repository(folder: Path) -> None:
    """Make a folder the top level of a git working tree."""
    subprocess.run(["git", "init", "-q", folder], check=True)


def outside(
    tmp_path_factory: pytest.TempPathFactory, content: str = "secret-of-the-machine"
) -> Path:
    """A file that lies nowhere near the sources."""
    file = tmp_path_factory.mktemp("elsewhere") / "file.yaml"
    file.write_text(content)
    return file


@pytest.mark.parametrize("whole_folder", [False, True])
@pytest.mark.parametrize("in_git", [False, True])
def test_a_link_out_of_the_tree_is_refused_unread(
    shell: Shell, tmp_path_factory: pytest.TempPathFactory, in_git: bool, whole_folder: bool
) -> None:
    """Whoever may add a file to the sources may not have the machine's files printed."""
    file = outside(tmp_path_factory)
    if in_git:
        repository(shell.folder)
    shell.write("roles/a.yaml", VIEWER)
    link = shell.folder / "roles" / ("more" if whole_folder else "more.yml")
    link.symlink_to(file.parent if whole_folder else file)
    (error,) = shell.refused("validate", "roles")
    assert (error.id, error.place) == ("link-out", f"roles/{link.name}")
    assert "secret" not in error.text


def test_the_tree_is_gits_top_level(shell: Shell) -> None:
    """A link between two folders of one checkout is how sources are shared."""
    repository(shell.folder)
    shell.write("shared/b.yaml", OTHER)
    shell.write("emea/roles/a.yaml", VIEWER)
    (shell.folder / "emea/roles/shared").symlink_to("../../shared")
    assert "2 roles" in shell("validate", "emea/roles").out


def test_without_git_the_tree_is_the_folder(shell: Shell) -> None:
    """Then the same link leads out."""
    shell.write("shared/b.yaml", OTHER)
    shell.write("emea/roles/a.yaml", VIEWER)
    (shell.folder / "emea/roles/shared").symlink_to("../../shared")
    (error,) = shell.refused("validate", "emea/roles")
    assert (error.id, error.message) == ("link-out", "this link leads out of emea/roles")


def test_what_git_keeps_to_itself_is_out_of_the_tree(shell: Shell) -> None:
    """A checkout's `.git/config` may hold the token that it was made with."""
    repository(shell.folder)
    shell.write("roles/a.yaml", VIEWER)
    (shell.folder / "roles/b.yaml").symlink_to("../.git/config")
    (error,) = shell.refused("validate", "roles")
    assert (error.id, error.place) == ("link-out", "roles/b.yaml")


def test_an_embedded_repository_makes_no_tree_of_its_own(
    shell: Shell, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The files of a bare one, committed among the sources, move no border."""
    repository(shell.folder)
    shell.write("roles/a.yaml", VIEWER)
    subprocess.run(["git", "init", "-q", "--bare", shell.folder / "roles/objects"], check=True)
    (shell.folder / "roles/objects/out.yaml").symlink_to(outside(tmp_path_factory))
    (error,) = shell.refused("validate", "roles")
    assert error.id == "link-out"


def test_a_link_may_lead_to_a_hidden_place(shell: Shell) -> None:
    """Kubernetes mounts a ConfigMap so: a visible name, and hidden folders that it leads to."""
    shell.write("mount/..2026_11_27/a.yaml", VIEWER)
    (shell.folder / "mount/..data").symlink_to("..2026_11_27")
    (shell.folder / "mount/a.yaml").symlink_to("..data/a.yaml")
    assert shell("validate", "mount").out == "Valid: 1 file, 1 role, 0 users.\n"


@pytest.mark.parametrize("name", [".hidden.yaml", ".git/e.yaml", "sub/._a.yaml", ".#a.yaml"])
def test_what_is_hidden_is_passed_over(shell: Shell, name: str) -> None:
    """Nobody sees it in a listing, or in most reviews."""
    shell.write("roles/a.yaml", VIEWER)
    shell.write(f"roles/{name}", OTHER)
    assert shell("validate", "roles").out == "Valid: 1 file, 1 role, 0 users.\n"


def test_hidden_links_are_passed_over_wherever_they_lead(
    shell: Shell, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What is not read can't be in the wrong place."""
    shell.write("roles/a.yaml", VIEWER)
    (shell.folder / "roles/.b.yaml").symlink_to(outside(tmp_path_factory))
    (shell.folder / "roles/README").symlink_to(outside(tmp_path_factory))
    assert shell("validate", "roles").code == 0


@pytest.mark.parametrize("name", ["MORE.YAML", "more.Yml"])
def test_endings_count_in_capitals_too(shell: Shell, name: str) -> None:
    """Left out, its role would be deleted."""
    shell.write("roles/a.yaml", VIEWER)
    shell.write(f"roles/{name}", OTHER)
    assert shell("validate", "roles").out == "Valid: 2 files, 2 roles, 0 users.\n"


def test_what_the_command_line_names_is_read(
    shell: Shell, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Hidden, called anything, or a link to anywhere: whoever types it means it."""
    shell.write(".wanted/.a", VIEWER)
    (shell.folder / "b").symlink_to(outside(tmp_path_factory, OTHER))
    assert "2 roles" in shell("validate", ".wanted/.a", "b").out
    (shell.folder / "c").symlink_to(outside(tmp_path_factory, OTHER).parent)
    assert "1 role," in shell("validate", "c").out


def test_what_the_project_names_must_not_leave_by_a_link(
    shell: Shell, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nor by a link on the way; a path that says where it leads hides nothing."""
    file = outside(tmp_path_factory, OTHER)
    (shell.folder / "in").mkdir()
    (shell.folder / "in/link").symlink_to(file.parent)
    for source in ("link", "link/file.yaml"):
        shell.write("in/provisioner.yaml", f"version: 1\nsources: [{source}]\n")
        (error,) = shell.refused("validate", "--config", "in/provisioner.yaml")
        assert (error.id, error.place) == ("link-out", f"in/{source}")
    shell.write("shared/a.yaml", OTHER)
    shell.write("in/provisioner.yaml", "version: 1\nsources: [../shared, .more]\n")
    shell.write("in/.more/b.yaml", VIEWER)
    assert "2 roles" in shell("validate", "--config", "in/provisioner.yaml").out


@pytest.mark.parametrize("way", ["pipe", "/dev/stdin", "<()"])
def test_a_pipe_that_the_command_line_names_is_read(shell: Shell, way: str) -> None:
    """Also one that only opens, or is only written, later."""
    if way == "pipe":
        os.mkfifo(shell.folder / "pipe")
        command = 'sleep 0.2; cat a.yaml > pipe & "$0" validate pipe'
    elif way == "/dev/stdin":
        command = 'cat a.yaml | "$0" validate /dev/stdin'
    else:
        command = '"$0" validate <(sleep 0.2; cat a.yaml)'
    shell.write("a.yaml", VIEWER)
    done = subprocess.run(
        ["bash", "-c", command, shell.program],
        cwd=shell.folder,
        env=shell.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == b"Valid: 1 file, 1 role, 0 users.\n"


def test_folders_without_end_are_refused(shell: Shell) -> None:
    """In words, however deep they are."""
    deep = shell.folder / "roles"
    for _ in range(70):
        deep /= "d"
    deep.mkdir(parents=True)
    shell.write("roles/a.yaml", VIEWER)
    (error,) = shell.refused("validate", "roles")
    assert (error.id, error.place.count("/d")) == ("too-deep", 64)


def test_closed_standard_input_is_an_error(shell: Shell) -> None:
    """In words."""
    words = ["bash", "-c", '"$0" validate - <&-', str(shell.program)]
    done = subprocess.run(
        words,
        cwd=shell.folder,
        env=shell.environment(),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"standard input is closed" in done.stderr or b"can't read it" in done.stderr


@pytest.mark.parametrize("what", ["/dev/zero", "/proc/kmsg", "pipe", "folder", "/proc/self/mem"])
def test_what_is_no_regular_file_is_refused_in_words(shell: Shell, what: str) -> None:
    """A device without end, a pipe that nobody writes into, a folder: as secret and as source."""
    os.mkfifo(shell.folder / "pipe")
    shell.write("folder/x", "")
    target = f"{{backend: http, url: 'https://127.0.0.1:1/', token_file: {what}}}"
    shell.write("provisioner.yaml", f"version: 1\nsources: [{what}]\ntargets: {{t: {target}}}\n")
    (error,) = shell.errors("plan")
    assert error.id == "target-option"
    assert f"can't read {what}" in error.message
    shell.write("provisioner.yaml", f"version: 1\nsources: [{what}]\n")
    (error,) = shell.errors("plan")
    assert error.id in {"unreadable", "no-yaml"}


def test_look_alike_logins_are_said(shell: Shell) -> None:
    """In the sources, and between them and what is stored; nothing is refused."""
    users = "  {}: {{roles: [Viewer]}}\n"
    shell.write("a.yaml", VIEWER + "users:\n" + users.format("strasse@x") + users.format("ada@x"))
    assert shell("apply", "--auto-approve", "a.yaml").code == 0
    shell.write(
        "a.yaml", VIEWER + "users:\n" + users.format("straße@x") + users.format("\u0430da@x")
    )
    plan = shell("plan", "a.yaml")
    assert (plan.code, plan.out.count("look-alike")) == (0, 2)
    shell.write("a.yaml", VIEWER + "users:\n" + users.format("ada@x") + users.format("\u0430da@x"))
    validated = shell("validate", "a.yaml")
    assert validated.code == 0
    assert "a.yaml:6:3: warning: look-alike: the login" in validated.err


def test_roles_that_are_stored_already_may_look_alike(tmp_path: Path) -> None:
    """A panel that has both must stay manageable; a new one is refused."""
    roles = {name: Role(name) for name in ("Viewer Two", "Viewer\u00a0Two")}
    file = tmp_path / "a.yaml"
    file.write_text("version: 1\nroles:\n  Viewer Two: {}\n  Viewer\u00a0Two: {}\n")
    for stored in ({}, {"Viewer Two": roles["Viewer Two"]}):
        around = Surroundings(shipped(), stored=stored)
        with pytest.raises(InvalidInput) as raised:
            load([str(file)], around)
        assert [d.id for d in raised.value.diagnostics] == ["look-alike-name"]
    loaded = load([str(file)], Surroundings(shipped(), stored=roles))
    assert not list(conflicts(loaded.desired.roles or {}, State(roles), {}, Settings()))


@pytest.mark.parametrize(
    ("listed", "words"), [("roles.yaml", ("provisioner.yaml",)), (".", ()), (".", (".",))]
)
def test_the_project_file_alone_is_no_source(
    shell: Shell, listed: str, words: tuple[str, ...]
) -> None:
    """Or "no changes" would be said of nothing."""
    shell.write("provisioner.yaml", f"version: 1\nsources: [{listed}]\n")
    (error,) = shell.refused("plan", *words)
    assert "nothing but the project file is there" in error.message


def test_the_project_file_beside_others_is_left_out(shell: Shell) -> None:
    """A shell gives `*.yaml` as all of them."""
    shell.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    shell.write("roles.yaml", VIEWER)
    assert shell("plan", "provisioner.yaml", "roles.yaml").code == 0


def test_a_catalogue_as_a_source_is_called_one(shell: Shell) -> None:
    """It lists where it is from as `sources`, and is no project file for that."""
    shell.write("catalogue.yaml", "version: 1\nsources: [here]\nprivileges: [A]\n")
    (error,) = shell.refused("plan", "catalogue.yaml")
    assert "this is a catalogue" in error.message
