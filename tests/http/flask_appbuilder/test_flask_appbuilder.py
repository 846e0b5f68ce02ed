"""What is particular about Flask-AppBuilder, on a real one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from provisioner.engine.writes import CreateRole, DeleteRole, RenameRole, SetAssignment, UpdateRole
from provisioner.errors import BackendError, StateMoved
from provisioner.model import Role
from tests.http.flask_appbuilder.running import PRIVILEGES, USERS

if TYPE_CHECKING:
    from provisioner.backends.base import Backend
    from tests.http.flask_appbuilder.running import FlaskAppBuilder

ADA, GRACE, HEDY = USERS
NOBODY: frozenset[str] = frozenset()


def some(*names: str) -> frozenset[str]:
    return frozenset(names)


def make(store: Backend, *names: str) -> list[Role]:
    for name in names:
        store.write(CreateRole(Role(name, privileges=some(PRIVILEGES[0]))))
    roles = store.read().state.roles
    return [roles[name] for name in names]


def test_a_fresh_one_shows_its_own_roles_users_and_privileges(panel: FlaskAppBuilder) -> None:
    snapshot = panel.opened().read()
    assert snapshot.catalogue is not None
    assert set(PRIVILEGES) < set(snapshot.catalogue.privileges)
    assert snapshot.catalogue.privileges["can_put on Role"].group == "Role"
    assert [role.name for role in snapshot.catalogue.default_roles] == ["Admin", "Public"]
    admin = snapshot.state.roles["Admin"]
    assert admin.privileges == frozenset(snapshot.catalogue.privileges)
    assert snapshot.users == frozenset({"admin", *USERS})
    assert set(snapshot.state.assignments) == {"admin"}


def test_an_expired_token_is_renewed(panel: FlaskAppBuilder) -> None:
    panel.ask("POST", "/testing/behaviour", {"token_seconds": 1})
    store = panel.opened()
    store.read()
    panel.ask("POST", "/testing/behaviour", {"token_seconds": 900})
    time.sleep(1.1)
    make(store, "After")
    assert "After" in store.read().state.roles


def test_a_token_that_never_works_is_an_error(panel: FlaskAppBuilder) -> None:
    panel.ask("POST", "/testing/behaviour", {"token_seconds": -1})
    with pytest.raises(BackendError, match="Token has expired"):
        panel.opened().read()


def test_a_wrong_password_is_said_and_not_shown(
    panel: FlaskAppBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAB_PASSWORD", "wr0ng-s3cret")
    with pytest.raises(BackendError, match="could not log in: the server answers 401") as caught:
        panel.opened().read()
    assert "wr0ng-s3cret" not in repr(caught.value.diagnostics)


def test_more_roles_than_a_page_holds_are_all_read(panel: FlaskAppBuilder) -> None:
    names = [f"Role {number:03}" for number in range(103)]
    panel.ask("POST", "/testing/roles", {"names": names})
    assert set(panel.opened().read().state.roles) == {"Admin", "Public", *names}


def test_the_last_role_can_be_taken_from_many_at_once(panel: FlaskAppBuilder) -> None:
    """The API does not let a user be without roles."""
    store = panel.opened()
    make(store, "One", "Two")
    both = some("One", "Two")
    for user in USERS:
        store.write(SetAssignment(user, NOBODY, both))
    afterwards = {ADA: NOBODY, GRACE: some("Two"), HEDY: NOBODY}
    with ThreadPoolExecutor(3) as pool:
        writes = [SetAssignment(user, both, roles) for user, roles in afterwards.items()]
        list(pool.map(store.write, writes))
    held = panel.opened().read().state.assignments
    assert {user: held[user].roles for user in USERS if user in held} == {GRACE: some("Two")}


def test_a_role_that_somebody_or_a_group_holds_is_not_deleted(panel: FlaskAppBuilder) -> None:
    """The API would take it from them without a word."""
    store = panel.opened()
    held, grouped = make(store, "Held", "Grouped")
    store.write(SetAssignment(ADA, NOBODY, some("Held")))
    panel.ask("POST", "/testing/group", {"name": "team", "roles": ["Grouped"]})
    with pytest.raises(StateMoved, match="1 user holds it"):
        store.write(DeleteRole(held))
    with pytest.raises(StateMoved, match=r"something else carries it .*groups"):
        store.write(DeleteRole(grouped))
    assert {"Held", "Grouped"} <= set(store.read().state.roles)


def test_a_privilege_that_is_gone_is_named(panel: FlaskAppBuilder) -> None:
    """The API leaves out ids that it does not know, and says that all is well."""
    store = panel.opened()
    (role,) = make(store, "Role")
    panel.ask("POST", "/testing/forget", {"privilege": list(PRIVILEGES[1].split(" on "))})
    with pytest.raises(BackendError, match=f"privileges missing: {PRIVILEGES[1]}"):
        store.write(UpdateRole(role, replace(role, privileges=some(*PRIVILEGES[:2]))))


def test_names_have_at_most_64_characters(panel: FlaskAppBuilder) -> None:
    store = panel.opened()
    (longest,) = make(store, "x" * 64)
    message = "a name of 65 characters, and the API takes 64"
    with pytest.raises(BackendError, match=message):
        make(store, "y" * 65)
    with pytest.raises(BackendError, match=message):
        store.write(RenameRole(longest, "y" * 65))


def test_roles_that_differ_in_case_only_are_said_to_be_a_problem(panel: FlaskAppBuilder) -> None:
    panel.ask("POST", "/testing/roles", {"names": ["Twin", "TWIN"]})
    with pytest.raises(BackendError, match="TWIN differs from Twin only in case"):
        panel.opened().read()


PROJECT = """\
version: 1
sources: [roles.yaml]
adopted: [roles, users]
safety: {{max_change_percent: 100}}
targets:
  panel: {{backend: http, url: "{url}", profile: flask-appbuilder, username: admin,
          password_env: FAB_PASSWORD, self: admin}}
"""
ROLES = """\
version: 1
roles:
  Auditor:
    privileges: ["can_get on *"]
  Keeper:
    privileges: [can_put on Role, can_post on Role]
users:
  admin: {roles: [Admin]}
  ada@example.com: {roles: [Auditor, Keeper]}
  grace@example.com: {roles: [Keeper]}
"""


class Shell:
    """A project on a panel, and the command line in its folder."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        (folder / "provisioner.yaml").write_text(PROJECT.format(url=url))

    def __call__(self, *words: str, roles: str | None = None) -> str:
        if roles is not None:
            (self.folder / "roles.yaml").write_text(roles)
        program = Path(sys.executable).with_name("provisioner")
        run = subprocess.run(
            [program, *words],
            cwd=self.folder,
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, (run.returncode, run.stdout, run.stderr)
        return run.stdout


def test_roles_as_code_from_the_first_import_to_the_last_removal(
    panel: FlaskAppBuilder, tmp_path: Path
) -> None:
    run = Shell(tmp_path, panel.url)
    run("apply", "--auto-approve", roles=ROLES)
    run("plan", "--detailed-exitcode")
    state = panel.opened().read().state
    assert state.assignments[ADA].roles == {"Auditor", "Keeper"}
    assert "can_get on User" in state.roles["Auditor"].privileges
    run("import", "--out", "imported.yaml")
    run("plan", "imported.yaml", "--detailed-exitcode")
    assert "\n  Admin:\n" in (tmp_path / "imported.yaml").read_text()
    run("privileges", "--out", "catalogue.yaml")
    assert "  - name: can_get on User\n" in (tmp_path / "catalogue.yaml").read_text()
    run("lint")
    changed = ROLES.replace("  Keeper:\n", "  Janitor:\n    renamed_from: Keeper\n")
    changed = changed.replace("[Auditor, Keeper]", "[]").replace("[Keeper]", "[Janitor]")
    run("apply", "--auto-approve", roles=changed)
    after = panel.opened().read().state
    assert after.roles["Janitor"].id == state.roles["Keeper"].id
    assert {user: held.roles for user, held in after.assignments.items()} == {
        "admin": {"Admin"},
        GRACE: {"Janitor"},
    }
    run(
        "apply", "--auto-approve", roles="version: 1\nroles: {}\nusers: {admin: {roles: [Admin]}}\n"
    )
    last = panel.opened().read().state
    assert set(last.roles) == {"Admin", "Public"}
    assert set(last.assignments) == {"admin"}


def test_the_doctor_finds_all_that_changes_need(panel: FlaskAppBuilder, tmp_path: Path) -> None:
    """Flask answers OPTIONS, so that every request of the profile is looked for."""
    run = Shell(tmp_path, panel.url)
    assert "the API has all that the profile's changes need" in " ".join(
        run("doctor", roles=ROLES).split()
    )
