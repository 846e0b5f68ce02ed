"""Globs know only ``*``, and take their time in no case."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner import globs

NAMES = st.text("AB_\n", max_size=10)


@settings(max_examples=400, deadline=None)
@given(st.text("AB_*", max_size=8), NAMES)
def test_globs_match_what_the_shells_globs_match(glob: str, name: str) -> None:
    """As long as the glob holds no character but ``*`` that is special to a shell."""
    assert globs.matches(glob, name) is fnmatchcase(name, glob)


@settings(max_examples=400, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4), NAMES)
def test_a_glob_matches_whatever_stands_for_its_stars(parts: list[str], filling: str) -> None:
    """By construction."""
    assert globs.matches("*".join(parts), filling.join(parts))


@pytest.mark.parametrize("special", ["?", "[A]", "[!A]", "{A,B}", ".", "\\", "^$", "(A|B)+"])
def test_nothing_else_is_special(special: str) -> None:
    """Every other character stands for itself."""
    assert globs.matches(f"{special}*", f"{special}_VIEW")
    assert not globs.matches(special, "A")


def test_privileges_are_told_apart_by_case_and_roles_are_not() -> None:
    """As the panel does."""
    assert not globs.matches("ardocs_*", "ARDOCS_VIEW")
    assert globs.matches_caseless("legacy *", "LEGACY Sales")
    assert globs.matches_caseless("STRASSE*", "straße 12")


def test_a_hostile_glob_comes_to_an_end() -> None:
    """Many stars do not mean many ways to try: those would outlast any limit of time."""
    assert not globs.matches("*A" * 60 + "B", "A" * 5000)
    assert not globs.matches("*" * 5000 + "B", "A" * 5000)
