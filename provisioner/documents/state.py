"""The state file as bytes: encoding, decoding, and checking. Pure; no file is touched here.

One JSON document, sorted, with one role and one user per line, so that a diff shows what changed.
The second line holds the SHA-256 of every byte after it: one pass over the bytes tells whether
anything at all was altered, before any of it is parsed.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from provisioner import schemas, strict_json
from provisioner.backends.base import Run
from provisioner.documents import codec, damage
from provisioner.documents.contradictions import (
    circles,
    doubles,
    policy_flaws,
    same_ids,
    same_names,
    strangers,
)
from provisioner.model import KINDS, Assignment, Base, Kind, Role, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.errors import StateDamaged

VERSION = 1
T = TypeVar("T")

_OPENING = b'{\n"digest": "sha256:'
_DIGEST_LINE = re.compile(rb'\{\n"digest": "(sha256:[0-9a-f]{64})",\n')
_VERSION_LINES = re.compile(rb'"format": "provisioner-state",\n"version": (\d{1,9}),\n')
_IDENTITY_LINES = re.compile(rb'\n"lineage": "([0-9a-f-]{36})",\n"serial": (\d{1,18}),\n')
_BODY = '\n"roles": ['
_SHOWN = 200


class Header(Struct, frozen=True):
    """Everything in a state file but the state itself. ``run`` is None for serial 0."""

    lineage: str
    serial: int
    run: Run | None
    digest: str

    @property
    def base(self) -> Base:
        """The version that plans made from this file are bound to."""
        return Base(self.lineage, self.serial, self.digest)


class Document(Struct, frozen=True):
    """A whole state file."""

    header: Header
    state: State


class RoleLine(Struct, frozen=True):
    """A role as its line in the file says it, lists sorted."""

    id: str | None
    name: str
    description: str
    privileges: list[str]
    includes: list[str]
    protected: bool


class UserLine(Struct, frozen=True):
    """What a user holds, as the line in the file says it."""

    user: str
    roles: list[str]


class _Content(Struct, frozen=True):
    """The state in a state file."""

    recorded: frozenset[Kind]
    policies: tuple[dict[str, Any], ...]
    roles: tuple[Role, ...]
    users: tuple[Assignment, ...]


def encode(lineage: str, serial: int, run: Run | None, state: State) -> bytes:
    """Return the bytes of a state file. Every role must have an id.

    Raises:
        UnicodeEncodeError: Some text holds lone surrogates, which no UTF-8 file can hold.
    """
    roles, users = state.roles, state.assignments
    body = "\n".join(
        (
            '"format": "provisioner-state",',
            f'"version": {VERSION},',
            f'"lineage": "{lineage}",',
            f'"serial": {serial},',
            f'"run": {codec.line(_run_document(run) if run else None)},',
            f'"recorded": {codec.line(sorted(state.recorded))},',
            f'"policies": {codec.line(state.policies)},',
            f'"roles": {_lines(_role_line(roles[name]) for name in sorted(roles))},',
            f'"users": {_lines(_user_line(users[key]) for key in sorted(users))}',
            "}\n",
        )
    ).encode()
    return b'{\n"digest": "%s",\n%s' % (_digest(body).encode(), body)


def decode(data: bytes, where: str) -> Document:
    """Read a state file, believing nothing: digest, version, JSON, schema, then references.

    Raises:
        StateDamaged: With all that is wrong by the first of these that fails, naming ``where`` and
            the fields.
    """
    checked_digest(data, where)
    document = _parsed(data, where)
    _require_shape(document, where)
    codec.share(document["roles"], "privileges", "includes")
    codec.share(document["users"], "roles")
    content = _typed(document, _Content, where)
    state = State(
        {role.name: role for role in content.roles},
        {held.user.casefold(): held for held in content.users},
        content.recorded,
        content.policies,
    )
    if problems := list(_contradictions(document, state)):
        raise damage.damaged_by("inconsistent", where, "contradicts itself", problems)
    return Document(_typed(document, Header, where), state)


def read_header(data: bytes, where: str) -> Header:
    """Check the digest and read what comes before the roles, which is fast at any size.

    Raises:
        StateDamaged: As ``decode``, except that the state itself is not looked at.
    """
    checked_digest(data, where)
    head = data.partition(_BODY.encode())[0].rstrip(b",") + b"}"
    document = {**_parsed(head, where), "roles": [], "users": []}
    _require_shape(document, where)
    return _typed(document, Header, where)


def checked_digest(data: bytes, where: str) -> str:
    """Return the digest that the file carries, once it is the digest of what follows.

    Raises:
        StateDamaged: It is not; or this is no state file, or one of a newer version.
    """
    if not data:
        raise damage.empty(where)
    first = _DIGEST_LINE.match(data)
    if first is None:
        raise _unrecognised(data, where)
    versioned = _VERSION_LINES.match(data, first.end())
    # Before the digest, which a newer version may compute in another way: taking its file for a
    # damaged one would invite people to replace it.
    if versioned and int(versioned[1]) > VERSION:
        raise damage.newer(where, int(versioned[1]), VERSION)
    digest = first[1].decode()
    if _digest(memoryview(data)[first.end() :]) != digest:
        whole = data.rstrip().endswith(b"\n}")
        raise damage.edited(where, data) if whole else damage.truncated(where, len(data))
    return digest


def claimed_identity(data: bytes) -> tuple[str, int] | None:
    """Return the lineage and serial that a damaged file claims, if that much can be read."""
    found = _IDENTITY_LINES.search(data, 0, 1000)
    return (found[1].decode(), int(found[2])) if found else None


def _role_line(role: Role) -> str:
    lists = sorted(role.privileges), sorted(role.includes)
    return codec.line(RoleLine(role.id, role.name, role.description, *lists, role.protected))


def _user_line(held: Assignment) -> str:
    return codec.line(UserLine(held.user, sorted(held.roles)))


def _lines(items: Iterable[str]) -> str:
    lines = ",\n".join(items)
    return f"[\n{lines}\n]" if lines else "[]"


def _digest(body: bytes | memoryview) -> str:
    return f"sha256:{sha256(body).hexdigest()}"


def _unrecognised(data: bytes, where: str) -> StateDamaged:
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return damage.misencoded(where)
    if data.startswith(_OPENING.replace(b"\n", b"\r\n")):
        return damage.edited(where, data)
    if _OPENING.startswith(data[: len(_OPENING)]) and b"\n" not in data[len(_OPENING) :]:
        return damage.truncated(where, len(data))
    return damage.foreign(where)


def _parsed(data: bytes, where: str) -> dict[str, Any]:
    try:
        document = strict_json.parse(data)
    except strict_json.Unsound as error:
        if error.flaws[0].id == "json-encoding":
            raise damage.misencoded(where) from error
        told = [str(flaw) for flaw in error.flaws]
        raise damage.damaged_by("json", where, "is not sound JSON", told, error.more) from error
    if not isinstance(document, dict):
        raise damage.foreign(where)
    return document


def _require_shape(document: dict[str, Any], where: str) -> None:
    if not schemas.valid("state", document):
        found = [
            f"{error.json_path.removeprefix('$.')}: {error.message[:_SHOWN]}"
            for error in schemas.violations("state", document)
        ]
        raise damage.damaged_by("schema", where, "has the wrong shape", found)


def _contradictions(document: dict[str, Any], state: State) -> Iterator[str]:
    """Yield what a schema can't see: what clashes, is there twice, or refers to nothing."""
    roles, users = document["roles"], document["users"]
    known = frozenset(item["name"] for item in roles)
    yield from same_names("roles", "name", roles)
    yield from same_ids(roles)
    yield from same_names("users", "user", users)
    if _listed(roles, users) != _held(state):
        yield from doubles("roles", "name", roles, ("privileges", "includes"))
        yield from doubles("users", "user", users, ("roles",))
    yield from strangers("roles", "name", roles, ("includes",), known)
    yield from strangers("users", "user", users, ("roles",), known)
    yield from circles(roles, "name")
    yield from (problem for _, problem in policy_flaws(document["policies"]))
    recorded = document["recorded"]
    yield from (f"recorded: {kind} is there twice" for kind in KINDS if recorded.count(kind) > 1)
    if (document["run"] is None) != (document["serial"] == 0):
        yield "run: every serial but 0 has the run that led to it, and 0 has none"


def _listed(roles: list[dict[str, Any]], users: list[dict[str, Any]]) -> int:
    """How much there is in all lists."""
    carried = sum([len(item["privileges"]) + len(item["includes"]) for item in roles])
    return carried + sum([len(item["roles"]) for item in users])


def _held(state: State) -> int:
    """The same, with nothing counted twice."""
    carried = sum([len(role.privileges) + len(role.includes) for role in state.roles.values()])
    return carried + sum([len(held.roles) for held in state.assignments.values()])


def _typed(document: dict[str, Any], kind: type[T], where: str) -> T:
    try:
        return codec.typed(document, kind)
    except codec.Misfit as error:
        raise damage.damaged("schema", where, f"has a wrong value in {error}") from error


def _run_document(run: Run) -> dict[str, Any]:
    document: dict[str, Any] = codec.plain(run)
    if run.until is None:
        del document["until"]
    return document
