"""Text for people has an end; what is left out is counted, and the named way to it works."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioner.reports.text import ceilings
from provisioner.reports.text.style import Style
from provisioner.reports.text.table import table_text
from tests.cli.conftest import shell  # noqa: F401 - a fixture
from tests.printing.running import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Shell

USERS, ROLES = 3_000, 1_200
# Ceilings are of sections; a text has a few sections, and headings.
MOST_LINES = 7_000
PRIVILEGES = (
    "ACCOUNTS_VIEW_DET",
    "ARDOCS_VIEW",
    "ARDOCS_REBUILD",
    "ORDERS_PROCESS",
    "MANAGE_OWN_DOMAINS",
    "ACCOUNTS_ACTIVATE",
)


def roles_of(user: int) -> list[str]:
    """One or two roles."""
    return sorted({f"Role {user % ROLES + 1:04}", f"Role {user % 997 + 1:04}"})


def carried(role: int) -> list[str]:
    """The privileges whose bit the role's number has."""
    return [name for bit, name in enumerate(PRIVILEGES) if role >> bit & 1]


def sources() -> str:
    """Many roles that nobody needs, and many users, no two of whom hold the same."""
    roles = "".join(
        f"  Role {n:04}: {{privileges: [{', '.join(carried(n))}]}}\n" for n in range(1, ROLES + 1)
    )
    users = "".join(
        f"  user{n:04}@example.com: {{roles: [{', '.join(roles_of(n))}]}}\n" for n in range(USERS)
    )
    return (
        f"version: 1\nroles:\n  Sensitive: {{privileges: [CONFIG_SECURITY]}}\n{roles}"
        f"users:\n  zoe@example.com: {{roles: [Sensitive]}}\n{users}"
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a large world that is applied, and sources that take it away again."""
    folder = tmp_path_factory.mktemp("large")
    former = Path.cwd()
    os.chdir(folder)
    try:
        Path("all.yaml").write_text(sources())
        Path("old.yaml").write_text(
            "version: 1\nroles: {Aaa: {privileges: [ARDOCS_VIEW]}}\nusers: {}\n"
        )
        Path("provisioner.yaml").write_text(
            "version: 1\nsources: [all.yaml]\n"
            "safety: {max_change_percent: 100, max_deletes: 9999}\n"
        )
        assert run(["apply", "old.yaml", "--auto-approve", "-q"], "utf-8").code == 0
        Path("first.txt").write_bytes(run(["plan"], "utf-8").out)
        Path("first.json").write_bytes(run(["plan", "--format", "json"], "utf-8").out)
        Path("first-v.txt").write_bytes(run(["plan", "-v"], "utf-8").out)
        applied = run(["apply", "--auto-approve"], "utf-8")
        assert applied.code == 0, applied.err
        yield folder
    finally:
        os.chdir(former)


def text_of(words: str) -> str:
    """What a command line prints."""
    printed = run(words.split(" "), "utf-8")
    assert printed.code in {0, 1, 2, 3}, printed.err.decode()
    return printed.out.decode()


@pytest.mark.parametrize(
    "words",
    [
        "plan old.yaml",
        "access",
        "access --by role",
        "access --by privilege",
        "access --current",
        "access --diff --source old.yaml",
        "access --diff --by role --source old.yaml",
        "access --against old.yaml",
        "explain Sensitive CONFIG_SECURITY",
        "explain zoe@example.com ARDOCS_VIEW",
        "revoke zoe@example.com CONFIG_SECURITY",
        "roles",
        "users",
        "privileges",
        "history",
        "lint",
        "test",
        "validate",
        "doctor",
    ],
)
@pytest.mark.usefixtures("large")
def test_text_has_an_end(words: str) -> None:
    assert text_of(words).count("\n") < MOST_LINES


@pytest.mark.usefixtures("large")
def test_who_is_not_shown_in_a_review_is_counted_and_found_by_name() -> None:
    text = text_of("access")
    hidden = number(r"Not shown: ([\d,]+) users more", text)
    shown = sum(
        line.count("@") + more(line) for line in text.splitlines() if re.match(r"(user|zoe)", line)
    ) + sum(line.count("@") for line in text.splitlines() if re.match(r"    user\d+@", line))
    assert hidden > 0
    assert shown + hidden == USERS + 1
    assert f"{USERS + 1:,} users." in text
    assert "user2999@example.com" in text_of("access --user user2999*")
    assert text_of("access --format csv").count("\n") > USERS
    assert len(json.loads(text_of("access --format json"))["rows"]) == USERS + 1
    assert "Not shown" not in text_of("access -v")
    assert "user2999@example.com" in text_of("access -v")


@pytest.mark.usefixtures("large")
def test_the_rows_of_a_table_that_are_left_out_are_counted() -> None:
    for words, total in (("users", USERS + 1), ("roles", ROLES + 4)):
        text = text_of(words)
        hidden = number(r"Not shown: ([\d,]+) more \(-v shows them all", text)
        assert hidden == total - ceilings.ROWS
        assert "Not shown" not in text_of(f"{words} -v")
        assert len(json.loads(text_of(f"{words} --format json"))[words]) == total
    assert "user2999@example.com" in text_of("users --search user2999")


@pytest.mark.usefixtures("large")
def test_findings_that_are_left_out_are_counted_by_kind() -> None:
    text, found = text_of("lint"), json.loads(text_of("lint --format json"))["findings"]
    rest = re.search(r"^and ([\d,]+) more: (.*?) \(-v", text.replace("\n    ", " "), re.MULTILINE)
    assert rest is not None
    shown = len(re.findall(r"\[[a-z-]+\]$", text, re.MULTILINE))
    kinds = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) [a-z-]+", rest[2])]
    assert sum(kinds) == int(rest[1].replace(",", "")) == len(found) - shown
    notes = sum(each["severity"] == "note" for each in found)
    assert f"{len(found) - notes:,} warnings and {notes} notes in 1 file" in text


def test_a_plan_that_is_cut_shows_the_gravest_and_counts_the_rest(large: Path) -> None:
    """Deletions, and who gains what is sensitive, stand before the cut wherever they sort."""
    text = (large / "first.txt").read_text()
    plan = json.loads((large / "first.json").read_text())
    assert '- role "Aaa"' in text
    assert '+ role "Sensitive"' in text
    assert "~ user zoe@example.com" in text
    assert text.index("~ user zoe@example.com") < text.index("Effective access")
    shown = len(re.findall(r"^  [-+~] ", text, re.MULTILINE))
    hidden = number(r"Not shown above: ([\d,]+) of", text)
    assert shown + hidden == len(plan["changes"])
    line = re.search(r"Not shown above: .*\n.*\n", text)
    assert line is not None
    counts = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) (?:role|user)s? to", line[0])]
    assert sum(counts) == hidden
    assert text.index("Not shown above") < text.index("\nPlan: ")
    whole = (large / "first-v.txt").read_text()
    assert "Not shown" not in whole
    assert len(re.findall(r"^  [-+~] ", whole, re.MULTILINE)) == len(plan["changes"])


def test_people_who_are_left_out_of_a_plan_are_counted(large: Path) -> None:
    text = (large / "first.txt").read_text()
    plan = json.loads((large / "first.json").read_text())
    section = text.partition("Effective access, over all roles:\n")[2]
    first = section.splitlines()[0]
    assert "zoe@example.com" in first
    assert len(plan["impact"]) == USERS + 1 - sum(not user_gains(n) for n in range(USERS))


def user_gains(number: int) -> bool:
    """Whether the roles of a user carry anything."""
    return any(carried(int(role[5:])) for role in roles_of(number))


def test_the_question_says_what_was_not_shown(shell: Shell) -> None:  # noqa: F811 - the fixture
    shell.write("all.yaml", sources())
    answer = shell.on_a_terminal("apply", "all.yaml", keys="no\n", after="accepted")
    assert answer.code == 1
    question = answer.out[answer.out.rindex("Apply all changes") :]
    assert re.search(r"also those not shown above \([\d,]+ of [\d,]+ changes: ", question)
    assert "no changes" not in shell("plan", "all.yaml", "-q").out.lower()


def test_a_plan_that_is_shown_whole_asks_as_ever(shell: Shell) -> None:  # noqa: F811 - the fixture
    shell.write("r.yaml", "version: 1\nroles: {A: {privileges: [ARDOCS_VIEW]}}\n")
    answer = shell.on_a_terminal("apply", "r.yaml", keys="no\n", after="accepted")
    assert "Apply these changes? Only `yes` is accepted" in answer.out


def test_of_a_long_history_the_latest_runs_are_shown() -> None:
    rows = [[str(n), "at"] for n in range(ceilings.ROWS + 7)]
    text = table_text(("run", "at"), rows, Style(), last=True)
    assert "Not shown: 7 earlier (-v shows them all, --format json has them)." in text
    assert text.splitlines()[-1].split()[0] == str(ceilings.ROWS + 6)
    assert "\n6 " not in text
    assert "\n7 " in text
    assert (
        table_text(("run", "at"), rows, Style(every=True), last=True).count("\n") == len(rows) + 2
    )


def test_of_a_long_list_the_rest_is_counted() -> None:
    names = [f"N{n:03}" for n in range(250)]
    style = Style()
    assert style.names(names).endswith(f"N099 and {250 - ceilings.NAMES} more (-v shows them all)")
    assert Style(every=True).names(names).endswith("N248, N249")
    assert style.names(names[:2]) == "N000, N001"


def number(pattern: str, text: str) -> int:
    """The one number that a pattern finds, written with commas."""
    found = re.search(pattern, text)
    assert found is not None, pattern
    return int(found[1].replace(",", ""))


def more(line: str) -> int:
    """How many more a line says there are."""
    found = re.search(r" and ([\d,]+) more", line)
    return int(found[1].replace(",", "")) if found else 0
