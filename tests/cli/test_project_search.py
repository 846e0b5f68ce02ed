"""The project file is found from below it, and never where somebody else could have put it."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import Shell

if TYPE_CHECKING:
    from pathlib import Path

ROLES = """\
version: 1
roles:
  Viewer: {privileges: [ARDOCS_VIEW]}
"""
PROJECT = "version: 1\nsources: [roles.yaml]\n"
NOBODY = 65534


class Below(Shell):
    """The command line in a folder ``top/some/where``, with ``home`` as its home."""

    def __init__(self, top: Path, home: Path) -> None:
        super().__init__(top / "some" / "where")
        self.folder.mkdir(parents=True)
        self.top = top
        self.home = home

    def environment(self, more: object = None) -> dict[str, str]:
        given = super().environment(more)  # type: ignore[arg-type]
        return {**given, "HOME": str(self.home), **(more or {})}  # type: ignore[dict-item]

    def project_in(self, folder: Path) -> None:
        (folder / "roles.yaml").write_text(ROLES)
        (folder / "provisioner.yaml").write_text(PROJECT)


@pytest.fixture
def below(tmp_path: Path) -> Below:
    top = tmp_path / "top"
    top.mkdir()
    return Below(top, home=tmp_path / "elsewhere")


def finds_it(shell: Below) -> bool:
    """Whether a plan is made from the project above, or fails for want of sources."""
    answer = shell("plan")
    assert (answer.code == 0) != ("there are no sources" in answer.err), answer
    return answer.code == 0


def test_up_to_the_top_level_of_git(below: Below) -> None:
    subprocess.run(["git", "init", "-q", below.top], check=True)
    below.project_in(below.top)
    answer = below("plan")
    assert answer.code == 0
    assert '+ role "Viewer"' in answer.out
    assert "../../provisioner.yaml" in answer.err


def test_paths_of_the_project_stay_its_own(below: Below) -> None:
    subprocess.run(["git", "init", "-q", below.top], check=True)
    below.project_in(below.top)
    assert below("apply", "--auto-approve").code == 0
    assert (below.top / ".provisioner" / "state.json").exists()
    assert not (below.folder / ".provisioner").exists()
    assert "No changes" in below("plan").out


def test_not_beyond_the_top_level_of_git(below: Below) -> None:
    subprocess.run(["git", "init", "-q", below.folder.parent], check=True)
    below.project_in(below.top)
    assert not finds_it(below)


def test_the_nearest_counts(below: Below) -> None:
    subprocess.run(["git", "init", "-q", below.top], check=True)
    below.project_in(below.top)
    below.project_in(below.folder.parent)
    (below.top / "provisioner.yaml").write_text("version: 99\n")
    assert finds_it(below)


def test_outside_of_git_up_to_the_home_folder(below: Below) -> None:
    below.home = below.top
    below.project_in(below.top)
    assert finds_it(below)


def test_not_beyond_the_home_folder(below: Below) -> None:
    below.home = below.folder.parent
    below.project_in(below.top)
    assert not finds_it(below)


def test_outside_of_git_and_home_only_here(below: Below) -> None:
    below.project_in(below.folder.parent)
    assert not finds_it(below)
    below.project_in(below.folder)
    assert finds_it(below)


def test_of_another_owner_it_is_refused(below: Below) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    below.home = below.top
    below.project_in(below.top)
    os.chown(below.top / "provisioner.yaml", NOBODY, -1)
    answer = below("plan")
    assert answer.code == 1
    assert answer.err.startswith("../../provisioner.yaml: error: this project file")
    assert "belongs to another user" in answer.err
    named = below("plan", "--config", "../../provisioner.yaml")
    assert named.code == 0
    assert below("plan", env={"SUDO_UID": str(NOBODY)}).code == 0, "sudo's caller is no other user"


def test_in_a_folder_of_another_owner_too(below: Below) -> None:
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    below.home = below.top
    below.project_in(below.top)
    os.chown(below.top, NOBODY, -1)
    assert below("plan").code == 1


def test_not_past_a_mount(below: Below) -> None:
    below.home = below.top
    below.project_in(below.top)
    mounted = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs none {below.folder.parent} && mkdir {below.folder}"
    if not shutil.which("unshare") or subprocess.run([*mounted, mount], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    go = f'{mount} && cd {below.folder} && exec "$0" "$@"'
    answer = below("plan", before=(*mounted, go))
    assert answer.code == 1
    assert "there are no sources" in answer.err


def test_rules_of_a_revision_are_those_of_the_project_above(below: Below) -> None:
    git = ["git", "-C", str(below.top), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", "init", "-q", below.top], check=True)
    below.project_in(below.top)
    (below.top / "roles.yaml").write_text(
        ROLES + "policies:\n  - {name: no docs, deny: [ARDOCS_VIEW]}\n"
    )
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    below.project_in(below.top)
    assert below("plan").code == 0
    assert below("plan", "--rules-from", "HEAD").code == 3
