"""Whatever changes access is judged in the same way: sources, rollbacks, who asks, parts."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib import resources
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Answer, Shell

ROLES = """\
version: 1
roles:
  Accountant: {privileges: [ARDOCS_*]}
  Helpdesk: {privileges: [ACCOUNTS_VIEW_DET]}
"""
USERS = """\
users:
  ada@example.com: {roles: [Full Access]}
  bob@example.com: {roles: [Accountant]}
  mallory@example.com: {roles: [Helpdesk]}
  eve@example.com: {roles: [Helpdesk]}
"""
WORLD = ROLES + USERS
RULE = "policies: [{name: p, restrict: {roles: [Accountant], only_users: [bob@example.com]}}]\n"
MALLORY = "mallory@example.com: {roles: [Helpdesk]}"
GIVEN = WORLD.replace(MALLORY, "mallory@example.com: {roles: [Helpdesk, Accountant]}")
NO_CHANGES = "No changes. The target matches the sources."


def text(answer: Answer) -> str:
    """The output on one line, as no terminal breaks it."""
    return " ".join(answer.out.split())


def applied(shell: Shell, *sources: str, options: tuple[str, ...] = ()) -> None:
    """Apply these sources, one after the other."""
    for source in sources:
        shell.write("roles.yaml", source)
        answer = shell("apply", "roles.yaml", "--auto-approve", *options)
        assert answer.code == 0, answer.err + answer.out


def plan(shell: Shell, source: str, *options: str) -> Answer:
    """Plan these sources."""
    shell.write("roles.yaml", source)
    return shell("plan", "roles.yaml", *options)


# Rules are state


def test_a_break_that_was_there_names_the_option_that_lets_it_pass(shell: Shell) -> None:
    """Once; and one that this change brings can't be let pass."""
    rule = RULE.replace("only_users: [bob@example.com]", "only_users: [zoe@example.com]")
    applied(shell, WORLD)
    old = text(plan(shell, WORLD + rule))
    assert old.count("to let pass what was there already, repeat with --new-only") == 1
    assert plan(shell, WORLD + rule, "--new-only").code == 0
    assert "--new-only" not in text(plan(shell, GIVEN + RULE))


def test_a_policy_that_comes_changes_or_goes_is_a_change(shell: Shell) -> None:
    """Shown under "Rules", counted, pending until it is applied, then recorded."""
    applied(shell, WORLD)
    added = plan(shell, WORLD + RULE, "--detailed-exitcode")
    assert added.code == 2
    assert 'Rules: + policy "p" roles.yaml:10 + restrict:' in text(added)
    assert "Rules: 1 policy to change." in text(added)
    applied(shell, WORLD + RULE)
    assert plan(shell, WORLD + RULE, "--detailed-exitcode").code == 0
    looser = plan(shell, WORLD + RULE.replace("{name: p", "{name: p, severity: warning"))
    assert '~ policy "p"' in text(looser)
    assert "+ severity: warning" in text(looser)
    removed = plan(shell, WORLD, "--detailed-exitcode")
    assert removed.code == 2
    assert '- policy "p"' in text(removed)
    applied(shell, WORLD)
    assert json.loads((shell.folder / ".provisioner/state.json").read_text())["policies"] == []
    assert "1 policy changed" in shell("history").out


def test_the_order_of_a_policys_lists_is_no_change(shell: Shell) -> None:
    """They are sets."""
    rule = "policies: [{name: p, deny: {roles: [Helpdesk, Accountant]}, severity: warning}]\n"
    applied(shell, WORLD + rule)
    turned = rule.replace("Helpdesk, Accountant", "Accountant, Helpdesk")
    assert plan(shell, WORLD + turned).out.endswith(f"{NO_CHANGES}\n")


def test_a_saved_plan_of_rules_alone_is_applied_and_stale_once_they_moved(shell: Shell) -> None:
    """What it would replace must still be there."""
    applied(shell, WORLD)
    assert plan(shell, WORLD + RULE, "--out", "plan.json").code == 0
    assert plan(shell, WORLD + RULE.replace("name: p", "name: q"), "--out", "other.json").code == 0
    assert 'policy "p"' in shell("show", "plan.json").out
    assert shell("apply", "--plan", "plan.json").code == 0
    (error,) = shell.errors("apply", "--plan", "other.json", code=4)
    assert "rules in force" in error.message


def test_import_writes_the_policies_in_force(shell: Shell) -> None:
    """Or its file would plan to drop them."""
    applied(shell, WORLD + RULE)
    assert shell("import", "--out", "imported.yaml").code == 0
    assert shell("plan", "imported.yaml").out.endswith(f"{NO_CHANGES}\n")


# Rollback


def test_a_rollback_does_not_get_past_a_policy_in_force(shell: Shell) -> None:
    """What the policy forbids now stays forbidden, though it was right then."""
    applied(shell, GIVEN, WORLD + RULE)
    before = shell.files()
    answer = shell("rollback", "1", "--auto-approve")
    assert answer.code == 3
    assert "policy `p`" in text(answer)
    assert shell.files() == before


def test_a_rollback_takes_nothing_under_management(shell: Shell) -> None:
    """A project of roles alone does not own assignments afterwards."""
    applied(shell, ROLES, ROLES.replace("[ARDOCS_*]", "[ARDOCS_VIEW]"))
    answer = shell("rollback", "1", "--auto-approve")
    assert answer.code == 0
    assert "Not managed: assignments" in text(answer)
    state = json.loads((shell.folder / ".provisioner/state.json").read_text())
    assert state["recorded"] == ["roles"]


def test_an_ended_assignment_does_not_come_back_under_a_new_name(shell: Shell) -> None:
    """A run that left users alone has renamed the role since its end was recorded."""
    con = "  con@example.com: {roles: [{role: Accountant, until: 2026-11-20}]}\n"
    day = ("--as-of", "2026-11-10")
    books = ROLES.replace("Accountant: {", "Books: {renamed_from: Accountant, ")
    applied(shell, WORLD + con, books, options=day)
    applied(shell, books + USERS.replace("[Accountant]", "[Books]"))
    answer = shell("rollback", "2", "--auto-approve")
    assert "does not get `Books` back: that ended on 2026-11-20" in text(answer)
    assert "con@example.com" not in (shell.folder / ".provisioner/state.json").read_text()


@pytest.mark.parametrize(
    ("then", "now", "code"),
    [
        (GIVEN, "Books: {renamed_from: Accountant, privileges: [ARDOCS_*]}", 3),
        (GIVEN, "Books: {privileges: [ARDOCS_*]}", 3),
        (WORLD, "Books: {renamed_from: Accountant, privileges: [ARDOCS_*]}", 0),
        (WORLD, "Books: {privileges: [ARDOCS_*]}", 0),
    ],
    ids=["renamed", "replaced", "renamed, unused", "replaced, unused"],
)
def test_a_rollback_judges_roles_that_had_other_names(
    shell: Shell, then: str, now: str, code: int
) -> None:
    """The rules stay, the names go back: what they mean follows the roles."""
    applied(shell, then)
    later = WORLD.replace("Accountant: {privileges: [ARDOCS_*]}", now)
    applied(shell, (later + RULE).replace("[Accountant]", "[Books]"))
    answer = shell("rollback", "1", "--auto-approve")
    assert answer.code == code, answer.out
    assert ("error: " in text(answer) and "policy `p`" in text(answer)) == (code == 3)
    state = json.loads((shell.folder / ".provisioner/state.json").read_text())
    if code == 0 and "renamed_from" in now:
        assert state["policies"][0]["restrict"]["roles"] == ["Accountant"]


def test_a_rollback_does_not_bring_back_others_role_under_a_former_name(shell: Shell) -> None:
    """It was renamed since, and is somebody else's now: who held it holds it as it is."""
    zoe = "  zoe: {roles: [Helpdesk]}\n"
    applied(shell, WORLD + zoe)
    desk = WORLD.replace("Helpdesk: {", "Desk: {renamed_from: Helpdesk, ")
    applied(shell, desk.replace("[Helpdesk]", "[Desk]"))
    shell.write("provisioner.yaml", "version: 1\nexternal: [Desk]\n")
    answer = shell("rollback", "1", "--auto-approve")
    assert answer.code == 0, answer.out
    state = json.loads((shell.folder / ".provisioner/state.json").read_text())
    assert "Helpdesk" not in {role["name"] for role in state["roles"]}
    assert {"user": "zoe", "roles": ["Desk"]} in state["users"]


def test_a_rollback_leaves_the_rules_in_force(shell: Shell) -> None:
    """It brings back roles and assignments, not rules."""
    applied(shell, WORLD, WORLD.replace("[ARDOCS_*]", "[ARDOCS_VIEW]") + RULE)
    answer = shell("rollback", "1", "--auto-approve")
    assert answer.code == 0
    assert "Rollback complete" in answer.out
    state = json.loads((shell.folder / ".provisioner/state.json").read_text())
    assert [policy["name"] for policy in state["policies"]] == ["p"]


def test_a_rollback_names_the_rules_that_it_does_not_undo(shell: Shell) -> None:
    """The newest run changed nothing but a rule, so there is nothing to bring back."""
    applied(shell, WORLD, WORLD + RULE)
    answer = shell("rollback", "last", "--auto-approve")
    assert answer.code == 0
    assert "policy `p` came later: it stays in force" in text(answer)
    assert answer.last_line == "No changes. There is nothing to bring back."
    assert "matches the sources" not in answer.out


def test_a_rollback_is_judged_by_the_projects_sources_as_well(shell: Shell) -> None:
    """A policy that was written and not applied yet counts, and is not recorded by it."""
    shell.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    applied(shell, GIVEN, WORLD)
    shell.write("roles.yaml", WORLD + RULE)
    answer = shell("rollback", "1", "--auto-approve")
    assert answer.code == 3
    assert "policy `p`" in text(answer)
    shell.write("roles.yaml", WORLD + RULE.replace("{name: p", "{name: p, severity: warning"))
    assert shell("rollback", "1", "--auto-approve").code == 0
    state = json.loads((shell.folder / ".provisioner/state.json").read_text())
    assert state["policies"] == []


def test_an_ended_assignment_does_not_come_back(shell: Shell) -> None:
    """The run has recorded its end; it is left out by name, with its date."""
    con = "  con@example.com: {roles: [{role: Accountant, until: 2026-11-20}]}\n"
    shell.write("roles.yaml", WORLD + con)
    day = ("--as-of", "2026-11-10")
    assert shell("apply", "roles.yaml", "--auto-approve", *day).code == 0
    applied(shell, WORLD)
    answer = shell("rollback", "1", "--auto-approve")
    assert answer.code == 0
    assert "con@example.com does not get `Accountant` back: that ended on 2026-11-20" in text(
        answer
    )
    assert "con@example.com" not in (shell.folder / ".provisioner/state.json").read_text()


def test_an_end_that_only_the_sources_know_counts_too(shell: Shell) -> None:
    """Where no run has recorded any, as in states of older versions."""
    shell.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    both = USERS.replace("  bob@example.com: {roles: [Accountant]}\n", "")
    applied(shell, ROLES + both + "  con@example.com: {roles: [Accountant]}\n")
    ended = "  con@example.com: {roles: [{role: Accountant, until: 2026-11-20}]}\n"
    applied(shell, ROLES + both + ended)
    state = shell.folder / ".provisioner/state.json"
    assert "con@example.com" not in state.read_text()
    assert "ended on 2026-11-20" in text(shell("rollback", "1", "--auto-approve"))
    assert "con@example.com" not in state.read_text()


def test_a_rollback_leaves_others_roles_alone_and_names_them(shell: Shell) -> None:
    """A role that was declared external since is somebody else's now."""
    applied(shell, WORLD + "  zoe: {roles: [Helpdesk]}\n")
    shell.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\nexternal: [Helpdesk]\n")
    rest = WORLD.replace("  Helpdesk: {privileges: [ACCOUNTS_VIEW_DET]}\n", "")
    applied(shell, rest)
    answer = shell("rollback", "1", "--auto-approve")
    assert answer.code == 0, answer.out
    assert "+ Helpdesk" in answer.out
    assert "zoe" in (shell.folder / ".provisioner/state.json").read_text()


def test_an_external_role_that_is_gone_does_not_come_back(shell: Shell) -> None:
    """Nor do its assignments; both are named."""
    applied(shell, WORLD)
    rest = ROLES.replace("  Helpdesk: {privileges: [ACCOUNTS_VIEW_DET]}\n", "")
    users = USERS.replace("[Helpdesk]", "[Accountant]")
    applied(shell, rest + users, options=("--max-change-percent", "100"))
    shell.write("provisioner.yaml", "version: 1\nignore: [Help*]\n")
    answer = shell("rollback", "1", "--auto-approve")
    assert answer.code == 0, answer.out
    assert "role `Helpdesk` is ignored: it does not come back" in text(answer)
    assert "eve@example.com does not get `Helpdesk` back, which is gone" in text(answer)


def test_a_rollback_says_what_the_sources_would_change_back(shell: Shell) -> None:
    """Or the next apply is a surprise."""
    shell.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    applied(shell, WORLD, GIVEN)
    answer = shell("rollback", "1", "--auto-approve")
    assert answer.code == 0
    told = answer.err.rstrip().splitlines()[-2:]
    assert told == [
        "The sources say otherwise: the next plan from them would change this back.",
        "  user mallory@example.com: +Accountant",
    ]


def test_what_the_sources_would_change_back_is_said_once(shell: Shell) -> None:
    """Where nobody is asked, the report has it."""
    shell.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    applied(shell, WORLD, GIVEN)
    assert shell("rollback", "1", "--auto-approve").err.count("The sources say otherwise") == 1


def test_a_rollback_without_changes_says_nothing_of_the_sources(shell: Shell) -> None:
    """It asked for a former state, and the sources may well say otherwise."""
    shell.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    applied(shell, WORLD, WORLD + RULE)
    shell.write("roles.yaml", GIVEN)
    answer = shell("rollback", "1", "--auto-approve")
    assert answer.code == 0
    assert "No changes. There is nothing to bring back." in answer.out
    assert "matches the sources" not in answer.out


def test_rollback_last_takes_the_newest_run_back(shell: Shell) -> None:
    """A name for what is wanted most often."""
    applied(shell, WORLD, GIVEN)
    assert shell("rollback", "last", "--auto-approve").code == 0
    assert "rollback 1" in shell("history").out


@pytest.mark.parametrize(("run", "why"), [("99", "not kept"), ("soon", "names no run")])
def test_a_rollback_to_nowhere_gives_the_real_reason(shell: Shell, run: str, why: str) -> None:
    """Not that there is no terminal to ask on."""
    applied(shell, WORLD)
    (error,) = shell.refused("rollback", run)
    assert why in error.message


@pytest.mark.parametrize(
    ("source", "why"),
    [("gone.yaml", "there is no such file"), ("plan.json", "this is a saved plan")],
)
def test_an_apply_that_can_not_be_gives_the_real_reason(
    shell: Shell, source: str, why: str
) -> None:
    """Not that there is no terminal to ask on."""
    plan(shell, WORLD, "--out", "plan.json")
    (error,) = shell.refused("apply", source)
    assert why in error.message


def test_where_nothing_is_to_be_asked_no_terminal_is_needed(shell: Shell) -> None:
    """A blocked plan is 3, and one without changes 0, as with --auto-approve."""
    applied(shell, WORLD)
    assert shell("apply", "roles.yaml").code == 0
    shell.write("roles.yaml", GIVEN + RULE)
    assert shell("apply", "roles.yaml").code == 3


# Who asks


@pytest.mark.parametrize(
    "actor", ["", "mallory", "@mallory", " mallory@example.com", "octocat", "mallory@example.co"]
)
@pytest.mark.parametrize("by_variable", [False, True])
def test_an_actor_that_nobody_knows_is_an_error(
    shell: Shell, actor: str, by_variable: bool
) -> None:
    """It fails closed, the empty string included, also as a variable."""
    applied(shell, WORLD)
    sly = WORLD.replace(MALLORY, "mallory@example.com: {roles: [Full Access]}")
    shell.write("roles.yaml", sly)
    env = {"PROVISIONER_ACTOR": actor} if by_variable else None
    options = () if by_variable else ("--actor", actor)
    (error,) = shell.refused("plan", "roles.yaml", *options, env=env)
    assert error.id == "unknown-actor"
    assert "actors:" in error.remedy


@pytest.mark.parametrize("actor", ["@mallory", " mallory", "a, b", "x: y"])
def test_the_remedy_for_an_unknown_actor_is_yaml_that_means_it(shell: Shell, actor: str) -> None:
    """Whatever the name looks like, the line can be pasted."""
    applied(shell, WORLD)
    (error,) = shell.refused("plan", "roles.yaml", "--actor", actor)
    assert error.remedy is not None
    line = error.remedy.split("`")[1]
    assert yaml.safe_load(line) == {"actors": {actor: "LOGIN"}}


@pytest.mark.parametrize(
    ("actor", "code"),
    [("mallory@example.com", 3), ("MALLORY@example.com", 3), ("octocat", 3), ("Bot", 0)],
)
def test_an_actor_is_a_login_or_a_name_of_the_project(shell: Shell, actor: str, code: int) -> None:
    """``null`` is who has no access of its own."""
    actors = "actors: {octocat: mallory@example.com, bot: null}\n"
    shell.write("provisioner.yaml", f"version: 1\nsources: [roles.yaml]\n{actors}")
    applied(shell, WORLD)
    shell.write("roles.yaml", GIVEN)
    answer = shell("plan", "--actor", actor)
    assert answer.code == code, answer.err
    assert ("would gain" in text(answer)) == (code == 3)


def test_names_of_who_asks_that_differ_only_in_case_are_an_error(shell: Shell) -> None:
    """Which of them is meant decides over access."""
    actors = "actors: {Octocat: null, octocat: mallory@example.com}\n"
    shell.write("provisioner.yaml", f"version: 1\nsources: [roles.yaml]\n{actors}")
    applied(shell, WORLD)
    shell.write("roles.yaml", GIVEN)
    for actor in ("octocat", "Octocat"):
        (error,) = shell.refused("plan", "--actor", actor)
        assert "twice" in error.message


def test_an_actors_own_gain_by_a_rollback_is_blocked(shell: Shell) -> None:
    """The way back is a change like any other."""
    applied(shell, GIVEN, WORLD)
    assert shell("rollback", "1", "--actor", "mallory@example.com", "--auto-approve").code == 3


ANY = "--actor", "eve@example.com"
BOOKS = "  Books: {renamed_from: Accountant, privileges: [ARDOCS_*]}\n"
NEW_BOOKS = "  Accountant: {privileges: []}\n  Books: {privileges: [ARDOCS_*]}\n"
ACCOUNTANT = "  Accountant: {privileges: [ARDOCS_*]}\n"
SHELL = """\
  Accountant: {includes: [One, Two]}
  One: {privileges: [ARDOCS_CREATE]}
  Two: {privileges: [ARDOCS_VIEW, ARDOCS_REBUILD]}
"""
GIVES_BOOKS = USERS.replace("[Accountant]", "[Books]").replace(
    MALLORY, "mallory@example.com: {roles: [Helpdesk, Books]}"
)


@pytest.mark.parametrize(
    "sources",
    [
        GIVEN,
        ROLES.replace(ACCOUNTANT, BOOKS) + GIVES_BOOKS,
        ROLES.replace(ACCOUNTANT, "  Books: {privileges: [ARDOCS_*]}\n") + GIVES_BOOKS,
        ROLES.replace(ACCOUNTANT, NEW_BOOKS) + GIVES_BOOKS + RULE,
        ROLES.replace(ACCOUNTANT, ACCOUNTANT + "  Wrapped: {includes: [Accountant]}\n")
        + USERS.replace(MALLORY, "mallory@example.com: {roles: [Wrapped]}"),
        ROLES.replace(ACCOUNTANT, SHELL)
        + USERS.replace(MALLORY, "mallory@example.com: {roles: [Helpdesk, One, Two]}"),
        ROLES.replace(ACCOUNTANT, SHELL)
        + USERS.replace(MALLORY, "mallory@example.com: {roles: [Helpdesk, One, Two]}")
        + RULE,
        GIVEN + RULE.replace("{name: p", "{name: p, severity: warning"),
        GIVEN + RULE.replace("[bob@example.com]", "[bob@example.com, mallory@example.com]"),
        GIVEN + RULE.replace("}}]", "}, except: [Accountant]}]"),
        GIVEN + RULE.replace("}}]", "}, except: [{role: Accountant, until: 2099-01-01}]}]"),
        GIVEN + RULE.replace("name: p", "name: another"),
    ],
    ids=[
        "dropped",
        "renamed",
        "deleted for another",
        "emptied for another",
        "wrapped in another",
        "emptied into its includes",
        "emptied into its includes, the policy kept",
        "warning only",
        "one more user",
        "exempted",
        "exempted for a time",
        "another name of the policy",
    ],
)
def test_a_rule_is_not_loosened_and_used_in_one_change(shell: Shell, sources: str) -> None:
    """Judged by effect: whatever the names are, mallory gets what only bob may hold."""
    applied(shell, WORLD + RULE)
    limit = ("--max-change-percent", "100")
    answer = plan(shell, sources, *limit)
    assert answer.code in (0, 3), answer.err
    done = plan(shell, sources, *ANY, *limit)
    assert done.code == 3
    assert "policy `p`" in text(done)
    assert "mallory@example.com" in text(done)


@pytest.mark.parametrize(
    "sources",
    [
        WORLD,
        ROLES.replace(ACCOUNTANT, BOOKS) + USERS.replace("[Accountant]", "[Books]"),
        WORLD + RULE.replace("{name: p", "{name: p, severity: warning"),
        ROLES.replace(ACCOUNTANT, "") + USERS.replace("[Accountant]", "[Helpdesk]"),
    ],
    ids=["dropped", "renamed", "warning only", "deleted"],
)
def test_a_rule_that_goes_unused_may_go(shell: Shell, sources: str) -> None:
    """In a change of its own."""
    applied(shell, WORLD + RULE)
    answer = plan(shell, sources, *ANY)
    assert answer.code == 0, answer.out


def test_a_rule_about_dates_is_not_dropped_and_used_in_one_change(shell: Shell) -> None:
    """No panel stores dates, so they are judged as the sources have them."""
    dated = "policies: [{name: d, dated: {roles: [Full Access], require_reason: true}}]\n"
    ends = WORLD.replace("[Full Access]", "[{role: Full Access, until: 2099-01-01, reason: x}]")
    applied(shell, ends + dated)
    sly = ends.replace(MALLORY, "mallory@example.com: {roles: [Full Access]}")
    assert plan(shell, sly).code == 0
    answer = plan(shell, sly, *ANY)
    assert answer.code == 3
    assert "policy `d`" in text(answer)


@pytest.mark.parametrize(
    "later", ["{role: Accountant, until: 2099-01-01}", "Accountant"], ids=["longer", "undated"]
)
def test_a_longer_date_uses_a_dropped_rule(shell: Shell, later: str) -> None:
    """Though nobody holds another role than before."""
    soon = WORLD.replace(
        "bob@example.com: {roles: [Accountant]", "bob@example.com: {roles: [DATED]"
    )
    dated = "policies: [{name: d, dated: {roles: [Accountant], max_days: 60}}]\n"
    short = soon.replace("DATED", "{role: Accountant, until: 2026-12-20}")
    day = ("--as-of", "2026-11-27")
    applied(shell, short + dated, options=day)
    assert plan(shell, short, *ANY, *day).code == 0
    answer = plan(shell, soon.replace("DATED", later), *ANY, *day)
    assert answer.code == 3
    assert "policy `d` and uses that at once: user bob@example.com: Accountant" in text(answer)


def test_a_narrower_role_does_not_make_holders_of_whoever_is_given_more(shell: Shell) -> None:
    """A new administrator holds all that it carried, as administrators always did."""
    applied(shell, WORLD + RULE)
    narrower = WORLD.replace("[ARDOCS_*]", "[ARDOCS_VIEW]")
    hired = "  carl@example.com: {roles: [Full Access]}\n"
    answer = plan(shell, narrower + hired + RULE, *ANY)
    assert answer.code == 0, answer.out
    wrapped = "  Wrapped: {includes: [Accountant]}\n"
    both = ROLES.replace(ACCOUNTANT, ACCOUNTANT + wrapped)
    applied(shell, both + USERS + RULE)
    filled = both.replace("{includes: [Accountant]}", "{privileges: [ARDOCS_*]}")
    emptied = filled.replace("Accountant: {privileges: [ARDOCS_*]}", "Accountant: {}")
    sly = emptied + USERS.replace(MALLORY, "mallory@example.com: {roles: [Helpdesk, Wrapped]}")
    answer = plan(shell, sly + RULE, *ANY)
    assert answer.code == 3
    assert "policy `p` and uses that at once: user mallory@example.com" in text(answer)


def test_an_exempt_role_stays_exempt_while_others_are_narrowed(shell: Shell) -> None:
    """What arrives only through it is not counted, before or after."""
    rule = RULE.replace("}}]", "}, except: [Lead]}]")
    lead = "  Lead: {includes: [Accountant]}\n"
    applied(shell, ROLES + lead + USERS + rule)
    own = "  Lead: {privileges: [ARDOCS_CREATE, ARDOCS_REBUILD], includes: [Accountant]}\n"
    narrower = ROLES.replace("[ARDOCS_*]", "[ARDOCS_VIEW]") + own
    answer = plan(shell, narrower + USERS + "  zoe: {roles: [Lead]}\n" + rule, *ANY)
    assert answer.code == 0, answer.out


# Rules from elsewhere


def git(shell: Shell, *words: str) -> None:
    """Run git in the shell's folder."""
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run(
        ["git", *who, *words],
        cwd=shell.folder,
        check=True,
        capture_output=True,
        env=shell.environment(),
    )


@pytest.fixture
def checkout(shell: Shell) -> Shell:
    """A project on the branch `main`, applied; changes are made on top of it."""
    shell.write(
        "provisioner.yaml",
        "version: 1\nsources: [roles.yaml]\nactors: {octocat: mallory@example.com}\n"
        "safety: {max_users_gaining: 0}\n",
    )
    applied(shell, WORLD)
    shell.write("roles.yaml", WORLD + RULE)
    git(shell, "init", "-q", "-b", "main")
    git(shell, "add", "provisioner.yaml", "roles.yaml")
    git(shell, "commit", "-q", "-m", "rules")
    return shell


def test_rules_of_the_target_branch_judge_as_well(checkout: Shell) -> None:
    """Though they were never applied, and though the change drops them."""
    checkout.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    assert plan(checkout, GIVEN).code == 0
    answer = plan(checkout, GIVEN, "--rules-from", "main")
    assert answer.code == 3
    assert "policy `p`" in text(answer)
    assert "1 user gaining access, at most 0 allowed" in text(answer)


def test_names_of_who_asks_come_from_the_target_branch(checkout: Shell) -> None:
    """A change must not make its author somebody else."""
    checkout.edit("provisioner.yaml", "octocat: mallory@", "octocat: eve@")
    answer = plan(checkout, GIVEN, "--actor", "octocat")
    assert "who asks for this change" not in text(answer)
    answer = plan(checkout, GIVEN, "--actor", "octocat", "--rules-from", "main")
    assert "mallory@example.com, who asks for this change, would gain" in text(answer)


@pytest.mark.parametrize(
    ("later", "code"),
    [
        ("Accountant", 3),
        ("{role: Accountant, until: 2099-01-01}", 3),
        ("{role: Accountant, until: 2098-12-20}", 0),
        ("{role: Accountant, until: 2098-12-01}", 0),
    ],
    ids=["for good", "longer", "as long", "shorter"],
)
def test_whoever_asks_does_not_hold_a_role_for_longer(
    checkout: Shell, later: str, code: int
) -> None:
    """Than the target branch says: no store knows until when."""
    asks = WORLD.replace(MALLORY, "mallory@example.com: {roles: [Helpdesk, DATED]}")
    dated = asks.replace("DATED", "{role: Accountant, until: 2098-12-20}")
    checkout.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    applied(checkout, dated)
    git(checkout, "commit", "-q", "-a", "-m", "dated")
    longer = asks.replace("DATED", later)
    main = ("--rules-from", "main")
    answer = plan(checkout, longer, "--actor", "mallory@example.com", *main)
    assert answer.code == code, answer.out
    assert ("not until 2098-12-20" in text(answer)) == (code == 3)
    assert plan(checkout, longer, *ANY, *main).code == 0


def test_a_file_called_like_the_branch_is_not_taken_for_it(checkout: Shell) -> None:
    """Files are written like paths."""
    checkout.write("main", "version: 1\n")
    checkout.write("elsewhere", "version: 1\n")
    checkout.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    assert plan(checkout, GIVEN, "--rules-from", "main").code == 3
    checkout.write("roles.yaml", GIVEN)
    (error,) = checkout.refused("plan", "--rules-from", "elsewhere")
    assert error.id == "no-revision"


@pytest.mark.parametrize("name", ["", "gone", "HEAD~5", "./gone.yaml", "-x"])
def test_rules_that_cant_be_read_are_an_error(checkout: Shell, name: str) -> None:
    """As in a shallow clone: no rules would be no judgement."""
    checkout.refused("plan", f"--rules-from={name}")


def test_an_empty_variable_for_the_rules_is_an_error(checkout: Shell) -> None:
    """A pipeline whose name for the branch is empty must not plan without."""
    checkout.refused("plan", env={"PROVISIONER_RULES_FROM": ""})


def test_rules_come_from_a_file_or_a_project_elsewhere(checkout: Shell) -> None:
    """A roles file gives policies, a project file its settings too."""
    checkout.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    checkout.write("there/roles.yaml", WORLD + RULE)
    checkout.write("there/project.yaml", "version: 1\nsources: [roles.yaml]\nmanage: all\n")
    for path in ("there/roles.yaml", "there/project.yaml", "./there/"):
        name = path if path.endswith(".yaml") or path.startswith("./") else f"./{path}"
        if path == "./there/":
            (checkout.folder / "there/project.yaml").unlink()
        answer = plan(checkout, GIVEN, "--rules-from", name)
        assert answer.code == 3, answer.err
        assert "policy `p`" in text(answer)


def test_a_saved_plan_keeps_the_rules_that_it_was_made_under(checkout: Shell) -> None:
    """With what their roles carry there; what they forbid is not applied."""
    checkout.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    narrower = WORLD.replace("[ARDOCS_*]", "[ARDOCS_VIEW]") + RULE
    assert plan(checkout, narrower, "--rules-from", "main", "--out", "plan.json").code == 0
    document = json.loads((checkout.folder / "plan.json").read_text())
    (role,) = document["rules"]["former_roles"]
    assert role["name"] == "Accountant"
    assert checkout("show", "plan.json").code == 0
    answer = checkout("apply", "--plan", "plan.json")
    assert answer.code == 0, answer.err


def test_the_stricter_of_two_settings_counts(checkout: Shell) -> None:
    """Ignored on either side is ignored; adopted on both only is adopted."""
    checkout.write(
        "provisioner.yaml",
        "version: 1\nsources: [roles.yaml]\nsafety: {max_users_gaining: 5, max_changes: 0}\n",
    )
    answer = plan(checkout, GIVEN + RULE, "--rules-from", "main")
    assert "1 user gaining access, at most 0 allowed" in text(answer)
    assert "1 change, at most 0 allowed" in text(answer)


PLAIN = "version: 1\nsources: [roles.yaml]\n"


def relinked(checkout: Shell) -> None:
    """Another project file of the branch takes the place of the first one."""
    checkout.write("examples/provisioner.yaml", PLAIN)
    git(checkout, "add", "examples")
    git(checkout, "commit", "-q", "-m", "an example")
    (checkout.folder / "provisioner.yaml").unlink()
    (checkout.folder / "provisioner.yaml").symlink_to("examples/provisioner.yaml")


def deleted(checkout: Shell) -> None:
    """The sources are named on the command line, so nothing misses the project file."""
    (checkout.folder / "provisioner.yaml").unlink()


@pytest.mark.parametrize("hide", [relinked, deleted])
def test_a_change_does_not_hide_the_project_file_that_judges_it(
    checkout: Shell, hide: Callable[[Shell], None]
) -> None:
    """It is read at its own path, and no link of today leads elsewhere."""
    hide(checkout)
    answer = plan(checkout, GIVEN, "--rules-from", "main", "--only-these")
    assert answer.code == 3, answer.err
    assert "policy `p`" in text(answer)
    assert "1 user gaining access, at most 0 allowed" in text(answer)


def test_a_change_does_not_hide_the_rules_behind_a_link(checkout: Shell) -> None:
    """Nor behind a repository of its own, which has a branch of that name too."""
    checkout.write("provisioner.yaml", "version: 1\nsources: [rules, roles.yaml]\n")
    checkout.write("rules/p.yaml", f"version: 1\n{RULE}")
    checkout.write("elsewhere/p.yaml", "version: 1\n")
    checkout.write("roles.yaml", WORLD)
    git(checkout, "add", "rules", "elsewhere", "provisioner.yaml", "roles.yaml")
    git(checkout, "commit", "-q", "-m", "rules of their own")
    shutil.rmtree(checkout.folder / "rules")
    (checkout.folder / "rules").symlink_to("elsewhere")
    checkout.write("roles.yaml", GIVEN)
    assert checkout("plan").code == 0
    linked = checkout("plan", "--rules-from", "main")
    assert "policy `p`" in text(linked)
    (checkout.folder / "rules").unlink()
    checkout.write("rules/p.yaml", "version: 1\n")
    git(checkout, "init", "-q", "-b", "main", "rules")
    git(checkout, "-C", "rules", "add", ".")
    git(checkout, "-C", "rules", "commit", "-q", "-m", "none")
    nested = checkout("plan", "--rules-from", "main")
    assert "policy `p`" in text(nested)


def test_a_role_that_only_the_branch_has_counts_by_what_it_carries_there(checkout: Shell) -> None:
    """It was never applied, and the change gives it another name."""
    vault = "  Vault: {privileges: [CONFIG_SECURITY, ARDOCS_VIEW]}\n"
    rule = "policies: [{name: s, restrict: {roles: [Vault], only_users: [ada@example.com]}}]\n"
    checkout.write("provisioner.yaml", PLAIN)
    checkout.write("roles.yaml", ROLES + vault + USERS + rule)
    git(checkout, "commit", "-q", "-a", "-m", "a vault")
    hidden = ROLES + vault.replace("Vault", "Hidden")
    used = USERS.replace(MALLORY, "mallory@example.com: {roles: [Helpdesk, Hidden]}")
    assert plan(checkout, hidden + USERS, "--rules-from", "main").code == 0
    answer = plan(checkout, hidden + used, "--rules-from", "main")
    assert answer.code == 3
    assert "policy `s` and uses that at once: user mallory@example.com: Vault" in text(answer)


TARGET = "{backend: file, path: .provisioner/state.json%s}"


@pytest.mark.parametrize(
    ("targets", "code"),
    [
        ("prod: " + TARGET % "", 3),
        ("other: " + TARGET % "", 3),
        ("lab: " + TARGET % "", 3),
        ("other: {backend: file, path: there.json}", 1),
    ],
    ids=["same name", "same address", "another's name", "neither"],
)
def test_the_target_is_what_it_was_there(checkout: Shell, targets: str, code: int) -> None:
    """What it is called, or where it is, loses it no ceiling."""
    there = f"targets: {{prod: {TARGET % ', ceiling: Ceiling'}, lab: {{backend: file, path: x}}}}\n"
    checkout.write("provisioner.yaml", PLAIN + there)
    checkout.write("roles.yaml", ROLES + "  Ceiling: {}\n" + USERS)
    git(checkout, "commit", "-q", "-a", "-m", "a ceiling")
    checkout.write("provisioner.yaml", f"{PLAIN}targets: {{{targets}}}\n")
    answer = checkout("plan", "--rules-from", "main")
    assert answer.code == code, answer.err
    assert ("goes beyond `Ceiling`" in text(answer)) == (code == 3)


# The last administrator


def test_an_emptied_full_access_leaves_nobody(shell: Shell) -> None:
    """Who administers is judged by what it carries, not by its name."""
    applied(shell, WORLD)
    emptied = WORLD.replace("roles:\n", "roles:\n  Full Access: {privileges: [ARDOCS_VIEW]}\n", 1)
    answer = plan(shell, emptied)
    assert answer.code == 3
    assert "nobody would have administrative access" in text(answer)
    assert plan(shell, emptied, "--allow-lockout").code == 0


def test_a_catalogue_without_the_privilege_takes_no_guard_away(shell: Shell) -> None:
    """Stored roles carry it, so it is there, whatever the change declares."""
    applied(shell, WORLD)
    catalogue = json.loads(
        resources.files("provisioner").joinpath("data/catalogue.json").read_text()
    )
    catalogue["privileges"] = [
        item for item in catalogue["privileges"] if item["name"] != "CONFIG_SECURITY"
    ]
    for role in catalogue["default_roles"]:
        role["privileges"] = [name for name in role["privileges"] if name != "CONFIG_SECURITY"]
    shell.write("catalogue.yaml", json.dumps(catalogue))
    shell.write("provisioner.yaml", "version: 1\ncatalogue: catalogue.yaml\n")
    answer = plan(shell, WORLD.replace("[Full Access]", "[Helpdesk]"))
    assert answer.code == 3
    assert "nobody would have administrative access" in text(answer)


def test_a_default_role_is_not_filled_beyond_the_ceiling(shell: Shell) -> None:
    """What the panel gave it stays; a change adds nothing above."""
    target = "targets: {t: {backend: file, path: s.json, ceiling: Accountant}}\n"
    desk = "  Desk: {privileges: []}\n"
    shell.write(
        "catalogue.yaml",
        "version: 1\nprivileges: [{name: LOOK}, {name: PAY}, {name: RULE}]\n"
        "default_roles: [{name: Desk, description: a desk, privileges: [RULE]}]\n",
    )
    shell.write("provisioner.yaml", f"version: 1\ncatalogue: catalogue.yaml\n{target}")
    roles = "version: 1\nroles:\n  Accountant: {privileges: [LOOK]}\n"
    applied(shell, roles, roles + desk.replace("[]", "[RULE]"))
    answer = plan(shell, roles + desk.replace("[]", "[RULE, PAY]"))
    assert answer.code == 3
    assert "role `Desk` goes beyond `Accountant`: PAY" in text(answer)


# Protection


@pytest.mark.parametrize(
    ("declared", "held", "what"),
    [
        ("Desk: {renamed_from: Helpdesk, privileges: [ACCOUNTS_VIEW_DET]}", "Desk", "be renamed"),
        ("Helpdesk: {privileges: []}", "Helpdesk", "lose privileges"),
        ("Desk: {renamed_from: Helpdesk}", "Desk", "be renamed and lose privileges"),
    ],
)
def test_a_protected_role_is_unprotected_first(
    shell: Shell, declared: str, held: str, what: str
) -> None:
    """As for deletion: then changed, in a later apply."""
    guarded = "Helpdesk: {privileges: [ACCOUNTS_VIEW_DET], protected: true}"
    plain = "Helpdesk: {privileges: [ACCOUNTS_VIEW_DET]}"
    applied(shell, WORLD.replace(plain, guarded))
    changed = WORLD.replace(plain, declared).replace("[Helpdesk]", f"[{held}]")
    answer = plan(shell, changed)
    assert answer.code == 3
    assert f"is protected, so it can't {what} in the apply" in text(answer)
    applied(shell, WORLD)
    assert plan(shell, changed).code == 0


# Thresholds


def test_users_that_are_left_alone_make_no_room(shell: Shell) -> None:
    """The share is one of those that a plan can change."""
    shell.write("provisioner.yaml", 'version: 1\nignore_users: ["*@cust"]\n')
    staff = "".join(f"  s{n}@staff: {{roles: [Accountant]}}\n" for n in range(12))
    customers = "".join(f"  c{n}@cust: {{roles: [Helpdesk]}}\n" for n in range(60))
    shell.write("all.yaml", "version: 1\n")
    shell.write("roles.yaml", WORLD + staff + customers)
    assert shell("apply", "roles.yaml", "--auto-approve", "--config", "all.yaml").code == 0
    answer = plan(shell, WORLD)
    assert answer.code == 3
    assert "12 of 16 users losing access, ignored ones aside (75%)" in text(answer)
    assert plan(shell, WORLD, "--max-change-percent", "75").code == 0


# Parts of the sources


@pytest.fixture
def parts(shell: Shell) -> Shell:
    """A project of two files, applied."""
    shell.write("provisioner.yaml", "version: 1\nsources: [roles/]\n")
    shell.write("roles/a.yaml", ROLES)
    shell.write("roles/b.yaml", "version: 1\nroles: {Other: {}}\n" + USERS + RULE)
    assert shell("apply", "--auto-approve").code == 0
    return shell


def test_a_part_of_the_sources_takes_nothing_of_the_rest_away(parts: Shell) -> None:
    """Each thing that would go is named, and the file that was not read."""
    answer = parts("plan", "roles/a.yaml")
    assert answer.code == 3
    told = text(answer)
    assert "would delete the role `Other`, which the rest of the project's sources" in told
    assert "would drop the policy `p`" in told
    assert "`roles/b.yaml` was not read" in told
    assert parts("apply", "roles/a.yaml", "--auto-approve").code == 3
    assert parts("plan", "roles/a.yaml", "--only-these").code == 0


def test_what_is_right_for_several_findings_in_a_row_is_said_once(parts: Shell) -> None:
    told = text(parts("plan", "roles/a.yaml"))
    assert told.count("this would ") == 2
    assert told.count("repeat with --only-these") == 1


def test_a_part_does_not_delete_what_the_rest_renames(parts: Shell) -> None:
    """It is the same role, under the name that the rest gives it."""
    renamed = "version: 1\nroles: {Another: {renamed_from: Other}}\n"
    parts.write("roles/b.yaml", renamed + USERS + RULE)
    told = text(parts("plan", "roles/a.yaml"))
    assert "would delete the role `Other`, which the rest of the project's sources" in told


def test_a_part_is_judged_by_the_rules_of_the_rest(shell: Shell) -> None:
    """Also by those that are not in force yet."""
    shell.write("provisioner.yaml", "version: 1\nsources: [roles/]\n")
    shell.write("roles/a.yaml", WORLD)
    assert shell("apply", "--auto-approve").code == 0
    shell.write("roles/a.yaml", GIVEN)
    shell.write("roles/b.yaml", f"version: 1\n{RULE}")
    for answer in (shell("plan", "roles/a.yaml"), shell("plan", "-", stdin=GIVEN)):
        assert answer.code == 3
        assert "policy `p`" in text(answer)
    assert shell("plan", "roles/a.yaml", "--only-these").code == 0


def test_a_part_that_adds_or_changes_is_planned(parts: Shell) -> None:
    """Nothing is in the way of a look at one file."""
    parts.write("roles/b.yaml", "version: 1\nroles: {Other: {}}\n" + USERS + RULE)
    both = parts("plan", "roles/a.yaml", "roles/b.yaml")
    assert both.code == 0
    assert both.last_line == NO_CHANGES


def test_a_rest_that_cant_be_read_may_declare_anything(parts: Shell) -> None:
    """So what would go is blocked as well."""
    parts.write("roles/b.yaml", "version: 1\nroles: {Other: {priviliges: []}}\n")
    answer = parts("plan", "roles/a.yaml")
    assert answer.code == 3
    assert "can't be read" in text(answer)
