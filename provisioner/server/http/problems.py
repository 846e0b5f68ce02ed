"""Problem documents (RFC 9457)."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Id: (status, title). The contract explains each.
PROBLEMS: Final = {
    "malformed": (400, "Malformed request"),
    "idempotency-key-missing": (400, "Idempotency-Key is missing"),
    "unauthorized": (401, "A token is needed"),
    "forbidden": (403, "The token does not allow this"),
    "not-found": (404, "Not found"),
    "method-not-allowed": (405, "Method not allowed"),
    "name-taken": (409, "The name is taken"),
    "role-in-use": (409, "The role is in use"),
    "role-protected": (409, "The role is protected"),
    "default-role": (409, "Default roles stay"),
    "include-cycle": (409, "A role can't include itself"),
    "precondition-failed": (412, "It has changed"),
    "too-large": (413, "The body is too large"),
    "unsupported-media-type": (415, "The body must be JSON"),
    "invalid": (422, "The content is wrong"),
    "idempotency-key-reused": (422, "The Idempotency-Key came with another request"),
    "precondition-required": (428, "If-Match is missing"),
    "internal-error": (500, "Internal error"),
    "unavailable": (503, "Unavailable for now"),
}
RETRY_AFTER: Final = "2"
SHOWN_ERRORS: Final = 50
_LONGEST: Final = 500


class Problem(Exception):
    """A request that is refused.

    Args:
        id: A key of ``PROBLEMS``.
        detail: One sentence for people.
        errors: What is wrong where in the body, as (JSON Pointer, sentence). The first
            ``SHOWN_ERRORS`` are told, the rest is counted: no reply grows with its request.
        more: How many were counted already.
        headers: What else the reply carries.
    """

    def __init__(
        self,
        id: str,
        detail: str,
        *,
        errors: Iterable[tuple[str, str]] = (),
        more: int = 0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.id = id
        self.detail = _shortened(detail)
        rest = iter(errors)
        self.errors = tuple(
            (_shortened(at), _shortened(what)) for at, what in islice(rest, SHOWN_ERRORS)
        )
        self.more = more + sum(1 for _ in rest)
        self.headers = dict(headers or {})
        super().__init__(f"{id}: {self.detail}")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return PROBLEMS[self.id][0]


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def unavailable(detail: str) -> Problem:
    """A problem that passes by itself. It promises that nothing was changed."""
    return Problem("unavailable", detail, headers={"Retry-After": RETRY_AFTER})


def problem_response(problem: Problem, request_id: str) -> Response:
    """Return the reply for a problem; ``request_id`` leads to it in the log."""
    status, title = PROBLEMS[problem.id]
    document = {
        "type": f"urn:provisioner:problem:{problem.id}",
        "title": title,
        "status": status,
        "detail": problem.detail,
        "instance": f"urn:uuid:{request_id}",
    }
    if problem.errors:
        document["errors"] = [{"pointer": at, "detail": what} for at, what in problem.errors]
    if problem.more:
        document["more_errors"] = problem.more
    return Response(
        json.dumps(document, ensure_ascii=False).encode() + b"\n",
        status,
        problem.headers,
        "application/problem+json",
    )
