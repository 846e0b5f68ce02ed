"""What users install: built, installed and run away from the source tree, without a network."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import provisioner

ROOT = Path(__file__).parent.parent
ROLES = """\
version: 1
roles:
  Account Reader:
    description: Looks at accounts
    privileges: [ACCOUNTS_VIEW_DET]
"""


@dataclass(frozen=True)
class Installed:
    """A fresh environment that holds the wheel, and an empty folder to work in."""

    environment: Path
    folder: Path

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        scripts = sysconfig.get_path("scripts", "venv", {"base": str(self.environment)})
        return run(str(Path(scripts, program)), *arguments, cwd=self.folder)


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a real process, in an environment that points to no other Python code."""
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PROVISIONER"))
    }
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, and the wheel built from it: so the sdist is shown to be complete."""
    folder = tmp_path_factory.mktemp("dist")
    build = run(
        *(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)),
        cwd=folder,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (wheel,) = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    environment = folder / "environment"
    venv = run(sys.executable, "-m", "venv", "--without-pip", str(environment), cwd=folder)
    assert venv.returncode == 0, venv.stderr
    python = Path(sysconfig.get_path("scripts", "venv", {"base": str(environment)}), "python")
    pip = run(
        *(sys.executable, "-m", "pip", "--python", str(python), "install"),
        *("--quiet", "--no-index", "--no-deps", str(wheel)),
        cwd=folder,
    )
    assert pip.returncode == 0, pip.stdout + pip.stderr
    # The dependencies are taken from the environment that runs the tests. A line in a .pth file
    # adds a folder to the path, but does not obey the .pth files in it: the source tree, installed
    # there as editable, stays out of sight.
    ours = Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)}))
    theirs = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (ours / "dependencies.pth").write_text("\n".join(sorted(theirs)) + "\n", encoding="utf-8")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return Installed(environment, elsewhere)


def test_the_wheel_carries_schemas_data_types_and_licence(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    schemas = {file.name for file in (ROOT / "schemas").glob("*.schema.json")}
    assert schemas
    assert {f"provisioner/_schemas/{name}" for name in schemas} <= names
    data = {file.name for file in (ROOT / "provisioner" / "data").iterdir() if file.is_file()}
    assert {f"provisioner/data/{name}" for name in data} <= names
    assert "provisioner/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_wheel_carries_nothing_else(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"provisioner", f"provisioner-{provisioner.__version__}.dist-info"}


def test_the_sdist_carries_tests_and_locked_requirements(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "Makefile",
        "requirements/dev.txt",
        "tests/test_package.py",
        "schemas/roles.schema.json",
    } <= names


def test_the_installed_package_is_the_one_that_runs(installed: Installed) -> None:
    shown = installed.run("python", "-c", "import provisioner; print(provisioner.__file__)")
    assert Path(shown.stdout.strip()).is_relative_to(installed.environment), shown.stderr


def test_the_installed_command_tells_its_version(installed: Installed) -> None:
    shown = installed.run("provisioner", "--version")
    assert shown.returncode == 0, shown.stderr
    assert provisioner.__version__ in shown.stdout


def test_the_installed_command_validates_with_the_schemas_of_the_wheel(
    installed: Installed,
) -> None:
    (installed.folder / "roles.yaml").write_text(ROLES, encoding="utf-8")
    shown = installed.run("provisioner", "validate", "roles.yaml")
    assert shown.returncode == 0, shown.stdout + shown.stderr


def test_the_installed_command_refuses_what_the_schemas_refuse(installed: Installed) -> None:
    (installed.folder / "wrong.yaml").write_text(f"{ROLES}rolls: 1\n", encoding="utf-8")
    shown = installed.run("provisioner", "validate", "wrong.yaml")
    assert shown.returncode == 1, shown.stdout + shown.stderr
    assert "wrong.yaml:6:1" in shown.stdout + shown.stderr
