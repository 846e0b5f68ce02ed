"""Who reads what is printed, and what each of them obeys. Written from their own descriptions.

Nothing here is shared with the code under test.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from io import StringIO

# What .NET's TrimStart takes off a line, as GitHub's runner does.
_DOTNET_BLANKS = (
    "\t\n\v\f\r\x85\xa0 \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_INVISIBLE = {"\u115f", "\u3164", "\u2800", "\ufe0f", "\U000e0041"}
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def github(line: str) -> bool:
    """actions/runner, ActionCommand.cs: the second form, then the first."""
    return line.strip(_DOTNET_BLANKS).startswith("::") or re.search(r"##\[", line) is not None


def azure(line: str) -> bool:
    """azure-pipelines-agent, Command.cs."""
    return "##vso[" in line.lower() or "##[" in line


def teamcity(line: str) -> bool:
    """Service messages."""
    return "##teamcity[" in line


def gitlab(line: str) -> bool:
    """Collapsible sections of job logs."""
    return re.search(r"section_(start|end):\d+:", line) is not None


def travis(line: str) -> bool:
    """Folds and timers of the log."""
    return re.search(r"travis_(fold|time):", line) is not None


def buildkite(line: str) -> bool:
    """Groups of the log."""
    return re.match(r"(---|\+\+\+|~~~|\^\^\^)(\s|$)", line) is not None


RUNNERS = (github, azure, teamcity, gitlab, travis, buildkite)


def obeyed(text: str) -> list[str]:
    """What a runner or a terminal would obey in a text: the reader and the line."""
    found = [
        f"{runner.__name__}: {line!r}"
        for line in re.split(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text)
        for shown in {line, _ANSI.sub("", line)}
        for runner in RUNNERS
        if runner(shown)
    ]
    return found + [f"terminal: {c!r}" for c in set(text) if _is_control(c)]


def _is_control(character: str) -> bool:
    if character in "\n\t":
        return False
    unsafe = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return unicodedata.category(character) in unsafe or character in _INVISIBLE


def calculated(sheet: str) -> list[str]:
    """The cells that a spreadsheet would calculate, whichever list separator it thinks of."""
    cells = [
        cell
        for delimiter in ",;\t"
        for row in csv.reader(StringIO(sheet), delimiter=delimiter)
        for cell in row
    ]
    cells += [part for line in sheet.splitlines() for part in line.split(";")[1:]]
    return [cell for cell in cells if cell.strip(_DOTNET_BLANKS + '"').startswith(_SIGNS)]
