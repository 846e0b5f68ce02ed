"""Mistakes that are easily made, and words that put them right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioner.catalogue import from_document, shipped
from provisioner.desired.load import load
from provisioner.desired.surroundings import Surroundings
from provisioner.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.diagnostics import Diagnostic
    from provisioner.model import Catalogue


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.yaml"


def refused(
    file: Path, text: str, catalogue: Catalogue | None = None, external: tuple[str, ...] = ()
) -> list[Diagnostic]:
    """What is wrong with a roles file of this text."""
    file.write_text("version: 1\n" + text)
    with pytest.raises(InvalidInput) as raised:
        load([str(file)], Surroundings(catalogue or shipped(), external=external))
    return list(raised.value.diagnostics)


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("roles: {A: {privileges: [*]}}\n", "a plain `*` is no text", 'quote it: "*"'),
        ("roles:\n  A:\n    privileges:\n      - *\n", "a plain `*` is no text", 'quote it: "*"'),
        ("users: {ada: [Full Access]}\n", "must be a mapping", "write {roles: [Full Access]}"),
        ("users: {ada: Full Access}\n", "must be a mapping", "write {roles: [Full Access]}"),
        ("users: {ada: ['a: b']}\n", "must be a mapping", "write {roles: [...]}"),
        ("roles: {A: [ARDOCS_*]}\n", "must be a mapping", "write {privileges: [...]}"),
        (
            "privilege_sets: {base: [ARDOCS_VIEW], more: [base]}\n",
            "`base` is no privilege but a privilege set, and sets do not nest",
            "name it under `sets` of a role",
        ),
        (
            "privilege_sets: {base: [ARDOCS_VIEW]}\nroles: {A: {privileges: [base]}}\n",
            "`base` is no privilege but a privilege set",
            "name it under `sets` of a role",
        ),
        (
            "roles: {A: {privileges: [customer accounts]}}\n",
            "there is no privilege",
            "`provisioner privileges --search 'customer accounts'` lists what there is",
        ),
        (
            "roles: {A: {privileges: [access entity usage]}}\n",
            "there is no privilege",
            "`provisioner privileges` lists what there is",
        ),
        (
            "roles: {A: {privileges: ['*no such thing*']}}\n",
            "matches no privilege",
            "`provisioner privileges` lists what there is",
        ),
        (
            "users: {strasse@x: {roles: []}, straße@x: {roles: []}}\n",
            "is `strasse@x` in other letters, without regard to case, and declared at",
            "keep one of them",
        ),
    ],
)
def test_a_mistake_is_told_in_our_words(file: Path, text: str, message: str, remedy: str) -> None:
    (found,) = refused(file, text)
    assert message in found.message
    assert found.remedy == remedy


@pytest.mark.parametrize("old", ["Auditor", "AUDITOR"])
def test_a_role_of_others_can_not_be_renamed(file: Path, old: str) -> None:
    """Neither can an ignored one: it would go on with another name."""
    text = f"roles: {{Mine: {{renamed_from: {old}}}}}\n"
    (found,) = refused(file, text, external=("Auditor",))
    assert found.id == "bad-rename"
    assert "is external, and somebody else manages it" in found.message


def emea() -> Catalogue:
    return from_document({"version": 1, "privileges": [{"name": "P1"}, {"name": "P2"}]}, "emea")


def naming(*names: str) -> str:
    return f"roles: {{A: {{privileges: [{', '.join(names)}]}}}}\n"


def test_where_hardly_a_name_is_known_the_catalogue_is_doubted(file: Path) -> None:
    """That is said first; the names follow."""
    strange = [f"OTHER_{n}" for n in range(30)]
    first, *rest = refused(file, naming(*strange), emea())
    assert first.id == "wrong-catalogue"
    assert first.message == (
        "none of the 30 privileges that the sources name is in the catalogue `emea`"
    )
    assert len(rest) == 30
    first, *_ = refused(file, naming("P1", *strange), emea())
    assert first.message.startswith("only 1 of the 31 privileges")


def test_a_few_unknown_names_are_just_mistakes(file: Path) -> None:
    """Nobody doubts the catalogue then."""
    few = refused(file, naming("A", "B", "C"), emea())
    known = [f"P{n}" for n in range(100)]
    large = from_document({"version": 1, "privileges": [{"name": name} for name in known]}, "x")
    many = refused(file, naming(*known, *(f"OTHER_{n}" for n in range(30))), large)
    assert {found.id for found in (*few, *many)} == {"unknown-privilege"}
