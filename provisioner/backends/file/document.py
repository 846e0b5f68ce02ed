"""The state file as bytes: encoding, decoding, and checking. Pure; no file is touched here.

One JSON document, sorted, with one role and one user per line, so that a diff shows what changed.
The second line holds the SHA-256 of every byte after it: one pass over the bytes tells whether
anything at all was altered, before any of it is parsed.
"""

from __future__ import annotations

import json
import re
from datetime import date
from hashlib import sha256
from sys import intern
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from provisioner import schemas
from provisioner.backends.base import Run
from provisioner.backends.contradictions import (
    circles,
    doubles,
    policy_flaws,
    same_ids,
    same_names,
    strangers,
)
from provisioner.backends.file import damage
from provisioner.documents import strict_json
from provisioner.model import KINDS, Assignment, Base, Ending, Role, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.errors import StateDamaged

VERSION = 1

_OPENING = b'{\n"digest": "sha256:'
_DIGEST_LINE = re.compile(rb'\{\n"digest": "(sha256:[0-9a-f]{64})",\n')
_VERSION_LINES = re.compile(rb'"format": "provisioner-state",\n"version": (\d{1,9}),\n')
_IDENTITY_LINES = re.compile(rb'\n"lineage": "([0-9a-f-]{36})",\n"serial": (\d{1,18}),\n')
_BODY = '\n"roles": ['
_SHOWN = 200

_encode = json.JSONEncoder(ensure_ascii=False).encode
_NONE: frozenset[str] = frozenset()


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


def encode(lineage: str, serial: int, run: Run | None, state: State) -> bytes:
    """Return the bytes of a state file. Every role must have an id.

    Raises:
        UnicodeEncodeError: Some text holds lone surrogates, which no UTF-8 file can hold.
    """
    quoted = _Quoted()
    body = "\n".join(
        (
            '"format": "provisioner-state",',
            f'"version": {VERSION},',
            f'"lineage": "{lineage}",',
            f'"serial": {serial},',
            f'"run": {_encode(_run_document(run) if run else None)},',
            f'"recorded": {quoted.sorted(state.recorded)},',
            f'"policies": {_encode(list(state.policies))},',
            f'"roles": {_lines(_role_lines(state, quoted))},',
            f'"users": {_lines(_user_lines(state, quoted))}',
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
    digest = checked_digest(data, where)
    document = _parsed(data, where)
    _require_shape(document, where)
    state = State(
        {
            item["name"]: Role(
                item["name"],
                item["description"],
                # Interned: the same few hundred names fill thousands of roles, and sets of
                # identical objects compare by identity.
                frozenset(map(intern, item["privileges"])),
                frozenset(map(intern, item["includes"])) if item["includes"] else _NONE,
                item["protected"],
                item["id"],
            )
            for item in document["roles"]
        },
        {
            item["user"].casefold(): Assignment(item["user"], frozenset(map(intern, item["roles"])))
            for item in document["users"]
        },
        frozenset(document["recorded"]),
        tuple(document["policies"]),
    )
    if problems := list(_contradictions(document, state)):
        raise damage.damaged_by("inconsistent", where, "contradicts itself", problems)
    return Document(_header(document, digest, where), state)


def read_header(data: bytes, where: str) -> Header:
    """Check the digest and read what comes before the roles, which is fast at any size.

    Raises:
        StateDamaged: As ``decode``, except that the state itself is not looked at.
    """
    digest = checked_digest(data, where)
    head = data.partition(_BODY.encode())[0].rstrip(b",") + b"}"
    document = {**_parsed(head, where), "roles": [], "users": []}
    _require_shape(document, where)
    return _header(document, digest, where)


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


class _Quoted(dict[str, str]):
    """Texts as JSON, each encoded once: privileges recur in thousands of roles."""

    def __missing__(self, text: str) -> str:
        quoted = self[text] = _encode(text)
        return quoted

    def sorted(self, texts: Iterable[str]) -> str:
        return f"[{', '.join([self[text] for text in sorted(texts)])}]"


def _role_lines(state: State, quoted: _Quoted) -> Iterator[str]:
    for name in sorted(state.roles):
        role = state.roles[name]
        yield (
            f'{{"id": {_encode(role.id)}, "name": {quoted[role.name]}, '
            f'"description": {_encode(role.description)}, '
            f'"privileges": {quoted.sorted(role.privileges)}, '
            f'"includes": {quoted.sorted(role.includes)}, '
            f'"protected": {"true" if role.protected else "false"}}}'
        )


def _user_lines(state: State, quoted: _Quoted) -> Iterator[str]:
    for key in sorted(state.assignments):
        assignment = state.assignments[key]
        yield f'{{"user": {_encode(assignment.user)}, "roles": {quoted.sorted(assignment.roles)}}}'


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


def _header(document: dict[str, Any], digest: str, where: str) -> Header:
    told = document["run"]
    try:
        run = _run(told) if told else None
    except ValueError as error:
        raise damage.damaged("schema", where, f"has a wrong date in run.until: {error}") from error
    return Header(document["lineage"], document["serial"], run, digest)


def _run_document(run: Run) -> dict[str, Any]:
    document = asdict(replace(run, until=None))
    del document["until"]
    if run.until is not None:
        document["until"] = [{**asdict(end), "until": end.until.isoformat()} for end in run.until]
    return document


def _run(document: dict[str, Any]) -> Run:
    until = document.get("until")
    if until is None:
        return Run(**document)
    ends = (Ending(**{**end, "until": date.fromisoformat(end["until"])}) for end in until)
    return Run(**{**document, "until": tuple(ends)})
