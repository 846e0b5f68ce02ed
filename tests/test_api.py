"""The Python API: what ``provisioner`` exports, as docs/api.md shows it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import provisioner

PAGE = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
ROLES = """\
version: 1
roles:
  Reader: {privileges: [ARDOCS_VIEW]}
  Clerk: {includes: [Reader], privileges: [ACCOUNTS_VIEW_DET]}
users:
  ada@example.com: {roles: [Clerk]}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and the working directory in it."""
    (tmp_path / "roles.yaml").write_text(ROLES)
    (tmp_path / "provisioner.yaml").write_text("version: 1\nsources: [roles.yaml]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_works() -> None:
    first, second = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    shown = run(first)
    assert "create Clerk" in shown
    assert "ada@example.com gains ['ACCOUNTS_VIEW_DET', 'ARDOCS_VIEW']" in shown
    assert shown.endswith("['ACCOUNTS_VIEW_DET', 'ARDOCS_VIEW']\n")
    Path("roles.yaml").write_text(ROLES.replace("ARDOCS_VIEW", "ARDOCS_VIEWS"))
    shown = run("import provisioner\ntarget = provisioner.open_target()\n" + second)
    assert "roles.yaml" in shown
    assert "ARDOCS_VIEW" in shown


def test_everything_exported_is_there_and_typed() -> None:
    for name in provisioner.__all__:
        assert getattr(provisioner, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = provisioner.nonsense


def test_importing_loads_next_to_nothing() -> None:
    loaded = run("import provisioner, sys; print(sorted(m for m in sys.modules if 'provis' in m))")
    assert loaded == "['provisioner', 'provisioner.version']\n"


def test_a_plan_is_applied_once() -> None:
    target = provisioner.open_target()
    plan = provisioner.read_plan(provisioner.write_plan(target.plan()))
    writes: list[object] = []
    outcome = target.apply(plan, on_write=writes.append)
    assert outcome.is_complete
    assert tuple(writes) == outcome.applied
    assert target.plan().is_empty
    with pytest.raises(provisioner.StalePlan):
        target.apply(plan)


def test_it_is_judged_like_any_plan() -> None:
    """Guards and policies forbid here what they forbid on the command line."""
    target = provisioner.open_target()
    assert target.apply(target.plan()).is_complete
    Path("roles.yaml").write_text(
        ROLES + "policies:\n  - {name: no viewing, deny: [ARDOCS_VIEW]}\nignore: [Nobody]\n"
    )
    plan = target.plan()
    assert "no viewing" in plan.blockers[0].message
    with pytest.raises(provisioner.Blocked):
        target.apply(plan)
    assert "ARDOCS_VIEW" in target.access(current=True).of_user("ada@example.com")


def test_a_run_that_is_stopped_says_what_was_not_tried() -> None:
    target = provisioner.open_target()
    outcome = target.apply(target.plan(), stopped=lambda: True)
    assert outcome.interrupted
    assert not outcome.applied
    assert len(outcome.not_tried) >= 3
    assert target.state().assignments == {}


def test_answers_about_sources_and_about_what_is_stored() -> None:
    target = provisioner.open_target()
    assert target.access().of_user("ADA@example.com") == {"ACCOUNTS_VIEW_DET", "ARDOCS_VIEW"}
    assert target.access(current=True).of_user("ada@example.com") == frozenset()
    held = target.explain("ada@example.com", "ARDOCS_VIEW").answer
    assert held.total == 1  # type: ignore[union-attr]
    assert target.explain("ada@example.com", "ARDOCS_VIEW", current=True).answer != held


def test_python_dash_m() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "provisioner", "plan"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert '+ role "Clerk"' in done.stdout
