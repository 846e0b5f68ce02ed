"""Every id has sources that show it, on the marked lines alone, and sources that do not."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from provisioner import schemas
from provisioner.engine.rules.lint import IDS, lint
from provisioner.engine.rules.lint_case import Case
from provisioner.model import Catalogue, DesiredRole, DesiredState, Place, Privilege, Role

if TYPE_CHECKING:
    from provisioner.diagnostics import Diagnostic

# `# here` marks the lines of the findings. Other ids may be found as well.
FOUND = {
    "equal-roles": """
        roles:
          Reader: {privileges: [DOCS_VIEW, ACCOUNTS_VIEW]}
          Viewer: {privileges: ["*_VIEW"], except: [HOLDS_VIEW]}  # here
        """,
    "role-subset": """
        roles:
          Clerk: {privileges: [DOCS_VIEW, DOCS_EDIT, TERMS_EDIT]}
          Teller: {privileges: [ACCOUNTS_VIEW, DOCS_VIEW, DOCS_EDIT]}
          Editor:  # here
            privileges: [DOCS_VIEW, DOCS_EDIT, TERMS_EDIT, ACCOUNTS_VIEW]
        """,
    "redundant-include": """
        roles:
          Clerk: {privileges: [DOCS_VIEW]}
          Editor: {includes: [Clerk], privileges: [DOCS_EDIT]}
          Lead:
            includes:
              - Editor
              - Clerk  # here
        """,
    "granted-twice": """
        privilege_sets: {views: [DOCS_VIEW]}
        roles:
          Base: {privileges: [ACCOUNTS_VIEW, ACCOUNTS_EDIT]}
          Lead:
            includes: [Base]
            sets: [views]
            privileges:
              - ACCOUNTS_VIEW  # here
              - DOCS_VIEW  # here
              - TERMS_EDIT
              - TERMS_EDIT  # here
              - DOCS_EDIT  # here
              - "DOCS_*"
        """,
    "unused-set": """
        privilege_sets:
          views: [DOCS_VIEW]
          edits: [DOCS_EDIT]  # here
        roles:
          Clerk: {sets: [views]}
        """,
    "unheld-role": """
        roles:
          Clerk: {privileges: [DOCS_VIEW]}
          Lead: {privileges: [DOCS_EDIT]}  # here
          Old: {privileges: [TERMS_EDIT]}  # here
        users:
          ada: {roles: [Clerk, {role: Old, until: 2026-06-14}]}
        """,
    "redundant-assignment": """
        roles:
          Clerk: {privileges: [DOCS_VIEW]}
          Lead: {includes: [Clerk], privileges: [DOCS_EDIT]}
        users:
          ada:
            roles:
              - Lead
              - Clerk  # here
          bob:
            roles:
              - {role: Lead, until: 2027-01-01}
              - {role: Clerk, until: 2026-12-31}  # here
        """,
    "idle-except": """
        roles:
          Clerk:
            privileges: ["DOCS_*"]
            except:
              - DOCS_EDIT
              - TERMS_*  # here
        """,
    "assignment-ended": """
        roles: {Clerk: {privileges: [DOCS_VIEW]}}
        users:
          ada: {roles: [{role: Clerk, until: 2026-06-14}]}  # here
        """,
    "assignment-ends-soon": """
        roles: {Clerk: {privileges: [DOCS_VIEW]}}
        users:
          ada: {roles: [{role: Clerk, until: 2026-06-15}]}  # here
          bob: {roles: [{role: Clerk, until: 2026-07-15}]}  # here
        """,
    "requires-unmet": """
        privilege_sets:
          holds: [HOLDS_PUT]  # here
        roles:
          Clerk: {sets: [holds], privileges: [HOLDS_LIST]}
          Lead: {includes: [Clerk], privileges: [HOLDS_VIEW]}
          Closer:
            privileges:
              - CANCEL  # here
        """,
    "unused-ignore": """
        roles:
          Clerk: {privileges: [DOCS_VIEW]}  # provisioner: ignore[equal-roles] # here
          # provisioner: ignore[role-subset] # here
          Lead: {privileges: [DOCS_EDIT]}  # provisioner: ignore # here
          Boss: {privileges: [TERMS_EDIT]}  # provisioner: ignore[equal-rolls] # here
        """,
}
NOT_FOUND = {
    "equal-roles": """
        roles:
          Reader: {privileges: [DOCS_VIEW]}
          Editor: {privileges: [DOCS_VIEW, DOCS_EDIT]}
          Empty: {}
          Nothing: {}
        """,
    "role-subset": """
        roles:
          Clerk: {privileges: [DOCS_VIEW, ACCOUNTS_VIEW, TERMS_EDIT]}
          Editor: {includes: [Clerk], privileges: [DOCS_EDIT]}
          Viewer: {privileges: [DOCS_VIEW, ACCOUNTS_VIEW]}
          Other: {privileges: [TERMS_EDIT]}
          Empty: {}
        """,
    "redundant-include": """
        roles:
          Clerk: {privileges: [DOCS_VIEW]}
          Editor: {privileges: [DOCS_VIEW, DOCS_EDIT]}
          Seller: {privileges: [DOCS_VIEW, TERMS_EDIT]}
          Lead: {includes: [Editor, Seller]}
        """,
    "granted-twice": """
        privilege_sets: {views: ["*_VIEW"], documents: [DOCS_VIEW, DOCS_EDIT]}
        roles:
          Clerk: {privileges: [DOCS_VIEW]}
          Editor: {includes: [Clerk], privileges: ["DOCS_*"]}
          Lead: {sets: [views, documents], privileges: ["ACCOUNTS_*", "*_EDIT"]}
          Boss: {includes: [Clerk, Editor]}
        """,
    "unused-set": """
        privilege_sets: {views: [DOCS_VIEW]}
        roles: {Clerk: {sets: [views]}}
        """,
    "unheld-role": """
        roles:
          Clerk: {privileges: [DOCS_VIEW]}
          Lead: {includes: [Clerk], privileges: [DOCS_EDIT]}
          Full Access: {privileges: [DOCS_VIEW]}
        users:
          ada: {roles: [Lead]}
        """,
    "redundant-assignment": """
        roles:
          Clerk: {privileges: [DOCS_VIEW]}
          Lead: {includes: [Clerk], privileges: [DOCS_EDIT]}
        users:
          ada: {roles: [Clerk, {role: Lead, until: 2027-01-01}]}
          bob: {roles: [Clerk, {role: Lead, until: 2026-06-14}]}
        """,
    "idle-except": """
        privilege_sets: {documents: ["DOCS_*"]}
        roles: {Clerk: {sets: [documents], except: [DOCS_EDIT, "*_EDIT"]}}
        """,
    "assignment-ended": """
        roles: {Clerk: {privileges: [DOCS_VIEW]}}
        users: {ada: {roles: [{role: Clerk, until: 2026-06-15}]}}
        """,
    "assignment-ends-soon": """
        roles: {Clerk: {privileges: [DOCS_VIEW]}}
        users:
          ada: {roles: [{role: Clerk, until: 2026-07-16}]}
          bob: {roles: [{role: Clerk, until: 2026-06-14}]}
        """,
    "requires-unmet": """
        roles:
          Base: {privileges: [DOCS_VIEW, TERMS_EDIT]}
          Closer: {includes: [Base], privileges: [CANCEL]}
          Odd: {privileges: [ODD]}
        """,
    "unused-ignore": """
        roles:
          Clerk: {privileges: [DOCS_VIEW]}
          Lead: {privileges: [DOCS_VIEW]}  # provisioner: ignore[equal-roles]
        """,
}


def test_every_id_has_both_examples_and_is_documented() -> None:
    assert set(FOUND) == set(NOT_FOUND) == set(IDS)
    page = (Path(__file__).parents[2] / "docs" / "lint.md").read_text(encoding="utf-8")
    assert [id for id in IDS if f"`{id}`" not in page] == []


def test_the_project_schema_knows_the_same_ids() -> None:
    (items,) = (schemas.load("project")["$defs"]["lint"]["properties"]["ignore"]["items"],)
    assert set(items["enum"]) == set(IDS)


@pytest.mark.parametrize("id", IDS)
def test_the_finding_stands_on_the_marked_lines(sources, id) -> None:
    text = FOUND[id]
    marked = [n for n, line in enumerate(text.splitlines(), start=2) if line.endswith("# here")]
    found = [finding for finding in sources.findings(text) if finding.id == id]
    assert [line(finding) for finding in found] == marked
    severity = "note" if id in {"role-subset", "assignment-ends-soon"} else "warning"
    assert all(f.severity == severity and f.remedy for f in found)


@pytest.mark.parametrize("id", IDS)
def test_it_is_not_found_where_nothing_is_wrong(sources, id) -> None:
    assert id not in [finding.id for finding in sources.findings(NOT_FOUND[id])]


def line(finding: Diagnostic) -> int:
    assert isinstance(finding.place, Place)
    return finding.place.line


def one(sources, text: str, id: str, **settings: object) -> Diagnostic:
    found: list[Diagnostic] = [f for f in sources.findings(text, **settings) if f.id == id]
    assert len(found) == 1
    return found[0]


def test_a_double_grant_names_both_paths(sources) -> None:
    text = """
        roles:
          Base: {privileges: [DOCS_VIEW]}
          Clerk: {includes: [Base], privileges: [DOCS_EDIT]}
          Lead:
            includes: [Clerk]
            privileges: [DOCS_VIEW, TERMS_EDIT]
        """
    found = one(sources, text, "granted-twice")
    assert found.message.startswith("`Lead` is granted `DOCS_VIEW` here, and through Clerk → Base")
    assert found.message.endswith("roles.yaml:4 as well")
    assert line(found) == 8


def test_unmet_requirements_say_what_to_add_where_and_who_has_it(sources) -> None:
    text = """
        roles:
          Holder:
            privileges: [HOLDS_PUT]
          Lister: {privileges: [HOLDS_LIST, HOLDS_VIEW]}
        users:
          ada: {roles: [Holder, Lister]}
          bob: {roles: [Holder]}
        """
    found = one(sources, text, "requires-unmet")
    assert found.message == (
        "`HOLDS_PUT` has no effect in `Holder`: it requires `HOLDS_VIEW`"
        " (1 of 2 holders through other roles)"
    )
    assert found.remedy is not None
    assert found.remedy.startswith("add `HOLDS_LIST` and `HOLDS_VIEW` to the privileges of `Hold")
    assert found.remedy.endswith("roles.yaml:4, or include `Lister`")


def test_a_condition_is_mentioned_but_makes_no_finding(sources) -> None:
    alone = "\nroles: {Closer: {privileges: [CANCEL]}}"
    assert "and `DOCS_EDIT` for cancelling domains" in one(sources, alone, "requires-unmet").message
    met = "\nroles: {Closer: {privileges: [CANCEL, DOCS_VIEW, TERMS_EDIT]}}"
    assert "requires-unmet" not in [f.id for f in sources.findings(met)]


def test_equal_roles_keep_the_one_that_the_others_include(sources) -> None:
    text = "\nroles:\n  Alias: {includes: [Zebra]}\n  Zebra: {privileges: [DOCS_VIEW]}"
    assert one(sources, text, "equal-roles").message.startswith("`Alias` carries the same 1 priv")


def test_what_external_roles_carry_is_not_guessed(sources) -> None:
    text = """
        roles:
          Clerk: {privileges: [DOCS_VIEW]}
          Twin: {includes: [Auditor], privileges: [DOCS_VIEW]}
          Lead: {includes: [Auditor, Clerk], privileges: [HOLDS_PUT]}
        users:
          ada: {roles: [Lead, Twin, Auditor]}
        """
    found = lint(sources.case(text, external=("Auditor",)))
    assert found == ()


def test_what_covers_an_assignment_is_not_itself_in_vain(sources) -> None:
    text = """
        roles:
          Clerk: {includes: [Viewer], privileges: [DOCS_EDIT]}
          Reader: {privileges: [DOCS_VIEW]}
          Viewer: {privileges: [DOCS_VIEW]}
        users:
          ada: {roles: [Clerk, Viewer, Reader]}
        """
    found = [f.message for f in sources.findings(text) if f.id == "redundant-assignment"]
    assert found == [
        f"ada holds `{name}`, which gives nothing that `Clerk` does not"
        for name in ("Viewer", "Reader")
    ]


def test_unlisted_holders_may_exist_unless_everything_is_managed(sources) -> None:
    text = FOUND["unheld-role"]
    ids = [f.id for f in sources.findings(text, knows_all_holders=False)]
    assert "unheld-role" not in ids
    assert "unheld-role" not in [
        f.id for f in sources.findings(text.split("users:", maxsplit=1)[0])
    ]


def test_parts_of_one_role_are_told_once(sources) -> None:
    found = one(sources, FOUND["role-subset"], "role-subset")
    assert found.message == "`Editor` carries all of `Clerk` and `Teller` without including them"
    assert found.remedy == "have `Editor` include `Clerk` and `Teller`, and grant the rest itself"


def test_what_must_be_mended_comes_before_what_is_good_to_know(sources) -> None:
    text = "\nprivilege_sets: {x: [DOCS_VIEW]}" + dedent(FOUND["assignment-ends-soon"])
    severities = [f.severity for f in sources.findings(text)]
    assert severities == sorted(severities, key=["warning", "note"].index)
    assert set(severities) == {"warning", "note"}


def test_soon_can_be_later(sources) -> None:
    text = NOT_FOUND["assignment-ends-soon"]
    assert one(sources, text, "assignment-ends-soon", soon_days=31).message.endswith("in 31 days")


def test_twice_the_roles_are_twice_the_work() -> None:
    half, whole = steps_of_linting(1000), steps_of_linting(2000)
    assert whole < 2.5 * half


def steps_of_linting(count: int) -> int:
    """How many calls of functions it takes to judge so many roles."""
    names = [f"P{i:03}" for i in range(400)]
    catalogue = Catalogue("large", {name: Privilege(name) for name in names})
    roles = {
        f"Role {i}": DesiredRole(
            Role(f"Role {i}", privileges=frozenset(names[j * i % 400] for j in range(i % 60 + 1)))
        )
        for i in range(count)
    }
    steps = 0

    def count_one(_: object, event: str, __: object) -> None:
        nonlocal steps
        steps += event in {"call", "c_call"}

    case = Case(DesiredState(roles=roles, catalogue=catalogue), catalogue, date(2026, 6, 15))
    sys.setprofile(count_one)
    try:
        found = lint(case)
    finally:
        sys.setprofile(None)
    assert len(found) > count / 4
    return steps
