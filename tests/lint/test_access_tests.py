"""Access tests: what passes, what fails and why, and that no change of asserted access slips by."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.engine.access.chains import declared_state
from provisioner.engine.access.effective import access_of
from provisioner.engine.rules.access_tests import TestResult, run_access_tests
from provisioner.errors import InvalidInput

PRIVILEGES = ("ACCOUNTS_EDIT", "ACCOUNTS_VIEW", "DOCS_EDIT", "DOCS_VIEW", "TERMS_EDIT")
ROLES = """
    roles:
      Base:
        privileges: [DOCS_VIEW]
      Clerk:
        includes: [Base]
        privileges: ["ACCOUNTS_*"]
      Twin: {includes: [Base]}
    users:
      ada: {roles: [Clerk, {role: Full Access, until: 2026-06-14}]}
      bob: {roles: [Base]}
      Eve: {roles: [Twin]}
    tests:
"""


@pytest.fixture
def folder(sources, tmp_path):
    return replace(sources, folder=tmp_path)


def outcome(sources, test: str) -> list[str]:
    """The messages of the failures of one test, without the path of the folder."""
    (result,) = sources.results(f"{ROLES}      - {test}\n")
    assert result.place is not None
    assert result.place.line == 15
    assert all(failure.place == result.place for failure in result.failures)
    return [f.message.replace(f"{sources.folder}/", "") for f in result.failures]


@pytest.mark.parametrize(
    "test",
    [
        "{role: Clerk, can: [DOCS_VIEW, ACCOUNTS_EDIT], cannot: [TERMS_EDIT, DOCS_EDIT]}",
        '{role: Clerk, can: ["ACCOUNTS_*"], cannot: ["TERMS_*"]}',
        "{role: Full Access, can: [TERMS_EDIT]}",
        "{user: ADA, can: [DOCS_VIEW], cannot: [TERMS_EDIT]}",
        "{user: eve, can: [DOCS_VIEW]}",
        "{privilege: DOCS_VIEW, max_holders: 3, min_holders: 3}",
        "{privilege: TERMS_EDIT, max_holders: 0}",
    ],
)
def test_what_holds_passes(sources, test) -> None:
    assert outcome(sources, test) == []


@pytest.mark.parametrize(
    ("test", "messages"),
    [
        ("{role: Base, can: [DOCS_EDIT]}", ["role Base lacks DOCS_EDIT; the test says `can`"]),
        (
            '{role: Base, can: ["*_EDIT"]}',
            ["role Base lacks ACCOUNTS_EDIT, DOCS_EDIT and TERMS_EDIT; the test says `can`"],
        ),
        (
            "{user: ada, cannot: [DOCS_VIEW]}",
            ["user ada: DOCS_VIEW through Clerk → Base at roles.yaml:5; the test says `cannot`"],
        ),
        (
            '{role: Clerk, cannot: ["*"], can: [TERMS_EDIT]}',
            [
                "role Clerk lacks TERMS_EDIT; the test says `can`",
                (
                    "role Clerk: ACCOUNTS_EDIT and ACCOUNTS_VIEW through Clerk at roles.yaml:8;"
                    " DOCS_VIEW through Clerk → Base at roles.yaml:5; the test says `cannot`"
                ),
            ],
        ),
        (
            "{privilege: DOCS_VIEW, max_holders: 2}",
            [
                (
                    "3 users hold DOCS_VIEW, at most 2 may:"
                    " ada through Clerk → Base at roles.yaml:5; bob through Base at roles.yaml:5;"
                    " Eve through Twin → Base at roles.yaml:5"
                ),
            ],
        ),
        (
            "{privilege: ACCOUNTS_EDIT, min_holders: 2}",
            ["1 user holds ACCOUNTS_EDIT, at least 2 must: ada"],
        ),
        (
            "{privilege: TERMS_EDIT, min_holders: 1}",
            ["0 users hold TERMS_EDIT, at least 1 must"],
        ),
    ],
)
def test_what_does_not_hold_fails_with_the_chain(sources, test, messages) -> None:
    assert outcome(sources, test) == messages


def test_what_is_missing_comes_with_the_roles_that_have_it(sources) -> None:
    (result,) = sources.results(f"{ROLES}      - {{role: Base, can: [ACCOUNTS_EDIT]}}\n")
    (failure,) = result.failures
    assert failure.remedy == (
        "grant it the privilege, or correct the test;"
        " what is missing is in `Clerk` and `Full Access`"
    )


def test_a_list_of_holders_is_bounded(sources) -> None:
    users = "".join(f"\n  u{i}: {{roles: [Base]}}" for i in range(40))
    text = f"\nroles: {{Base: {{privileges: [DOCS_VIEW]}}}}\nusers:{users}\n"
    text += "tests: [{privilege: DOCS_VIEW, max_holders: 1}]"
    (result,) = sources.results(text)
    assert result.failures[0].message.endswith("; and 35 more")
    assert len(result.failures[0].message) < 500


@pytest.mark.parametrize(
    ("test", "id", "message", "remedy"),
    [
        ("role: Clark\n  can: [DOCS_VIEW]", "unknown-role", "no role `Clark`", "mean Clerk"),
        ("user: adda\n  can: [DOCS_VIEW]", "unknown-user", "no user `adda`", "mean ada"),
        ("user: ada\n  can: [DOCS_VIW]", "unknown-privilege", "`DOCS_VIW`", "mean DOCS_VIEW"),
        ("user: ada\n  cannot: [X_*]", "glob-without-match", "`X_*` matches no", "lists what"),
        ("user: ada\n  cannot: [SECRET]", "internal-privilege", "never granted", "remove it"),
        ("privilege: DOC_VIEW\n  max_holders: 1", "unknown-privilege", "DOC_VIEW", "DOCS_VIEW"),
        ("privilege: DOCS_*\n  max_holders: 1", "test-of-glob", "is a glob", "for each"),
        ("privilege: DOCS_VIEW\n  can: [DOCS_VIEW]", "schema-any-of", "max_holders", None),
        ("role: Clerk\n  max_holders: 1", "schema-any-of", "needs at least one of `can`", None),
        ("role: Clerk", "schema-any-of", "at least one of `can`, `cannot`", None),
        ("role: Clerk\n  can: []", "schema-min-items", "`can` is empty", "remove it"),
        ("can: [DOCS_VIEW]", "schema-one-of", "exactly one of `role`", None),
        ("role: Auditor\n  can: [DOCS_VIEW]", "test-of-external-role", "is external", "declared"),
    ],
)
def test_a_test_that_can_mean_nothing_is_an_error_at_its_place(
    sources, test, id, message, remedy
) -> None:
    text = "\nroles: {Clerk: {}}\nusers: {ada: {roles: [Clerk]}}\ntests:\n- "
    with pytest.raises(InvalidInput) as caught:
        sources.load(text + test, external=("Auditor",))
    found = [d for d in caught.value.diagnostics if d.id == id]
    assert found, caught.value.diagnostics
    assert message in found[0].message
    assert remedy is None or remedy in (found[0].remedy or "")
    assert found[0].place.line >= 6  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "test", ["{user: ada, cannot: [DOCS_VIEW]}", "{privilege: DOCS_VIEW, max_holders: 1}"]
)
def test_nothing_is_tested_about_users_that_nobody_declares(sources, test) -> None:
    with pytest.raises(InvalidInput, match="there are no `users`"):
        sources.load(f"\nroles: {{Clerk: {{}}}}\ntests: [{test}]")


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    names = [f"R{i}" for i in range(draw(st.integers(1, 5)))]
    some = st.sets(st.sampled_from(PRIVILEGES), max_size=3).map(sorted)
    roles = {name: {"privileges": draw(some), "includes": []} for name in names}
    for i, name in enumerate(names[:-1]):
        chosen = draw(st.sets(st.sampled_from(names[i + 1 :]), max_size=2))
        roles[name]["includes"] = sorted(chosen)
    held = st.sets(st.sampled_from(names), max_size=3).map(sorted)
    return {"roles": roles, "users": {login: {"roles": draw(held)} for login in ("ada", "bob")}}


@st.composite
def edits(draw: st.DrawFn, world: dict[str, Any]) -> dict[str, Any]:
    """The world with one line added or removed."""
    edited = deepcopy(world)
    roles = sorted(edited["roles"])
    name = draw(st.sampled_from(roles))
    later = roles[roles.index(name) + 1 :]
    lists = [
        (edited["roles"][name]["privileges"], PRIVILEGES),
        (edited["roles"][name]["includes"], later),
        (edited["users"][draw(st.sampled_from(("ada", "bob")))]["roles"], roles),
    ]
    items, choices = draw(st.sampled_from([pair for pair in lists if pair[1]]))
    chosen = draw(st.sampled_from(choices))
    if chosen in items:
        items.remove(chosen)
    else:
        items.append(chosen)
    return edited


def access(world: dict[str, Any]) -> dict[str, set[str]]:
    """Effective access of roles and users, worked out without the code under test."""

    def of_role(name: str) -> set[str]:
        body = world["roles"][name]
        return set(body["privileges"]).union(*map(of_role, body["includes"]))

    found = {f"role {name}": of_role(name) for name in world["roles"]}
    for login, user in world["users"].items():
        found[f"user {login}"] = set().union(*map(of_role, user["roles"]))
    return found


def asserting(carried: dict[str, set[str]]) -> list[dict[str, Any]]:
    """Tests that say all of it."""
    tests = []
    for who, has in carried.items():
        kind, name = who.split()
        test: dict[str, Any] = {kind: name}
        test |= {"can": sorted(has)} if has else {}
        lacks = sorted(set(PRIVILEGES) - has)
        tests.append(test | ({"cannot": lacks} if lacks else {}))
    for privilege in PRIVILEGES:
        held = sum(privilege in has for who, has in carried.items() if who.startswith("user"))
        test = {"privilege": privilege, "max_holders": held}
        tests.append(test | ({"min_holders": held} if held else {}))
    return tests


@settings(max_examples=200, deadline=None)
@given(data=st.data(), world=worlds())
def test_every_edit_that_changes_asserted_access_fails_a_test(sources, data, world) -> None:
    carried = access(world)
    edited = data.draw(edits(world))
    now = access(edited)
    tests = asserting(carried)
    assert not failed(sources, world, tests)
    results = failed(sources, edited, tests)
    assert bool(results) == (now != carried)
    different = {who.split()[1] for who in carried if carried[who] != now[who]}
    blamed = {result.title.split()[0] for result in results}
    assert blamed - {"at"} == different


def failed(sources, world: dict[str, Any], tests: list[dict[str, Any]]) -> list[TestResult]:
    text = yaml.safe_dump(world | {"tests": tests}, default_flow_style=None)
    results = sources.results("\n" + text)
    assert len(results) == len(tests)
    return [result for result in results if result.failures]


FAILING = """\
version: 1
roles:
  Accountant:
    privileges: [ARDOCS_*]
users:
  ada: {roles: [Accountant]}
tests:
  - role: Accountant
    can: [ARDOCS_VIEW]
  - user: ada
    cannot: [ARDOCS_CREATE]
"""
HEAD = "What the sources ask for (roles.yaml), as of 2026-01-01:\n"
LINES = """\
passed  roles.yaml:8: Accountant can ARDOCS_VIEW
failed  roles.yaml:10: ada cannot ARDOCS_CREATE
roles.yaml:10:5: error: user ada: ARDOCS_CREATE through Accountant at
    roles.yaml:4; the test says `cannot`
    take it from the role that grants it, or correct the test

2 access tests, 1 failed
"""


def test_the_command_prints_failures_and_a_summary(folder) -> None:
    (folder.folder / "roles.yaml").write_text(FAILING)
    words = ("test", "--as-of", "2026-01-01", "roles.yaml")
    assert folder.run(*words, "-v")[:2] == (1, HEAD + LINES)
    code, out, error = folder.run(*words)
    assert (code, out.splitlines(), error) == (1, [HEAD.strip(), *LINES.splitlines()[2:]], "")
    code, document = folder.json("test", "--source", "roles.yaml", "--as-of", "2026-01-01")
    assert (code, document["passed"], document["failed"]) == (1, 1, 1)
    assert (document["of"], document["as_of"]) == ("sources", "2026-01-01")
    assert [t["passed"] for t in document["tests"]] == [True, False]


def test_passing_and_absent_tests_exit_with_0(folder) -> None:
    (folder.folder / "roles.yaml").write_text(FAILING.replace("cannot:", "can:"))
    words = ("test", "roles.yaml", "--as-of", "2026-01-01")
    assert folder.run(*words)[:2] == (0, f"{HEAD}2 access tests, all passed\n")
    assert folder.run("validate", "roles.yaml")[0] == 0
    (folder.folder / "roles.yaml").write_text(FAILING.split("tests:", maxsplit=1)[0])
    assert folder.run(*words)[:2] == (0, f"{HEAD}No access tests.\n")


def test_validate_fails_with_the_same_words(folder) -> None:
    (folder.folder / "roles.yaml").write_text(FAILING)
    code, out, error = folder.run("validate", "roles.yaml")
    assert (code, out) == (1, "")
    assert "ada: ARDOCS_CREATE through Accountant at roles.yaml:4" in error


def test_the_day_decides(folder) -> None:
    dated = FAILING.replace("[Accountant]}", "[{role: Accountant, until: 2026-03-31}]}")
    (folder.folder / "roles.yaml").write_text(dated)
    for command in (("test", "--source", "roles.yaml"), ("validate", "roles.yaml")):
        assert folder.run(*command, "--as-of", "2026-03-31")[0] == 1
        assert folder.run(*command, "--as-of", "2026-04-01")[0] == 0


def test_a_test_has_to_pass_for_every_target(folder) -> None:
    """A glob that grants more where the catalogue has more."""
    (folder.folder / "roles.yaml").write_text(
        "version: 1\nroles: {Clerk: {privileges: [DOCS_*]}}\n"
        'tests: [{role: Clerk, cannot: ["*_EDIT"]}]\n'
    )
    for name, privileges in (("one", "[DOCS_VIEW, X_EDIT]"), ("two", "[DOCS_VIEW, DOCS_EDIT]")):
        listed = "".join(f"\n  - {{name: {p}}}" for p in privileges.strip("[]").split(", "))
        text = f"version: 1\nname: {name}\nprivileges:{listed}\n"
        (folder.folder / f"{name}.yaml").write_text(text)
    (folder.folder / "provisioner.yaml").write_text(
        "version: 1\nsources: [roles.yaml]\ntargets:\n"
        "  one: {backend: file, path: 1.json, catalogue: one.yaml}\n"
        "  two: {backend: file, path: 2.json, catalogue: two.yaml}\n"
    )
    codes = [folder.run("test", *rest)[0] for rest in ((), ("--target", "one"))]
    assert codes == [1, 0]


def test_standard_input_and_the_environment_work_too(folder) -> None:
    assert folder.run("test", "--source", "-", text=FAILING)[0] == 1
    code, out, _ = folder.run("lint", "--source", "-", "--strict", text=FAILING)
    assert (code, out) == (0, "No findings in 1 file.\n")


def test_strict_lint_exits_with_1(folder) -> None:
    text = FAILING.replace("users:", "privilege_sets: {x: [ARDOCS_VIEW]}\nusers:")
    (folder.folder / "roles.yaml").write_text(text)
    assert folder.run("lint", "--source", "roles.yaml")[0] == 0
    assert folder.run("lint", "--source", "roles.yaml", "--strict")[0] == 1
    code, document = folder.json("lint", "--source", "roles.yaml", "--strict")
    assert (code, [f["id"] for f in document["findings"]]) == (1, ["unused-set"])
    assert folder.run("lint", "--source", "roles.yml", "--strict")[0] == 1


def test_strict_lint_lets_pass_what_is_only_good_to_know(folder) -> None:
    """An end date that comes near must not fail every change for thirty days."""
    text = "version: 1\nroles: {A: {privileges: [ARDOCS_VIEW]}}\nusers:\n"
    text += "  ada: {roles: [{role: A, until: 2026-07-01}]}\n"
    (folder.folder / "roles.yaml").write_text(text)
    words = ("lint", "--source", "roles.yaml", "--strict", "--as-of", "2026-06-15")
    code, out, _ = folder.run(*words)
    assert (code, out.splitlines()[-1]) == (0, "1 note in 1 file.")
    assert out.startswith("roles.yaml:4:17: note: ada holds `A` until 2026-07-01")
    code, document = folder.json(*words)
    assert (code, [f["severity"] for f in document["findings"]]) == (0, ["note"])


def test_the_examples_pass(sources) -> None:
    from pathlib import Path

    examples = Path(__file__).parents[2] / "examples"
    for file in (examples / "roles.yaml", examples / "second-run" / "roles.yaml"):
        code, out, _ = sources.run("test", "--source", str(file))
        assert (code, out.splitlines()[1:]) == (0, ["4 access tests, all passed"])


def test_results_do_not_need_places(sources) -> None:
    """Desired states that were not read from files have tests without places."""
    case = sources.case("\nroles: {Clerk: {privileges: [DOCS_VIEW]}}\nusers: {}")
    access = access_of(declared_state(case.desired, case.catalogue, case.as_of))
    tests = [{"role": "Clerk", "cannot": ["DOCS_VIEW"]}]
    (result,) = run_access_tests(tests, access, case.catalogue)
    message = "role Clerk: DOCS_VIEW through Clerk; the test says `cannot`"
    assert result.failures[0].message == message
