"""What a server says when it refuses, as an error for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from provisioner.diagnostics import Diagnostic
from provisioner.errors import BackendError, ProvisionerError, StateMoved

if TYPE_CHECKING:
    from provisioner.backends.http.client import Reply

_SHOWN: Final = 300
_ITEMS: Final = 3

# Status: the problem's id, and what to do about it.
_REMEDIES: Final[dict[int, tuple[str, str | None]]] = {
    401: ("unauthorised", "check the target's `token_env`, `token_file` or `password_env`"),
    403: ("forbidden", "use a token or a user that may do this; writing needs more than reading"),
    404: ("not-found", "check `url` in the project file"),
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
    kind = StateMoved if reply.status == 412 else BackendError
    return kind(Diagnostic(id, message, None, remedy))


def _said(body: Any) -> str:
    if isinstance(body, str):
        return _cut(body)
    if not isinstance(body, dict):
        return ""
    names = ("detail", "title", "message", "error_description", "error", "msg")
    told = next((body[name] for name in names if body.get(name)), "")
    if isinstance(told, dict):
        told = "; ".join(f"{field}: {_flat(why)}" for field, why in told.items())
    errors = body.get("errors")
    parts = [_flat(told)]
    if isinstance(errors, list):
        items = [item for item in errors if isinstance(item, dict)]
        parts += [
            f"{item.get('pointer', '')}: {_flat(item.get('detail', ''))}" for item in items[:_ITEMS]
        ]
        parts += [f"and {len(items) - _ITEMS} more"] if len(items) > _ITEMS else []
    return _cut("; ".join(part for part in parts if part))


def _flat(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item)[:_SHOWN] for item in value[:_ITEMS])
    return str(value)[:_SHOWN]


def _cut(text: str) -> str:
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= _SHOWN else f"{clean[:_SHOWN]}…"
