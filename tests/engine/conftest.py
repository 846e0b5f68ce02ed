"""Sources as text, where a test is about the lines that they stand in."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from provisioner.desired.load import load
from provisioner.desired.surroundings import Surroundings
from provisioner.model import DesiredState
from tests.engine.build import SHIPPED

if TYPE_CHECKING:
    from pathlib import Path

Sources = Callable[[str], DesiredState]


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    """Makes a desired state of a text; the text begins in line 2 of ``roles.yaml``."""
    monkeypatch.chdir(tmp_path)

    def read(text: str) -> DesiredState:
        (tmp_path / "roles.yaml").write_text("version: 1\n" + dedent(text).lstrip("\n"))
        return load(("roles.yaml",), Surroundings(SHIPPED, external=("Regional",))).desired

    return read
