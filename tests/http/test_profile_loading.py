"""Profiles: what they mean, and what is said where about one that is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioner import schemas
from provisioner.backends.http.profile.known_requests import CALLS, LISTS, PAGE
from provisioner.backends.http.profile.loading import load_profile, shipped
from provisioner.desired.load import read_document
from provisioner.errors import InvalidInput
from provisioner.model import Capabilities, Place

if TYPE_CHECKING:
    from provisioner.backends.http.profile.definition import Profile

SMALLEST = """\
version: 1
paging: {style: none}
roles:
  list: {path: /roles}
  id: id
  name: name
  privileges: {names: privileges}
  create:
    method: POST
    path: /roles
    body: {name: "{name}", privileges: "{privileges}"}
  update:
    method: PUT
    path: "/roles/{id}"
    body: {privileges: "{privileges}"}
  delete: {method: DELETE, path: "/roles/{id}"}
"""


def load(folder: Path, text: str) -> Profile:
    (folder / "acme.yaml").write_text(text)
    return load_profile("acme.yaml", folder, read_document)


def problems(folder: Path, text: str) -> list[tuple[str, str]]:
    """What is said about a profile: "line:column" and message, in order."""
    with pytest.raises(InvalidInput) as caught:
        load(folder, text)
    found = []
    for diagnostic in caught.value.diagnostics:
        assert isinstance(diagnostic.place, Place)
        assert diagnostic.place.file.endswith("acme.yaml")
        found.append((f"{diagnostic.place.line}:{diagnostic.place.column}", diagnostic.message))
    return found


def test_the_smallest_profile_can_what_it_says(tmp_path: Path) -> None:
    assert load(tmp_path, SMALLEST).capabilities() == Capabilities(
        assignments=False,
        includes=False,
        descriptions=False,
        renames=False,
        protection=False,
        versions=False,
        recording=False,
    )


def test_the_shipped_profiles_can_what_their_apis_can() -> None:
    assert shipped() == ("flask-appbuilder", "gateway")


@pytest.mark.parametrize(
    ("name", "capabilities"),
    [
        ("gateway", Capabilities(recording=False)),
        (
            "flask-appbuilder",
            Capabilities(
                includes=False,
                descriptions=False,
                protection=False,
                versions=False,
                whole_roles=False,
                recording=False,
                closed_users=True,
            ),
        ),
    ],
)
def test_shipped_profiles_load(tmp_path: Path, name: str, capabilities: Capabilities) -> None:
    assert load_profile(name, tmp_path, read_document).capabilities() == capabilities


def test_an_unknown_profile_names_the_shipped_ones(tmp_path: Path) -> None:
    place = Place("provisioner.yaml", 4, 5)
    with pytest.raises(InvalidInput) as caught:
        load_profile("airflow", tmp_path, read_document, place=place)
    (found,) = caught.value.diagnostics
    assert found.place == place
    assert found.remedy is not None
    assert "flask-appbuilder, gateway" in found.remedy
    with pytest.raises(InvalidInput) as caught:
        load_profile("flask-app-builder", tmp_path, read_document)
    assert caught.value.diagnostics[0].remedy == "did you mean flask-appbuilder?"


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_profile("nothing.yaml", tmp_path, read_document)
    assert caught.value.diagnostics[0].place == str(tmp_path / "nothing.yaml")


def test_all_problems_are_said_at_once_each_with_its_place(tmp_path: Path) -> None:
    text = SMALLEST.replace("name: name", "name: 'join('").replace("{id}", "{idd}")
    text = text.replace("version: 1", "version: 1\nrolles: {}")
    assert [place for place, _ in problems(tmp_path, text)] == [
        "2:1",  # rolles
        "7:9",  # the expression
        "14:5",  # update: no {id} ...
        "15:11",  # ... but {idd}
        "17:11",
        "17:34",
    ]


def test_the_schema_is_strict_and_explains_itself() -> None:
    def bare(node: object) -> bool:
        if isinstance(node, dict):
            is_object = node.get("type") == "object"
            return (is_object and "additionalProperties" not in node) or any(
                map(bare, node.values())
            )
        return isinstance(node, list) and any(map(bare, node))

    assert not bare(schemas.load("profile"))


# What replaces what, with a « where the problem is; and what is said of it.
CHANGES = [
    ("id: id", "id: «'items['", "roles.id: `items[` is no JMESPath: Incomplete expression"),
    ("id: id", "id: «idd(x)", "roles.id: `idd(x)` calls `idd`, which JMESPath does not have"),
    ("path: /roles}", "path: «/roles?all=1}", "`path` can't be `/roles?all=1`"),
    ("path: /roles}", "path: «'/roles/{name}'}", "roles.list: unknown placeholder {name}"),
    (
        'method: POST\n    path: /roles\n    body: {name: "{name}", ',
        "«method: POST\n    path: /roles\n    body: {",
        "roles.create holds no {name}",
    ),
    (
        'body: {privileges: "{privileges}"}',
        'body: «{privileges: "x {privileges}"}',
        "roles.update: {privileges} is a list and has no form as text",
    ),
    (
        "names: privileges",
        "ids: «privileges",
        "roles refer to privileges by id, and nothing says which id is which",
    ),
    (
        "{names: privileges}",
        "«{ids: a, names: b}",
        "`privileges` needs exactly one of `ids`, `names`; it has `ids` and `names`",
    ),
    (
        "names: privileges",
        "names: privileges, add: «{method: PUT, path: /x}",
        "roles.privileges has `add`, and nothing that lists them",
    ),
    ("path: /roles}", "path: /roles, paging: {style: «pages}}", "`style` can't be `pages`"),
    (
        "path: /roles}",
        "path: /roles, paging: «{style: cursor, query: {c: '{cursor}'}}}",
        "paging by cursor needs `next`",
    ),
    (
        "path: /roles}",
        "path: /roles, paging: «{style: page, query: {p: '{size}'}, size: 9}}",
        "roles.list: paging by page needs {page} in a query",
    ),
    (
        "path: /roles}",
        "path: /roles, paging: {style: page, query: «{p: '{page}{offsett}'}}}",
        "roles.list.paging: unknown placeholder {offsett}",
    ),
    (
        "path: /roles}",
        "path: /roles, paging: «{style: offset, query: {o: '{offset}', k: '{size}'}}}",
        "roles.list: {size} is used, and `size` is missing",
    ),
    (
        "paging: {style: none}\nroles:\n  list: {path: /roles}",
        "roles:\n  list: «{path: /roles}",
        "roles.list: nothing says how this list is paged",
    ),
    (
        "path: /roles}",
        "path: /roles, paging: {style: link, next: «next}}",
        "roles.list.paging: `next` does nothing in the paging style `link`",
    ),
    (
        "paging: {style: none}",
        "paging: {style: none, first: «0}",
        "paging: `first` does nothing in the paging style `none`",
    ),
    (
        "paging: {style: none}",
        "paging: {style: none, size: «50}",
        "paging: `size` does nothing: no request of these lists holds {size}",
    ),
    (
        "paging: {style: none}",
        "paging: «{style: none, query: {p: '{page}'}}",
        "roles.list: {page} is used, and the paging style `none` does not count that",
    ),
    (
        "paging: {style: none}",
        "paging: «{style: offset, query: {p: '{page}', o: '{offset}'}}",
        "roles.list: {page} is used, and the paging style `offset` does not count that",
    ),
    (
        "update:\n    method",
        "description: text\n  update:\n    «method",
        "roles.update holds no {description}, so roles.description would get lost",
    ),
    (
        "method: POST\n",
        "method: POST\n    match: «true\n",
        "a role that is made has no ETag to match yet",
    ),
    (
        '{method: DELETE, path: "/roles/{id}"}',
        "«{method: DELETE, path: /x}",
        "roles.delete holds no {id} or {name}",
    ),
    (
        "{method: DELETE",
        "{match: «true, method: DELETE",
        "`match` needs an ETag, and nothing gives one",
    ),
    ("  delete:", "  delte:", "`roles` lacks `delete`"),
]


@pytest.mark.parametrize(("old", "new", "message"), CHANGES, ids=[c[2] for c in CHANGES])
def test_a_mistake_is_said_at_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SMALLEST
    marked = SMALLEST.replace(old, new, 1)
    found = problems(tmp_path, marked.replace("«", ""))
    (place,) = [where for where, said in found if said == message] or [str(found)]
    if "«" in marked:
        before = marked.partition("«")[0]
        line = before.rpartition("\n")[2]
        assert place == f"{before.count(chr(10)) + 1}:{len(line) + 1}"


USERS = """\
users:
  list: {path: /users}
  login: login
  roles: {names: roles}
"""


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("", "users can't be given roles"),
        (
            "  assign: {method: PUT, path: '/users/{id}', body: {}}\n",
            "holds no {role_ids} or {roles}",
        ),
        (
            """\
  add: {method: PUT, path: '/users/{id}/{role}'}
  remove: {method: PUT, path: '/users/{id}/{role}', body: '{other_user_ids}'}
""",
            "users.remove sends {other_user_ids}, and nothing lists who holds a role",
        ),
        (
            """\
  assign: {method: PUT, path: '/users/{id}', body: '{roles}'}
  last_role_by_remove: true
""",
            "users has no `remove`",
        ),
    ],
)
def test_users_must_be_writable(tmp_path: Path, more: str, message: str) -> None:
    found = problems(tmp_path, SMALLEST + USERS + more)
    assert any(message in said for _, said in found), found


def test_privileges_listed_apart_must_be_writable(tmp_path: Path) -> None:
    apart = "privileges:\n    names: name\n    list: {path: '/roles/{id}/privileges'}"
    text = SMALLEST.replace("privileges: {names: privileges}", apart)
    (found,) = problems(tmp_path, text)
    assert found == ("8:5", "roles.privileges can't be written")


def documentation() -> str:
    return (Path(__file__).parents[2] / "docs" / "profiles.md").read_text(encoding="utf-8")


def test_the_example_in_the_documentation_is_a_whole_profile(tmp_path: Path) -> None:
    (example,) = [
        block
        for block in documentation().split("```yaml\n")[1:]
        if block.startswith("# yaml-language-server")
    ]
    assert load(tmp_path, example.partition("```")[0]).capabilities() == Capabilities(
        includes=False, protection=False, recording=False, closed_users=True
    )


def test_every_key_is_documented() -> None:
    text = documentation()

    def keys(node: object) -> set[str]:
        if isinstance(node, dict):
            own = set(node["properties"]) if isinstance(node.get("properties"), dict) else set()
            return own.union(*map(keys, node.values()))
        return set().union(*map(keys, node)) if isinstance(node, list) else set()

    words = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`\n]+)`", text))))
    assert keys(schemas.load("profile")) - words == set()


def test_every_placeholder_is_documented() -> None:
    known = set().union(*CALLS.values(), *LISTS.values(), PAGE)
    assert known - set(re.findall(r"\{([a-z_]+)\}", documentation())) == set()


@pytest.mark.parametrize("path", ["/login/{password}", "/{username}/{password}"])
def test_a_password_belongs_into_the_body_only(tmp_path: Path, path: str) -> None:
    login = f"login:\n  token: token\n  body: {{p: '{{password}}'}}\n  path: '{path}'\n"
    line = (SMALLEST + login).count("\n")
    message = "login: {password} in an address would end up in logs"
    assert (f"{line}:9", message) in problems(tmp_path, SMALLEST + login)


def test_roles_that_administer_are_named(tmp_path: Path) -> None:
    named = SMALLEST.replace("  name: name\n", "  name: name\n  administrators: [Root, Ops]\n")
    assert load(tmp_path, named).roles.administrators == {"Root", "Ops"}
    assert load(tmp_path, SMALLEST).roles.administrators == frozenset()
    fab = load_profile("flask-appbuilder", tmp_path, read_document)
    assert fab.roles.administrators == {"Admin"}
