"""What a project file may name under a trust file, key by key."""

from __future__ import annotations

import json
import os
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from provisioner import schemas
from provisioner.project import trust_gate as gate
from provisioner.server.app import create_app
from tests.http.scripted_server import ScriptedServer, json_reply, reply, sending
from tests.server.running import WRITER, serving, settings
from tests.trust.conftest import FILE_CANARY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trust.conftest import Branch

HTTP = 'backend: http, url: "https://roles.example.com/eu"'
LISTED = "targets: [{url: 'https://roles.example.com/', token_env: [PANEL_TOKEN]%s}]\n"
STATE = "backend: file, path: state/p.json"


def test_every_option_of_a_target_over_http_is_judged_or_harmless() -> None:
    """A new one is refused under a trust file until somebody has put it into one of the tables."""
    (http,) = (
        rule["then"]["properties"]
        for rule in schemas.load("project")["$defs"]["target"]["allOf"]
        if rule["if"]["properties"]["backend"]["const"] == "http"
    )
    tables = (gate.VARIABLES, gate.FILES, gate.TEXTS, gate.APART, gate.HARMLESS)
    known = [name for table in tables for name in table]
    assert sorted(known) == sorted(set(known))
    assert set(known) == http.keys()


def test_every_key_that_names_a_file_is_judged() -> None:
    project = schemas.load("project")
    named = {"$ref": "#/$defs/path"}
    rules = [rule["then"]["properties"] for rule in project["$defs"]["target"]["allOf"]]
    files = [{key for key, given in rule.items() if given == named} for rule in rules]
    assert files == [{"path"}, gate.FILES.keys()]
    assert rules[0].keys() == {"backend", "self", "catalogue", "ceiling", "path"}
    assert {key for key, given in project["properties"].items() if given == named} == {"catalogue"}


def test_the_trust_file_has_a_key_for_each_of_them() -> None:
    listed = schemas.load("trust")["$defs"]["target"]["else"]["properties"].keys() - {"url"}
    assert listed == {*gate.VARIABLES.values(), *gate.FILES.values(), *gate.TEXTS.values()}


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("token_env: AWS_SECRET_ACCESS_KEY", "token_env: [PANEL_TOKEN, AWS_SECRET_ACCESS_KEY]"),
        ("password_env: AWS_SECRET_ACCESS_KEY", "password_env: [AWS_SECRET_ACCESS_KEY]"),
        ("password_env: PANEL_TOKEN", "password_env: [PANEL_TOKEN]"),
        ("username_env: AWS_SECRET_ACCESS_KEY", "username_env: [AWS_SECRET_ACCESS_KEY]"),
        ("token_file: ../secret", 'token_file: ["../secret"]'),
        ("token_file: /proc/self/environ", 'token_file: ["/proc/self/environ"]'),
        ("token_file: /dev/zero", 'token_file: ["/dev/zero"]'),
        ("password_file: ../secret", 'password_file: ["../secret"]'),
        ("client_cert: ../secret", 'client_cert: ["../secret"]'),
        ("client_key: ../secret", 'client_key: ["../secret"]'),
        ("ca_file: ca.pem", 'ca: ["ca.pem"]'),
        ("proxy: 'http://127.0.0.1:1'", 'proxy: ["http://127.0.0.1:1"]'),
        ("proxy: none", 'proxy: ["none"]'),
    ],
)
def test_a_listed_address_gets_only_what_is_listed_for_it(
    option: str, line: str, branch: Branch
) -> None:
    trust = branch.trust(LISTED % "")
    branch.project(f"{HTTP}, {option}")
    said = branch.refused("plan")
    name = option.partition(":")[0]
    value = line.rpartition(", " if ", " in line else "[")[2].rstrip("]")
    assert f"target `p`: {name}: {value} is not listed for https://roles.example.com/" in said
    assert f"if that is meant, write in the entry at {trust}:2:17: {line}" in said


def test_a_proxy_may_have_a_password_in_it_and_is_not_repeated(branch: Branch) -> None:
    branch.trust(LISTED % "")
    branch.project(f"{HTTP}, proxy: 'http://me:{FILE_CANARY}@proxy.example.com'")
    assert 'proxy: "..." is not listed' in branch.refused("plan")


@pytest.mark.parametrize(
    "url",
    [
        "https://roles.example.com.evil.net/",
        "http://roles.example.com/",
        "https://roles.example.com:8443/",
        "https://eu.roles.example.com/",
    ],
)
def test_an_address_beside_a_listed_one_is_refused(url: str, branch: Branch) -> None:
    branch.trust(LISTED % "")
    branch.project(f'backend: http, url: "{url}", token_env: PANEL_TOKEN')
    assert f"{url} lies below no address" in branch.refused("plan", "--insecure-http")


@pytest.mark.parametrize(
    "url",
    [
        f"https://roles.example.com:{FILE_CANARY}@evil.example.net/",
        "https://roles.example.com\\\\@evil.example.net/",
        "https://roles.example.com/%2e%2e/",
        "https://roles.example.com/eu/../",
        "https://r\u00f4les.example.com/",
    ],
)
def test_an_address_that_could_be_another_is_refused_and_not_repeated(
    url: str, branch: Branch
) -> None:
    branch.trust(LISTED % "")
    branch.project(f'backend: http, url: "{url}", token_env: PANEL_TOKEN')
    said = branch.refused("plan")
    assert "target `p`: url: no address that everybody reads alike: it has" in said
    assert "evil" not in said


def test_all_that_is_not_listed_is_said_at_once(branch: Branch) -> None:
    branch.trust(LISTED % "")
    branch.project(f"{HTTP}, token_env: A_B, proxy: none, profile: p.yaml, catalogue: c.yaml")
    said = branch.refused("plan")
    assert "4 errors; nothing was changed" in said


def test_a_variable_is_not_even_looked_at_before(branch: Branch) -> None:
    """Whether it is set is nobody's business either."""
    branch.trust(LISTED % "")
    branch.project(f"{HTTP}, token_env: NOT_SET, token_file: ../secret, username_env: EMPTY")
    said = branch.refused("plan", env={"EMPTY": ""})
    assert "is not set" not in said
    assert "is empty" not in said
    assert "keep one of them" not in said


def test_the_narrowest_entry_is_the_one_to_be_extended(branch: Branch) -> None:
    trust = branch.trust(
        "targets:\n- {url: 'https://roles.example.com/', token_env: [WIDE_TOKEN]}\n"
        "- {url: 'https://roles.example.com/eu/', token_env: [PANEL_TOKEN]}\n"
    )
    branch.project(f"{HTTP}, token_env: NEW_TOKEN")
    said = branch.refused("plan")
    assert f"the entry at {trust}:4:9: token_env: [PANEL_TOKEN, NEW_TOKEN]" in said


def test_what_is_listed_works(branch: Branch, tmp_path: Path) -> None:
    with serving(create_app(settings(tmp_path / "gateway.sqlite"))) as url:
        trust = branch.trust(f"targets: [{{url: '{url}', token_env: [PANEL_TOKEN]}}]\n")
        branch.project(f'backend: http, url: "{url}", token_env: PANEL_TOKEN')
        env = {"PANEL_TOKEN": WRITER}
        for words in ("doctor", "plan", "apply --auto-approve", "history", "validate --online"):
            answer = branch(*words.split(), "--trust", trust, env=env)
            assert answer.code == 0, answer.out + answer.err
            named = f"trust: {trust} lists all that the target names"
            assert (named in " ".join(answer.out.split())) is (words == "doctor")


def test_a_secret_file_that_is_listed_is_read(branch: Branch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(WRITER)
    with serving(create_app(settings(tmp_path / "gateway.sqlite"))) as url:
        trust = branch.trust(f"targets: [{{url: '{url}', token_file: ['{tmp_path}/secret']}}]\n")
        branch.project(f'backend: http, url: "{url}", token_file: ../secret')
        assert branch("plan", "--trust", trust).code == 0


def test_a_server_sends_nobody_on_past_what_is_listed(branch: Branch) -> None:
    """To another path of the same server neither: that may be somebody else's."""

    def answer(request, peer) -> None:
        mine = request.target.startswith("/mine/")
        to = "/theirs/state" if mine else None
        peer.sendall(reply(302, Location=to) if to else json_reply({}))

    with ScriptedServer(answer) as server:
        url = f"{server.url}/mine"
        trust = branch.trust(f"targets: [{{url: '{url}', token_env: [PANEL_TOKEN]}}]\n")
        branch.project(f'backend: http, url: "{url}", token_env: PANEL_TOKEN')
        answered = branch("plan", "--trust", trust)
    assert answered.code == 1
    assert "which lies below no listed address" in branch.said(answered)
    assert [sent.target for sent in server.requests] == ["/mine/state"]


PROFILE = """\
version: 1
login: {path: "%s", body: {name: "{username}", secret: "{password}"}, token: token}
paging: {style: none}
roles:
  list: {path: /roles}
  id: id
  name: name
  privileges: {names: privileges}
  create: {method: POST, path: /roles, body: {name: "{name}", all: "{privileges}"}, id: id}
  update: {method: PUT, path: "/roles/{id}", body: {all: "{privileges}"}}
  delete: {method: DELETE, path: "/roles/{id}"}
"""


@pytest.mark.parametrize("path", ["/..;/theirs", "/..%5ctheirs", "/%252e%252e/theirs"])
def test_a_profile_leads_no_password_past_what_is_listed(path: str, branch: Branch) -> None:
    with ScriptedServer(sending(json_reply({"token": "t"}))) as server:
        url = f"{server.url}/mine"
        trust = branch.trust(
            f"files: [../acme.yaml]\ntargets: [{{url: '{url}', password_env: [HTTP_PASSWORD]}}]\n"
        )
        branch.write("../acme.yaml", PROFILE % path)
        branch.project(
            f'backend: http, url: "{url}", profile: ../acme.yaml, username: ci, '
            "password_env: HTTP_PASSWORD"
        )
        answered = branch("plan", "--trust", trust)
    assert answered.code == 1
    assert "it lies below no address that the trust file lists" in branch.said(answered)
    assert not server.requests


def test_a_profile_of_the_branch_itself_gets_no_password(branch: Branch) -> None:
    """It could post it where its author can read it. A token goes into no body."""
    with ScriptedServer(sending(json_reply([]))) as server:
        url = server.url
        more = "password_env: [HTTP_PASSWORD], token_env: [PANEL_TOKEN]"
        trust = branch.trust(f"files: [./]\ntargets: [{{url: '{url}', {more}}}]\n")
        branch.write("acme.yaml", PROFILE % "/comments")
        target = f'backend: http, url: "{url}", profile: acme.yaml, username: ci'
        branch.project(f"{target}, password_env: HTTP_PASSWORD")
        said = branch.refused("plan")
        assert 'profile: "acme.yaml" lies in the checkout, and would say where the password' in said
        assert not server.connections
        branch.project(f"{target}, token_env: PANEL_TOKEN")
        branch("plan", "--adopt", "--trust", trust)
    assert {sent.target for sent in server.requests} == {"/roles"}


def test_a_proxy_that_is_not_listed_hears_nothing(branch: Branch) -> None:
    branch.trust("targets: [{url: 'http://roles.example.com/', token_env: [PANEL_TOKEN]}]\n")
    branch.project(
        'backend: http, url: "http://roles.example.com/", token_env: PANEL_TOKEN, '
        f'proxy: "{branch.canary.url}"'
    )
    assert "proxy:" in branch.refused("plan", "--insecure-http")


def test_the_environments_proxy_is_the_machines_own_and_needs_no_line(branch: Branch) -> None:
    with ScriptedServer(sending(reply(403))) as proxy:
        trust = branch.trust("targets: [{url: 'http://roles.example.com/'}]\n")
        branch.project('backend: http, url: "http://roles.example.com/"')
        env = {"http_proxy": proxy.url}
        branch("plan", "--trust", trust, "--insecure-http", env=env)
    assert [sent.target for sent in proxy.requests] == ["http://roles.example.com/state"]


def test_an_adapter_of_somebody_else_needs_its_very_options(panel_branch: Branch) -> None:
    branch = panel_branch
    branch.project("backend: panel, roles: {Viewer: [ARDOCS_VIEW]}, dies_at: 2")
    said = branch.refused("plan")
    assert "target `p`: backend: the trust file lists no target `panel` with these very" in said
    assert '- {backend: "panel", options: {...}}, with the options as they stand here' in said
    for options, code in (
        ("{roles: {Viewer: [ARDOCS_VIEW]}, dies_at: 2}", 0),
        ("{roles: {Viewer: [ARDOCS_VIEW]}, dies_at: 2.0}", 1),
        ("{roles: {Viewer: [ARDOCS_VIEW]}}", 1),
        ("{}", 1),
    ):
        trust = branch.trust(f"targets: [{{backend: panel, options: {options}}}]\n")
        assert branch("plan", "--adopt", "--trust", trust).code == code


def test_a_file_target_has_to_be_listed(branch: Branch) -> None:
    branch.project(STATE)
    said = branch.refused("plan")
    assert 'provisioner.yaml:4:28: error: target `p`: path: "state/p.json" is not below' in said
    assert 'files: ["state/p.json"]' in said
    for listed in ("state/", "state", "state/p.json", "./", f"{branch.folder}/state/"):
        trust = branch.trust(f"files: ['{listed}']\n")
        assert branch("plan", "--trust", trust).code == 0, listed


@pytest.mark.parametrize("listed", ["state2/", "stat", "state/p", "state/p.json2", "/state/"])
def test_a_folder_is_listed_by_whole_names(listed: str, branch: Branch) -> None:
    branch.trust(f"files: ['{listed}']\n")
    branch.project(STATE)
    assert "is not below what the trust file lists" in branch.refused("plan")


@pytest.mark.parametrize(
    ("link", "to"),
    [
        ("state", "../elsewhere"),
        ("state/p.json", "../../elsewhere/p.json"),
        ("state/p.json.history", "../../elsewhere"),
        ("state/p.json.lock", "../../elsewhere/lock"),
        ("state/p.json.commit", "../../elsewhere/commit"),
    ],
)
def test_a_link_in_the_checkout_leads_nowhere_else(link: str, to: str, branch: Branch) -> None:
    (branch.outside / "elsewhere").mkdir()
    path = branch.folder / link
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(to)
    branch.trust("files: [state/]\n")
    branch.project(STATE)
    assert "is not below what the trust file lists" in branch.refused("plan")
    # Its absolute path is as good, or as bad.
    branch.trust(f"files: ['{branch.folder}/state/']\n")
    assert "is not below what the trust file lists" in branch.refused("plan")


@pytest.mark.parametrize("profile", ["p.yaml", "../p.yml", "P.YAML", "profiles/acme"])
def test_a_profile_of_ones_own_is_a_file_that_has_to_be_listed(
    profile: str, branch: Branch
) -> None:
    branch.trust(LISTED % "")
    branch.project(f"{HTTP}, token_env: PANEL_TOKEN, profile: {profile}")
    assert f'target `p`: profile: "{profile}"' in branch.refused("plan")


def test_the_project_file_is_no_link_out_of_the_checkout(branch: Branch) -> None:
    branch.trust("files: [state/, .provisioner/]\n")
    (branch.outside / "private.yaml").write_text(f"{FILE_CANARY}: 1\n")
    (branch.folder / "provisioner.yaml").symlink_to("../private.yaml")
    said = branch.refused("plan")
    assert "provisioner.yaml: error: the project file is a link that leads out" in said


def test_dots_lead_nowhere_else(branch: Branch) -> None:
    branch.trust("files: [state/]\n")
    branch.project("backend: file, path: state/../../p.json")
    assert "is not below what the trust file lists" in branch.refused("plan")
    branch.trust("files: [./]\n")
    (branch.outside / "deep/er").mkdir(parents=True)
    (branch.folder / "link").symlink_to("../deep/er")
    branch.project("backend: file, path: link/../p.json")
    said = branch.refused("plan")
    assert f'"link/../p.json", which is "{branch.outside}/deep/p.json", is not below' in said


def test_a_link_of_the_machine_itself_is_followed(branch: Branch) -> None:
    (branch.outside / "real").mkdir()
    (branch.outside / "short").symlink_to("real")
    trust = branch.trust(f"files: ['{branch.outside}/short/']\n")
    branch.project(f"backend: file, path: {branch.outside}/short/p.json")
    assert branch("plan", "--trust", trust).code == 0


@pytest.mark.parametrize("sources", ["../other", "/etc/passwd", "link.yaml", "x/../../secret"])
def test_sources_come_from_the_checkout(sources: str, branch: Branch) -> None:
    (branch.outside / "other").write_text(FILE_CANARY)
    (branch.folder / "link.yaml").symlink_to("../secret")
    branch.trust("files: [state/]\n")
    branch.project(STATE)
    branch.edit("provisioner.yaml", "[roles.yaml]", f"[roles.yaml, {sources}]")
    assert f'provisioner.yaml:2:23: error: sources: "{sources}"' in branch.refused("plan")
    assert "root:" not in branch.refused("validate")


def test_sources_from_elsewhere_can_be_listed(branch: Branch) -> None:
    (branch.outside / "shared").mkdir()
    (branch.outside / "shared/base.yaml").write_text("version: 1\nroles: {}\n")
    trust = branch.trust("files: [state/, ../shared/]\n")
    branch.project(STATE)
    branch.edit("provisioner.yaml", "[roles.yaml]", "[roles.yaml, ../shared]")
    assert branch("plan", "--trust", trust).code == 0


def test_a_project_below_the_top_of_its_checkout_reads_all_of_it(branch: Branch) -> None:
    branch.write("env/eu/provisioner.yaml", "version: 1\nsources: [../../roles.yaml]\n")
    trust = branch.trust("files: [.provisioner/]\n")
    answer = branch("plan", "--config", "env/eu/provisioner.yaml", "--trust", trust)
    assert answer.code == 0, answer.err


@pytest.mark.parametrize("text", [None, "version: 1\nsources: [roles.yaml]\n"])
def test_the_embedded_target_has_to_be_listed(text: str | None, branch: Branch) -> None:
    """A branch that takes the targets away would have a plan of nothing look fine."""
    if text:
        branch.write("provisioner.yaml", text)
    said = branch.refused("plan", "roles.yaml")
    assert 'target `embedded`: path: ".provisioner/state.json" is not below' in said
    trust = branch.trust("files: [.provisioner/]\n")
    assert branch("plan", "roles.yaml", "--trust", trust).code == 0


@pytest.mark.parametrize("shared", [True, False])
def test_a_catalogue_has_to_be_listed(shared: bool, branch: Branch) -> None:
    branch.write("c/own.yaml", "version: 1\nprivileges: [{name: ARDOCS_VIEW}]\n")
    branch.project(STATE if shared else f"{STATE}, catalogue: c/own.yaml")
    if shared:
        branch.project(STATE, "catalogue: c/own.yaml\n")
    branch.trust("files: [state/]\n")
    assert 'catalogue: "c/own.yaml" is not below' in branch.refused("validate")
    trust = branch.trust("files: [state/, c/]\n")
    assert branch("validate", "--trust", trust).code == 0


def test_json_has_the_same_findings(branch: Branch) -> None:
    branch.project(f"{HTTP}, token_env: PANEL_TOKEN")
    answer = branch("plan", "--format", "json", "--trust", branch.trust())
    (error,) = json.loads(answer.out)["errors"]
    assert (error["id"], error["place"]["line"], error["place"]["column"]) == ("not-trusted", 4, 27)
    assert schemas.valid("results", answer.document)


def test_a_client_certificate_goes_to_a_listed_address_only(branch: Branch, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    mine = authority.issue_cert("me@example.com")
    mine.private_key_and_cert_chain_pem.write_to_path(tmp_path / "me.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    with ScriptedServer(sending(reply(403)), tls=context) as server:
        branch.project(
            f'backend: http, url: "{server.url}", ca_file: ../ca.pem, client_cert: ../me.pem'
        )
        branch.trust(f"targets: [{{url: '{server.url}', ca: [../ca.pem]}}]\n")
        assert 'client_cert: "../me.pem" is not listed' in branch.refused("plan")
        assert not server.connections
        more = f"ca: ['{tmp_path}/ca.pem'], client_cert: ['{tmp_path}/me.pem']"
        trust = branch.trust(f"targets: [{{url: '{server.url}', {more}}}]\n")
        assert branch("plan", "--trust", trust).code == 1
        assert server.requests


def test_running_from_a_linked_folder_changes_nothing(branch: Branch) -> None:
    (branch.outside / "short").symlink_to("checkout")
    branch.project(STATE)
    trust = branch.trust("files: [state/]\n")
    there = ("sh", "-c", f'cd {branch.outside}/short && exec "$@"', "sh")
    assert branch("plan", "--trust", trust, before=there).code == 0
    (branch.folder / "state").symlink_to(os.devnull)
    answer = branch("plan", "--trust", trust, before=there)
    assert answer.code == 1
    assert "is not below what the trust file lists" in branch.said(answer)
