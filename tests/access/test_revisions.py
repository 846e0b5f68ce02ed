"""What a git revision says is what its commit says: nothing embedded, set or replaced speaks."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.access.conftest import PROVISIONER, Answer, Shell

if TYPE_CHECKING:
    from pathlib import Path

HELPDESK = "version: 1\nroles: {Helpdesk: {privileges: [ARDOCS_VIEW]}}\n"
TWO = HELPDESK + "users: {ada: {roles: [Helpdesk]}}\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Shell:
    """A checkout of which the one commit gives ada a role, and the files still do."""
    shell = Shell(tmp_path)
    shell.write("roles/a.yaml", TWO)
    shell.git("init", "-q", "-b", "main")
    shell.git("add", ".")
    shell.git("commit", "-qm", "one")
    return shell


def against(shell: Shell, revision: str = "main", **variables: str) -> Answer:
    """The difference between a revision and the files."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PROVISIONER_", "GIT_"))}
    done = subprocess.run(
        [PROVISIONER, "access", "--against", revision, "--source", "roles", "--format", "csv"],
        cwd=shell.folder,
        env=clean | variables,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_bare_repository_among_the_sources_says_nothing(checkout: Shell) -> None:
    """Its files may be part of a pull request, and its commit may say that nothing changed."""
    checkout.write("roles/a.yaml", TWO.replace("VIEW]", "CREATE]"))
    other = checkout.folder / "other"
    subprocess.run(["git", "clone", "-q", "--bare", checkout.folder, other], check=True)
    work = checkout.folder / "work"
    subprocess.run(["git", "clone", "-q", other, work], check=True, capture_output=True)
    inner = Shell(work)
    inner.write("a.yaml", TWO.replace("VIEW]", "CREATE]"))
    inner.write("roles/a.yaml", TWO.replace("VIEW]", "CREATE]"))
    inner.git("add", ".")
    inner.git("commit", "-qm", "two")
    inner.git("push", "-q", "origin", "main")
    for name in ("HEAD", "objects", "refs", "packed-refs", "config"):
        if (other / name).exists():
            (other / name).rename(checkout.folder / "roles" / name)
    answer = against(checkout)
    assert answer.code == 0, answer.err
    assert "ada,gained,ARDOCS_CREATE" in answer.out
    assert "ada,lost,ARDOCS_VIEW" in answer.out


@pytest.mark.parametrize(
    "variable", ["GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE", "GIT_EXEC_PATH", "GIT_TRACE"]
)
def test_variables_that_lead_git_elsewhere_are_left_aside(
    checkout: Shell, variable: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A hook of git runs with some of them set."""
    answer = against(checkout, **{variable: str(tmp_path_factory.mktemp("else") / "where")})
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.count("\n") == 1


def test_what_the_owner_says_about_git_is_heard(checkout: Shell, tmp_path: Path) -> None:
    """CI trusts a folder of another owner by such a setting."""
    settings = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory"}
    assert against(checkout, **settings, GIT_CONFIG_VALUE_0=str(tmp_path)).code == 0
    assert "git can't read" in against(checkout, **settings).err


def test_no_object_is_replaced(checkout: Shell) -> None:
    """`refs/replace` may be fetched like any other reference."""
    checkout.write("roles/a.yaml", HELPDESK)
    checkout.git("commit", "-qam", "two")
    checkout.git("replace", "main", "main~1")
    checkout.write("roles/a.yaml", TWO)
    assert "ada,gained" in against(checkout).out


def test_no_program_of_the_repository_runs(checkout: Shell) -> None:
    """Neither one that watches files, nor a hook, a filter or a pager."""
    trap = checkout.folder / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {checkout.folder}/ran\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "diff.external", "filter.f.smudge", "core.editor"):
        checkout.git("config", key, str(trap))
    checkout.write(".gitattributes", "*.yaml filter=f diff=f\n")
    checkout.write("roles/a.yaml", HELPDESK)
    assert "ada,lost" in against(checkout).out
    assert not (checkout.folder / "ran").exists()


def test_hidden_files_and_endings_count_as_in_a_folder_of_today(checkout: Shell) -> None:
    """Else a difference would show what nobody changed."""
    checkout.write("roles/.b.yaml", "no: roles\n")
    checkout.write("roles/.more/b.yaml", "no: roles\n")
    checkout.write("roles/MORE.YAML", HELPDESK.replace("Helpdesk", "Other"))
    checkout.write("roles/users.yml", "version: 1\nusers: {eve: {roles: [Other]}}\n")
    checkout.git("add", "-f", ".")
    checkout.git("commit", "-qm", "two")
    answer = against(checkout)
    assert (answer.code, answer.err, answer.out.count("\n")) == (0, "", 1)


def test_a_link_to_a_folder_is_never_skipped(checkout: Shell) -> None:
    """It is followed today, and can't be in a commit; one to anything else is no source."""
    checkout.write("shared/b.yaml", HELPDESK.replace("Helpdesk", "Other"))
    (checkout.folder / "roles/README").symlink_to("../shared/b.yaml")
    checkout.git("add", ".")
    checkout.git("commit", "-qm", "two")
    assert against(checkout).code == 0
    (checkout.folder / "roles/shared").symlink_to("../shared")
    checkout.git("add", ".")
    checkout.git("commit", "-qm", "three")
    answer = against(checkout)
    assert answer.code == 1
    assert "`roles/shared` was a link to a folder" in answer.err
