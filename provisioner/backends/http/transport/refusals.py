"""What a server says when it refuses, as an error for people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from provisioner.diagnostics import Diagnostic
from provisioner.errors import BackendError, ProvisionerError, StateMoved

if TYPE_CHECKING:
    from provisioner.backends.http.transport.messages import Reply

_SHOWN: Final = 300
_ITEMS: Final = 3
_LONGEST_CHALLENGE: Final = 1000
_LONGEST_SCHEME: Final = 30
_WHOLE: Final = frozenset({200})
_MEANINGS: Final = {
    202: "so it is not done yet",
    203: "so something on the way has changed it",
    204: "so there is nothing in it",
    206: "so it is only a part",
}
# What explains a refusal, and where in what was sent it is, in the words of common frameworks.
_NAMES: Final = (
    *("detail", "title", "message", "error_description", "error", "msg", "description", "reason"),
)
_PLACES: Final = ("pointer", "field", "path", "loc", "param", "location")
# A scheme begins the header, or follows a comma, and is followed by its parameters or a comma.
_SCHEME: Final = re.compile(r"(?:^|,)\s*([A-Za-z][\w!#$%&'*+.^`|~-]*)(?=\s+[^\s=,]|\s*(?:,|$))")

# Status: the problem's id, and what to do about it.
_REMEDIES: Final[dict[int, tuple[str, str | None]]] = {
    401: ("unauthorised", "check the target's `token_env`, `token_file` or `password_env`"),
    403: ("forbidden", "use a token or a user that may do this; writing needs more than reading"),
    404: ("not-found", "check `url` in the project file, and the paths in the profile"),
    405: ("no-endpoint", "correct the method in the profile: the API does not take this one there"),
    409: ("refused", None),
    412: ("state-moved", "plan again"),
    413: ("too-large", "change less at a time, or raise the server's limit"),
    422: ("refused", None),
    428: ("no-precondition", "the profile must send the version: `match: true`"),
}


def refusal(reply: Reply, what: str) -> ProvisionerError:
    """Return the error for a reply with a status of 400 or more.

    ``what`` completes "could not ...". Understands problem documents (RFC 9457) and the messages of
    common frameworks. 412 is a ``StateMoved``, everything else a ``BackendError``.
    """
    id, remedy = _REMEDIES.get(reply.status, ("refused", None))
    try:
        said = _said(reply.body)
    except RecursionError:
        said = ""  # nested beyond reason
    answer = f"the server answers {reply.status}" + (f": {said}" if said else "")
    message = f"{reply.url}: could not {what}: {answer}"
    if reply.status == 401 and (wanted := _schemes(reply.headers.get("WWW-Authenticate", ""))):
        remedy = _other_scheme(wanted) or remedy
    kind = StateMoved if reply.status == 412 else BackendError
    return kind(Diagnostic(id, message, None, remedy))


def require_whole(reply: Reply, what: str, *, allowed: frozenset[int] = _WHOLE) -> None:
    """Make sure that the reply to a question is all of the answer, and the API's own.

    203 is somebody else's version of it, 206 a part (RFC 9110, 15.3), and what other numbers from
    200 to 299 mean for a question nobody knows. ``what`` completes "could not ...".

    Raises:
        BackendError: It is not, or a refusal.
    """
    if reply.status in allowed:
        return
    if reply.status >= 400:
        raise refusal(reply, what)
    meaning = _MEANINGS.get(reply.status, "which is no whole answer to a question")
    message = f"{reply.url}: could not {what}: the server answers {reply.status}, {meaning}"
    remedy = "nothing was concluded from it; a whole answer comes with 200"
    raise BackendError(Diagnostic("not-whole", message, None, remedy))


def _schemes(challenge: str) -> list[str]:
    """The schemes by which a server wants to be logged in to (RFC 9110, 11.6.1)."""
    found = _SCHEME.findall(challenge[:_LONGEST_CHALLENGE])
    return list(dict.fromkeys(scheme[:_LONGEST_SCHEME] for scheme in found))


def _other_scheme(wanted: list[str]) -> str | None:
    if "bearer" in (scheme.lower() for scheme in wanted):
        return None
    listed = ", ".join(f"`{scheme}`" for scheme in wanted[:_ITEMS])
    return (
        f"the API wants the scheme {listed} (its header WWW-Authenticate), and provisioner sends "
        "tokens as `Bearer`: have it take those, or put something in front of it that does"
    )


def _said(body: Any) -> str:
    if isinstance(body, str):
        return _cut(body)
    if isinstance(body, list):
        return _cut("; ".join(_each(body)))
    if not isinstance(body, dict):
        return ""
    told = next((body[name] for name in _NAMES if body.get(name)), None)
    errors = body.get("errors")
    parts = [] if told is None else _each(told) if isinstance(told, list) else [_reasons(told)]
    if isinstance(errors, list):
        parts += _each(errors)
    elif errors:
        parts.append(_reasons(errors))
    if not any(parts):
        # Django REST framework: the fields, each with what is wrong with it.
        parts = [_reasons({k: v for k, v in body.items() if isinstance(v, (str, list, dict))})]
    return _cut("; ".join(dict.fromkeys(part for part in parts if part)))


def _each(errors: list[Any]) -> list[str]:
    """What the items of a list of errors say, the first few."""
    told = [text for item in errors[:_ITEMS] if (text := _one(item))]
    return [*told, f"and {len(errors) - _ITEMS} more"] if len(errors) > _ITEMS else told


def _one(item: Any) -> str:
    if not isinstance(item, dict):
        return _flat(item)
    why = next((_reasons(item[name]) for name in _NAMES if item.get(name)), "")
    place = next((_flat(item[name]) for name in _PLACES if item.get(name)), "")
    if not why:
        return _reasons(item)
    return f"{place}: {why}" if place else why


def _reasons(told: Any) -> str:
    """A text, a list of texts, or fields with such."""
    if isinstance(told, dict):
        items = list(told.items())
        parts = [f"{_flat(field)}: {_reasons(why)}" for field, why in items[:_ITEMS]]
        return "; ".join(parts + ([f"and {len(items) - _ITEMS} more"] if items[_ITEMS:] else []))
    if isinstance(told, list):
        return ", ".join(_reasons(item) for item in told[:_ITEMS])
    return _flat(told)


def _flat(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item)[:_SHOWN] for item in value[:_ITEMS])
    return str(value)[:_SHOWN]


def _cut(text: str) -> str:
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= _SHOWN else f"{clean[:_SHOWN]}…"
