"""However many mistakes there are, and however long: what is said can be read, and is exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner import schemas
from provisioner.desired.hints import Hints
from provisioner.diagnostics import SHOWN_IN_FULL, Diagnostic
from provisioner.model import Place
from provisioner.names import did_you_mean
from provisioner.reports.text.diagnostics import Ceiling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Shell


def many(number: int) -> str:
    """A file in which each role includes one that is mistyped, and some a wrong privilege."""
    lines = ["version: 1", "roles:"]
    for n in range(number):
        wrong = "NO_SUCH" if n % 10 == 0 else "ARDOCS_VIEW"
        lines.append(f"  Team {n:04}: {{includes: [Taem {n:04}], privileges: [{wrong}]}}")
    return "\n".join(lines) + "\n"


def test_the_first_fifty_in_full_then_counts_by_kind(shell: Shell) -> None:
    """In the order of the file, with near names for all that are shown."""
    shell.write("a.yaml", many(100))
    answer = shell("validate", "a.yaml")
    lines = answer.err.splitlines()
    assert sum(": error: " in line for line in lines) == SHOWN_IN_FULL
    assert lines[-2] == "and 60 more: 5 unknown-privilege, 55 unknown-role"
    assert lines[-1] == "110 errors; nothing was changed"
    assert sum("did you mean Team" in line for line in lines) == 45


def test_json_counts_the_rest_as_well(shell: Shell) -> None:
    """What is not listed is under `more`; where all are listed, there is no such key."""
    shell.write("a.yaml", many(100))
    document = shell("plan", "a.yaml", "--format", "json").document
    assert schemas.valid("results", document)
    assert len(document["errors"]) == SHOWN_IN_FULL
    assert document["more"] == {"unknown-privilege": 5, "unknown-role": 55}
    shell.write("a.yaml", many(10))
    assert "more" not in shell("plan", "a.yaml", "--format", "json").document


def test_warnings_have_the_same_ceiling(shell: Shell) -> None:
    """In text and in JSON."""
    users = "".join(f"  a{n}@x: {{roles: []}}\n  \u0430{n}@x: {{roles: []}}\n" for n in range(60))
    shell.write("a.yaml", f"version: 1\nusers:\n{users}")
    answer = shell("validate", "a.yaml")
    assert answer.err.splitlines()[-1] == "and 10 more: 10 look-alike-login (warnings)"
    document = shell("validate", "a.yaml", "--format", "json").document
    assert schemas.valid("results", document)
    assert (len(document["warnings"]), document["more"]) == (50, {"look-alike-login": 10})


def test_a_long_text_is_shown_by_its_ends(shell: Shell) -> None:
    """A key of a million characters is no reason to print a million."""
    shell.write("a.yaml", f'version: 1\n? "a{"x" * 1_000_000}z"\n: 1\n')
    answer = shell("validate", "a.yaml")
    assert "unknown key `ax" in answer.err
    assert "xz`" in answer.err
    assert "characters left out" in answer.err
    assert len(answer.err) < 3000


def test_a_remedy_is_bounded_too() -> None:
    """Its middle goes, and how much that was is said."""
    (shown,) = Ceiling.over([Diagnostic("x", "y", None, "a" * 5000)]).shown
    assert shown.remedy is not None
    assert "[... 3,000 characters left out ...]" in shown.remedy


class Counting(list[str]):
    """Names that count how often they are gone through."""

    times = 0

    def __iter__(self) -> Iterator[str]:
        self.times += 1
        return super().__iter__()


def test_near_names_are_looked_for_where_they_are_shown_only() -> None:
    """For the first fifty in the order of their places, not in the order of finding them."""
    hints, known = Hints(), Counting(["Viewer"])
    found = [
        hints.expect(Diagnostic("a", "b", Place("f", 1000 - n, 1), "else"), "Veiwer", known)
        for n in range(1000)
    ]
    given = hints.given(found)
    assert known.times == SHOWN_IN_FULL
    assert [d.place for d in given] == sorted(d.place for d in found if d.place)
    assert [d.remedy for d in given[:50]] == ["did you mean Viewer?"] * 50
    assert {d.remedy for d in given[50:]} == {"else"}


def test_a_near_name_is_found_among_many() -> None:
    """Only the likeliest of many are compared letter by letter."""
    known = [f"Team {n:05}" for n in range(20_000)]
    assert (did_you_mean("Taem 12345", known) or "").startswith("did you mean Team 12345")
    assert did_you_mean("x" * 10_000_000, known) is None
