"""The backends that ship with provisioner keep the contract."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from provisioner.backends.file import FileBackend
from provisioner.model import Capabilities, Role, State
from provisioner.testing import MemoryBackend
from provisioner.testing.contract import BackendContract, Factory

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.backends.base import Backend

INITIAL = State({"Full Access": Role("Full Access", privileges=frozenset({"CONFIG_SECURITY"}))})


class TestFileBackend(BackendContract):
    """One JSON file."""

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Factory:
        """Return handles to a state file that does not exist yet."""
        return lambda: FileBackend(tmp_path / "new" / "state.json", INITIAL)


class TestMemoryBackend(BackendContract):
    """Memory, committing as a whole."""

    @pytest.fixture
    def backend(self) -> Factory:
        """Return handles to one store in memory."""
        return MemoryBackend(INITIAL).handle


class TestObjectwiseMemoryBackend(BackendContract):
    """Memory, writing object by object."""

    @pytest.fixture
    def backend(self) -> Factory:
        """Return handles to one store in memory that can't commit."""
        return MemoryBackend(INITIAL, atomic=False).handle


class TestPoorMemoryBackend(BackendContract):
    """Memory that has names and privileges, and nothing else."""

    @pytest.fixture
    def backend(self) -> Factory:
        """Return handles to one store in memory with the fewest capabilities."""
        nothing = Capabilities(
            assignments=False,
            includes=False,
            descriptions=False,
            renames=False,
            protection=False,
            recording=False,
        )
        return MemoryBackend(INITIAL, atomic=False, capabilities=nothing).handle


def test_both_backends_are_backends(tmp_path: Path) -> None:
    """The type checker agrees that the protocol is met."""
    backends: list[Backend] = [FileBackend(tmp_path / "s.json", INITIAL), MemoryBackend()]
    assert [backend.describe().kind for backend in backends] == ["file", "memory"]


def test_importing_the_memory_backend_needs_no_pytest() -> None:
    """``provisioner.testing`` may be imported where pytest is not installed."""
    code = "import sys, provisioner.testing; sys.exit('pytest' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
