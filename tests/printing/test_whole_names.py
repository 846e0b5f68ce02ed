"""Names with blanks in them stay on one line, in whatever sentence they stand."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioner.reports.text.style import Style, page, paragraph, whole, wrapped
from tests.printing.running import run

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLES = [f"Senior Account Manager of Region Number {n:02}" for n in range(12)]
USERS = [f"Ada Lovelace of the {n:02}th Analytical Engine" for n in range(9)]
FILE = "a folder with blanks/roles of the whole house.yaml"
POLICY = "Nobody sees what others wrote"
NAMES = (*ROLES, *USERS, FILE)


def sources() -> str:
    roles = "\n".join(
        f"  {name}:\n    privileges: [ARDOCS_VIEW, ACCOUNTS_VIEW_DET]\n"
        + (f"    includes: [{', '.join(ROLES[max(n - 3, 0) : n])}]" if n else "")
        for n, name in enumerate(ROLES)
    )
    users = "\n".join(
        f"  {name}: {{roles: [{', '.join(ROLES[n : n + 4])}]}}" for n, name in enumerate(USERS)
    )
    dated = f"  Zed the Last One of them: {{roles: [{{role: {ROLES[3]}, until: 2126-11-27}}]}}"
    return f"version: 1\nroles:\n{roles}\nusers:\n{users}\n{dated}\n"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder where every name has blanks, applied."""
    folder = tmp_path_factory.mktemp("house")
    former = Path.cwd()
    os.chdir(folder)
    try:
        Path(FILE).parent.mkdir()
        Path(FILE).write_text(sources())
        Path("empty.yaml").write_text("version: 1\nroles: {}\nusers: {}\n")
        Path("rules.yaml").write_text(
            sources()
            + f"policies:\n  - name: {POLICY}\n    restrict: "
            + f"{{roles: [{ROLES[0]}], only_users: [{USERS[0]}]}}\n"
        )
        Path("provisioner.yaml").write_text(
            f'version: 1\nsources: ["{FILE}"]\n'
            "safety: {max_change_percent: 100, max_deletes: 99}\n"
        )
        Path("first.txt").write_bytes(run(["plan"], "utf-8").out)
        assert run(["apply", "--auto-approve"], "utf-8").code == 0
        yield folder
    finally:
        os.chdir(former)


COMMANDS = (
    ("access",),
    ("access", "--by", "role"),
    ("access", "--by", "privilege"),
    ("access", "--diff", "--source", "empty.yaml"),
    ("revoke", USERS[4], "ARDOCS_VIEW"),
    ("explain", USERS[4]),
    ("explain", USERS[4], "ARDOCS_VIEW"),
    ("explain", USERS[4], "ORDERS_PROCESS"),
    ("explain", ROLES[7]),
    ("explain", ROLES[7], "ARDOCS_VIEW"),
    ("plan", "empty.yaml"),
    ("plan", "-v", "empty.yaml"),
    ("roles",),
    ("users",),
    ("lint",),
)


def broken(text: str) -> list[str]:
    """Where a name goes on behind the end of a line."""
    lines = text.splitlines()
    starts = {
        tuple(name.split()[:size]): name.split()[size]
        for name in NAMES
        for size in range(2, len(name.split()))
    }
    return [
        f"{line} | {following}"
        for line, following in pairwise(lines)
        for start, rest in starts.items()
        if tuple(line.split()[-len(start) :]) == start and following.split()[:1] == [rest]
    ]


@pytest.mark.parametrize("words", [*COMMANDS, ("plan", "rules.yaml")], ids=" ".join)
@pytest.mark.usefixtures("house")
def test_no_name_is_broken_at_a_blank(words: tuple[str, ...]) -> None:
    text = run(list(words), "utf-8").out.decode()
    assert any(name in text for name in NAMES)
    assert not broken(text)


def test_no_name_of_a_first_plan_is_broken(house: Path) -> None:
    text = (house / "first.txt").read_text()
    assert all(name in text for name in NAMES)
    assert not broken(text)


def test_what_is_quoted_stays_whole() -> None:
    """Messages put names, and commands to be copied, in backquotes."""
    text = "a few words and then a role `Senior Account Manager` that is held"
    assert "`Senior Account Manager`" in "\n".join(wrapped(text, 40)).splitlines()[1]


def test_a_name_longer_than_a_line_has_one_of_its_own() -> None:
    name = "Senior " * 12
    lines = paragraph(f"held by {whole(name.strip())}, who else", Style(width=40))
    assert lines[1] == f"{name.strip()}, who" or lines[1].startswith(name.strip())
    assert page([whole("a b")]) == "a b\n"
