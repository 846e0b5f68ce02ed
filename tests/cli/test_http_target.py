"""A panel behind HTTP, through the console script."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import JSONResponse

from provisioner import schemas
from provisioner.server.app import create_app
from provisioner.server.http.tokens import Tokens, digest
from tests.http.raw_server import RawServer, hung_up, reply, stalled
from tests.server.conftest import proxy  # noqa: F401 - a fixture
from tests.server.running import LOGIN, WRITER, serving, settings
from tests.waiting import PATIENCE, rests, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from tests.cli.conftest import Shell
    from tests.server.conftest import Proxy

READER = "a-token-that-may-only-read"
ENV = {"PANEL_TOKEN": WRITER}
PROJECT = """\
version: 1
sources: [roles.yaml]
targets:
  panel: {{backend: http, url: "{url}", token_env: PANEL_TOKEN{more}}}
"""
FIRST = """\
version: 1
roles:
  Clerk:
    privileges: [ARDOCS_VIEW]
users:
  ada@example.com: {roles: [Clerk]}
"""
SECOND = """\
version: 1
roles:
  Bookkeeper:
    renamed_from: Clerk
    privileges: [ARDOCS_VIEW, ARDOCS_CREATE]
users:
  grace@example.com: {roles: [Bookkeeper]}
"""


class Counted:
    """An application, and the requests that it was asked."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.asked: list[str] = []
        self.refused = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.asked.append(f"{scope['method']} {scope['path']}")
            if self.refused and self.refused in self.asked[-1]:
                await JSONResponse({"title": "not today"}, 403)(scope, receive, send)
                return
        await self.app(scope, receive, send)


@pytest.fixture
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    """A gateway that nobody has used yet; one token writes, one only reads."""
    folder = tmp_path_factory.mktemp("gateway")
    tokens = folder / "tokens"
    tokens.write_text(f"sha256:{digest(READER)} read reader@example.com\n")
    known = Tokens(file=tokens, token=WRITER, login=LOGIN)
    app = create_app(settings(folder / "gateway.sqlite", tokens=known))
    yield Counted(app)
    app.state.gateway.close()


@pytest.fixture
def panel(counted: Counted, proxy: Proxy, shell: Shell) -> Shell:  # noqa: F811
    """A folder with a project for that gateway."""
    shell.write("provisioner.yaml", PROJECT.format(url=proxy.add(counted), more=""))
    shell.write("roles.yaml", FIRST)
    return shell


def roles(shell: Shell) -> dict[str, list[str]]:
    """The stored roles that are not the panel's own, with their privileges."""
    listed = shell("roles", "--format", "json", env=ENV).document["roles"]
    return {
        role["name"]: role["privileges"]
        for role in listed
        if role["name"] in {"Clerk", "Bookkeeper", "Left", "Right"}
    }


def test_a_run_that_broke_off_stands_in_the_history(
    panel: Shell,
    counted: Counted,
    proxy: Proxy,  # noqa: F811
) -> None:
    """Object by object, what was changed until then has an author, and can be taken back."""
    panel.write(
        "provisioner.yaml", PROJECT.format(url=proxy.add(counted), more=", changesets: false")
    )
    counted.refused = "/users/"
    broken = panel("apply", "--auto-approve", env=ENV)
    assert broken.code == 1
    assert "The apply broke off. 1 of 2 writes were made." in broken.out
    assert roles(panel) == {"Clerk": ["ARDOCS_VIEW"]}
    (run,) = panel("history", "--format", "json", env=ENV).document["runs"][1:]
    summary = "broken off after 1 of 2 writes: 1 added, 1 reassigned"
    assert (run["run"]["operation"], run["run"]["summary"]) == ("apply", summary)
    assert "broken off" in panel("history", env=ENV).out
    assert panel("rollback", "0", "--adopt", "--auto-approve", env=ENV).code == 0
    assert roles(panel) == {}


def test_the_daily_round(panel: Shell, counted: Counted) -> None:
    """Plan, apply, change, rename, go back, import: all as with a file."""
    assert panel("doctor", env=ENV).code == 0
    assert panel("plan", "--detailed-exitcode", env=ENV).code == 2
    applied = panel("apply", "--auto-approve", env=ENV)
    assert (applied.code, applied.last_line[:14]) == (0, "Apply complete")
    assert panel("plan", "--detailed-exitcode", env=ENV).code == 0

    panel.write("roles.yaml", SECOND)
    assert panel("plan", "--out", "plan.json", env=ENV).code == 0
    assert WRITER not in (panel.folder / "plan.json").read_text()
    assert panel("apply", "--plan", "plan.json", env=ENV).code == 0
    assert roles(panel) == {"Bookkeeper": ["ARDOCS_CREATE", "ARDOCS_VIEW"]}
    assert panel("apply", "--plan", "plan.json", env=ENV).code == 4
    again = panel("apply", "--auto-approve", "--format", "json", env=ENV)
    assert (again.code, again.document["format"]) == (0, "provisioner-apply")
    assert (again.document["applied"], again.document["complete"]) == ([], True)
    assert schemas.valid("results", again.document)

    runs = panel("history", "--format", "json", env=ENV).document["runs"]
    assert [run["run"] and run["run"]["operation"] for run in runs] == [None, "apply", "apply"]
    # Who it was is known from the token; what the client says of itself stands behind it.
    assert [run["subject"] for run in runs] == [None, LOGIN, LOGIN]
    shown = " ".join(panel("history", env=ENV).out.split())
    assert shown.count(LOGIN) == 2
    assert f"({runs[1]['run']['by']})" in shown
    assert panel("rollback", "1", "--auto-approve", env=ENV).code == 0
    assert roles(panel) == {"Clerk": ["ARDOCS_VIEW"]}

    assert panel("import", "--out", "imported.yaml", env=ENV).code == 0
    assert panel("plan", "--detailed-exitcode", "imported.yaml", env=ENV).code == 0
    assert sum(asked.startswith("POST /changesets") for asked in counted.asked) == 3


DESK = """\
version: 1
roles:
  Service Desk Only: {privileges: [SERVICE_DESK_SUBMIT, ARDOCS_VIEW]}
users:
  eve@example.com: {roles: [Full Access]}
  ida@example.com: {roles: [Service Desk Only]}
"""
TESTS = """tests:
  - {user: eve@example.com, cannot: [CONFIG_SECURITY]}
  - {role: Full Access, can: [ARDOCS_CREATE]}
"""


def test_an_edited_default_role_is_imported(panel: Shell) -> None:
    """Else a panel that is built from the file would lack what it grants."""
    panel.write("roles.yaml", DESK)
    assert panel("apply", "--auto-approve", env=ENV).code == 0
    assert panel("import", "--out", "imported.yaml", env=ENV).code == 0
    assert panel("plan", "--detailed-exitcode", "imported.yaml", env=ENV).code == 0
    text = (panel.folder / "imported.yaml").read_text()
    assert "  Service Desk Only:\n" in text
    assert "      - ARDOCS_VIEW\n      - SERVICE_DESK_SUBMIT\n" in text
    assert "as the panel ships" not in text
    # Nor does a catalogue that was written from the edited panel take it for what is shipped.
    assert panel("privileges", "--out", "catalogue.yaml", env=ENV).code == 0
    panel.edit("provisioner.yaml", "token_env", "catalogue: catalogue.yaml, token_env")
    assert panel("import", env=ENV).out == text


def test_what_only_the_panel_knows_is_asked_of_it(panel: Shell, counted: Counted) -> None:
    """Default roles carry what they carry there; no answer takes them for empty."""
    panel.write("roles.yaml", DESK.replace(", ARDOCS_VIEW", "") + TESTS)
    tested = panel("test", env=ENV)
    assert (tested.code, tested.last_line) == (1, "2 access tests, 1 failed")
    assert "user eve@example.com: CONFIG_SECURITY through\n    `Full Access`" in tested.out
    held = panel("access", "--by", "privilege", "--format", "csv", env=ENV).out
    assert "\nCONFIG_SECURITY,yes,eve@example.com,Full Access,roles.yaml:5,,\n" in held
    why = panel("explain", "user", "eve@example.com", "CONFIG_SECURITY", env=ENV)
    assert "Full Access grants CONFIG_SECURITY" in why.out
    cut = panel("access", "revoke", "eve@example.com", "CONFIG_SECURITY", env=ENV)
    assert "eve@example.com holds Full Access" in cut.out
    assert set(counted.asked) == {"GET /state"}


def test_a_catalogue_of_the_panel_makes_it_needless_to_ask(panel: Shell, counted: Counted) -> None:
    """Written once, it gives the same answers, also where nothing can be reached."""
    panel.write(
        "roles.yaml",
        DESK.replace("roles:\n  S", "roles:\n  Clerk: {privileges: ['AR*']}\n  S") + TESTS,
    )
    asked = [panel(*words, env=ENV) for words in (("test",), ("access",), ("lint",))]
    assert panel("privileges", "--out", "catalogue.yaml", env=ENV).code == 0
    panel.edit("provisioner.yaml", "token_env", "catalogue: catalogue.yaml, token_env")
    counted.asked.clear()
    assert [panel(*words) for words in (("test",), ("access",), ("lint",))] == asked
    (error,) = panel.refused("validate")
    assert error.id == "access-test"
    assert counted.asked == []
    again = panel("privileges", "--out", "catalogue.yaml", env=ENV)
    assert (again.code, again.err.partition("\n")[0]) == (
        1,
        "catalogue.yaml: error: can't write it: this is a catalogue",
    )
    (error,) = panel.refused("privileges", "--out", "other.yaml", "--search", "A")
    assert error.message == "--out goes with neither --search nor --format"


def test_a_plan_without_changes_takes_one_request(panel: Shell, counted: Counted) -> None:
    panel("apply", "--auto-approve", env=ENV)
    counted.asked.clear()
    assert panel("plan", "--detailed-exitcode", env=ENV).code == 0
    assert counted.asked == ["GET /state"]


def test_object_by_object(panel: Shell, counted: Counted) -> None:
    panel.edit("provisioner.yaml", "token_env", "changesets: false, token_env")
    assert panel("apply", "--auto-approve", env=ENV).code == 0
    panel.write("roles.yaml", SECOND)
    assert panel("apply", "--auto-approve", env=ENV).code == 0
    assert roles(panel) == {"Bookkeeper": ["ARDOCS_CREATE", "ARDOCS_VIEW"]}
    assert panel("plan", "--detailed-exitcode", env=ENV).code == 0
    runs = panel("history", "--format", "json", env=ENV).document["runs"]
    assert len(runs) == 3
    assert not any("changesets" in asked for asked in counted.asked)


def test_two_applies_at_once_never_mix(panel: Shell) -> None:
    """Each writes two roles and who holds them; afterwards one of them is there, whole."""
    sources = {}
    for name in ("Left", "Right"):
        sources[name] = FIRST.replace("Clerk", name)
        panel.write(f"{name}.yaml", sources[name])
    words = ["apply", "--auto-approve", "--adopt", "--max-change-percent", "100", "--quiet"]
    running = [
        subprocess.Popen(
            [panel.program, *words, f"{name}.yaml"],
            cwd=panel.folder,
            env=panel.environment(ENV),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in sources
    ]
    told = [process.communicate(timeout=PATIENCE)[1] for process in running]
    codes = [process.returncode for process in running]
    assert 0 in codes, told
    assert set(codes) <= {0, 4}, told
    stored = roles(panel)
    assert len(stored) == 1, stored
    users = panel("users", "--format", "json", env=ENV).document["users"]
    assert [user["roles"] for user in users] == [list(stored)]


def test_a_plan_is_stale_once_somebody_else_changed_what_it_touches(panel: Shell) -> None:
    panel("apply", "--auto-approve", env=ENV)
    panel.write("roles.yaml", SECOND)
    panel("plan", "--out", "plan.json", env=ENV)
    panel.write("other.yaml", FIRST.replace("ARDOCS_VIEW", "ARDOCS_CREATE"))
    assert panel("apply", "--auto-approve", "other.yaml", env=ENV).code == 0
    refused = panel("apply", "--plan", "plan.json", env=ENV)
    assert refused.code == 4
    assert "the plan is stale" in refused.err
    assert roles(panel) == {"Clerk": ["ARDOCS_CREATE"]}


def test_a_plan_for_another_panel_is_refused(panel: Shell, tmp_path: Path) -> None:
    panel("plan", "--out", "plan.json", env=ENV)
    app = create_app(settings(tmp_path / "other.sqlite"))
    with serving(app) as url:
        panel.write("provisioner.yaml", PROJECT.format(url=url, more=""))
        refused = panel("apply", "--plan", "plan.json", env=ENV)
    app.state.gateway.close()
    assert refused.code == 1
    assert "the plan is for http://" in refused.err


def test_who_runs_it_does_not_lock_themselves_out(panel: Shell) -> None:
    """The gateway says whom the token is for; nobody has to write `self:`."""
    admins = "users: {%s: {roles: [Full Access]}, bob@example.com: {roles: [Full Access]}}\n"
    panel.write("roles.yaml", "version: 1\nroles: {}\n" + admins % LOGIN)
    assert panel("apply", "--auto-approve", env=ENV).code == 0
    panel.write("roles.yaml", "version: 1\nusers: {bob@example.com: {roles: [Full Access]}}\n")
    refused = panel("plan", env=ENV)
    assert refused.code == 3
    assert f"{LOGIN}, who runs this, would lose administrative access" in refused.out


def test_a_token_that_may_only_read(panel: Shell) -> None:
    """It plans, as CI does; it does not apply."""
    reader = {"PANEL_TOKEN": READER}
    assert panel("plan", env=reader).code == 0
    refused = panel("apply", "--auto-approve", env=reader)
    assert refused.code == 1
    assert "the server answers 403" in refused.err
    assert "use a token or a user that may do this" in refused.err
    assert roles(panel) == {}
    doctor = panel("doctor", env=reader)
    assert doctor.code == 0
    assert "warning  rights: the token of reader@example.com: read only" in doctor.out


def test_a_wrong_token_or_none(panel: Shell) -> None:
    refused = panel("plan", env={"PANEL_TOKEN": "wrong-token"})
    assert refused.code == 1
    assert "the server answers 401" in refused.err
    refused = panel("plan")
    assert refused.code == 1
    assert "token_env: the variable PANEL_TOKEN is not set" in refused.err
    assert "provisioner.yaml:4:3" in refused.err
    doctor = panel("doctor", env={"PANEL_TOKEN": "wrong-token"})
    assert doctor.code == 1
    assert "error    reachable: http" in doctor.out
    assert "the server answers 401" in " ".join(doctor.out.split())


def test_the_doctor_reads_the_sources_as_a_plan_would(panel: Shell) -> None:
    """Against the panel's own catalogue; where that can't be had, it says so."""
    panel.edit("roles.yaml", "ARDOCS_VIEW", "ARDOCS_VUE")
    told = panel("doctor", env=ENV)
    assert told.code == 1
    assert "error    sources: roles.yaml:" in told.out
    assert "there is no privilege `ARDOCS_VUE` in the catalogue" in " ".join(told.out.split())
    unseen = panel("doctor", env={"PANEL_TOKEN": "wrong-token"})
    assert "privileges unchecked, for no catalogue is known" in " ".join(unseen.out.split())
    assert "error    sources" not in unseen.out


def test_a_gateway_that_is_not_there(panel: Shell) -> None:
    with RawServer(b"") as server:
        url = server.url
    panel.write("provisioner.yaml", PROJECT.format(url=url, more=""))
    refused = panel.errors("plan", env=ENV)
    assert refused[0].message.startswith(f"GET {url}/state: no connection (Connection refused)")


def test_another_panel_than_the_project_says(panel: Shell) -> None:
    panel.edit("provisioner.yaml", "token_env", "panel: us-na, token_env")
    refused = panel.errors("plan", env=ENV)
    assert "this is the panel `sandbox`" in refused[0].message
    assert refused[0].remedy == "correct `url` or `panel` in the project file"


GOOD: dict[str, Any] = {
    "contract": "1.0",
    "panel": "us",
    "product": "x",
    "capabilities": dict.fromkeys(
        [
            "state",
            "changesets",
            "history",
            "recording",
            "assignments",
            "includes",
            "descriptions",
            "renames",
            "protection",
            "closed_users",
        ],
        False,
    ),
    "subject": {"login": None, "scopes": ["read"]},
    "lineage": "00000000-0000-0000-0000-000000000000",
    "serial": 1,
    "recorded": [],
    "policies": [],
    "catalogue": {"name": "x", "privileges": []},
    "roles": [],
    "users": [],
}
COMMITS = {**GOOD, "capabilities": {**GOOD["capabilities"], "state": True, "changesets": True}}
ETAG = 'ETag: "1"'
NOT_THE_CONTRACT: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "no ETag": ({}, (), "header ETag: it is missing"),
    "a weak ETag": ({}, ('ETag: W/"1"',), "is weak"),
    "no roles": ({"roles": None}, (ETAG,), "roles: None is not of type 'array'"),
    "an odd role": ({"roles": [{"id": "r-1"}]}, (ETAG,), "roles[0]: 'name' is a required"),
    "a new contract": ({"contract": "2.0"}, (ETAG,), "speaks version '2.0'; this provisioner"),
    "a user of nothing": (
        {"users": [{"login": "ada", "roles": ["r-9"], "etag": '"1"'}]},
        (ETAG,),
        "users[0].roles (ada): there is no role r-9",
    ),
}


@pytest.mark.parametrize(
    ("change", "headers", "message"), NOT_THE_CONTRACT.values(), ids=NOT_THE_CONTRACT.keys()
)
def test_a_reply_that_is_not_what_the_contract_says(
    panel: Shell, change: dict[str, Any], headers: tuple[str, ...], message: str
) -> None:
    """It is an error that names the URL and the field, and never looks like "no roles"."""
    body = json.dumps({**GOOD, **change})
    with RawServer(reply(body, 200, "application/json", *headers)) as server:
        panel.write("provisioner.yaml", PROJECT.format(url=server.url, more=""))
        refused = panel.errors("plan", env=ENV)
    assert len(refused) == 1
    assert refused[0].message.startswith(f"{server.url}/state: ")
    assert message in refused[0].message


def test_a_commit_that_was_repeated_is_looked_up_before_it_counts_as_a_conflict(
    panel: Shell,
) -> None:
    """What changed the version may have been its own first attempt."""
    state = reply(json.dumps(COMMITS), 200, "application/json", ETAG)
    changed = reply("{}", 412)
    with RawServer(state, state, hung_up, changed, changed) as server:
        panel.write("provisioner.yaml", PROJECT.format(url=server.url, more=""))
        panel.write("roles.yaml", "version: 1\nroles: {Clerk: {privileges: []}}\n")
        refused = panel("apply", "--auto-approve", env=ENV)
    assert refused.code == 1
    assert "nothing was changed" not in refused.err
    assert "the outcome is unknown" in refused.err


def test_ctrl_c_twice_gives_up_and_tells_the_truth(panel: Shell) -> None:
    """The gateway never answers the changeset: once stops after it, twice gives it up."""
    state = reply(json.dumps(COMMITS), 200, "application/json", ETAG)
    with RawServer(state, state, stalled(b"")) as server:
        never = "".join(f", {name}_timeout: 3600" for name in ("read", "reply", "total"))
        panel.write("provisioner.yaml", PROJECT.format(url=server.url, more=never))
        panel.write("roles.yaml", "version: 1\nroles: {Clerk: {privileges: []}}\n")
        process = subprocess.Popen(
            [panel.program, "apply", "--auto-approve"],
            cwd=panel.folder,
            env=panel.environment(ENV),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until(lambda: len(server.asked) == 3)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            until(lambda: rests(process.pid))
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "once more gives it up" in told
    assert "the outcome is unknown" in told
    assert "nothing was changed" not in told


def test_an_address_that_is_not_encrypted_must_be_meant(shell: Shell) -> None:
    shell.write("provisioner.yaml", PROJECT.format(url="http://roles.invalid", more=""))
    shell.write("roles.yaml", FIRST)
    refused = shell.refused("plan", env=ENV)
    assert refused[0].place == "provisioner.yaml:4:3"
    assert "--insecure-http" in refused[0].remedy
    meant = shell("plan", "--insecure-http", env=ENV)
    assert "the host's name is not known" in meant.err


def test_an_option_that_there_is_not(shell: Shell) -> None:
    shell.write("provisioner.yaml", PROJECT.format(url="https://x.invalid", more=", tokn: x"))
    shell.write("roles.yaml", FIRST)
    assert "tokn" in shell.refused("plan", env=ENV)[0].message


def loaded(shell: Shell, *words: str) -> set[str]:
    """The top-level modules that a command loads."""
    script = (
        "import sys; from provisioner.cli.app import run; run(sys.argv[1:]);"
        "print(*{m.partition('.')[0] for m in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=shell.folder,
        env=shell.environment(ENV),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return set(done.stderr.split())


def test_the_http_stack_loads_for_http_targets_only(panel: Shell) -> None:
    assert "urllib3" in loaded(panel, "plan")
    assert "jmespath" not in loaded(panel, "plan")
    panel.write("provisioner.yaml", "version: 1\nsources: [roles.yaml]\n")
    assert not {"urllib3", "jmespath", "starlette", "sqlalchemy"} & loaded(panel, "plan")


@pytest.mark.parametrize("more", ["", ", changesets: false"])
def test_a_panel_remembers_rules_that_come_alone(
    counted: Counted,
    proxy: Proxy,  # noqa: F811
    shell: Shell,
    more: str,
) -> None:
    """Pending until applied, then in force; whether or not the panel can commit at once."""
    shell.write("provisioner.yaml", PROJECT.format(url=proxy.add(counted), more=more))
    shell.write("roles.yaml", FIRST)
    assert shell("apply", "--auto-approve", env=ENV).code == 0
    shell.write("roles.yaml", FIRST + "policies: [{name: p, deny: [ARDOCS_CREATE]}]\n")
    assert shell("plan", "--detailed-exitcode", env=ENV).code == 2
    assert shell("apply", "--auto-approve", env=ENV).code == 0
    assert shell("plan", "--detailed-exitcode", env=ENV).code == 0
    assert "1 policy changed" in shell("history", env=ENV).out
