"""A revocation that is not complete is told, for people and inside roles, through includes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROVISIONER = Path(sys.executable).with_name("provisioner")
PAY, VIEW = "ACCOUNTS_MODIFY_TERMS", "ARDOCS_VIEW"


def after_change(at: Path, before: str, after: str) -> str:
    """What a plan says on one line, of a change of the roles and users that were applied."""
    file = at / "roles.yaml"

    def provisioner(*words: str) -> str:
        done = subprocess.run(
            [PROVISIONER, *words, "roles.yaml"],
            cwd=at,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in {0, 2}, done.stdout + done.stderr
        return " ".join(done.stdout.split())

    file.write_text("version: 1\n" + before)
    provisioner("apply", "--auto-approve")
    file.write_text("version: 1\n" + after)
    return provisioner("plan")


def test_a_role_that_loses_through_an_include_is_told(tmp_path: Path) -> None:
    """Outer is not changed itself; that Inner carries less comes to the same."""
    world = f"""\
roles:
  Inner: {{privileges: [{VIEW}, {PAY}]}}
  Outer: {{includes: [Inner]}}
  Other: {{privileges: [{PAY}]}}
users:
  ada: {{roles: [Outer, Other]}}
"""
    text = after_change(tmp_path, world, world.replace(f"[{VIEW}, {PAY}]", f"[{VIEW}]"))
    assert f"ada keeps {PAY} through Other (was also Outer)" in text


def test_a_grant_that_goes_and_comes_through_an_include_as_well_is_told(tmp_path: Path) -> None:
    """Nobody's access changes, and why: Clerk still carries it through Base."""
    world = f"""\
roles:
  Base: {{privileges: [{PAY}]}}
  Clerk: {{privileges: [{PAY}, {VIEW}], includes: [Base]}}
"""
    text = after_change(tmp_path, world, world.replace(f"[{PAY}, {VIEW}]", f"[{VIEW}]"))
    assert "Nobody's effective access changes." in text
    assert f"role Clerk keeps {PAY} through Base (was also its own grant)" in text


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            (
                f"One: {{privileges: [{PAY}]}}\n  Two: {{privileges: [{PAY}]}}\n"
                "  Clerk: {includes: [One, Two]}"
            ),
            (
                f"One: {{privileges: []}}\n  Two: {{privileges: [{PAY}]}}\n"
                "  Clerk: {includes: [One, Two]}"
            ),
            f"role Clerk keeps {PAY} through Two (was also One)",
        ),
        (
            f"One: {{privileges: [{PAY}]}}\n  Clerk: {{privileges: [{PAY}], includes: [One]}}",
            f"One: {{privileges: [{PAY}]}}\n  Clerk: {{privileges: [{PAY}]}}",
            f"role Clerk keeps {PAY} through its own grant (was also One)",
        ),
    ],
)
def test_an_include_that_gives_less_is_told_where_the_role_does_not_lose_by_it(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    """The include goes, or what it carries; the role has the same from elsewhere."""
    assert told in after_change(tmp_path, f"roles:\n  {before}\n", f"roles:\n  {after}\n")


def test_a_grant_that_is_replaced_by_an_include_is_no_revocation(tmp_path: Path) -> None:
    """Whoever moves a privilege into a role of its own takes nothing away."""
    before = f"roles:\n  Clerk: {{privileges: [{PAY}]}}\n"
    after = f"roles:\n  Base: {{privileges: [{PAY}]}}\n  Clerk: {{includes: [Base]}}\n"
    assert "still held another way" not in after_change(tmp_path, before, after)
