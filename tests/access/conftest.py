"""Commands as real processes, in a folder of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provisioner import schemas

PROVISIONER = Path(sys.executable).with_name("provisioner")


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document that standard output is; it fits its schema."""
        document = json.loads(self.out)
        assert not list(schemas.violations("results", document))
        return document


@dataclass(frozen=True)
class Shell:
    """Runs commands in a folder."""

    folder: Path

    def run(self, *words: str | Path) -> Answer:
        ours = ("PROVISIONER_", "GIT_")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        done = subprocess.run(
            [PROVISIONER, *map(str, words)],
            cwd=self.folder,
            env=clean,
            capture_output=True,
            check=False,
            timeout=60,
        )
        return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())

    def git(self, *words: str) -> None:
        name = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *name, *words], cwd=self.folder, check=True, capture_output=True)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)
