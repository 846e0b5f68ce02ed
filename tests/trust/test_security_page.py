"""What docs/security.md shows and lists is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from provisioner import schemas
from provisioner.cli.app import COMMANDS
from provisioner.trust.reading import read_trust
from tests.trust.test_every_command import WITHOUT_PROJECT

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text()


def test_the_trust_file_of_the_page_can_be_used(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(version: 1\n.*?)```", PAGE, re.DOTALL)
    (tmp_path / "checkout").mkdir()
    file = tmp_path / "trust.yaml"
    file.write_text(example)
    file.chmod(0o600)
    trust = read_trust(str(file), tmp_path / "checkout")
    (listed,) = trust.targets
    assert str(listed.below) == "https://roles.example.com/us-na/"
    assert listed.allowed == {
        "token_env": ("PANEL_READ_TOKEN",),
        "ca": ("/etc/ci/authority.pem",),
    }
    assert trust.files == ("state/", "/srv/catalogues/")


def test_the_page_lists_every_key() -> None:
    target = schemas.load("trust")["$defs"]["target"]
    keys = {*target["then"]["properties"], *target["else"]["properties"], "files"}
    cells = " ".join(re.findall(r"^\| (`[^|]*`) \|", PAGE, re.MULTILINE))
    shown = {name.rpartition(".")[2] for name in re.findall(r"`([^`]+)`", cells)}
    assert keys == shown


def test_the_page_names_the_commands_without_a_project_file() -> None:
    (named,) = re.findall(r"^- `serve` takes everything.*?\n\n", PAGE, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`([a-z]+)`", named)) & COMMANDS.keys() == WITHOUT_PROJECT


@pytest.mark.parametrize("workflow", re.findall(r"```yaml\n(on:.*?)```", PAGE, re.DOTALL))
def test_the_workflows_keep_what_the_page_says(workflow: str) -> None:
    # As text throughout: to YAML 1.1, `on` and `false` are the same kind of thing.
    read = yaml.load(workflow, yaml.BaseLoader)  # noqa: S506 - it makes text only
    assert "pull_request_target" not in workflow
    assert set(read["permissions"].values()) == {"read"}
    (job,) = read["jobs"].values()
    steps = job["steps"]
    for step in steps:
        # What somebody typed must not become a part of a script.
        assert "${{" not in step.get("run", "")
        assert "apply" not in step.get("run", "")
    if "secrets." in workflow:
        assert "workflow_dispatch" in read["on"]
        assert job["environment"]
        assert "/main/ci/" in job["env"]["PROVISIONER_TRUST_FILE"]
        checkouts = [step["with"] for step in steps if "checkout" in step.get("uses", "")]
        assert {with_["persist-credentials"] for with_ in checkouts} == {"false"}


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/security.md", "docs/state-file.md"])
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
        file = (ROOT / page).parent / target if target else ROOT / page
        assert file.is_file(), target
        headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}
        assert not anchor or anchor in anchors, anchor
