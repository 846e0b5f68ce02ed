"""The round of docs/security.md: a stranger's branch, planned beside a secret, from git."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from provisioner.server.app import create_app
from provisioner.server.http.tokens import Tokens, digest
from tests.server.running import LOGIN, WRITER, serving, settings
from tests.trust.conftest import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Answer
    from tests.trust.conftest import Branch

POLICY = """\
policies:
- {name: books, restrict: {privileges: [ARDOCS_CREATE], only_users: [boss@example.com]}}
"""
READER = "a-token-that-may-only-read"
PROJECT = """\
version: 1
sources: [roles.yaml]
actors: {octocat: mallory@example.com, deploy-bot: null}
targets:
  panel: {backend: http, url: "%s", token_env: PANEL_TOKEN}
"""
ASKED = ("--rules-from", "main", "--actor", "octocat")


class PullRequest:
    """The branch of somebody called octocat, and the plan that a maintainer makes of it."""

    def __init__(self, branch: Branch, url: str) -> None:
        self.branch, self.url = branch, url
        (branch.folder / ".git").rmdir()
        branch.write("provisioner.yaml", PROJECT % url)
        branch.write("roles.yaml", f"{ROLES}  mallory@example.com: {{roles: []}}\n{POLICY}")
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-qm", "All is well")
        self.trust = branch.trust(f"targets: [{{url: '{url}', token_env: [PANEL_TOKEN]}}]\n")
        self.git("checkout", "-qb", "theirs")

    def git(self, *words: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        env = {"PATH": os.environ["PATH"], "HOME": str(self.branch.outside)}
        subprocess.run(["git", *who, *words], cwd=self.branch.folder, env=env, check=True)

    def change(self, file: str, old: str, new: str) -> None:
        self.branch.edit(file, old, new)
        self.git("commit", "-qam", "A small improvement")

    def plan(self) -> Answer:
        env = {"PROVISIONER_TRUST_FILE": self.trust, "PANEL_TOKEN": READER}
        return self.branch("plan", *ASKED, env=env)


@pytest.fixture
def pull_request(branch: Branch) -> Iterator[PullRequest]:
    tokens = branch.outside / "tokens"
    tokens.write_text(f"sha256:{digest(READER)} read reader@example.com\n")
    known = Tokens(file=tokens, token=WRITER, login=LOGIN)
    app = create_app(settings(branch.outside / "gateway.sqlite", tokens=known))
    with serving(app) as url:
        made = PullRequest(branch, url)
        env = {"PANEL_TOKEN": WRITER}
        assert branch("apply", "--adopt", "--auto-approve", env=env).code == 0
        yield made


def test_an_honest_change_is_planned(pull_request: PullRequest) -> None:
    pull_request.change("roles.yaml", "[ARDOCS_VIEW]", "[ARDOCS_VIEW, ACCOUNTS_VIEW_DET]")
    answer = pull_request.plan()
    assert answer.code == 0, answer.out + answer.err
    assert "ada@example.com" in answer.out


def test_no_address_of_the_branch_is_reached(pull_request: PullRequest) -> None:
    pull_request.change("provisioner.yaml", pull_request.url, pull_request.branch.canary.url)
    answer = pull_request.plan()
    assert answer.code == 1
    assert READER not in answer.out + answer.err
    assert "lies below no address" in pull_request.branch.said(answer)


def test_no_variable_of_the_machine_is_sent(pull_request: PullRequest) -> None:
    pull_request.change("provisioner.yaml", "PANEL_TOKEN", "AWS_SECRET_ACCESS_KEY")
    answer = pull_request.plan()
    assert answer.code == 1
    assert "AWS_SECRET_ACCESS_KEY is not listed" in pull_request.branch.said(answer)


def test_a_rule_that_the_branch_drops_still_counts(pull_request: PullRequest) -> None:
    pull_request.change("roles.yaml", POLICY, "")
    pull_request.change("roles.yaml", "[ARDOCS_VIEW]", "[ARDOCS_VIEW, ARDOCS_CREATE]")
    answer = pull_request.plan()
    assert answer.code == 3, answer.out + answer.err
    assert "books" in answer.out


def test_the_author_gains_nothing_by_it(pull_request: PullRequest) -> None:
    """Nor by saying in the branch that octocat is somebody else."""
    pull_request.change("roles.yaml", "{roles: []}", "{roles: [Clerk]}")
    pull_request.change("provisioner.yaml", "octocat: mallory@example.com", "octocat: null")
    answer = pull_request.plan()
    assert answer.code == 3, answer.out + answer.err
    assert "mallory@example.com" in answer.out
