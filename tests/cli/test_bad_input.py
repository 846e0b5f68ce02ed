"""Whatever is wrong with what people write or store: told with its place, told how to mend it.

Nothing is written, the exit code is 1 (4 where somebody else holds the lock), JSON says the same as
text, and nobody ever sees a traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


class Mistake(NamedTuple):
    """A file that must be refused: where, under which id, in which words, with which advice."""

    name: str
    content: str | bytes
    place: str
    id: str
    words: str
    remedy: str


def role(*lines: str, name: str = "Viewer") -> str:
    """A file with one role."""
    return f"version: 1\nroles:\n  {name}:\n" + "".join(f"    {line}\n" for line in lines)


def user(held: str) -> str:
    """A file with one user, who holds what is written on line 5."""
    return f"version: 1\nusers:\n  ada@example.com:\n    roles:\n      - {held}\n"


BOMB = "version: 1\na0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
WRITTEN_OUT = "write the values out"
QUOTE = "quote it:"
KEEP_ONE = "keep one of them"

UNKNOWN_NAMES = [
    Mistake(
        "a privilege with a slip of the pen",
        role("privileges: [ACCOUNTS_VEIW_DET]"),
        "4:18",
        "unknown-privilege",
        "no privilege `ACCOUNTS_VEIW_DET` in the catalogue",
        "did you mean ACCOUNTS_VIEW_DET",
    ),
    Mistake(
        "a privilege like no other",
        role("privileges:", "  - ZZZ"),
        "5:9",
        "unknown-privilege",
        "no privilege `ZZZ`",
        "`provisioner privileges` lists what there is",
    ),
    Mistake(
        "an internal privilege",
        role("privileges: [ARDOCS_VIEW, NOBODY]"),
        "4:31",
        "internal-privilege",
        "`NOBODY` is internal",
        "remove it",
    ),
    Mistake(
        "a glob without a match",
        role("privileges: [ARDOC_*]"),
        "4:18",
        "glob-without-match",
        "`ARDOC_*` matches no privilege",
        "did you mean ARDOCS_VIEW",
    ),
    Mistake(
        "an unknown included role",
        role("includes: [Full Acess]"),
        "4:16",
        "unknown-role",
        "no role `Full Acess`",
        "did you mean Full Access",
    ),
    Mistake(
        "an unknown assigned role",
        user("Ful Access"),
        "5:9",
        "unknown-role",
        "no role `Ful Access`",
        "did you mean Full Access",
    ),
    Mistake(
        "an unknown privilege set",
        role("sets: [holds]") + "privilege_sets:\n  hold: [ARDOCS_VIEW]\n",
        "4:12",
        "unknown-set",
        "no privilege set `holds`",
        "did you mean hold?",
    ),
]

TWICE = [
    Mistake(
        "a key twice",
        role("description: one", "privileges: []", "description: two"),
        "6:5",
        "duplicate-key",
        "`description` stands here twice; the first is at roles.yaml:4:5",
        KEEP_ONE,
    ),
    Mistake(
        "a role twice",
        "version: 1\nroles:\n  Viewer: {}\n  'Viewer': {}\n",
        "4:3",
        "duplicate-key",
        "`Viewer` stands here twice; the first is at roles.yaml:3:3",
        KEEP_ONE,
    ),
    Mistake(
        "a role twice by case",
        "version: 1\nroles:\n  Viewer: {}\n  VIEWER: {}\n",
        "4:3",
        "declared-twice",
        "role `VIEWER` differs only in case from `Viewer`, declared at roles.yaml:3:3",
        KEEP_ONE,
    ),
    Mistake(
        "a user twice by case",
        "version: 1\nusers:\n  ada@example.com: {roles: []}\n  Ada@Example.com: {roles: []}\n",
        "4:3",
        "declared-twice",
        "user `Ada@Example.com` differs only in case from `ada@example.com`, "
        "declared at roles.yaml:3:3",
        KEEP_ONE,
    ),
    Mistake(
        "a role twice for one user",
        "version: 1\nusers:\n  ada@example.com:\n    roles: [Full Access, Full Access]\n",
        "4:26",
        "role-twice",
        "`ada@example.com` is given `Full Access` twice",
        KEEP_ONE,
    ),
]

YAML_TRICKS = [
    Mistake("a bomb of aliases", BOMB, "5:45", "alias-bomb", "10,000 values", WRITTEN_OUT),
    Mistake(
        "an alias inside its own anchor",
        "version: 1\nroles: &all\n  Viewer: *all\n",
        "3:11",
        "recursive-alias",
        "`*all` contains itself",
        WRITTEN_OUT,
    ),
    Mistake(
        "an alias without an anchor",
        role("includes: *others"),
        "4:15",
        "unknown-alias",
        "`&others`",
        'quote it: "*others"',
    ),
    Mistake(
        "a glob that YAML takes for an alias",
        role("privileges:", "  - *_VIEW"),
        "5:9",
        "unknown-alias",
        "`&_VIEW`",
        'quote it: "*_VIEW"',
    ),
    Mistake(
        "a merge key",
        "version: 1\nroles:\n  Viewer: &v {description: x}\n  Reader:\n    <<: *v\n",
        "5:5",
        "unclear-scalar",
        "`<<`",
        "merge keys are not supported",
    ),
    Mistake(
        "a tag that would run code",
        role("description: !!python/object/apply:os.system ['touch hacked']"),
        "4:18",
        "yaml-tag",
        "python/object/apply:os.system` is not allowed",
        "remove it",
    ),
    Mistake(
        "a tag of one's own",
        role("privileges: !shared [ARDOCS_VIEW]"),
        "4:17",
        "yaml-tag",
        "the tag `!shared` is not allowed",
        "remove it",
    ),
    Mistake(
        "a tab for indentation",
        "version: 1\nroles:\n\tViewer: {}\n",
        "3:1",
        "yaml-syntax",
        "a tab is used for indentation",
        "indent with blanks",
    ),
    Mistake(
        "a second document",
        "version: 1\nroles: {}\n---\nversion: 1\n",
        "3:1",
        "several-documents",
        "a second YAML document",
        "a file of its own",
    ),
    Mistake(
        "flow style, 10,000 deep",
        "version: 1\nroles: " + "[" * 10_000 + "]" * 10_000 + "\n",
        "2:",  # where our limit is, or libyaml's
        "too-deep",
        "nested deeper than 32 levels",
        "no file of ours needs more",
    ),
    Mistake(
        "flow style, 33 deep",
        "version: 1\nroles: " + "[" * 33 + "]" * 33 + "\n",
        "2:39",
        "too-deep",
        "nested deeper than 32 levels",
        "no file of ours needs more",
    ),
    Mistake(
        "block style, 10,000 deep",
        "version: 1\nroles:\n" + "".join(f"{' ' * n}a:\n" for n in range(1, 10_001)),
        "34:33",
        "too-deep",
        "nested deeper than 32 levels",
        "no file of ours needs more",
    ),
    Mistake(
        "lists in one line, 10,000 deep",
        "version: 1\nroles:\n  " + "- " * 10_000 + "x\n",
        "3:65",
        "too-deep",
        "nested deeper than 32 levels",
        "no file of ours needs more",
    ),
    Mistake(
        "a quote that is never closed",
        role('description: "Looks things up'),
        "5:1",
        "yaml-syntax",
        "unexpected end of stream",
        "never closed",
    ),
    Mistake(
        "a colon inside of text",
        role("description: Accounts: look only"),
        "4:26",
        "yaml-syntax",
        "mapping values are not allowed",
        "quote the text if it contains `: `",
    ),
    Mistake(
        "a line break that only YAML 1.1 knows",
        "version: 1\nroles:\n  Viewer:\n    # nothing to see here\u2028    privileges: ['*']\n",
        "4:26",
        "control-character",
        "U+2028",
        "remove it",
    ),
]

ENCODINGS = [
    Mistake(
        "a byte order mark",
        b"\xef\xbb\xbf" + role().encode(),
        "1:1",
        "wrong-encoding",
        "starts with a byte order mark",
        "save it as UTF-8 without a byte order mark",
    ),
    Mistake(
        "UTF-16", role().encode("utf-16"), "1:1", "wrong-encoding", "is UTF-16", "save it as UTF-8"
    ),
    Mistake(
        "Latin-1",
        role("description: Büro").encode("latin-1"),
        "4:19",
        "wrong-encoding",
        "byte 0xfc is not UTF-8",
        "save it as UTF-8",
    ),
    Mistake("a NUL", role("description: a\0b"), "4:19", "control-character", "U+0000", "remove it"),
    Mistake(
        "an escape sequence",
        role("description: \x1b[31mred"),
        "4:18",
        "control-character",
        "U+001B",
        "remove it",
    ),
]

TWO_MEANINGS = "means different things in YAML 1.1 and 1.2"
NOT_TEXT = [
    Mistake(
        f"{scalar} where text is due",
        role(f"description: {scalar}"),
        "4:18",
        "unclear-scalar",
        f"`{scalar}` {TWO_MEANINGS}",
        f'{QUOTE} "{scalar}"',
    )
    for scalar in ("no", "on", "010", "1_000", "2026-01-01")
] + [
    Mistake(
        "a whole number where text is due",
        role("description: 12"),
        "4:18",
        "schema-type",
        "`description` must be text, not the number `12`",
        f'{QUOTE} "12"',
    ),
    Mistake(
        "~ where text is due",
        role("description: ~"),
        "4:18",
        "schema-type",
        "must be text, not nothing",
        "give it a value, or remove the key",
    ),
    Mistake(
        "a number among privileges",
        role("privileges: [ARDOCS_VIEW, 7]"),
        "4:31",
        "schema-type",
        "an item of `privileges` must be text, not the number `7`",
        f'{QUOTE} "7"',
    ),
    Mistake(
        "a country for a role",
        role("privileges: []", name="NO"),
        "3:3",
        "unclear-scalar",
        f"`NO` {TWO_MEANINGS}",
        f'{QUOTE} "NO"',
    ),
    Mistake(
        "a number for a role",
        role("privileges: []", name="2026"),
        "3:3",
        "key-not-text",
        "`2026` is no text",
        f'{QUOTE} "2026"',
    ),
    Mistake(
        "nothing for a role",
        role("privileges: []", name="~"),
        "3:3",
        "key-not-text",
        "no text",
        QUOTE,
    ),
    Mistake(
        "a list for a role",
        "version: 1\nroles:\n  [a, b]: {}\n",
        "3:3",
        "key-not-text",
        "a key must be text",
        "write a plain word",
    ),
    Mistake(
        "a number far too long",
        role("description: " + "9" * 5000),
        "4:18",
        "unclear-scalar",
        "9999",
        QUOTE,
    ),
]

SHAPES = [
    Mistake("an empty file", b"", "1:1", "empty-file", "is empty", "start it with `version: 1`"),
    Mistake("blank lines", "\n\n\n", "", "empty-file", "is empty", "start it with `version: 1`"),
    Mistake(
        "comments only", "# soon\n", "", "empty-file", "is empty", "start it with `version: 1`"
    ),
    Mistake(
        "a document without content", "---\n", "1:1", "", "nothing", "start it with `version: 1`"
    ),
    Mistake(
        "one word", "hello\n", "1:1", "schema-type", "the file must be a mapping", "version: 1"
    ),
    Mistake(
        "a role without content",
        role(),
        "3:10",
        "schema-type",
        "`Viewer` must be a mapping, not nothing",
        "give it a value, or remove the key",
    ),
    Mistake(
        "a policy without content",
        "version: 1\npolicies:\n  -\n",
        "3:4",
        "schema-type",
        "an item of `policies` must be a mapping, not nothing",
        "give it a value",
    ),
    Mistake(
        "one privilege for a list",
        role("privileges: ARDOCS_VIEW"),
        "4:17",
        "schema-type",
        "`privileges` must be a list, not `ARDOCS_VIEW`",
        "write a list: [ARDOCS_VIEW]",
    ),
    Mistake(
        "no version",
        "roles: {}\n",
        "1:1",
        "schema-required",
        "the file lacks `version`",
        "add `version: 1` as the first line",
    ),
    Mistake(
        "a version to come",
        "version: 2\nroles: {}\n",
        "1:10",
        "schema-const",
        "`version` must be 1, not the number `2`",
        "version: 1",
    ),
    Mistake(
        "an unknown key at the top",
        "version: 1\nrolls: {}\n",
        "2:1",
        "schema-additional-properties",
        "unknown key `rolls`",
        "did you mean roles?",
    ),
    Mistake(
        "an unknown key in a role",
        role("privilege: [ARDOCS_VIEW]"),
        "4:5",
        "schema-additional-properties",
        "unknown key `privilege` in `Viewer`",
        "did you mean privileges?",
    ),
    Mistake(
        "an unknown key in an assignment",
        user("{role: Full Access, untill: 2099-12-31}"),
        "5:29",
        "schema-additional-properties",
        "unknown key `untill`",
        "did you mean until?",
    ),
    Mistake(
        "a description too long",
        role(f"description: {'x' * 1025}"),
        "4:18",
        "schema-max-length",
        "`description` has 1025 characters",
        "use at most 1,024",
    ),
]

NAMES = [
    Mistake(
        "a name in pieces",
        role("privileges: []", name='"Bu\u0308ro"'),
        "3:3",
        "bad-role-name",
        "not in Unicode normal form C",
        'write it as "Büro"',
    ),
    Mistake(
        "an invisible character",
        role("privileges: []", name='"View\u200ber"'),
        "3:3",
        "bad-role-name",
        r"the name `View\u200ber` holds the invisible character U+200B",
        "remove it",
    ),
    Mistake(
        "a blank that is none",
        role("privileges: []", name='"Full Access\ufe0f"'),
        "3:3",
        "bad-role-name",
        r"the name `Full Access\ufe0f` holds the invisible character U+FE0F",
        "remove it",
    ),
    Mistake(
        "a name that turns the line around",
        role("privileges: []", name='"\u202eViewer"'),
        "3:3",
        "bad-role-name",
        "U+202E",
        "remove it",
    ),
    Mistake(
        "a name too long",
        role("privileges: []", name="V" * 129),
        "3:3",
        "",
        "129 characters",
        "use at most 128",
    ),
    Mistake(
        "a blank at the end of a name",
        role("privileges: []", name='"Viewer "'),
        "3:3",
        "bad-role-name",
        "starts or ends with a blank",
        "remove it",
    ),
    Mistake(
        "an empty name",
        role("privileges: []", name='""'),
        "3:3",
        "",
        "is empty",
        "give it a",
    ),
    Mistake(
        "a Cyrillic letter in a name that is taken",
        "version: 1\nroles:\n  Viewer: {}\n  Vi\u0435wer: {}\n",
        "4:3",
        "look-alike-name",
        "looks like `Viewer`",
        "type it again in one script",
    ),
    Mistake(
        "a Cyrillic letter in the name of a default role",
        role("privileges: []", name="Full \u0410ccess"),
        "3:3",
        "look-alike-name",
        "looks like `Full Access`",
        "type it again in one script",
    ),
    Mistake(
        "a default role in other case",
        role("privileges: []", name="full access"),
        "3:3",
        "default-role-renamed",
        "the default role is called `Full Access`",
        "write `Full Access`",
    ),
    Mistake(
        "a default role without protection",
        role("protected: false", name="Full Access"),
        "3:3",
        "default-role-unprotected",
        "always protected",
        "remove `protected`",
    ),
]

CONTRADICTIONS = [
    Mistake(
        "roles that include each other",
        "version: 1\nroles:\n"
        "  A:\n    includes: [B]\n  B:\n    includes: [C]\n  C:\n    includes: [A]\n",
        "8:16",
        "include-cycle",
        "A → B → C → A",
        "remove one of these includes",
    ),
    Mistake(
        "an exception that an include undoes",
        "version: 1\nroles:\n  A:\n    privileges: [ARDOCS_VIEW]\n  B:\n    includes: [A]\n"
        "  C:\n    includes: [B]\n    privileges: [ARDOCS_*]\n    except: [ARDOCS_VIEW]\n",
        "10:14",
        "excepted-but-included",
        "`C` excepts `ARDOCS_VIEW`, but carries it through `A`",
        "do not include that role",
    ),
    Mistake(
        "renames in a circle",
        "version: 1\nroles:\n  A: {renamed_from: B}\n  B: {renamed_from: A}\n",
        "3:3",
        "bad-rename",
        "go in a circle",
        "correct `renamed_from`",
    ),
    Mistake(
        "two claims on one former name",
        "version: 1\nroles:\n  A: {renamed_from: Old}\n  B: {renamed_from: Old}\n",
        "4:3",
        "bad-rename",
        "`A` at roles.yaml:3:3 already claims that former name",
        "correct `renamed_from`",
    ),
    Mistake(
        "two claims on one former name, by case",
        "version: 1\nroles:\n  A: {renamed_from: Old}\n  B: {renamed_from: OLD}\n",
        "4:3",
        "bad-rename",
        "`A` at roles.yaml:3:3 already claims that former name",
        "correct `renamed_from`",
    ),
    Mistake(
        "a default role renamed",
        role("renamed_from: Service Desk Only"),
        "3:3",
        "bad-rename",
        "`Service Desk Only` is a default role",
        "correct `renamed_from`",
    ),
    Mistake(
        "a rename from a role that is declared",
        "version: 1\nroles:\n  A: {renamed_from: B}\n  B: {}\n",
        "3:3",
        "bad-rename",
        "`B` is still declared at roles.yaml:4:3",
        "correct `renamed_from`",
    ),
    Mistake(
        "a date that does not exist",
        user("{role: Full Access, until: 2099-02-30}"),
        "5:36",
        "no-such-date",
        "there is no date 2099-02-30",
        "use YYYY-MM-DD",
    ),
    Mistake(
        "a word for a date",
        user("{role: Full Access, until: soon}"),
        "5:36",
        "schema-pattern",
        "`until` can't be `soon`",
        "write it as YYYY-MM-DD",
    ),
    Mistake(
        "a number for a date",
        user("{role: Full Access, until: 20991231}"),
        "5:36",
        "schema-type",
        "`until`",
        "YYYY-MM-DD",
    ),
    Mistake(
        "a time for a date",
        user("{role: Full Access, until: 2099-12-31 18:00:00}"),
        "5:36",
        "",
        "2099-12-31 18:00:00",
        "YYYY-MM-DD",
    ),
    Mistake(
        "a role that is ignored",
        role("privileges: []") + "ignore: ['view*']\n",
        "3:3",
        "ignored-role",
        "role `Viewer` is declared, but ignored (`view*`)",
        "narrow `ignore`",
    ),
]

MISTAKES = [
    *UNKNOWN_NAMES,
    *TWICE,
    *YAML_TRICKS,
    *ENCODINGS,
    *NOT_TEXT,
    *SHAPES,
    *NAMES,
    *CONTRADICTIONS,
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.name for mistake in MISTAKES])
def test_a_mistake_in_a_file_is_refused(shell: Shell, mistake: Mistake) -> None:
    """With file, line and column, what is wrong, and what would be right."""
    shell.write("roles.yaml", mistake.content)
    errors = shell.refused("apply", "--auto-approve", "roles.yaml")
    place = f"roles.yaml:{mistake.place}"
    error = next((e for e in errors if e.place.startswith(place)), errors[0])
    assert error.place.startswith(place)
    assert mistake.id in {"", error.id}
    assert mistake.words in error.text
    assert mistake.remedy in error.remedy
    assert set(shell.files()) == {"roles.yaml"}


def test_ten_mistakes_in_three_files_are_told_at_once(shell: Shell) -> None:
    """In the order of files, lines and columns, so that one round of mending is enough."""
    shell.write(
        "team/a.yaml",
        "version: 1\n"
        "roles:\n"
        "  Viewer:\n"
        "    description: no\n"  # 1: a text that YAML 1.1 takes for false
        "    description: Looks things up\n"  # 2: twice
        "  Clerk: !role {}\n",  # 3: a tag
    )
    shell.write(
        "team/b.yaml",
        "version: 1\n"
        "roles:\n"
        "  Accountant:\n"
        "    privilege: [ARDOCS_VIEW]\n"  # 4: an unknown key
        "    includes: Viewer\n"  # 5: no list
        "users:\n"
        "  ada@example.com:\n"
        "    roles: [{role: Full Access, until: someday}]\n",  # 6: no date
    )
    shell.write(
        "team/c.yaml",
        "version: 1\n"
        "roles:\n"
        "  Auditor:\n"
        "    privileges: [ARDOCS_VIEWS]\n"  # 7: an unknown privilege
        "  ACCOUNTANT: {}\n"  # 8: declared in b.yaml already
        "  Boss:\n"
        "    renamed_from: Full Access\n"  # 9: a default role
        "    includes: [Boss]\n",  # 10: itself
    )
    errors = shell.refused("plan", "team")
    assert [(error.place, error.id) for error in errors] == [
        ("team/a.yaml:4:18", "unclear-scalar"),
        ("team/a.yaml:5:5", "duplicate-key"),
        ("team/a.yaml:6:10", "yaml-tag"),
        ("team/b.yaml:4:5", "schema-additional-properties"),
        ("team/b.yaml:5:15", "schema-type"),
        ("team/b.yaml:8:40", "schema-pattern"),
        ("team/c.yaml:4:18", "unknown-privilege"),
        ("team/c.yaml:5:3", "declared-twice"),
        ("team/c.yaml:6:3", "bad-rename"),
        ("team/c.yaml:8:16", "include-cycle"),
    ]


def test_mistakes_of_every_kind_in_one_file_are_told_at_once(shell: Shell) -> None:
    """An unquoted `no`, an unknown key and an unknown privilege do not hide each other."""
    shell.write("roles.yaml", role("description: no", "privilege: []", "privileges: [ARDOC_VIEW]"))
    errors = shell.refused("plan", "roles.yaml")
    assert [error.place for error in errors] == [
        "roles.yaml:4:18",
        "roles.yaml:5:5",
        "roles.yaml:6:18",
    ]


def test_a_role_in_two_files_names_both_places(shell: Shell) -> None:
    """The error stands at the second one and points to the first."""
    shell.write("team/a.yaml", role("privileges: []"))
    shell.write("team/b.yaml", "version: 1\nusers: {}\n" + role("privileges: []")[11:])
    (error,) = shell.refused("plan", "team")
    assert error.text == (
        "team/b.yaml:4:3: error: role `Viewer` is declared at team/a.yaml:3:3 already\n"
        "    keep one of them"
    )


@pytest.mark.parametrize(
    ("kind", "declaration"),
    [
        ("user", "users:\n  ada@example.com: {roles: []}\n"),
        ("privilege set", "privilege_sets:\n  holds: []\n"),
        ("policy", "policies:\n  - {name: holds, deny: [ARDOCS_REBUILD]}\n"),
    ],
)
def test_nothing_is_declared_in_two_files(shell: Shell, kind: str, declaration: str) -> None:
    """Users, privilege sets and policies no more than roles."""
    shell.write("a.yaml", f"version: 1\n{declaration}")
    shell.write("b.yaml", f"version: 1\n{declaration}")
    (error,) = shell.refused("plan", "a.yaml", "b.yaml")
    assert error.id == "declared-twice"
    assert error.place.startswith("b.yaml:3:")
    assert error.message.startswith(f"{kind} `")
    assert "a.yaml:3:" in error.message


def test_a_name_in_an_unread_file_is_no_second_mistake(shell: Shell) -> None:
    """Whoever refers to a role of a broken file gets no error for it."""
    shell.write("a.yaml", "version: 1\nroles:\n  Viewer: {\n")
    shell.write("b.yaml", role("includes: [Viewer]", name="Accountant"))
    (error,) = shell.refused("plan", "a.yaml", "b.yaml")
    assert error.place.startswith("a.yaml:")


def test_an_alias_that_repeats_little_is_fine(shell: Shell) -> None:
    """Anchors are part of YAML; only those that explode or recurse are refused."""
    shell.write(
        "roles.yaml",
        "version: 1\nroles:\n"
        "  Viewer:\n    privileges: &view [ARDOCS_VIEW]\n  Reader:\n    privileges: *view\n",
    )
    assert shell("validate", "roles.yaml").out == "Valid: 1 file, 2 roles, 0 users.\n"


def test_quoting_is_always_enough(shell: Shell) -> None:
    """Whatever must not stand plain is a text like any other in quotes."""
    texts = ["no", "on", "010", "1_000", "2026-01-01", "~", "12", "1.5", "true", "<<", "=", "*"]
    roles = "".join(f'  "{text}": {{description: "{text}"}}\n' for text in texts)
    shell.write("roles.yaml", f"version: 1\nroles:\n{roles}")
    assert shell("validate", "roles.yaml").code == 0
