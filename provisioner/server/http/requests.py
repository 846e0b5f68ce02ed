"""From HTTP to a checked call: headers, size, JSON, shape. Nothing here knows the panel."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from starlette.datastructures import Headers

from provisioner import strict_json
from provisioner.documents.gateway import shapes
from provisioner.server.http.problems import Problem
from provisioner.server.http.tokens import Subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jsonschema import ValidationError
    from starlette.requests import Request

    from provisioner.server.http.limits import Share
    from provisioner.server.http.tokens import Tokens

_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
_JSON_TYPE: Final = re.compile(
    r'application/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE
)
_KEY: Final = re.compile(r"[\x20-\x7e]{1,255}")
# 10,000 roles of 300 privileges are three million; of `{}` a body would take fifty times its size.
_BODY: Final = strict_json.Limits(parts=5_000_000, searched=200_000)
_SHOWN: Final = 300


class Call(Struct, frozen=True):
    """One request, as far as it can be checked without the panel.

    ``parameters`` are those of the path, ``query`` those after it. ``document`` is the body.
    """

    method: str
    path: str
    subject: Subject
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    headers: Headers
    body: bytes = b""
    document: Any = None

    @property
    def if_match(self) -> str | None:
        """All `If-Match` headers as one; None without."""
        return ", ".join(self.headers.getlist("if-match")) or None

    @property
    def if_none_match(self) -> str | None:
        """All `If-None-Match` headers as one; None without."""
        return ", ".join(self.headers.getlist("if-none-match")) or None


def authenticated(headers: Headers, tokens: Tokens) -> Subject:
    """Return who asks.

    Raises:
        Problem: Nobody who is known.
    """
    subject = find_subject(headers, tokens)
    if subject is None:
        is_token = _token(headers) is not None
        detail = "the token is not known" if is_token else "send `Authorization: Bearer TOKEN`"
        raise Problem("unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})
    return subject


def find_subject(headers: Headers, tokens: Tokens) -> Subject | None:
    """Return who asks; None for nobody who is known."""
    token = _token(headers)
    return tokens.subject(token) if token else None


def _token(headers: Headers) -> str | None:
    given = headers.getlist("authorization")
    match = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
    return match[1] if match else None


def require_write(subject: Subject) -> None:
    """Let pass who may write.

    Raises:
        Problem: The token may only read.
    """
    if not subject.may_write:
        raise Problem("forbidden", "this token may only read")


def checked_query(items: Iterable[tuple[str, str]], known: frozenset[str]) -> dict[str, str]:
    """Return the query's parameters.

    Raises:
        Problem: One is unknown or stands twice: ignoring it would answer another question.
    """
    found: dict[str, str] = {}
    for name, value in items:
        if name not in known:
            raise Problem("malformed", f"there is no query parameter `{name[:_SHOWN]}` here")
        if name in found:
            raise Problem("malformed", f"the query parameter `{name}` stands twice")
        found[name] = value
    return found


def idempotency_key(headers: Headers) -> str:
    """Return the request's key.

    Raises:
        Problem: There is none, or one that is not allowed.
    """
    given = headers.getlist("idempotency-key")
    if len(given) != 1 or not _KEY.fullmatch(given[0]):
        detail = "send one Idempotency-Key of 1 to 255 printable ASCII characters"
        raise Problem("idempotency-key-missing", detail)
    return given[0]


async def read_body(request: Request, share: Share, limit: int, patience: float) -> bytes:
    """Return the whole body, for which ``share`` makes room before it is read.

    Raises:
        Problem: It is no JSON by its type, too large by itself or with others, or takes too long.
    """
    if not _JSON_TYPE.fullmatch(request.headers.get("content-type", "")):
        raise Problem("unsupported-media-type", "send `Content-Type: application/json`")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("unsupported-media-type", "send the body without Content-Encoding")
    too_large = Problem("too-large", f"the body has more than {limit} bytes")
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise too_large
    share.grow_to(int(announced) if announced.isdecimal() else 0)
    body = bytearray()
    try:
        async with asyncio.timeout(patience):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise too_large
                share.grow_to(len(body))
    except TimeoutError as error:
        raise Problem("malformed", f"the body did not come within {patience:g} s") from error
    return bytes(body)


def parsed(body: bytes) -> Any:
    """Return the JSON value that a body is.

    Raises:
        Problem: It is none, or one that not every program reads in the same way.
    """
    try:
        return strict_json.parse(body, _BODY)
    except strict_json.Unsound as error:
        id = "too-large" if error.flaws[0].id == "json-too-large" else "malformed"
        wrong = [(flaw.pointer or "", flaw.message) for flaw in error.flaws]
        detail = f"the body is not JSON that all programs read alike: {error}"
        raise Problem(id, detail, errors=wrong, more=error.more) from error


def require_shape(shape: str, value: Any) -> None:
    """Let pass a value of that shape.

    Raises:
        Problem: With the first things that are wrong, each with its place; the rest is counted.
    """
    if shapes.valid(shape, value):
        return
    found = [error for each in shapes.violations(shape, value) for error in _explained(each)]
    told = [error for error in found if error.validator != shapes.REST]
    more = sum(int(str(e.validator_value)) for e in found if e.validator == shapes.REST)
    wrong = ((_pointer(error.absolute_path), error.message) for error in told)
    raise Problem("invalid", "the body has the wrong shape", errors=wrong, more=more)


def _explained(error: ValidationError) -> list[ValidationError]:
    """What is wrong by the one alternative that was meant, where `op` names it."""
    if error.validator != "oneOf" or not error.context:
        return [error]
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    for inners in branches.values():
        if not any(list(inner.path) == ["op"] for inner in inners):
            return inners
    return [error]


def _pointer(path: Iterable[str | int]) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
