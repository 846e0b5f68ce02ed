"""The daily round as people do it: plan, apply, edit, plan again, go back, import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from provisioner import schemas
from provisioner.backends.base import Run
from provisioner.documents import state as document
from provisioner.model import Assignment, Role, State
from provisioner.reports.text.style import safe

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

FIRST = "examples/roles.yaml"
SECOND = "examples/second-run/roles.yaml"
NO_CHANGES = "No changes. The target matches the sources."


def test_a_write_that_nobody_knows_of_is_listed_as_such(panel: Shell) -> None:
    """Its answer was lost, and the panel can't be asked any more."""
    panel.write(
        "provisioner.yaml",
        "version: 1\ntargets:\n  here: {backend: panel, lacks: [atomic], dies_at: 2}\n",
    )
    panel.write("roles.yaml", "version: 1\nroles: {A: {}, B: {}, C: {}}\n")
    broken = panel("apply", "--auto-approve", "roles.yaml")
    assert broken.code == 1
    assert broken.out.splitlines()[-5:] == [
        "The apply broke off. 1 of 3 writes were made. Of 1 it is not known.",
        '  done:      create role "A"',
        '  unknown:   create role "B"',
        '  not tried: create role "C"',
        "Plan again to go on: what is done is not repeated.",
    ]
    assert "the connection was lost" in broken.err
    assert "error: the outcome is unknown: what is listed so may have taken place" in broken.err
    told = panel("apply", "--auto-approve", "roles.yaml", "--format", "json").document
    assert schemas.valid("results", told)
    assert (told["failed"], told["unknown"]) == ([], ['create role "B"'])


def test_a_newcomer_gets_through_the_first_day(first_run: Shell) -> None:
    """From the first apply over an edit, a saved plan and a rollback to an import."""
    shell = first_run
    applied = shell.state()
    assert shell("plan", "--detailed-exitcode", FIRST).code == 0

    shell.edit(FIRST, "      - ARDOCS_REBUILD\n", "      - ARDOCS_CREATE\n")
    planned = shell("plan", FIRST, "--out", "plan.json")
    assert (planned.code, "+ ARDOCS_REBUILD" in planned.out) == (0, True)
    assert "- ARDOCS_CREATE" in planned.out
    assert shell("apply", "--plan", "plan.json").code == 0
    assert "ARDOCS_REBUILD" in shell.role("Accountant")["privileges"]

    before = shell.files()
    again = shell("apply", "--plan", "plan.json")
    assert again.code == 4
    assert "the plan is stale" in again.err
    assert shell.files() == before

    runs = shell("history", "--format", "json").document["runs"]
    assert [run["number"] for run in runs] == [0, 1, 2]
    assert [run["run"] and run["run"]["operation"] for run in runs] == [None, "apply", "apply"]

    assert shell("rollback", "1", "--auto-approve").code == 0
    assert shell.state()["roles"] == applied["roles"]
    assert shell.state()["users"] == applied["users"]
    assert shell("plan", "--detailed-exitcode", FIRST).code == 2

    assert shell("import", "--out", "imported.yaml").code == 0
    answer = shell("plan", "--detailed-exitcode", "imported.yaml")
    assert (answer.code, answer.last_line) == (0, NO_CHANGES)


def test_the_first_plan_of_the_example_has_changes(shell: Shell) -> None:
    """Exit code 2 where it was asked for, 0 otherwise; a plan writes nothing."""
    shell.write("roles.yaml", "version: 1\nroles: {Viewer: {privileges: [ARDOCS_VIEW]}}\n")
    assert shell("plan", "roles.yaml").code == 0
    assert shell("plan", "--detailed-exitcode", "roles.yaml").code == 2
    assert set(shell.files()) == {"roles.yaml"}


def test_applying_twice_changes_nothing_the_second_time(first_run: Shell) -> None:
    """No run is recorded either: the file is the same to the byte."""
    before = first_run.files()
    answer = first_run("apply", "--auto-approve", FIRST)
    assert (answer.code, answer.last_line) == (0, NO_CHANGES)
    assert first_run.files() == before


def test_the_second_run_renames_unassigns_and_deletes(first_run: Shell) -> None:
    """The renamed role keeps its id and its holder; the deleted one was given up first."""
    identity = first_run.role("Helpdesk")["id"]
    assert first_run.holds("alan@example.com") == ["Credit Controller", "Helpdesk"]
    answer = first_run("apply", "--auto-approve", SECOND)
    assert answer.last_line == (
        "Apply complete: 0 added, 1 changed, 1 renamed, 1 deleted; 1 user reassigned."
    )
    assert first_run.role("Support Engineer")["id"] == identity
    assert first_run.holds("alan@example.com") == ["Support Engineer"]
    names = {role["name"] for role in first_run.state()["roles"]}
    assert names.isdisjoint({"Helpdesk", "Credit Controller"})


def test_every_write_is_reported_in_its_order(first_run: Shell) -> None:
    """Renames come first, and a role goes when nobody holds it; progress goes to standard error."""
    assert first_run("apply", "--auto-approve", SECOND).err.splitlines() == [
        'done: rename role "Helpdesk" to "Support Engineer"',
        'done: update role "Accountant": +ARDOCS_REBUILD',
        "done: user alan@example.com: -Credit Controller",
        'done: delete role "Credit Controller"',
    ]


def test_a_report_tells_a_role_s_change_in_one_line(shell: Shell) -> None:
    """Long lists are cut short, with the number of what is left out."""
    shell.write(
        "roles.yaml",
        "version: 1\nroles:\n  Clerk: {privileges: [ARDOCS_VIEW, ARDOCS_CREATE]}\n"
        "  Reader: {privileges: [ARDOCS_VIEW]}\n",
    )
    assert shell("apply", "--auto-approve", "roles.yaml").code == 0
    shell.write(
        "roles.yaml",
        "version: 1\nroles:\n"
        "  Clerk: {includes: [Reader], privileges: ['ACCOUNTS_*', ARDOCS_CREATE]}\n"
        "  Reader: {privileges: [ARDOCS_VIEW]}\n",
    )
    assert shell("apply", "--auto-approve", "roles.yaml").err.splitlines() == [
        (
            'done: update role "Clerk": +ACCOUNTS_ACTIVATE, +ACCOUNTS_CANCEL, '
            "+ACCOUNTS_CREATE_MODIFY and 8 more"
        ),
    ]


def test_a_rename_that_is_done_already_has_no_effect(first_run: Shell) -> None:
    """`renamed_from` may stay in the file."""
    assert first_run("apply", "--auto-approve", SECOND).code == 0
    assert first_run("plan", "--detailed-exitcode", SECOND).code == 0


def test_a_difference_in_case_only_is_a_rename(first_run: Shell) -> None:
    """Without `renamed_from`; the holder stays."""
    identity = first_run.role("Helpdesk")["id"]
    first_run.edit(FIRST, "Helpdesk", "HelpDesk")
    assert first_run("apply", "--auto-approve", FIRST).code == 0
    assert first_run.role("HelpDesk")["id"] == identity
    assert "HelpDesk" in first_run.holds("alan@example.com")


def test_a_former_name_in_other_case_is_found(first_run: Shell) -> None:
    """Names are told apart by more than case: this is a rename, not a loss and a creation."""
    first_run.edit(SECOND, "renamed_from: Helpdesk", "renamed_from: HELPDESK")
    answer = first_run("plan", SECOND)
    assert '~ role "Helpdesk" → "Support Engineer"' in answer.out


def test_a_user_who_is_no_longer_listed_loses_everything(first_run: Shell) -> None:
    """Under `manage: all`, the default."""
    text = (first_run.folder / FIRST).read_text()
    first_run.write(FIRST, text[: text.index("  edsger@example.com:")])
    assert first_run("apply", "--auto-approve", FIRST).code == 0
    assert first_run.holds("edsger@example.com") == []


def test_without_users_assignments_stay_as_they_are(first_run: Shell) -> None:
    """Absent is not empty, and the plan says that it did not look."""
    text = (first_run.folder / FIRST).read_text()
    start, end = text.index("users:"), text.index("policies:")
    first_run.write(FIRST, text[:start] + text[end:])
    answer = first_run("plan", FIRST)
    assert answer.last_line == NO_CHANGES
    assert "Not managed: assignments (no `users:` in the sources)." in " ".join(answer.out.split())
    first_run.write(FIRST, text[:start] + "users: {}\n" + text[end:])
    answer = first_run("plan", FIRST)
    assert "6 users to reassign" in answer.out


def test_a_dated_assignment_ends_by_itself(first_run: Shell) -> None:
    """`until` is inclusive: held on the last day, gone on the next."""
    last = first_run("plan", "--as-of", "2099-12-31", "--detailed-exitcode", FIRST)
    assert last.code == 0
    after = first_run("plan", "--as-of", "2100-01-01", "--detailed-exitcode", FIRST)
    assert after.code == 2
    assert "- Full Access" in after.out


def test_rollback_to_the_state_before_any_run(first_run: Shell) -> None:
    """Guarded like every apply; following the advice of each refusal leads there."""
    initial = {"Full Access", "Customer Full Access", "Service Desk Only"}
    refused = first_run("rollback", "0", "--auto-approve")
    assert refused.code == 3
    assert "declare it with `protected: false`, apply that" in refused.out
    assert "--allow-lockout" in refused.out
    first_run.edit(FIRST, "protected: true", "protected: false")
    assert first_run("apply", "--auto-approve", FIRST).code == 0
    lifted = ("--allow-lockout", "--max-change-percent", "100")
    assert first_run("rollback", "0", "--auto-approve", *lifted).code == 0
    assert {role["name"] for role in first_run.state()["roles"]} == initial
    assert first_run.state()["users"] == []


def test_rollback_gives_a_renamed_role_its_former_name(first_run: Shell) -> None:
    """It is the same role all the way, and a rollback can be rolled back."""
    identity = first_run.role("Helpdesk")["id"]
    first_run("apply", "--auto-approve", SECOND)
    assert first_run("rollback", "1", "--auto-approve").code == 0
    assert first_run.role("Helpdesk")["id"] == identity
    assert first_run.holds("alan@example.com") == ["Credit Controller", "Helpdesk"]
    assert first_run("rollback", "2", "--auto-approve").code == 0
    assert first_run.role("Support Engineer")["id"] == identity


def test_rollback_to_a_run_that_never_was(first_run: Shell) -> None:
    """Says where the list is."""
    (error,) = first_run.errors("rollback", "7", "--auto-approve")
    assert "provisioner history" in error.remedy


def test_history_tells_who_did_what(first_run: Shell) -> None:
    """Run 0 is the state before any; a rollback is a run like any other."""
    first_run("apply", "--auto-approve", SECOND)
    first_run("rollback", "1", "--auto-approve")
    runs = first_run("history", "--format", "json").document["runs"]
    operations = [run["run"]["operation"] for run in runs[1:]]
    assert operations == ["apply", "apply", "rollback 1"]
    table = first_run("history").out
    assert "the state before any run" in table
    assert "rollback 1" in table


def test_import_writes_what_plans_to_no_change(first_run: Shell) -> None:
    """Sorted, with the default roles left out that are as the panel ships them."""
    answer = first_run("import")
    assert answer.code == 0
    first_run.write("imported.yaml", answer.out)
    content = yaml.safe_load(answer.out)
    assert list(content["roles"]) == sorted(content["roles"])
    assert "Service Desk Only" in content["roles"]
    assert "Full Access" not in content["roles"]
    assert first_run("plan", "--detailed-exitcode", "imported.yaml").code == 0


def test_import_overwrites_nothing(first_run: Shell) -> None:
    """A file that is there may hold comments and reasons that the panel does not know."""
    before = first_run.files()
    answer = first_run("import", "--out", FIRST)
    assert answer.code == 1
    assert f"{FIRST}: error: the file exists already" in answer.err
    assert first_run.files() == before


def test_import_of_a_fresh_panel_plans_to_no_change(shell: Shell) -> None:
    """Nothing of one's own, nothing to do."""
    shell.write("imported.yaml", shell("import").out)
    assert shell("plan", "--detailed-exitcode", "imported.yaml").code == 0


def test_import_leaves_alone_what_validate_would_refuse(shell: Shell) -> None:
    """Such roles, and what includes them, go under `ignore`, each with a warning."""
    names = {"Old ": "r-1", "Vi\u0435wer": "r-2", "A\u200bB": "r-3", "Viewer": "r-4", "no": "r-5"}
    roles = {name: Role(name, "", frozenset({"ARDOCS_VIEW"}), id=id) for name, id in names.items()}
    roles["Boss"] = Role("Boss", "", frozenset(), frozenset({"Old "}), id="r-6")
    roles["Retired"] = Role("Retired", "", frozenset({"GONE_PRIVILEGE"}), id="r-7")
    users = {
        "ada": Assignment("ada", frozenset({"Boss", "no"})),
        "bob": Assignment("bob", frozenset({"Old "})),
    }
    run = Run("2026-01-01T00:00:00Z", "ada@desk", "apply", "by an older program")
    data = document.encode(
        "0a1b2c3d-0000-4000-8000-000000000000", 1, run, State(roles, users, frozenset({"roles"}))
    )
    shell.write(".provisioner/state.json", data)
    answer = shell("import", "--out", "imported.yaml")
    assert answer.code == 0
    ignored = set(roles) - {"no"}
    for name in ignored:
        assert f"warning: role `{safe(name)}`" in answer.err
    content = yaml.safe_load((shell.folder / "imported.yaml").read_text())
    assert set(content["ignore"]) == ignored
    assert set(content["roles"]) == {"no"}
    plan = shell("plan", "--detailed-exitcode", "imported.yaml")
    assert (plan.code, plan.last_line) == (0, NO_CHANGES)


def test_hostile_texts_survive_import(shell: Shell) -> None:
    """Whatever a description or a name holds, the imported file reads back as the same."""
    texts = ["a: b", "- x", "#", "'", '"', "\\", "%", "@x", "*", "&a", "!x", "|", ">", "0x10", "é"]
    texts += ["yes", "1e3", "2026-01-01", "<<", "a\tb", "two\nlines", "\u2028", "\U0001f600", "?"]
    roles = {f"Role {n}": {"description": text} for n, text in enumerate(texts)}
    shell.write("roles.yaml", "version: 1\n" + yaml.safe_dump({"roles": roles}, default_style='"'))
    assert shell("apply", "--auto-approve", "roles.yaml").code == 0
    shell.write("imported.yaml", shell("import").out)
    assert shell("plan", "--detailed-exitcode", "imported.yaml").code == 0
    stored = {role["name"]: role["description"] for role in shell.state()["roles"]}
    assert [stored[f"Role {n}"] for n in range(len(texts))] == texts
