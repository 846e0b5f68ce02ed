"""Names that only look alike: roles are refused, logins are said."""

from __future__ import annotations

import pytest

from provisioner.engine.planning.logins import login_notes
from provisioner.model import Assignment, DatedRole, DesiredState, DesiredUser, State
from provisioner.names import look_alikes, oddity

ALIKE = [
    *(("Full Access", f"Full{blank}Access") for blank in ("\u00a0", "  ", "\u3000", "\u2009 ")),
    *(("Full Access", f"Full{hyphen}Access") for hyphen in ("\u2010", "\u2011")),
    *(("Read-Only", f"Read{dash}Only") for dash in "\u2010\u2011\u2012\u2013\u2014\u2212\uff0d"),
    ("Sales", "S\u0430les"),  # a Cyrillic letter
    ("Sales", "\uff33ales"),  # one of full width
    ("Finance", "F\u0131nance"),  # one without a dot, of the same script
    ("ada@example.com", "\u0430da@example.com"),
    ("\u0430", "\u03b1"),  # neither is Latin
    ("a\u2013b", "a\u2014b"),
    ("it's", "it\u2019s"),
]
DIFFERENT = [
    ("Sales", "Saies"),
    ("Sales", "SALES"),
    ("Read-Only", "Read Only"),
    ("M\u00fcller", "Muller"),
    ("Jos\u00e9", "Jose"),
    ("\u0141\u00f3d\u017a", "Lodz"),
    ("\u0431\u0443\u0445", "\u0443\u0447\u0451\u0442"),
    ("\u65e5\u672c", "\u65e5\u6c34"),
    ("Caf\u00e9-Bar", "Caf\u00e9 Bar"),
]


@pytest.mark.parametrize(("name", "other"), ALIKE)
def test_one_can_be_mistaken_for_the_other(name: str, other: str) -> None:
    assert look_alikes([name], [other, "Something else"]) == {name: other}
    assert look_alikes([other], [name]) == {other: name}


@pytest.mark.parametrize(("name", "other"), DIFFERENT)
def test_a_reader_can_tell_them_apart(name: str, other: str) -> None:
    assert look_alikes([name, other], [name, other]) == {}


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("Full\u00a0Access", "U+00A0 NO-BREAK SPACE"),
        ("Full  Access", "several blanks in a row"),
        ("S\u0430les", "U+0430 CYRILLIC SMALL LETTER A"),
    ],
)
def test_what_nobody_sees_is_named(name: str, odd: str) -> None:
    assert oddity(name) == odd


def said(declared: str, stored: str, also_declared: str | None = None) -> list[str]:
    """What the plan says about logins."""
    users = {
        login.casefold(): DesiredUser(login, (DatedRole("A"),))
        for login in (declared, also_declared)
        if login is not None
    }
    assignments = {stored.casefold(): Assignment(stored, frozenset({"A"}))}
    found = login_notes(DesiredState(users=users), State(assignments=assignments))
    return [note.message for note in found]


def test_a_login_that_looks_like_a_stored_one_is_said() -> None:
    """Once: where the other is declared too, reading the sources says so."""
    (message,) = said("\u0430da@example.com", "ada@example.com")
    assert message.startswith("look-alike: ")
    assert not said("\u0430da@example.com", "ada@example.com", "ada@example.com")


def test_a_login_that_is_the_stored_one_in_other_letters_is_said() -> None:
    """They are one user, for logins are compared without regard to case."""
    (message,) = said("stra\u00dfe@example.com", "strasse@example.com")
    assert "is the stored user `strasse@example.com`" in message
    assert not said("Ada@example.com", "ada@example.com")
    assert not said("STRASSE@example.com", "strasse@example.com")
    assert not said("\u00c9va", "\u00e9va")
