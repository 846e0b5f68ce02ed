"""One prepared folder for all tests of a process."""

from __future__ import annotations

import pytest

from tests.reports.commands import Place, prepare


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A folder with a project that was applied, and a saved plan."""
    folder = tmp_path_factory.mktemp("reports")
    (folder / "template").mkdir()
    return Place(prepare(folder / "template"), folder / "copy")
