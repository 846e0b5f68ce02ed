"""``access`` and ``explain`` as they are run."""

from __future__ import annotations

import csv
import json
from io import StringIO

import pytest

ROLES = """\
version: 1
privilege_sets:
  holds: [ACCOUNTS_PUT_ON_*_HOLD]
roles:
  Viewer:
    privileges: [ARDOCS_VIEW]
  Accountant:
    includes: [Viewer]
    sets: [holds]
    privileges: ["ARDOCS_*"]
    except: [ARDOCS_REBUILD]
users:
  ada@example.com:
    roles:
      - Accountant
      - {role: Full Access, until: 2026-06-30, reason: "=cmd()"}
  bob@example.com: {roles: [Viewer]}
"""
ON = ("--source", "roles.yaml", "--as-of", "2026-06-01")
LATER = ("--source", "roles.yaml", "--as-of", "2026-07-01")


@pytest.fixture
def sources(shell):
    shell.write("roles.yaml", ROLES)
    return shell


@pytest.mark.parametrize("kind", ["user", "role"])
def test_who_is_unknown_is_looked_up_where_the_question_was_asked(sources, kind: str) -> None:
    """The sources' own are no stored ones."""
    asked = sources.run("explain", f"--{kind}", "Nobody at all", *ON)
    assert (asked.code, asked.out) == (1, "")
    lists = f"access --by {kind} --source roles.yaml"
    assert f"`provisioner {lists}` lists those of the sources" in asked.err
    assert sources.run(*lists.split()).code == 0
    now = sources.run("explain", f"--{kind}", "Nobody at all", "--current")
    assert f"`provisioner {kind}s` lists the stored ones" in now.err


def test_explain_prints_every_chain_with_its_places(sources) -> None:
    answer = sources.run("explain", "ADA@example.com", "ARDOCS_VIEW", *ON)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == (
        "What the sources ask for (roles.yaml), as of 2026-06-01:\n"
        "ada@example.com holds ARDOCS_VIEW, 3 ways:\n\n"
        "  1. ada@example.com holds Accountant                              roles.yaml:15\n"
        "     Accountant grants ARDOCS_VIEW as ARDOCS_*                     roles.yaml:10\n\n"
        "  2. ada@example.com holds Full Access until 2026-06-30 (=cmd())   roles.yaml:16\n"
        "     Full Access grants ARDOCS_VIEW\n\n"
        "  3. ada@example.com holds Accountant                              roles.yaml:15\n"
        "     Accountant includes Viewer                                     roles.yaml:8\n"
        "     Viewer grants ARDOCS_VIEW                                      roles.yaml:6\n"
    )


def test_every_answer_says_which_state_it_is_about(sources) -> None:
    """ "Does not hold" in the sources is not "does not hold" in the panel."""
    assert sources.run("apply", "roles.yaml", "--auto-approve").code == 0
    sources.write("other.yaml", ROLES.replace("[Viewer]}\n", "[Accountant]}\n"))
    bob = ("bob@example.com", "ARDOCS_CREATE")
    there = sources.run("explain", *bob, "--source", "other.yaml")
    now = sources.run("explain", *bob, "--current")
    assert there.out.startswith("What the sources ask for (other.yaml), as of ")
    assert "bob@example.com holds ARDOCS_CREATE" in there.out
    assert now.out.startswith("What target embedded holds now:\n")
    assert "bob@example.com does not hold ARDOCS_CREATE" in now.out
    assert sources.run("access").out.startswith("What target embedded holds now:\n")
    assert sources.run("access", *ON).out.startswith("What the sources ask for (roles.yaml)")
    both = sources.run("explain", "Viewer", "--current", *ON)
    assert both.code == 1
    assert "--current and --source exclude each other" in both.err


def test_a_catalogue_without_default_roles_answers(sources) -> None:
    """Those that are shipped carry what of theirs it has."""
    sources.write("catalogue.yaml", "version: 1\nprivileges: [{name: CONFIG_SECURITY}]\n")
    sources.write("provisioner.yaml", "version: 1\ncatalogue: catalogue.yaml\nsources: [r.yaml]\n")
    sources.write("r.yaml", "version: 1\nroles:\n  A: {privileges: [CONFIG_SECURITY]}\nusers: {}\n")
    for words in (("access",), ("lint",), ("access", "--by", "role"), ("explain", "A")):
        assert sources.run(*words).code == 0, words
    assert "Full Access" in sources.run("explain", "Full Access").out


def test_explain_groups_everything_by_the_way_it_comes(sources) -> None:
    answer = sources.run("explain", "accountant", *ON)
    assert answer.code == 0
    assert "Accountant carries 4 privileges, also by including Viewer." in answer.out
    assert "ACCOUNTS_PUT_ON_*_HOLD in the set holds:" in answer.out
    assert all(len(line) <= 80 for line in answer.out.splitlines())


def test_explain_says_why_not(sources) -> None:
    answer = sources.run("explain", "ada@example.com", "ARDOCS_REBUILD", *LATER)
    assert answer.code == 0
    assert "ada@example.com does not hold ARDOCS_REBUILD." in answer.out
    assert "Full Access ended on 2026-06-30" in answer.out
    assert "Accountant would grant it, but for its `except: ARDOCS_REBUILD`" in answer.out
    assert "Full Access (24 privileges, 0 holders)" in answer.out


def test_explain_says_what_has_no_effect(sources) -> None:
    catalogue = "version: 1\nprivileges:\n- {name: A, requires: [B]}\n- {name: B}\n"
    sources.write("catalogue.yaml", catalogue)
    sources.write("provisioner.yaml", "version: 1\nsources: [r.yaml]\ncatalogue: catalogue.yaml\n")
    sources.write("r.yaml", "version: 1\nroles: {R: {privileges: [A]}}\nusers: {u: {roles: [R]}}\n")
    answer = sources.run("explain", "u", "A")
    assert "It has no effect: it requires B, which u does not have." in answer.out
    everything = sources.run("explain", "u").out
    assert "A requires B" in everything


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("ada",), "did you mean ada@example.com?"),
        (("--user", "ada"), "did you mean ada@example.com?"),
        (("Acountant",), "did you mean Accountant?"),
        (("--role", "Acountant"), "did you mean Accountant?"),
        (("bob@example.com", "ARDOCS_VEIW"), "ARDOCS_VIEW"),
    ],
)
def test_an_unknown_name_is_an_error_with_near_ones(sources, words, near) -> None:
    answer = sources.run("explain", *words, *ON)
    assert answer.code == 1
    assert near in answer.err


def test_without_sources_the_current_state_is_explained(shell) -> None:
    shell.write("elsewhere.yaml", ROLES)
    applied = shell.run("apply", "elsewhere.yaml", "--auto-approve", "--as-of", "2026-06-01")
    assert applied.code == 0, applied.err
    answer = shell.run("explain", "bob@example.com", "ARDOCS_VIEW", "--format", "json")
    document = answer.document
    assert document["of"] == "current"
    (chain,) = document["answer"]["chains"]
    assert [(link["kind"], link["place"]) for link in chain] == [
        ("assignment", None),
        ("grant", None),
    ]


@pytest.mark.parametrize("by", ["user", "role", "privilege"])
@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_access_prints_the_same_bytes_every_time(sources, by, form) -> None:
    words = ("access", "--by", by, "--format", form, *ON)
    one, other = sources.run(*words), sources.run(*words)
    assert one.code == 0, one.err
    assert one.out == other.out
    if form == "json":
        names = [row["name"] for row in one.document["rows"]]
        assert names == sorted(names) != []
    if form == "csv":
        rows = list(csv.reader(StringIO(one.out)))
        assert rows[1:] == sorted(rows[1:]) != []
    if form == "text":
        assert all(len(line) <= 80 for line in one.out.splitlines())


def test_the_sheet_says_why_and_runs_no_formula(sources) -> None:
    out = sources.run("access", "--user", "ADA*", "--format", "csv", *ON).out
    rows = {row["privilege"]: row for row in csv.DictReader(StringIO(out))}
    assert rows["ARDOCS_REBUILD"] == {
        "user": "ada@example.com",
        "privilege": "ARDOCS_REBUILD",
        "sensitive": "no",
        "via": "Full Access",
        "place": "roles.yaml:16",
        "until": "2026-06-30",
        "reason": "'=cmd()",
    }
    assert rows["ARDOCS_VIEW"]["via"] == "Accountant, as ARDOCS_*"


def test_a_difference_is_what_a_plan_would_do(sources) -> None:
    plan = sources.run("plan", "roles.yaml", "--format", "json", "--as-of", "2026-06-01")
    answer = sources.run("access", "--diff", "--format", "json", *ON)
    impact = {i["user"]: (i["gained"], i["lost"]) for i in json.loads(plan.out)["impact"]}
    rows = answer.document["rows"]
    assert {row["name"]: (row["gained"], row["lost"]) for row in rows} == impact != {}


def test_against_an_earlier_sheet_and_earlier_roles(sources) -> None:
    sources.write("earlier.csv", sources.run("access", "--format", "csv", *ON).out)
    same = sources.run("access", "--against", "earlier.csv", *ON)
    assert same.out == "From earlier.csv to the sources as of 2026-06-01: no difference.\n"
    later = sources.run("access", "--against", "earlier.csv", "--format", "json", *LATER).document
    (row,) = later["rows"]
    assert (row["name"], row["gained"]) == ("ada@example.com", [])
    assert "CONFIG_SECURITY" in row["lost"]
    renamed = ROLES.replace("Viewer", "Reader").replace(
        "  Reader:\n", "  Reader:\n    renamed_from: Viewer\n"
    )
    sources.write("new.yaml", renamed)
    words = ("--source", "new.yaml", "--as-of", "2026-06-01", "--by", "role")
    answer = sources.run("access", "--against", "roles.yaml", *words)
    assert "no difference" in answer.out


def test_against_a_git_revision(sources) -> None:
    sources.git("init", "-q", "-b", "main")
    sources.write("provisioner.yaml", "version: 1\nsources: [.]\n")
    sources.git("add", ".")
    sources.git("commit", "-qm", "one")
    sources.write("roles.yaml", ROLES.replace("roles: [Viewer]", "roles: [Accountant]"))
    sources.write("more.yaml", "version: 1\nusers: {eve: {roles: [Viewer]}}\n")
    words = ("access", "--against", "main", "--format", "csv", "--as-of", "2026-06-01")
    answer = sources.run(*words)
    assert answer.code == 0, answer.err
    rows = list(csv.reader(StringIO(answer.out)))
    assert ["eve", "gained", "ARDOCS_VIEW", "no"] in rows
    assert ["bob@example.com", "gained", "ARDOCS_CREATE", "yes"] in rows
    wrong = sources.run("access", "--against", "nothing")
    assert (wrong.code, wrong.out) == (1, "")
    assert "there is no file and no git revision `nothing`" in wrong.err


@pytest.mark.parametrize("revision", ["--output=gone", "-x", "main:roles.yaml", "a\nb"])
def test_a_revision_is_never_an_option(sources, revision) -> None:
    sources.git("init", "-q", "-b", "main")
    sources.git("add", ".")
    sources.git("commit", "-qm", "one")
    answer = sources.run("access", f"--against={revision}", *ON)
    assert (answer.code, answer.out) == (1, "")
    assert "revision" in answer.err
    assert sorted(path.name for path in sources.folder.iterdir()) == [".git", "roles.yaml"]


def test_an_empty_revision_is_refused(sources) -> None:
    """Nothing is compared, and nothing is written."""
    answer = sources.run("access", "--against=", *ON)
    assert (answer.code, answer.out) == (1, "")
    assert "'--against': it is empty" in answer.err
    assert sorted(path.name for path in sources.folder.iterdir()) == ["roles.yaml"]


def test_outside_of_a_repository_a_revision_is_refused(sources) -> None:
    answer = sources.run("access", "--against", "main", *ON)
    assert answer.code == 1
    assert "is not in a git repository" in answer.err


def test_mistakes_of_a_revision_name_it(sources) -> None:
    sources.write("roles.yaml", "version: 1\nroles: {A: {privileges: [NONE_SUCH]}}\n")
    sources.git("init", "-q", "-b", "main")
    sources.git("add", ".")
    sources.git("commit", "-qm", "one")
    sources.write("roles.yaml", ROLES)
    answer = sources.run("access", "--against", "main", *ON)
    assert answer.code == 1
    assert answer.err.startswith("main:roles.yaml:2:")


def test_revoke_lists_the_edges_and_changes_nothing(sources) -> None:
    answer = sources.run("revoke", "ada@example.com", "ARDOCS_VIEW", *ON)
    assert answer.code == 0
    assert "cut these 2 edges" in answer.out
    assert "roles.yaml:15" in answer.out
    assert "Nobody else loses anything." in answer.out
    document = sources.run(
        "revoke", "bob@example.com", "ARDOCS_VIEW", "--format", "json", *ON
    ).document
    (cut,) = document["cuts"]
    assert cut["links"][0]["kind"] == "assignment"
    none = sources.run("revoke", "bob@example.com", "ARDOCS_REBUILD", *ON)
    assert "there is nothing to cut" in none.out


@pytest.mark.parametrize(
    "words",
    [
        ("--current", "--diff"),
        ("--current", "--source", "roles.yaml"),
        ("--diff", "--against", "x"),
        ("--by", "role", "revoke", "ada", "X"),
    ],
)
def test_options_that_exclude_each_other_are_refused(sources, words) -> None:
    assert sources.run("access", *words).code == 1


def test_names_can_not_play_tricks_on_a_terminal(sources) -> None:
    reason = '"\\x1b[31mred\\u202e"'
    sources.write("roles.yaml", ROLES.replace('"=cmd()"', reason))
    for words in (("explain", "ada@example.com"), ("access", "--format", "csv")):
        answer = sources.run(*words, *ON)
        assert answer.code == 0, answer.err
        assert "\x1b" not in answer.out
        assert "\u202e" not in answer.out
