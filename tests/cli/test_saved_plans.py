"""A saved plan is applied as it was reviewed, or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from provisioner import schemas
from provisioner.documents import plan

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

FIRST = "examples/roles.yaml"
SECOND = "examples/second-run/roles.yaml"

UNTIL_JUNE = """\
version: 1
users:
  ada:
    roles: [{role: Full Access, until: 2026-06-30, reason: migration}]
"""


def resigned(shell: Shell, **changes: object) -> None:
    """Change a saved plan as somebody would who knows how its digest is made."""
    content = json.loads((shell.folder / "plan.json").read_text()) | changes
    content["digest"] = plan.digest(content)
    shell.write("plan.json", json.dumps(content))


def test_a_saved_plan_is_applied_without_a_question(planned: Shell) -> None:
    """It was the review; no terminal is needed."""
    answer = planned("apply", "--plan", "plan.json")
    assert answer.code == 0
    assert answer.last_line.startswith("Apply complete: 0 added, 1 changed, 1 renamed, 1 deleted")


def test_show_prints_what_plan_printed(planned: Shell) -> None:
    """As text and, to the byte, as JSON."""
    text = planned("plan", SECOND).out
    assert planned("show", "plan.json").out == text
    saved = (planned.folder / "plan.json").read_text()
    assert planned("show", "plan.json", "--format", "json").out == saved
    assert planned("show", "-", stdin=saved).out == text


def test_the_same_plan_is_the_same_file(planned: Shell) -> None:
    """To the byte, and what --format json prints is what --out writes."""
    saved = (planned.folder / "plan.json").read_text()
    answer = planned("plan", SECOND, "--format", "json", "--out", "again.json")
    assert (planned.folder / "again.json").read_text() == saved
    assert answer.out == saved
    assert schemas.valid("plan", answer.document)


def test_a_saved_plan_is_readable_by_its_owner_only(planned: Shell) -> None:
    """It says who holds what."""
    assert (planned.folder / "plan.json").stat().st_mode & 0o777 == 0o600


def test_a_plan_that_was_applied_is_stale(planned: Shell) -> None:
    """Exit code 4, and the state is not touched."""
    planned("apply", "--plan", "plan.json")
    errors = planned.errors("apply", "--plan", "plan.json", code=4)
    assert {error.id for error in errors} == {"stale-plan"}
    assert any("role Credit Controller no longer exists" in error.message for error in errors)


def test_the_remedy_of_a_stale_plan_is_said_once(planned: Shell) -> None:
    """Below the last of the reasons: it is one for all of them."""
    assert planned("apply", "--plan", "plan.json").code == 0
    answer = planned("apply", "--plan", "plan.json")
    assert answer.err.count("the plan is stale") > 1
    assert answer.err.count("make the plan again") == 1


def test_an_unrelated_change_does_not_make_a_plan_stale(planned: Shell) -> None:
    """Only the objects that it touches, and the access that it gives, count."""
    planned.edit(FIRST, "Opens accounts and agrees", "Opens accounts, agrees")
    assert planned("apply", "--auto-approve", FIRST).code == 0
    assert planned("apply", "--plan", "plan.json").code == 0
    assert planned.role("Sales Manager")["description"].startswith("Opens accounts, agrees")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Invoices, payments", "Bills, payments", "role Accountant is no longer"),
        (
            "      - Helpdesk\n      - Credit Controller\n",
            "      - Helpdesk\n",
            "user alan@example.com no longer holds",
        ),
        (
            "      - ARDOCS_VIEW\n\n  Accountant",
            "      - ARDOCS_VIEW\n      - ACCOUNTS_RLS_CR_HOLD\n\n  Accountant",
            "it would change access otherwise than planned",
        ),
        (
            "      - Sales Manager\n",
            "      - Sales Manager\n      - Credit Controller\n",
            "it would change access otherwise than planned: margaret@example.com",
        ),
    ],
    ids=["a touched role", "a touched user", "an included role", "another holder"],
)
def test_a_related_change_makes_a_plan_stale(
    planned: Shell, old: str, new: str, reason: str
) -> None:
    """Whatever it touches, and whomever it would reach otherwise than planned."""
    planned.edit(FIRST, old, new)
    assert planned("apply", "--auto-approve", FIRST).code == 0
    errors = planned.errors("apply", "--plan", "plan.json", code=4)
    assert any(reason in error.message for error in errors)


def test_a_plan_for_a_state_that_was_replaced_is_stale(planned: Shell) -> None:
    """Another lineage is another panel, even if it looks the same."""
    for path in (planned.folder / ".provisioner").rglob("*.json"):
        path.unlink()
    assert planned("apply", "--auto-approve", FIRST).code == 0
    assert planned("apply", "--plan", "plan.json").code == 4


def test_a_plan_of_nothing_is_stale_once_there_is_something(shell: Shell) -> None:
    """Two people plan the first run; the second to apply is told."""
    shell.write("roles.yaml", "version: 1\nroles: {Viewer: {privileges: [ARDOCS_VIEW]}}\n")
    shell("plan", "roles.yaml", "--out", "plan.json")
    assert shell("apply", "--auto-approve", "roles.yaml").code == 0
    errors = shell.errors("apply", "--plan", "plan.json", code=4)
    assert any("a role named Viewer exists by now" in error.message for error in errors)
    assert any("it was applied already: run 1" in error.message for error in errors)


def test_a_plan_expires_with_the_first_end_date(shell: Shell) -> None:
    """Made with --as-of while the assignment was active, applied when it no longer is."""
    shell.write("roles.yaml", UNTIL_JUNE)
    answer = shell("plan", "roles.yaml", "--as-of", "2026-06-30", "--out", "plan.json")
    assert "+ Full Access, until 2026-06-30: migration" in answer.out
    (error,) = shell.errors("apply", "--plan", "plan.json", code=4)
    assert error.message == "the plan is stale: an assignment it relies on ended on 2026-06-30"


def test_an_end_date_that_has_passed_is_planned_without(shell: Shell) -> None:
    """The next day the role is not held, and there is nothing to do."""
    shell.write("roles.yaml", UNTIL_JUNE)
    answer = shell("plan", "roles.yaml", "--as-of", "2026-07-01", "--detailed-exitcode")
    assert answer.code == 0


def test_a_plan_that_was_edited_is_refused(planned: Shell) -> None:
    """Its digest no longer fits, whatever was changed."""
    planned.edit("plan.json", "ARDOCS_REBUILD", "CONFIG_SECURITY")
    (error,) = planned.errors("apply", "--plan", "plan.json")
    assert error.place == "plan.json"
    assert "its digest does not match" in error.message
    (error,) = planned.errors("show", "plan.json")
    assert "make the plan again" in error.remedy


@pytest.mark.parametrize("kept", [0, 1, 500])
def test_a_plan_that_was_cut_off_is_refused(planned: Shell, kept: int) -> None:
    """Wherever it ends."""
    planned.write("plan.json", (planned.folder / "plan.json").read_bytes()[:kept])
    (error,) = planned.errors("apply", "--plan", "plan.json")
    assert error.id == "invalid-plan"
    assert "it may have been cut off" in error.remedy


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"[" * 100_000,
        b'{"format": "provisioner-plan", "version": NaN}',
        b'{"format": "provisioner-plan", "version": 1, "digest": "\\ud800"}',
        b"version: 1\nroles: {}\n",
    ],
)
def test_what_is_no_plan_is_refused(first_run: Shell, content: bytes) -> None:
    """JSON of another kind, other files, and what parsers choke on."""
    first_run.write("plan.json", content)
    (error,) = first_run.errors("apply", "--plan", "plan.json")
    assert (error.id, error.place) == ("invalid-plan", "plan.json")
    assert "make " in error.remedy


def test_a_plan_of_a_newer_version_is_refused(planned: Shell) -> None:
    """Before anything in it is believed."""
    resigned(planned, version=2)
    (error,) = planned.errors("apply", "--plan", "plan.json")
    assert "format version 2; this provisioner reads 1" in error.message


@pytest.mark.parametrize(
    "changes",
    [{"changes": [{}]}, {"impact": "everybody"}, {"as_of": 2026}, {"surprise": 1}],
    ids=str,
)
def test_a_plan_of_the_wrong_shape_is_refused(planned: Shell, changes: dict[str, object]) -> None:
    """Though its digest fits: a plan is input like any other."""
    resigned(planned, **changes)
    (error,) = planned.errors("apply", "--plan", "plan.json")
    assert error.id == "invalid-plan"


@pytest.mark.parametrize("key", ["as_of", "valid_until"])
def test_a_date_that_does_not_exist_is_refused_in_a_plan(planned: Shell, key: str) -> None:
    """A schema lets 30 February pass; nobody else does."""
    resigned(planned, **{key: "2026-02-30"})
    (error,) = planned.errors("apply", "--plan", "plan.json")
    assert error.id == "invalid-plan"


def test_a_plan_is_for_its_target_only(planned: Shell) -> None:
    """Applying it elsewhere is an error, and says which target it is for."""
    planned.write(
        "provisioner.yaml",
        "version: 1\ntargets:\n  production: {backend: file, path: production.json}\n",
    )
    (error,) = planned.errors("apply", "--plan", "plan.json")
    assert error.id == "other-project"
    assert "made without a project file" in error.message
    planned.edit("provisioner.yaml", "production:", "embedded:")
    planned.edit("provisioner.yaml", "production.json", ".provisioner/other.json")
    (error,) = planned.errors("apply", "--plan", "plan.json")
    assert error.id == "other-target"
    assert "file:.provisioner/state.json" in error.message
    assert "file:.provisioner/other.json" in error.message


@pytest.mark.parametrize(
    "option",
    [
        (FIRST,),
        ("--as-of", "2026-01-01"),
        ("--adopt",),
        ("--max-deletes", "0"),
        ("--max-change-percent", "0"),
    ],
    ids=" ".join,
)
def test_what_a_plan_fixes_cannot_be_given_again(planned: Shell, option: tuple[str, ...]) -> None:
    """Sources, date and guards are a matter of planning."""
    (error,) = planned.errors("apply", "--plan", "plan.json", *option)
    assert error.id == "usage"
    assert "can't go with --plan" in error.message


def test_an_empty_plan_applies_to_nothing(first_run: Shell) -> None:
    """And that is no error."""
    first_run("plan", FIRST, "--out", "plan.json")
    before = first_run.files()
    assert first_run("apply", "--plan", "plan.json").code == 0
    assert first_run.files() == before


def test_a_blocked_plan_is_written_and_not_applyable(first_run: Shell) -> None:
    """Exit code 3 with and without --detailed-exitcode; `show` tells why, `apply` refuses."""
    first_run.write("roles.yaml", "version: 1\nroles: {}\nusers: {}\n")
    for option in ((), ("--detailed-exitcode",)):
        answer = first_run("plan", "roles.yaml", "--out", "plan.json", *option)
        assert answer.code == 3
        assert "This plan can't be applied" in answer.out
        assert "role `Configuration Engineer` is protected" in answer.out
        assert "apply --plan" not in answer.err
    saved = json.loads((first_run.folder / "plan.json").read_text())
    assert saved["applyable"] is False
    found = [blocker["id"] for blocker in saved["blockers"]]
    assert found == ["protected", "lockout", "max-change-percent", "max-change-percent"]
    assert first_run("show", "plan.json").out == first_run("plan", "roles.yaml").out
    before = first_run.files()
    assert first_run("apply", "--plan", "plan.json").code == 3
    assert first_run("apply", "--auto-approve", "roles.yaml").code == 3
    assert first_run.files() == before


def test_a_blocked_plan_made_applyable_by_hand_is_stale(first_run: Shell) -> None:
    """Even with a digest that fits: the guards are asked again under the lock."""
    first_run.write("roles.yaml", "version: 1\nroles: {}\nusers: {}\n")
    first_run("plan", "roles.yaml", "--out", "plan.json")
    resigned(first_run, blockers=[], applyable=True)
    errors = first_run.errors("apply", "--plan", "plan.json", code=4)
    assert any("is protected" in error.message for error in errors)


def test_a_plan_is_not_written_over_a_source(planned: Shell) -> None:
    """A slip of the pen must not cost the roles that it was to save."""
    before = planned.files()
    answer = planned("plan", SECOND, "--out", SECOND)
    assert answer.code == 1
    assert planned.files() == before
