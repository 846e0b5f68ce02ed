"""The trust file itself: where it may lie, who may write it, what may stand in it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell
    from tests.trust.conftest import Branch

TRUST = "version: 1\nfiles: [state/]\n"


@pytest.fixture
def own(branch: Branch) -> Branch:
    """A checkout with a file target that the trust file lists."""
    branch.project("backend: file, path: state/p.json")
    branch.trust("files: [state/]\n")
    return branch


def refused(branch: Branch, file: str, *words: str, before: tuple[str, ...] = ()) -> str:
    answer = branch("plan", "--trust", file, *words, before=before)
    assert answer.code == 1
    return branch.said(answer)


def test_one_in_the_checkout_is_refused(own: Branch) -> None:
    own.write("ci/trust.yaml", TRUST).chmod(0o600)
    for file in ("ci/trust.yaml", str(own.folder / "ci/trust.yaml"), "../checkout/ci/trust.yaml"):
        said = refused(own, file)
        assert f"{file}: error: it lies in the checkout {own.folder}, so whoever writes" in said
        assert "keep it outside of the checkout" in said


def test_one_that_is_reached_through_the_checkout_is_refused(own: Branch) -> None:
    """A branch can point its links elsewhere."""
    (own.folder / "link.yaml").symlink_to("../trust.yaml")
    (own.folder / "up").symlink_to("..")
    (own.outside / "there").symlink_to("checkout/link.yaml")
    for file in ("link.yaml", "up/trust.yaml", "../there"):
        assert "it lies in the checkout" in refused(own, file)


def test_one_outside_is_reached_by_any_other_way(own: Branch) -> None:
    (own.outside / "link.yaml").symlink_to("trust.yaml")
    (own.folder / "sub").mkdir()
    for file in ("../trust.yaml", "../link.yaml", "sub/../../trust.yaml"):
        assert own("plan", "--trust", file).code == 0, file
    below = ("sh", "-c", 'cd sub && exec "$@"', "sh")
    words = ("--config", "../provisioner.yaml", "../roles.yaml", "--trust", "../../trust.yaml")
    answer = own("plan", *words, before=below)
    assert answer.code == 0, answer.err


def test_the_folder_one_works_in_is_a_checkout_as_well(own: Branch) -> None:
    other = own.outside / "other"
    (other / ".git").mkdir(parents=True)
    (other / "trust.yaml").write_text(TRUST)
    (other / "trust.yaml").chmod(0o600)
    there = ("sh", "-c", f'cd {other} && exec "$@"', "sh")
    words = ("--config", "../checkout/provisioner.yaml")
    assert f"the checkout {other}" in refused(own, "trust.yaml", *words, before=there)


def test_the_checkout_around_a_submodule_counts(own: Branch) -> None:
    inner = own.folder / "inner"
    inner.mkdir()
    (inner / ".git").write_text("gitdir: ../.git/modules/inner\n")
    own.write("inner/provisioner.yaml", (own.folder / "provisioner.yaml").read_bytes())
    own.write("trust.yaml", TRUST).chmod(0o600)
    words = ("--config", f"{inner}/provisioner.yaml")
    there = ("sh", "-c", 'cd .. && exec "$@"', "sh")
    said = refused(own, "checkout/trust.yaml", *words, before=there)
    assert f"the checkout {own.folder}" in said


def test_without_git_the_folder_of_the_project_file_is_the_checkout(own: Branch) -> None:
    (own.folder / ".git").rmdir()
    own.write("ci/trust.yaml", TRUST).chmod(0o600)
    assert "it lies in the checkout" in refused(own, "ci/trust.yaml")
    assert own("plan", "--trust", "../trust.yaml").code == 0


@pytest.mark.parametrize(
    ("mode", "who"), [(0o620, "its group"), (0o602, "anybody"), (0o666, "anybody")]
)
def test_one_that_others_may_write_is_refused(mode: int, who: str, own: Branch) -> None:
    (own.outside / "trust.yaml").chmod(mode)
    said = refused(own, "../trust.yaml")
    assert f"../trust.yaml: error: {who} may write it, so it can't be trusted" in said
    assert "chmod go-w ../trust.yaml" in said


def test_one_that_others_may_read_is_fine(own: Branch) -> None:
    (own.outside / "trust.yaml").chmod(0o644)
    assert own("plan", "--trust", "../trust.yaml").code == 0


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("../none.yaml", "can't read the trust file: No such file"),
        ("..", "it is a folder"),
        ("/dev/null", "anybody may write it"),
        ("-", "it lies in the checkout"),
    ],
)
def test_one_that_is_no_file_is_an_error(file: str, why: str, own: Branch) -> None:
    own.outside.chmod(0o700)
    assert why in refused(own, file)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("targets: [{url: 'https://a.example', tokens: [A]}]", "tokens"),
        ("targets: [{url: 'https://a.example', token_env: A}]", "token_env"),
        ("targets: [{url: 'https://a.example', token_env: [A], token_env: [B]}]", "token_env"),
        ("targets: [{token_env: [A]}]", "url"),
        ("targets: [{backend: http, options: {}}]", "http"),
        ("targets: [{backend: acme}]", "options"),
        ("target: []", "target"),
        ("targets: [{url: 'https://*.example.com'}]", "it has a pattern in place of a host"),
        ("targets: [{url: 'https://u:p@a.example'}]", "it has a user name or password in it"),
        ("targets: [{url: 'https://a.example/../'}]", "it has `.` or `..` in its path"),
        ("targets: [{url: 'a.example'}]", "it does not begin with https://"),
    ],
)
def test_it_is_read_strictly(text: str, why: str, own: Branch) -> None:
    trust = own.trust(f"{text}\n")
    said = refused(own, trust)
    assert f"{trust}:2:" in said
    assert why in said


def test_an_empty_one_trusts_nothing(own: Branch) -> None:
    own.trust()
    assert "is not below what the trust file lists" in own.refused("plan")


def test_its_schema_is_printed(shell: Shell) -> None:
    assert shell("schema", "trust").document["title"] == "provisioner trust file"


def test_git_itself_is_not_asked(own: Branch) -> None:
    """Nothing in a stranger's repository is run, not even to find out where it begins."""
    (own.folder / ".git").rmdir()
    subprocess.run(["git", "init", "-q", str(own.folder)], check=True)
    own.write(".git/config", "[core]\n\tfsmonitor = touch ran\n[alias]\n\tstatus = !touch ran\n")
    assert own("plan", "--trust", "../trust.yaml").code == 0
    assert not (own.folder / "ran").exists()
