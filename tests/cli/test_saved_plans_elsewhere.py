"""The project that applies a saved plan judges it, whatever project made it; and only once."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from provisioner.documents import plan as planfile
from provisioner.server.app import create_app
from tests.server.running import WRITER, serving, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Shell

WORLD = """\
version: 1
roles:
  Accountant: {privileges: [ARDOCS_*]}
  Helpdesk: {privileges: [ACCOUNTS_VIEW_DET]}
users:
  ada@example.com: {roles: [Full Access]}
  bob@example.com: {roles: [Accountant]}
  eve@example.com: {roles: [Helpdesk]}
"""
ONLY_BOB = """\
policies: [{name: p, restrict: {roles: [Accountant], only_users: [bob@example.com]}}]
"""
TARGET = "targets: {t: {backend: file, path: state.json}}\n"
PROJECT = f"version: 1\nsources: [roles.yaml]\n{TARGET}"
GAIN = ("eve@example.com: {roles: [Helpdesk]}", "eve@example.com: {roles: [Helpdesk, Accountant]}")
KEY = {"PANEL_TOKEN": WRITER}


@pytest.fixture
def office(shell: Shell) -> Shell:
    """A project whose world is applied."""
    shell.write("provisioner.yaml", PROJECT)
    shell.write("roles.yaml", WORLD)
    assert shell("apply", "--auto-approve").code == 0
    return shell


def saved(shell: Shell, *options: str, **settings: Any) -> Any:
    """Plan into plan.json, and return what it holds."""
    answer = shell("plan", "--out", "plan.json", *options, **settings)
    assert answer.code == 0, answer.out + answer.err
    return json.loads((shell.folder / "plan.json").read_text())


def gaining(shell: Shell, *options: str) -> Any:
    """The saved plan by which eve becomes an accountant."""
    shell.edit("roles.yaml", *GAIN)
    return saved(shell, *options)


def forged(shell: Shell, document: dict[str, Any], **changes: Any) -> None:
    """Write a plan whose digest fits again."""
    content = document | changes
    content["digest"] = planfile.digest(content)
    shell.write("plan.json", json.dumps(content))


def refusals(shell: Shell, *words: str, code: int, **settings: Any) -> dict[str, str]:
    """Apply the saved plan in vain: the ids of the errors, and what they say."""
    errors = shell.errors("apply", "--plan", "plan.json", *words, code=code, **settings)
    return {error.id: f"{error.message} | {error.remedy}" for error in errors}


# What the project says counts


@pytest.mark.parametrize(
    ("said", "id"),
    [
        ("safety: {max_users_gaining: 0}\n", "max-users-gaining"),
        ("safety: {max_changes: 0}\n", "max-changes"),
        ("external: [Regional]\n", "external-missing"),
    ],
)
def test_the_settings_of_the_project_that_applies_count(office: Shell, said: str, id: str) -> None:
    """Not those of the project file that the plan was made with."""
    office.write("other.yaml", PROJECT)
    office.edit("provisioner.yaml", "version: 1\n", f"version: 1\n{said}")
    gaining(office, "--config", "other.yaml")
    assert id in refusals(office, code=3)


@pytest.mark.parametrize("said", ['ignore: ["Help*"]\n', "external: [Helpdesk]\n"])
def test_a_role_that_the_project_leaves_alone_is_not_changed(office: Shell, said: str) -> None:
    """By a plan that was made where it was not left alone; renaming it is no way out."""
    office.write("other.yaml", PROJECT.replace("roles.yaml", "others.yaml"))
    office.write("others.yaml", WORLD.replace("Helpdesk: {", "Desk: {renamed_from: Helpdesk, "))
    office.edit("others.yaml", "[Helpdesk]", "[Desk]")
    office.edit("provisioner.yaml", "version: 1\n", f"version: 1\n{said}")
    office.edit("roles.yaml", "  Helpdesk: {privileges: [ACCOUNTS_VIEW_DET]}\n", "")
    office.edit("roles.yaml", "  eve@example.com: {roles: [Helpdesk]}\n", "")
    saved(office, "--config", "other.yaml")
    assert "left-alone" in refusals(office, code=3)


def test_a_ceiling_and_self_of_the_project_count(office: Shell) -> None:
    """They belong to its target of that name."""
    office.write("other.yaml", PROJECT)
    office.edit("provisioner.yaml", "path: state.json", "path: state.json, ceiling: Helpdesk")
    gaining(office, "--config", "other.yaml")
    assert "above-ceiling" in refusals(office, code=3)


def test_what_a_project_does_not_declare_is_not_deleted_by_a_plan_of_another(office: Shell) -> None:
    """``manage: declared`` here, all there."""
    office.write("other.yaml", PROJECT)
    office.edit("provisioner.yaml", "version: 1\n", "version: 1\nmanage: declared\n")
    office.edit("roles.yaml", "  Helpdesk: {privileges: [ACCOUNTS_VIEW_DET]}\n", "")
    office.edit("roles.yaml", "  eve@example.com: {roles: [Helpdesk]}\n", "")
    saved(office, "--config", "other.yaml", "--max-change-percent", "100")
    assert "other-manage" in refusals(office, code=3)


def test_the_policies_of_the_project_that_applies_judge(office: Shell) -> None:
    """The plan comes from sources without them."""
    office.write("other.yaml", PROJECT.replace("roles.yaml", "others.yaml"))
    office.write("others.yaml", WORLD.replace(*GAIN))
    office.write("roles.yaml", WORLD + ONLY_BOB)
    saved(office, "--config", "other.yaml")
    assert "only bob@example.com may hold" in refusals(office, code=3)["policy-violation"]


def test_a_plan_that_forgets_the_policies_is_refused(office: Shell) -> None:
    """Though nothing breaks them: they would be gone from the target."""
    office.write("roles.yaml", WORLD + ONLY_BOB)
    office.edit("roles.yaml", "[ACCOUNTS_VIEW_DET]", "[ACCOUNTS_VIEW_DET, ACCOUNTS_RLS_CR_HOLD]")
    saved(office)
    plan = planfile.decode((office.folder / "plan.json").read_bytes(), "plan.json")
    without = planfile.encode(replace(plan, rules={}, rule_changes=()))
    office.write("plan.json", without)
    assert "the policies of the sources are others" in refusals(office, code=4)["stale-plan"]


@pytest.mark.parametrize("field", ["sensitive", "default_roles"])
def test_a_plan_that_forgets_the_catalogue_is_refused(office: Shell, field: str) -> None:
    """Which privileges are sensitive, and which roles the panel ships, is not its to say."""
    document = gaining(office)
    assert document[field]
    forged(office, document, **{field: []})
    assert "the catalogue" in refusals(office, code=4)["stale-plan"]


@pytest.mark.parametrize(
    ("name", "why"), [("NOBODY", "is internal"), ("MADE_UP", "does not exist in the catalogue")]
)
def test_what_is_no_privilege_is_not_stored(office: Shell, name: str, why: str) -> None:
    """A plan that agrees with itself can still grant what the catalogue does not have."""
    office.edit("roles.yaml", "roles:\n", "roles:\n  Fresh: {privileges: [ARDOCS_VIEW]}\n")
    document = json.loads(json.dumps(saved(office)).replace("ARDOCS_VIEW", name))
    document["sensitive"] = saved(office)["sensitive"]
    forged(office, document)
    assert why in refusals(office, code=3)["not-grantable"]


def test_sources_that_are_not_here_judge_nothing_and_that_is_said(office: Shell) -> None:
    """A machine that only applies needs the project file and the plan."""
    gaining(office)
    (office.folder / "roles.yaml").unlink()
    answer = office("apply", "--plan", "plan.json")
    assert answer.code == 0
    assert "The project's sources are not here" in answer.err


def test_sources_that_are_wrong_stop_a_saved_plan(office: Shell) -> None:
    """What forbids it may stand in them."""
    gaining(office)
    office.edit("roles.yaml", "version: 1", "version: 1\nrols: {}")
    assert "schema-additional-properties" in refusals(office, code=1)


def test_what_has_moved_on_without_touching_a_plan_is_said(office: Shell) -> None:
    """Target, sources and project file; the plan applies all the same."""
    office.write("others.yaml", WORLD)
    office.edit("others.yaml", "[ACCOUNTS_VIEW_DET]", "[ACCOUNTS_VIEW_DET, ACCOUNTS_RLS_CR_HOLD]")
    gaining(office)
    office.edit(
        "roles.yaml", "bob@example.com: {roles: [Accountant]}", "bob@example.com: {roles: []}"
    )
    tests = "tests: [{role: Helpdesk, can: [ACCOUNTS_VIEW_DET]}]\n"
    office.edit("roles.yaml", "version: 1\n", f"version: 1\n{tests}")
    office.edit("provisioner.yaml", "version: 1\n", "version: 1\nsafety: {max_changes: 9}\n")
    office.write("more.yaml", WORLD.replace("roles:\n", "roles:\n  Aside: {}\n", 1))
    assert office("apply", "more.yaml", "--auto-approve").code == 0
    answer = office("apply", "--plan", "plan.json")
    assert answer.code == 0
    for what in (
        "The target was changed since this plan was made: ",
        "The sources of the project are not those that this plan was made from: ",
        "The settings of the project are not those that this plan was made with: ",
    ):
        assert what in answer.err


# The target comes from the plan


def test_the_hint_of_plan_works_when_pasted(shell: Shell) -> None:
    """Among several targets, with a project file elsewhere, with blanks and quotes in names."""
    shell.write("pro ject/roles.yaml", WORLD)
    targets = "targets: {us: {backend: file, path: us.json}, eu: {backend: file, path: eu.json}}\n"
    shell.write("pro ject/provisioner.yaml", f"version: 1\nsources: [roles.yaml]\n{targets}")
    config = ("--config", "pro ject/provisioner.yaml")
    answer = shell("plan", *config, "--target", "us", "--out", "it's a plan.json")
    hint = answer.err.partition("To apply exactly this: ")[2].splitlines()[0]
    path = {"PATH": f"{shell.program.parent}:{shell.environment()['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", hint],
        cwd=shell.folder,
        env=shell.environment(path),
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0
    assert shell.state("pro ject/us.json")["serial"] == 1
    assert not (shell.folder / "pro ject/eu.json").exists()


def test_a_variable_that_names_another_target_is_left_aside(office: Shell) -> None:
    """As are those for what the plan fixes; on the command line they are a mistake."""
    gaining(office)
    variables = {
        "PROVISIONER_TARGET": "other",
        "PROVISIONER_MAX_DELETES": "7",
        "PROVISIONER_AS_OF": "2026-01-01",
        "PROVISIONER_ACTOR": "eve@example.com",
        "PROVISIONER_ADOPT": "1",
    }
    assert "usage" in refusals(office, "--max-deletes", "7", code=1)
    assert "leave out --target" in refusals(office, "--target", "u", code=1)["other-target"]
    assert office("apply", "--plan", "plan.json", env=variables).code == 0


def test_a_plan_of_another_project_names_the_config_to_pass(office: Shell) -> None:
    """Never opened by itself: a plan does not say which project judges it."""
    office.write("there/provisioner.yaml", PROJECT.replace("{t:", "{us:"))
    office.write("there/roles.yaml", WORLD)
    saved(office, "--config", "there/provisioner.yaml")
    found = refusals(office, code=1)["other-project"]
    assert "it has no target `us`" in found
    assert "provisioner apply --plan plan.json --config there/provisioner.yaml" in found
    (office.folder / "provisioner.yaml").unlink()
    found = refusals(office, code=1)["other-project"]
    assert "there is no provisioner.yaml here" in found
    assert "provisioner apply --plan plan.json --config there/provisioner.yaml" in found
    assert office("apply", "--plan", "plan.json", "--config", "there/provisioner.yaml").code == 0


def test_a_plan_for_a_target_that_was_never_written_is_for_that_one_only(shell: Shell) -> None:
    """Another project's looks the same: no lineage yet, the same relative path."""
    for folder, comment in (("a", ""), ("b", "# b\n")):
        shell.write(f"{folder}/provisioner.yaml", comment + PROJECT)
        shell.write(f"{folder}/roles.yaml", WORLD)
    document = saved(shell, "--config", "a/provisioner.yaml")
    there = ("--config", "b/provisioner.yaml")
    assert "was not written yet" in refusals(shell, *there, code=1)["other-project"]
    assert shell("apply", "--auto-approve", *there).code == 0
    shell.edit("b/roles.yaml", "ACCOUNTS_VIEW_DET", "ACCOUNTS_RLS_CR_HOLD")
    assert "other-project" in refusals(shell, *there, code=1)
    assert shell("apply", "--plan", "plan.json", "--config", "a/provisioner.yaml").code == 0
    assert document["base"]["lineage"] is None


def test_show_asks_no_target_and_says_what_it_did_not_check(office: Shell) -> None:
    """Neither the project file, nor the sources, nor the target need be there."""
    gaining(office)
    for name in ("provisioner.yaml", "roles.yaml", "state.json"):
        (office.folder / name).write_text("no: longer: anything")
    answer = office("show", "plan.json")
    assert answer.code == 0
    assert "Not checked: that it still fits the target" in answer.err


def test_the_options_that_a_plan_was_made_with_are_shown(office: Shell) -> None:
    """They hold when it is applied, so whoever reviews it has to see them."""
    gaining(office, "--max-deletes", "2", "--actor", "ada@example.com", "--new-only")
    shown = " ".join(office("show", "plan.json").out.split())
    assert "Planned with --new-only, --max-deletes 2, --actor ada@example.com." in shown


def test_a_limit_lifted_for_a_plan_holds_when_it_is_applied(office: Shell) -> None:
    """Given as an option it counts instead of the project's, now as then."""
    office.edit("provisioner.yaml", "version: 1\n", "version: 1\nsafety: {max_deletes: 0}\n")
    office.edit("roles.yaml", "  Helpdesk: {privileges: [ACCOUNTS_VIEW_DET]}\n", "")
    office.edit("roles.yaml", "  eve@example.com: {roles: [Helpdesk]}\n", "")
    assert office("plan", "--out", "plan.json").code == 3
    document = saved(office, "--max-deletes", "1", "--max-change-percent", "100")
    forged(office, document, settings=document["settings"] | {"given": []})
    assert "max-deletes" in refusals(office, code=3)
    forged(office, document)
    assert office("apply", "--plan", "plan.json").code == 0


# What a plan relies on


def test_a_plan_expires_with_an_exemption_that_it_relies_on(office: Shell) -> None:
    """Not only with assignments: from the next day on the policy forbids it."""
    office.edit("roles.yaml", "roles:\n", "roles:\n  Both: {includes: [Accountant, Helpdesk]}\n")
    until = "except: [{role: Both, until: 2026-03-20}, Full Access]"
    pair = "separation_of_duty: {roles: [Accountant, Helpdesk]}"
    office.edit(
        "roles.yaml", "version: 1\n", f"version: 1\npolicies: [{{name: s, {pair}, {until}}}]\n"
    )
    document = saved(office, "--as-of", "2026-03-15")
    assert document["valid_until"] == "2026-03-20"
    assert "An exemption from a policy ends on 2026-03-20." in office("show", "plan.json").out
    assert "an exemption it relies on ended on 2026-03-20" in str(refusals(office, code=4))
    forged(office, document, valid_until=None)
    assert "/valid_until says null" in refusals(office, code=1)["invalid-plan"]


def test_declared_default_roles_are_remembered(office: Shell) -> None:
    """A break that was there already is still one when the plan is applied."""
    declared = 'roles:\n  Full Access: {description: mine, privileges: ["*"]}\n'
    office.edit("roles.yaml", "roles:\n", declared)
    office.edit(
        "roles.yaml", "version: 1\n", "version: 1\npolicies: [{name: d, deny: [CONFIG_SECURITY]}]\n"
    )
    document = saved(office, "--new-only")
    assert [item["subject"] for item in document["violations"]] == ["Full Access"]
    (office.folder / "roles.yaml").rename(office.folder / "away.yaml")
    assert office("apply", "--plan", "plan.json").code == 0


# Once


def test_a_plan_is_applied_once(office: Shell) -> None:
    """Also after a rollback, which makes the target what it was."""
    gaining(office)
    assert office("apply", "--plan", "plan.json").code == 0
    assert office("rollback", "1", "--auto-approve").code == 0
    assert "it was applied already: run 2, by " in refusals(office, code=4)["stale-plan"]


def test_a_plan_older_than_the_history_is_not_applied(office: Shell) -> None:
    """Nobody can tell whether it was applied already."""
    gaining(office)
    for number in range(2):
        office.write(
            "roles.yaml", WORLD.replace("Helpdesk: {", f"Helpdesk: {{description: d{number}, ")
        )
        assert office("apply", "--auto-approve").code == 0
    office.write("roles.yaml", WORLD)
    assert office("apply", "--auto-approve").code == 0
    office.write("roles.yaml", WORLD.replace(*GAIN))
    (office.folder / "state.json.history/000003.json").unlink()
    assert "no longer reaches back" in refusals(office, code=4)["stale-plan"]


def test_a_plan_made_from_what_never_was_is_not_applied(office: Shell) -> None:
    """Its base is one that the history tells otherwise of, or one that is still to come."""
    document = gaining(office)
    for base in ({"serial": 2}, {"digest": "sha256:" + 64 * "0"}, {"serial": 0}):
        forged(office, document, base=document["base"] | base)
        assert "stale-plan" in refusals(office, code=4)


def test_a_target_without_history_says_that_a_plan_can_be_applied_again(panel: Shell) -> None:
    """Nobody remembers it there."""
    panel.write(
        "provisioner.yaml",
        "version: 1\nsources: [roles.yaml]\ntargets: {p: {backend: panel, lacks: [history]}}\n",
    )
    panel.write("roles.yaml", "version: 1\nroles: {Viewer: {privileges: [ARDOCS_VIEW]}}\n")
    for words in (("plan", "--out", "plan.json"), ("show", "plan.json")):
        assert "can be applied again wherever it fits again" in panel(*words).err
    assert panel("apply", "--plan", "plan.json").code == 0


@pytest.fixture(params=["", ", changesets: false"], ids=["at once", "one by one"])
def gateway(
    request: pytest.FixtureRequest, shell: Shell, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shell]:
    """A project whose target is a gateway that keeps a history."""
    app = create_app(settings(tmp_path_factory.mktemp("gateway") / "store.sqlite"))
    with serving(app) as url:
        more = f"backend: http, url: {url}, token_env: PANEL_TOKEN{request.param}"
        shell.write(
            "provisioner.yaml",
            f"version: 1\nsources: [roles.yaml]\ntargets: {{t: {{{more}}}}}\n",
        )
        shell.write("roles.yaml", WORLD)
        first = shell("apply", "--auto-approve", "--insecure-http", env=KEY)
        assert first.code == 0, first.err
        yield shell
    app.state.gateway.close()


def test_a_plan_is_applied_once_through_a_gateway(gateway: Shell) -> None:
    """The gateway remembers the plans, whether it takes changesets or not."""
    gateway.edit("roles.yaml", *GAIN)
    saved(gateway, "--insecure-http", env=KEY)
    ways = ("--insecure-http",)
    assert gateway("apply", "--plan", "plan.json", *ways, env=KEY).code == 0
    assert gateway("rollback", "1", "--auto-approve", *ways, env=KEY).code == 0
    assert (
        "it was applied already: run 2" in refusals(gateway, *ways, code=4, env=KEY)["stale-plan"]
    )
