"""Until it is published under a name of its own, provisioner is installed from a file or a folder.

On PyPI its name belongs to somebody else's package; a name that nobody holds, anybody can take.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SUFFIXES = {".md", ".py", ".yaml", ".json", ".toml", ".txt"}
FROM_AN_INDEX = re.compile(
    r"""\b(?:pip3?|pipx|uv|uvx|poetry|pdm|conda|easy_install)\b   # what installs
        [^\n`#]*?[\s'"]provisioner                                # a project, by its name
        (?![\w./-])
      | provisioner\[                                             # a project, with an extra
    """,
    re.VERBOSE,
)


def texts() -> list[Path]:
    """Everything that tells a user what to do: pages, messages, examples, metadata."""
    below = [ROOT / name for name in ("docs", "examples", "provisioner", "schemas", "requirements")]
    found = [*ROOT.glob("*.md"), ROOT / "pyproject.toml", ROOT / "Makefile"]
    found += [file for folder in below for file in folder.rglob("*") if file.suffix in SUFFIXES]
    return sorted(found)


def test_nothing_tells_to_install_a_strangers_package() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {match[0]}"
        for file in texts()
        for match in FROM_AN_INDEX.finditer(file.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_the_pages_and_messages_are_looked_at() -> None:
    looked_at = {str(file.relative_to(ROOT)) for file in texts()}
    assert {"README.md", "CHANGELOG.md", "docs/gateway.md", "provisioner/cli/commands/serve.py"} < (
        looked_at
    )


@pytest.mark.parametrize(
    "text",
    [
        "$ pip install provisioner",
        "pip install 'provisioner[server]'",
        'pip3 install --upgrade "provisioner==1.0"',
        "python -m pip install -q provisioner",
        "run `pipx install provisioner` or",
        "uv tool install provisioner",
        "uvx provisioner plan",
        "install its extra `provisioner[postgresql]`",
    ],
)
def test_such_an_advice_is_found(text: str) -> None:
    assert FROM_AN_INDEX.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "$ pip install .                     # gives `provisioner`",
        "pip install '.[server]'",
        "pip install './provisioner-0.1.0-py3-none-any.whl[server]'",
        "pip install dist/provisioner-0.1.0-py3-none-any.whl",
        "pip install ./provisioner/",
        "$ provisioner plan",
    ],
)
def test_a_folder_or_a_file_is_fine(text: str) -> None:
    assert not FROM_AN_INDEX.search(text)
