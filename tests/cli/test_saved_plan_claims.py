"""Whatever is changed in a saved plan, its digest made anew: it is refused, or nothing follows.

Each single value of the document is replaced, one after the other, and the plan applied as the
command line does it, to a copy of the store that it was made for.
"""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.apply.run import apply_plan
from provisioner.backends.base import Run
from provisioner.cli.invocation import Invocation
from provisioner.cli.opening.saved import open_for
from provisioner.documents import plan as planfile
from provisioner.errors import Blocked, InvalidInput, StalePlan
from provisioner.opening.judge import judge_of
from provisioner.reports.text.plan import plan_text
from provisioner.reports.text.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.engine.planning.plan import Plan
    from provisioner.model import State
    from tests.cli.conftest import Shell

    Steps = tuple[str | int, ...]

TODAY = date.today()  # noqa: DTZ011 - a day more or less is all the same here
SOON, LATER = TODAY + timedelta(days=40), TODAY + timedelta(days=90)
PROJECT = """\
version: 1
sources: [roles.yaml]
ignore: ["Legacy *"]
safety: {max_changes: 50}
targets: {us: {backend: file, path: us.json}, eu: {backend: file, path: eu.json}}
"""
FIRST = """\
version: 1
roles:
  Base: {privileges: [ARDOCS_VIEW]}
  Clerk: {privileges: [ARDOCS_CREATE], includes: [Base]}
  Legacy One: {privileges: [ARDOCS_VIEW]}
  Old: {privileges: [ARDOCS_VIEW]}
users:
  ada@example.com: {roles: [Full Access]}
  bob@example.com: {roles: [Clerk, Old]}
  cy@example.com: {roles: [Old]}
"""
SECOND = f"""\
version: 1
roles:
  Base: {{privileges: [ARDOCS_VIEW, ARDOCS_REBUILD]}}
  Bookkeeper:
    renamed_from: Clerk
    description: Keeps the books
    privileges: [ARDOCS_CREATE, ACCOUNTS_VIEW_DET]
    includes: [Base]
  Fresh: {{description: new, privileges: [ARDOCS_VIEW], protected: true}}
  Full Access: {{description: mine, privileges: ["*"]}}
users:
  ada@example.com: {{roles: [Full Access]}}
  bob@example.com: {{roles: [Bookkeeper, {{role: Fresh, until: {SOON}, reason: cover}}]}}
  cy@example.com: {{roles: [{{role: Base, until: {LATER}}}]}}
policies:
  - {{name: few, severity: warning, restrict: {{privileges: [ARDOCS_VIEW], max_users: 1}}}}
  - name: duties
    separation_of_duty: [ARDOCS_CREATE, ACCOUNTS_VIEW_DET]
    except: [{{role: Bookkeeper, until: {LATER}}}, Full Access]
tests:
  - {{user: cy@example.com, can: [ARDOCS_VIEW]}}
"""

DOCS = (Path(__file__).parents[2] / "docs/plans.md").read_text()


def documented(title: str) -> tuple[str, ...]:
    """The fields that a section of docs/plans.md lists, as globs."""
    section = DOCS.partition(f"## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith(("| `/", "- `/"))]
    return tuple(p for line in lines for p in re.findall(r"`(/[^`]+)`", line))


def is_listed(pointer: str, listed: tuple[str, ...]) -> bool:
    """Whether a field is one of those, or lies below one that ends in ``**``."""
    return any(
        fnmatchcase(pointer, glob) or fnmatchcase(pointer, glob.removesuffix("/**"))
        for glob in listed
    )


def leaves(value: Any, path: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Every value of a document that holds no others, and every list and mapping as one."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield (*path, key), item
        yield from leaves(item, (*path, key))


def others(value: Any) -> Iterator[Any]:
    """Values of the same kind: what somebody might write instead."""
    match value:
        case bool():
            yield not value
        case int():
            yield from (value + 1, max(0, value - 1))
        case str():
            yield from (value + "x", "ARDOCS_HOLD", "ada@example.com", "Full Access", "")
            if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
                day = date.fromisoformat(value)
                yield from (str(day + timedelta(days=1)), str(day - timedelta(days=1)))
        case list():
            yield []
            yield [*value, *value[-1:]]
            yield value[::-1]
            yield value[1:]
            if all(isinstance(item, str) for item in value):
                yield [*value, "CONFIG_SECURITY"]
        case dict():
            yield {}
        case None:
            yield from ("x", 1, str(SOON))


def with_value(document: Any, path: Steps, value: Any) -> dict[str, Any]:
    """A copy with another value at a path, and a digest that fits."""
    copy: Any = json.loads(json.dumps(document))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    copy["digest"] = planfile.digest(copy)
    return dict(copy)


@pytest.fixture
def ready(shell: Shell) -> Shell:
    """A project with two targets; one of them written; a change of it planned, with an option."""
    shell.write("provisioner.yaml", PROJECT)
    shell.write("roles.yaml", FIRST)
    shell.edit("provisioner.yaml", 'ignore: ["Legacy *"]\n', "")
    assert shell("apply", "--target", "us", "--auto-approve").code == 0
    shell.write("provisioner.yaml", PROJECT)
    shell.write("roles.yaml", SECOND)
    answer = shell("plan", "--target", "us", "--max-deletes", "3", "--out", "plan.json")
    assert answer.code == 0, answer.out + answer.err
    return shell


def applied(folder: Path, document: dict[str, Any]) -> tuple[Plan, State]:
    """What applying a plan leads to. Raises what refuses it."""
    plan = planfile.decode(json.dumps(document).encode(), "plan.json")
    run = Invocation(config=str(folder / "provisioner.yaml"))
    if plan.blockers:
        raise Blocked(plan.blockers)
    session = open_for(run, plan, "plan.json")
    judge = judge_of(plan, session, session.backend.read(), TODAY)
    before = {path: path.read_bytes() for path in folder.rglob("us.json*") if path.is_file()}
    noted = Run("2026-03-01T00:00:00Z", "tests@here", "apply", "a test", document["digest"])
    outcome = apply_plan(
        plan,
        session.backend,
        run=noted,
        today=judge.today,
        lock_timeout=0.0,
        progress=Quiet(),
        stopped=lambda: False,
        judge=judge,
    )
    assert outcome.is_complete
    state = session.backend.read().state
    for path in folder.rglob("us.json*"):
        if path.is_file():
            path.unlink()
    for path, content in before.items():
        path.write_bytes(content)
    return plan, state


class Quiet:
    def start(self, total: int) -> None: ...

    def wrote(self, write: Any) -> None: ...


def without_ids(state: State) -> Any:
    """A state to be compared: new roles get another id each time."""
    roles = {
        name: (r.description, r.privileges, r.includes, r.protected)
        for name, r in state.roles.items()
    }
    policies = [{k: v for k, v in dict(p).items() if k != "place"} for p in state.policies]
    return roles, state.assignments, state.recorded, policies


def test_whatever_is_changed_in_a_plan_is_refused_or_changes_nothing(ready: Shell) -> None:
    """Every value of the document, each replaced by others of its kind."""
    document = json.loads((ready.folder / "plan.json").read_text())
    honest, state = applied(ready.folder, document)
    assert {change.action.value for change in honest.changes} == {
        *("create", "update", "rename", "delete", "assign")
    }
    assert honest.violations
    assert honest.kept
    assert len(honest.dated) == 2
    free, stated = documented("Free fields"), documented("What a plan states")
    assert free
    assert stated
    style = Style(color=False, width=80)
    shown = plan_text(honest, style)
    tried, passed = 0, set()
    for path, value in leaves(document):
        for other in others(value):
            forged = with_value(document, path, other)
            if other == value or path == ("digest",):
                continue
            tried += 1
            try:
                plan, found = applied(ready.folder, forged)
            except (InvalidInput, StalePlan, Blocked):
                continue
            pointer = "/" + "/".join(map(str, path))
            passed.add(pointer)
            if without_ids(found) != without_ids(state):
                assert is_listed(pointer, stated), (pointer, other)
                assert plan_text(plan, style) != shown, (pointer, other)
            else:
                assert is_listed(pointer, (*free, *stated)), (pointer, other)
    assert tried > 1000
    # And nothing is refused that the list gives free, so that the list says no more than is so.
    for needed in ("/desired_digest", "/as_of", "/target/config", "/coverage/files/0"):
        assert needed in passed


def test_an_honest_plan_applies_once(ready: Shell) -> None:
    """The same through the console script."""
    assert ready("apply", "--plan", "plan.json").code == 0
    errors = ready.errors("apply", "--plan", "plan.json", code=4)
    assert any("it was applied already: run 2" in error.message for error in errors)
