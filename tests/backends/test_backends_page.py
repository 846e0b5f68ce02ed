"""docs/backends.md is complete: what it shows can be installed as it says, and works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Shell

PAGE = (Path(__file__).parents[2] / "docs" / "backends.md").read_text(encoding="utf-8")
ROLES = """\
version: 1
roles:
  Reader: {privileges: [ARDOCS_VIEW]}
  Clerk: {includes: [Reader], privileges: [ACCOUNTS_VIEW_DET]}
users:
  ada@example.com: {roles: [Clerk]}
"""


def blocks(language: str) -> list[str]:
    """The code on the page, in its order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A folder in which the page was followed: a module, its metadata, its tests, a project."""
    code, tests = blocks("python")
    (project,), (metadata,) = blocks("yaml"), blocks("toml")
    (tmp_path / "sqlite_panel.py").write_text(code)
    (tmp_path / "test_sqlite_panel.py").write_text(tests)
    (tmp_path / "provisioner.yaml").write_text(project)
    (tmp_path / "roles.yaml").write_text(ROLES)
    about = tmp_path / "provisioner_sqlite-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: provisioner-sqlite\nVersion: 1\n")
    (point,) = re.findall(r'^sqlite = "(.*)"$', metadata, re.MULTILINE)
    (about / "entry_points.txt").write_text(f"[provisioner.backends]\nsqlite = {point}\n")
    return tmp_path


def test_the_adapter_keeps_the_contract(adapter: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    done = subprocess.run(
        [*command, "test_sqlite_panel.py"],
        cwd=adapter,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) > 20


def test_the_adapter_is_found_planned_and_applied(adapter: Path) -> None:
    shell = Shell(adapter)
    env = {"PYTHONPATH": str(adapter), "PYTHONDONTWRITEBYTECODE": "1"}
    assert shell("apply", "--auto-approve", env=env).code == 0
    assert "No changes" in shell("plan", env=env).out
    assert "Clerk" in shell("explain", "ada@example.com", env=env).out
    (adapter / "desk.db").write_bytes(b"this is no database, but it is long enough to be one" * 20)
    broken = shell("plan", env=env)
    assert broken.code == 1
    assert "desk.db: error: file is not a database" in broken.err


def test_the_adapter_is_short() -> None:
    code = blocks("python")[0].partition("class SqlitePanel")[2]
    assert len([line for line in code.splitlines() if line.strip()]) < 60
