"""Switching findings off: by line, by file, by project; and what counts as a comment."""

from __future__ import annotations

import pytest

from provisioner.desired.yaml.comments import find_ignores

LINT = "# provisioner: ignore[unused-set]"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"a: 1 {LINT}\n", [(1, 6, "line")]),
        (f"{LINT}\nversion: 1\n", [(1, 1, "file")]),
        (f"# yaml-language-server: x\n\n  {LINT} since\nversion: 1\n", [(3, 3, "file")]),
        (f"---\n{LINT}\nversion: 1\n", [(2, 1, "file")]),
        (f"version: 1\n{LINT}\n", [(2, 1, "line")]),
        (f"version: 1 {LINT}\n", [(1, 12, "line")]),
        (f'a: "x {LINT}"\n', []),
        (f'a: "x {LINT}" {LINT}\n', [(1, 42, "line")]),
        (f"a: 'x\n  {LINT}'\n", []),
        (f"a: |\n  {LINT}\nb: 1 {LINT}\n", [(3, 6, "line")]),
        (f"a: >-\n  text\n\n  {LINT}\n\n{LINT}\nb: 1\n", [(6, 1, "line")]),
        (f"a: x{LINT}\n", []),
        (f"a: [x, {LINT}\n  y]\n", [(1, 8, "line")]),
        (f"ä: 1\u2028b: 2 {LINT}\r\nc: 3 {LINT}\r\n", [(2, 6, "line"), (3, 6, "line")]),
        ("a: 1 # see the provisioner: ignore[x] page\n", []),
        ("a: 1 # provisioner: ignored[x]\n", []),
        (f"{LINT}\n", [(1, 1, "file")]),
    ],
)
def test_a_comment_counts_unless_it_lies_within_a_text(text, found) -> None:
    ignores = find_ignores(text.encode(), "f")
    assert [(i.place.line, i.place.column, i.reach) for i in ignores] == found
    assert all(i.ids == ("unused-set",) for i in ignores)


def test_several_ids_and_none() -> None:
    ids = [i.ids for i in find_ignores(b"a: 1 # provisioner: ignore[ x , y,x,]\n", "f")]
    assert ids == [("x", "y")]
    assert [i.ids for i in find_ignores(b"a: 1 # provisioner: ignore\n", "f")] == [()]


SETS = """\
version: 1
privilege_sets:
  one: [ARDOCS_VIEW]
  two: [ARDOCS_VIEW]
roles: {}
"""


@pytest.fixture
def folder(sources, tmp_path):
    from dataclasses import replace

    return replace(sources, folder=tmp_path)


def found(folder, roles: str, project: str | None = None) -> list[tuple[str, int]]:
    (folder.folder / "roles.yaml").write_text(roles)
    arguments = ["lint", "--source", "roles.yaml"]
    if project is not None:
        (folder.folder / "provisioner.yaml").write_text(project)
    code, document = folder.json(*arguments)
    assert code == 0
    return [(f["id"], f["place"]["line"]) for f in document["findings"]]


def test_nothing_ignored(folder) -> None:
    assert found(folder, SETS) == [("unused-set", 3), ("unused-set", 4)]


def test_one_line(folder) -> None:
    text = SETS.replace("  two: [ARDOCS_VIEW]", f"  two: [ARDOCS_VIEW]  {LINT} for later")
    assert found(folder, text) == [("unused-set", 3)]


def test_a_whole_file(folder) -> None:
    assert found(folder, f"{LINT}\n{SETS}") == []


def test_the_whole_project(folder) -> None:
    assert found(folder, SETS, "version: 1\nlint: {ignore: [unused-set]}\n") == []


def test_an_ignore_that_hides_nothing_is_a_finding(folder) -> None:
    text = f"# provisioner: ignore[equal-roles, unused-set]\n{SETS}"
    assert found(folder, text) == [("unused-ignore", 1)]
    _, document = folder.json("lint", "--source", "roles.yaml")
    assert document["findings"][0]["message"] == (
        "`equal-roles` is ignored, but nothing in this file has it"
    )
    project = "version: 1\nlint:\n  ignore:\n    - role-subset\n"
    assert found(folder, "version: 1\nroles: {}\n", project) == [("unused-ignore", 4)]


def test_such_findings_can_be_ignored_as_well(folder) -> None:
    text = f"# provisioner: ignore[equal-roles, unused-set, unused-ignore]\n{SETS}"
    assert found(folder, text) == []
    needless = SETS.replace("roles:", "# provisioner: ignore[unused-ignore]\nroles:")
    assert ("unused-ignore", 5) in found(folder, needless)


def test_an_unknown_id_gets_a_suggestion(folder) -> None:
    (folder.folder / "roles.yaml").write_text(f"# provisioner: ignore[unused-sets]\n{SETS}")
    code, out, _ = folder.run("lint", "--source", "roles.yaml")
    assert code == 0
    assert "there is no such id" in " ".join(out.split())
    assert "did you mean unused-set" in out
    (folder.folder / "provisioner.yaml").write_text("version: 1\nlint: {ignore: [unused-sets]}\n")
    code, _, error = folder.run("lint", "--source", "roles.yaml")
    assert code == 1
    assert "did you mean unused-set" in error
